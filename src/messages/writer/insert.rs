//! How the messages of a batch get their numbers and their rows: three statements that need nothing from each other, so
//! that SQLite gets them as one. Called by `writer/store.rs`.
//!
//! Where nothing else is to be done SQLite asks who may post as it stores ([`Check::AsStored`]), so that all of a batch, from
//! begin to commit, is one way to its thread and back: a question before it was one more, and a fifth of what is bound.

use std::collections::HashMap;

use sqlx::FromRow;

use super::Post;
use super::admission::is_let_in;
use crate::clock::Timestamp;
use crate::db::statement::{Answer, Statement, Value};
use crate::db::values::{NOWHERE, over, room_for};
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId, UserId};

/// A post that was let in, as it is stored.
pub(super) struct Stored<'a> {
    pub post: &'a Post,
    pub id: MessageId,
    pub seq: i64,
    pub rev: i64,
    pub in_direct: bool,
}

/// How it is known who may post.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// It was asked before.
    Done,
    /// Whoever may not spoils the statement, as does who sends what was sent before: nothing of the batch is stored. What a
    /// post answers isn't looked for.
    AsStored,
}

/// A room's counters when all of a batch is numbered.
#[derive(FromRow)]
struct Counters {
    id: RoomId,
    last_seq: i64,
    last_rev: i64,
    kind: String,
}

/// Which message got which id.
enum Ids {
    /// SQLite deals them out one after the other (`autoincrement`), and nobody else writes meanwhile: that of the first.
    From(i64),
    Of(HashMap<(RoomId, i64), MessageId>),
}

/// Posts that are to be stored, which stand in the order of their rooms.
pub(super) struct Insertion<'a> {
    pub posts: Vec<&'a Post>,
    /// How many each room gets, and the place of each among those of its room, from 1 on.
    counts: Vec<(RoomId, i64)>,
    places: Vec<i64>,
}

impl<'a> Insertion<'a> {
    pub fn of(posts: Vec<&'a Post>) -> Self {
        let (counts, places) = count(&posts);
        Self { posts, counts, places }
    }

    /// Stores them, and marks them as read by who wrote them. The rooms' counters come last: a message's number is what its
    /// room had, and its place among those that are new there. [`Self::stored`] reads the answers; PostgreSQL is asked for the
    /// ids. Cost: 3 statements, O(posts).
    pub fn statements(&self, check: Check, returns_ids: bool, now: Timestamp) -> Vec<Statement> {
        let Self { posts, counts, places } = self;
        vec![rows(posts, places, check, returns_ids, now), own(posts, places), counters(posts, counts, now)]
    }

    /// The posts as they were stored. Cost: O(posts × rooms).
    pub fn stored(&self, answers: &[Answer]) -> Result<Vec<Stored<'a>>> {
        let [inserted, _, counted] = answers else { return Err(not_stored()) };
        if inserted.changed != self.posts.len() as u64 {
            return Err(not_stored());
        }
        let (ids, counted) = (Ids::of(inserted, self.posts.len())?, counted.read::<Counters>()?);
        let stored = self.posts.iter().zip(&self.places).zip(0..).map(|((post, place), n)| {
            let room = counted.iter().find(|room| room.id == post.room).ok_or_else(not_stored)?;
            let count = self.counts.iter().find(|(id, _)| *id == post.room).map_or(0, |(_, count)| *count);
            let (seq, rev) = (room.last_seq - count + place, room.last_rev - count + place);
            let id = ids.get(n, post.room, seq).ok_or_else(not_stored)?;
            Ok(Stored { post, id, seq, rev, in_direct: room.kind == "direct" })
        });
        stored.collect()
    }
}

fn not_stored() -> Error {
    Error::internal("a message wasn't stored")
}

impl Ids {
    fn of(inserted: &Answer, count: usize) -> Result<Self> {
        #[derive(FromRow)]
        struct Row {
            id: MessageId,
            room_id: RoomId,
            seq: i64,
        }
        Ok(match inserted.last_id {
            Some(last) => Self::From(last + 1 - count as i64),
            None => Self::Of(inserted.read::<Row>()?.into_iter().map(|row| ((row.room_id, row.seq), row.id)).collect()),
        })
    }

    /// Of the message that was inserted after `n` others.
    fn get(&self, n: i64, room: RoomId, seq: i64) -> Option<MessageId> {
        match self {
            Self::From(first) => Some(MessageId(first + n)),
            Self::Of(ids) => ids.get(&(room, seq)).copied(),
        }
    }
}

/// How many of `posts` each room gets, and the place of each among those of its room, from 1 on.
fn count(posts: &[&Post]) -> (Vec<(RoomId, i64)>, Vec<i64>) {
    let (mut counts, mut places): (Vec<(RoomId, i64)>, _) = (Vec::new(), Vec::with_capacity(posts.len()));
    for post in posts {
        match counts.last_mut() {
            Some((room, count)) if *room == post.room => *count += 1,
            _ => counts.push((post.room, 1)),
        }
        places.push(counts.last().map_or(1, |(_, count)| *count));
    }
    (counts, places)
}

/// The messages themselves, in their order. A message without a number can't be stored (`not null`).
fn rows(posts: &[&Post], places: &[i64], check: Check, returns_ids: bool, now: Timestamp) -> Statement {
    let before =
        "with a (at, room, place, sender, session, token, content, html, client_id, reply_to, moment) as (values";
    let seq = match check {
        Check::Done => "last_seq + place".to_owned(),
        Check::AsStored => format!("case when {} then last_seq + place end", is_let_in()),
    };
    let after = format!(
        ") insert into messages (room_id, seq, rev, sender_id, content, html, client_id, reply_to, created_at)
         select room, {seq}, last_rev + place, sender, content, html, client_id, reply_to, moment
         from a left join rooms r on r.id = a.room where a.room <> {NOWHERE} order by at {}",
        if returns_ids { "returning id, room_id, seq" } else { "" }
    );
    let (none, empty) = (|| Value::Number(None), || Value::from(""));
    let filling =
        [none(), NOWHERE.into(), none(), none(), none(), none(), empty(), empty(), Value::Text(None), none(), none()];
    let rows = posts.iter().zip(places).zip(0..).map(|((post, place), at)| row(post, at, *place, now)).collect();
    over(before, rows, filling, room_for(posts.len()), &after)
}

fn row(post: &Post, at: i64, place: i64, now: Timestamp) -> [Value; 11] {
    let Post { room, sender, via, new, html, .. } = post;
    let (session, token) = via.columns();
    let (client_id, reply_to) = (new.client_id.as_deref(), new.reply_to.map(|id| id.0));
    let (content, html) = (new.content.as_str().into(), html.as_str().into());
    [
        at.into(),
        room.0.into(),
        place.into(),
        sender.0.into(),
        session.into(),
        token.into(),
        content,
        html,
        client_id.into(),
        reply_to.into(),
        now.into(),
    ]
}

/// Who writes in a room has read it.
fn own(posts: &[&Post], places: &[i64]) -> Statement {
    let last: HashMap<(RoomId, UserId), i64> =
        posts.iter().zip(places).map(|(post, place)| ((post.room, post.sender), *place)).collect();
    let rows: Vec<_> =
        last.into_iter().map(|((room, sender), place)| [room.0, sender.0, place].map(Value::from)).collect();
    let before = "with said (room, sender, place) as (values";
    let after = ") update memberships set last_read_seq = rooms.last_seq + said.place
         from said join rooms on rooms.id = said.room where room_id = said.room and user_id = said.sender";
    let room = room_beside(posts, rows.len());
    over(before, rows, [NOWHERE; 3].map(Value::from), room, after)
}

fn counters(posts: &[&Post], counts: &[(RoomId, i64)], now: Timestamp) -> Statement {
    let rows: Vec<_> = counts.iter().map(|(room, count)| [room.0, *count, now.0].map(Value::from)).collect();
    let before = "with said (room, count, moment) as (values";
    let after = ") update rooms
         set last_seq = last_seq + said.count, last_rev = last_rev + said.count, last_message_at = said.moment
         from said where id = said.room returning id, last_seq, last_rev, kind";
    let room = room_beside(posts, rows.len());
    over(before, rows, [NOWHERE; 3].map(Value::from), room, after)
}

/// Rows of a statement beside that of `posts`: SQLite keeps the text of all three, and there should be few.
fn room_beside(posts: &[&Post], count: usize) -> usize {
    if count == 1 { 1 } else { room_for(posts.len()) }
}
