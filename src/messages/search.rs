//! Finding messages by their words, among those that a person may see. The full-text index leads, newest first; what it
//! finds in rooms of others is passed over, and no call looks at more than [`LOOKED_AT`] of that. Called by the page
//! of search and the JSON API.

mod days;
mod snippet;

use serde::Serialize;
use time::Date;
use utoipa::ToSchema;

use super::{Message, list, stored};
use crate::admin::words::{self, Term};
use crate::app::App;
use crate::db::{Conn, Engine};
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::users::Person;
use crate::{on_db, rooms, users};

/// Characters of a search; what comes after isn't looked for.
const LONGEST: usize = 200;
/// Hits that are looked at first, which mostly will do, and after them if they don't: so many can be others'. The next call
/// goes on after these.
const LOOKED_AT: [i64; 2] = [500, 10_000];
/// Characters of the last word from which it stands for all words that begin so: of fewer there are too many.
const SHORTEST_BEGINNING: usize = 3;
/// From here on are scripts that write words in a sign or two.
const FIRST_IDEOGRAPH: char = '\u{2e80}';

pub use days::day;

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Words, all of which are to be found, the last perhaps only begun; phrases in quotes, as they are.
    pub terms: String,
    /// Only in this room.
    pub room: Option<RoomId>,
    /// Only by this person: their user name or id.
    pub from: Option<String>,
    /// Only from the first to the last of these days, in UTC; `None` for no end.
    pub since: Option<Date>,
    pub until: Option<Date>,
    /// Only messages older than this one.
    pub before: Option<MessageId>,
}

/// A message, and the words found in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Hit {
    #[serde(flatten)]
    pub message: Message,
    /// Text around the first of what was found, as HTML: escaped, what was found in `<mark>`.
    #[schema(example = "See you at <mark>ten</mark>")]
    pub snippet: String,
}

/// Hits, newest first.
pub struct Found {
    pub hits: Vec<Hit>,
    /// Where the next ones go on; there may be a next one even if this brought none.
    pub next: Option<MessageId>,
}

/// The newest messages that `person` may see and `search` fits, at most `limit`. Errors: [`Error::Invalid`] at `q` for
/// no words at all, at `until` for a day before `since`, [`Error::NotFound`] for a room that is private to others.
/// Cost: 3 to 10 indexed queries, O(hits looked at).
pub async fn find(app: &App, person: &Person, search: &Search, limit: usize) -> Result<Found> {
    let q: String = search.terms.trim().chars().take(LONGEST).collect();
    let terms = words::terms(&q);
    if terms.is_empty() {
        return Err(Error::field("q", tr!("Say what to look for.")));
    }
    let days = days::cover(search.since, search.until, app.clock.now())?;
    let mut conn = app.db.read().await?;
    if let Some(room) = search.room {
        rooms::see(&mut conn, person.id, room).await?;
    }
    let sender = match &search.from {
        Some(from) => match users::by_typed(&mut conn, from, false).await?.map(|user| user.id) {
            Some(sender) => Some(sender),
            None => return Ok(Found { hits: Vec::new(), next: None }),
        },
        None => None,
    };
    if days.is_empty {
        return Ok(Found { hits: Vec::new(), next: None });
    }
    let last_begins = !q.ends_with('"') && terms.last().is_some_and(is_beginning);
    let tags = search.room.map(|room| format!("r{room}")).into_iter().chain(sender.map(|sender| format!("s{sender}")));
    let Some(asked) = words::full_text(&mut conn, &terms, last_begins, &tags.collect::<Vec<_>>(), &days.tags) else {
        return Ok(Found { hits: Vec::new(), next: None });
    };
    let mut walk = Walk { asked, person: person.id, sender, before: search.before.unwrap_or(MessageId(i64::MAX)) };
    let (ids, next) = walk.collect(&mut conn, limit).await?;
    let mut messages = stored::by_ids(&mut conn, &ids).await?;
    messages.sort_unstable_by_key(|message| std::cmp::Reverse(message.id));
    let hit = |message: Message| Hit { snippet: snippet::of(&message.content, &terms, last_begins), message };
    Ok(Found { hits: messages.into_iter().map(hit).collect(), next })
}

fn is_beginning(Term(last): &Term) -> bool {
    last.chars().count() >= SHORTEST_BEGINNING || last.chars().any(|c| c >= FIRST_IDEOGRAPH)
}

/// A walk along the full-text index, newest first.
struct Walk {
    asked: String,
    person: UserId,
    sender: Option<UserId>,
    before: MessageId,
}

impl Walk {
    /// At most `limit` messages that the person may see, newest first, and where to go on.
    async fn collect(&mut self, conn: &mut Conn, limit: usize) -> Result<(Vec<MessageId>, Option<MessageId>)> {
        let mut ids: Vec<MessageId> = Vec::new();
        for most in LOOKED_AT {
            let looked_at = self.next(conn, most).await?;
            ids.append(&mut self.seen(conn, &looked_at).await?);
            if ids.len() > limit {
                ids.truncate(limit);
                return Ok((ids.clone(), ids.last().copied()));
            }
            match looked_at.last() {
                Some(last) if looked_at.len() as i64 == most => self.before = *last,
                _ => return Ok((ids, None)),
            }
        }
        Ok((ids, Some(self.before)))
    }

    /// The next hits, whoever may see them, at most `most`. Cost: 1 query by the index, O(most).
    async fn next(&self, conn: &mut Conn, most: i64) -> Result<Vec<MessageId>> {
        let fits = match conn.engine() {
            Engine::Sqlite(_) => "messages_text match $1",
            Engine::Postgres(_) => "words @@ cast($1 as tsquery)",
        };
        let sql =
            format!("select rowid from messages_text where {fits} and rowid < $2 order by rowid desc limit {most}");
        // Planned for these very words each time: how many messages have them makes the difference.
        Ok(on_db!(conn, c => sqlx::query_scalar(&sql).persistent(false)
            .bind(&self.asked).bind(self.before).fetch_all(c).await)?)
    }

    /// Those of `hits` that the person may see. Cost: 1 indexed query, O(hits).
    async fn seen(&self, conn: &mut Conn, hits: &[MessageId]) -> Result<Vec<MessageId>> {
        if hits.is_empty() {
            return Ok(Vec::new());
        }
        // Who sent it is asked again: the index has it as it was posted. Both are numbers of ours.
        let by = self.sender.map(|sender| format!("and m.sender_id = {sender}")).unwrap_or_default();
        let sql = format!(
            "select m.id from messages m join rooms r on r.id = m.room_id
             where m.id in ({}) {by} and m.deleted_at is null and (r.kind = 'public'
                or exists (select 1 from memberships o where o.room_id = r.id and o.user_id = $1))
             order by m.id desc",
            list(hits)
        );
        Ok(on_db!(conn, c => sqlx::query_scalar(&sql).persistent(false).bind(self.person).fetch_all(c).await)?)
    }
}
