//! Which posts of a batch are let in: their senders are in the room, still signed in and not kept out by a block, what they
//! answer is there, and nobody has sent them before. One statement for all of them, which tells only of those that can't
//! simply be stored. Called by `writer/store.rs`; `writer/insert.rs` asks the same of those who want nothing else.

use std::collections::HashMap;

use sqlx::FromRow;

use super::Post;
use crate::auth::STANDS;
use crate::db::statement::{Answer, Statement, Value};
use crate::db::values::{NOWHERE, over, room_for};
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::MessageId;
use crate::rooms::{NO_ROOM, NOT_JOINED};
use crate::users::blocks::{BLOCK_OF, Block};

/// Whether `a.sender` is in the room `r`.
const IS_MEMBER: &str = "(select m.id from memberships m
                  where m.room_id = a.room and m.user_id = a.sender limit 1) is not null";

/// Whether the sender of `a`, who came in by `a.session` or `a.token`, may post in its room `r`: a condition in SQL.
pub(super) fn is_let_in() -> String {
    format!("({IS_MEMBER} and {STANDS} and {BLOCK_OF} = 0)")
}

/// What becomes of a post.
pub(super) enum Verdict {
    New,
    /// It was stored before, as this message.
    Before(MessageId),
    /// It is the same as an earlier one of this batch: which.
    Again(usize),
    Refused(Error),
}

impl Verdict {
    /// The message that was stored before.
    pub(super) fn first(&self) -> Option<MessageId> {
        match self {
            Self::Before(id) => Some(*id),
            _ => None,
        }
    }
}

/// A post that can't simply be stored, and why.
#[derive(FromRow)]
struct Doubt {
    place: i64,
    /// `None` for a room that isn't there.
    kind: Option<String>,
    is_member: bool,
    stands: bool,
    block: i64,
    /// The message with the same `client_id`.
    first: Option<MessageId>,
}

impl Doubt {
    fn verdict(&self) -> Verdict {
        let refused = if !self.is_member {
            // Public and not joined; or private to others, or gone: the two look the same.
            if self.kind.as_deref() == Some("public") { NOT_JOINED } else { NO_ROOM }
        } else if let Some(block) = Block::of_number(self.block) {
            block.refusal()
        } else if !self.stands {
            Error::SignedOut
        } else if let Some(first) = self.first {
            return Verdict::Before(first);
        } else {
            Error::field("reply_to", tr!("There is no such message in this room."))
        };
        Verdict::Refused(refused)
    }
}

/// Asks about `posts`, whose rooms have to be held, so that the answer stays true until the commit. [`verdicts`] reads it.
/// Cost: 1 statement, O(posts).
pub(super) fn question(posts: &[&Post]) -> Statement {
    let before = "with a (place, room, sender, session, token, client_id, reply_to) as (values";
    let after = format!(
        ") select place, kind, is_member, stands, block, first from (
             select a.place, r.kind, {IS_MEMBER} as is_member,
                 {STANDS} as stands, cast({BLOCK_OF} as bigint) as block,
                 (select f.id from messages f
                  where f.room_id = a.room and f.sender_id = a.sender and f.client_id = a.client_id) as first,
                 a.reply_to is null
                     or (select t.id from messages t
                         where t.id = a.reply_to and t.room_id = a.room limit 1) is not null as answers
             from a left join rooms r on r.id = a.room where a.room <> {NOWHERE}) as told
         where not (is_member and stands and answers) or block <> 0 or first is not null"
    );
    let nothing = || Value::Number(None);
    let filling = [NOWHERE.into(), NOWHERE.into(), NOWHERE.into(), nothing(), nothing(), Value::Text(None), nothing()];
    let rows = posts.iter().enumerate().map(|(place, post)| asked(place, post)).collect();
    over(before, rows, filling, room_for(posts.len()), &after)
}

fn asked(place: usize, post: &Post) -> [Value; 7] {
    let Post { room, sender, via, new, .. } = post;
    let (session, token) = via.columns();
    let place = i64::try_from(place).unwrap_or(NOWHERE);
    let (client_id, reply_to) = (new.client_id.as_deref(), new.reply_to.map(|id| id.0));
    [place.into(), room.0.into(), sender.0.into(), session.into(), token.into(), client_id.into(), reply_to.into()]
}

/// A verdict for each of `posts`, by the answer to their [`question`]. Cost: O(posts).
pub(super) fn verdicts(posts: &[&Post], answer: &Answer) -> Result<Vec<Verdict>> {
    let mut verdicts: Vec<Verdict> = posts.iter().map(|_| Verdict::New).collect();
    for doubt in answer.read::<Doubt>()? {
        let place = usize::try_from(doubt.place).map_err(Error::internal)?;
        let post = posts.get(place).ok_or_else(|| Error::internal("an answer to no question"))?;
        verdicts[place] = i18n::said_in(post.language, || doubt.verdict());
    }
    let mut firsts = HashMap::new();
    for (place, post) in posts.iter().enumerate() {
        if let (Verdict::New, Some(client_id)) = (&verdicts[place], &post.new.client_id) {
            let first = *firsts.entry((post.room, post.sender, client_id)).or_insert(place);
            if first != place {
                verdicts[place] = Verdict::Again(first);
            }
        }
    }
    Ok(verdicts)
}
