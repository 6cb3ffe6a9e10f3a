//! What a batch of the writer does in the database, within the one transaction of `messages/writer.rs`: a handful of
//! statements, however many wait. Who may post is asked in `writer/admission.rs`; what was read up to where is stored in
//! `writer/marks.rs`.
//!
//! Each statement is a hop to SQLite's thread and back, or a round trip to PostgreSQL. Against three statements for each
//! message, SQLite's CPU a message is 0.43 of that in a batch of 16, 0.25 in one of 256; alone, where it is one statement
//! more, 1.1.

use std::collections::HashMap;

use sqlx::FromRow;

use super::super::{Message, Posted, mentions, stored};
use super::admission::{Verdict, admit};
use super::marks;
use super::{Job, Outcome, Post};
use crate::clock::Timestamp;
use crate::db::values::{MOST_ROWS, NOWHERE, filled, places};
use crate::db::{Conn, Engine};
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::notifications::Told;
use crate::{attachments, on_db};

/// A post that is let in, with its numbers.
struct Numbered<'a> {
    post: &'a Post,
    seq: i64,
    rev: i64,
    in_direct: bool,
}

/// A room's counters when all of a batch is numbered.
#[derive(FromRow)]
struct Counters {
    id: RoomId,
    last_seq: i64,
    last_rev: i64,
    kind: String,
}

#[derive(FromRow)]
struct Inserted {
    id: MessageId,
    room_id: RoomId,
    seq: i64,
}

/// Stores `jobs`, which are in the order of their rooms; an outcome for each. An error spoils all of them, and the
/// transaction has to be rolled back. Cost: 4 statements for up to 64 messages, 2 for up to 64 marks, 1 more
/// for each message that names or answers somebody and each file, and 1 on PostgreSQL; O(jobs).
pub(super) async fn batch(conn: &mut Conn, jobs: &[Job], now: Timestamp) -> Result<Vec<Result<Outcome>>> {
    lock_rooms(conn, jobs).await?;
    let mut outcomes: Vec<Result<Outcome>> = jobs.iter().map(|_| Ok(Outcome::Nothing)).collect();
    let (mut place_of, mut posts) = (Vec::new(), Vec::new());
    for (place, job) in jobs.iter().enumerate() {
        if let Job::Post(post) = job {
            place_of.push(place);
            posts.push(&**post);
        }
    }
    for (places, posts) in place_of.chunks(MOST_ROWS).zip(posts.chunks(MOST_ROWS)) {
        for (place, outcome) in places.iter().zip(store_posts(conn, posts, now).await?) {
            outcomes[*place] = outcome;
        }
    }
    marks::store(conn, jobs, &mut outcomes, now).await?;
    Ok(outcomes)
}

/// Holds the rooms' rows until the commit, which makes commit order equal to `seq` and `rev` order; lowest id first, so that
/// two nodes can't wait for each other in a ring. Whoever takes a person out of a room changes its row too, so nobody who
/// is found in it afterwards leaves before the commit. On SQLite the transaction is alone anyway. It comes before the
/// statement that asks who is in the room: a statement of PostgreSQL sees what was committed when it began, not when its
/// wait for a row ended.
async fn lock_rooms(conn: &mut Conn, jobs: &[Job]) -> Result<()> {
    let mut rooms: Vec<RoomId> = jobs.iter().filter_map(Job::room).collect();
    rooms.dedup();
    let Engine::Postgres(c) = conn.engine() else { return Ok(()) };
    for rooms in rooms.chunks(MOST_ROWS) {
        let sql = format!(
            "select id from rooms where id in (select id from (values {}) as asked (id)) order by id for no key update",
            places(1, 1, rooms.len())
        );
        let query = filled(rooms, &RoomId(NOWHERE)).fold(sqlx::query(&sql), |query, room| query.bind(room));
        query.execute(&mut *c).await?;
    }
    Ok(())
}

/// An outcome for each of `posts`. Numbers go to those that are let in, in the order of the queue: no holes.
async fn store_posts(conn: &mut Conn, posts: &[&Post], now: Timestamp) -> Result<Vec<Result<Outcome>>> {
    let verdicts = admit(conn, posts).await?;
    let accepted: Vec<&Post> = posts
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| matches!(verdict, Verdict::New))
        .map(|(post, _)| *post)
        .collect();
    let mut messages = Vec::new();
    if !accepted.is_empty() {
        let numbered = number(conn, &accepted, now).await?;
        let ids = insert(conn, &numbered, now).await?;
        mark_own(conn, &numbered).await?;
        for post in &numbered {
            let id = ids.get(&(post.post.room, post.seq)).ok_or_else(|| Error::internal("a message wasn't stored"))?;
            messages.push(complete(conn, post, *id, now).await?);
        }
    }
    answers(conn, verdicts, messages).await
}

/// Raises the counters of the rooms, each once, and deals out what was added.
async fn number<'a>(conn: &mut Conn, posts: &[&'a Post], now: Timestamp) -> Result<Vec<Numbered<'a>>> {
    let mut counts: Vec<(RoomId, i64)> = Vec::new();
    for post in posts {
        match counts.last_mut() {
            Some((room, count)) if *room == post.room => *count += 1,
            _ => counts.push((post.room, 1)),
        }
    }
    let sql = format!(
        "with said (room, count) as (values {})
         update rooms set last_seq = last_seq + said.count, last_rev = last_rev + said.count, last_message_at = $1
         from said where id = said.room returning id, last_seq, last_rev, kind",
        places(2, 2, counts.len())
    );
    let counters: Vec<Counters> = on_db!(conn, c => {
        let mut query = sqlx::query_as(&sql).bind(now);
        for (room, count) in filled(&counts, &(RoomId(NOWHERE), 0)) {
            query = query.bind(room).bind(count);
        }
        query.fetch_all(c).await
    })?;
    let mut numbered = Vec::with_capacity(posts.len());
    let mut rest = posts.iter();
    for (room, count) in counts {
        let found = counters.iter().find(|one| one.id == room);
        let Counters { last_seq, last_rev, kind, .. } = found.ok_or_else(|| Error::internal("a room is gone"))?;
        for (before, post) in (0..count).rev().zip(rest.by_ref()) {
            let in_direct = kind == "direct";
            numbered.push(Numbered { post, seq: last_seq - before, rev: last_rev - before, in_direct });
        }
    }
    Ok(numbered)
}

/// Stores the rows; which message got which id.
async fn insert(
    conn: &mut Conn,
    numbered: &[Numbered<'_>],
    now: Timestamp,
) -> Result<HashMap<(RoomId, i64), MessageId>> {
    let sql = format!(
        "with said (room, seq, rev, sender, content, html, client_id, reply_to) as (values {})
         insert into messages (room_id, seq, rev, sender_id, content, html, client_id, reply_to, created_at)
         select room, seq, rev, sender, content, html, client_id, reply_to, $1 from said where room <> {NOWHERE}
         returning id, room_id, seq",
        places(2, 8, numbered.len())
    );
    let filling = (RoomId(NOWHERE), 0, 0, UserId(NOWHERE), "", "", None, None);
    let rows: Vec<_> = numbered.iter().map(row).collect();
    let inserted: Vec<Inserted> = on_db!(conn, c => {
        let mut query = sqlx::query_as(&sql).bind(now);
        for (room, seq, rev, sender, content, html, client_id, reply_to) in filled(&rows, &filling) {
            query = query.bind(room).bind(seq).bind(rev).bind(sender).bind(content).bind(html).bind(client_id)
                .bind(reply_to);
        }
        query.fetch_all(c).await
    })?;
    Ok(inserted.into_iter().map(|one| ((one.room_id, one.seq), one.id)).collect())
}

type Row<'a> = (RoomId, i64, i64, UserId, &'a str, &'a str, Option<&'a str>, Option<MessageId>);

fn row<'a>(one: &'a Numbered<'_>) -> Row<'a> {
    let Post { room, sender, new, html, .. } = one.post;
    (*room, one.seq, one.rev, *sender, &new.content, html, new.client_id.as_deref(), new.reply_to)
}

/// Who writes in a room has read it.
async fn mark_own(conn: &mut Conn, numbered: &[Numbered<'_>]) -> Result<()> {
    let mut last: HashMap<(RoomId, UserId), i64> = HashMap::new();
    for one in numbered {
        last.insert((one.post.room, one.post.sender), one.seq);
    }
    let last: Vec<((RoomId, UserId), i64)> = last.into_iter().collect();
    let sql = format!(
        "with said (room, sender, seq) as (values {})
         update memberships set last_read_seq = said.seq from said
         where room_id = said.room and user_id = said.sender",
        places(1, 3, last.len())
    );
    Ok(on_db!(conn, c => {
        let mut query = sqlx::query(&sql);
        for ((room, sender), seq) in filled(&last, &((RoomId(NOWHERE), UserId(NOWHERE)), 0)) {
            query = query.bind(room).bind(sender).bind(seq);
        }
        query.execute(c).await.map(|_| ())
    })?)
}

/// Stores what belongs to a message besides its row: its files, and who is told of it.
async fn complete(
    conn: &mut Conn,
    numbered: &Numbered<'_>,
    id: MessageId,
    now: Timestamp,
) -> Result<(Message, Vec<Told>)> {
    let Numbered { post, seq, rev, in_direct } = *numbered;
    let Post { room, sender, new, .. } = post;
    let attachments = attachments::insert(conn, id, *sender, &new.files, now).await?;
    let said = mentions::Said { room: *room, id, sender: *sender, reply_to: new.reply_to, in_direct };
    let told = mentions::tell(conn, &said, &post.named, now).await?;
    let message = Message {
        id,
        room_id: *room,
        seq,
        rev,
        user_id: Some(*sender),
        username: Some(post.username.clone()),
        content: new.content.clone(),
        html: post.html.clone(),
        client_id: new.client_id.clone(),
        reply_to: new.reply_to,
        attachments,
        reactions: Vec::new(),
        edited_at: None,
        deleted_at: None,
        created_at: now,
    };
    Ok((message, told))
}

/// What each of `posts` came to: `messages` are those that are new, in order. Who repeats a post is answered with its first
/// message, stored before or a moment ago. Cost: 0 to 3 queries.
async fn answers(
    conn: &mut Conn,
    verdicts: Vec<Verdict>,
    messages: Vec<(Message, Vec<Told>)>,
) -> Result<Vec<Result<Outcome>>> {
    let before: Vec<MessageId> = verdicts.iter().filter_map(Verdict::first).collect();
    let before = stored::by_ids(conn, &before).await?;
    let mut new = messages.into_iter();
    let mut outcomes: Vec<Result<Outcome>> = Vec::with_capacity(verdicts.len());
    for verdict in verdicts {
        let first = match verdict {
            Verdict::New => {
                let (message, told) = new.next().ok_or_else(|| Error::internal("a message wasn't stored"))?;
                outcomes.push(Ok(posted(message, true, told)));
                continue;
            }
            Verdict::Refused(error) => {
                outcomes.push(Err(error));
                continue;
            }
            Verdict::Before(id) => before.iter().find(|message| message.id == id),
            Verdict::Again(place) => match outcomes.get(place) {
                Some(Ok(Outcome::Posted(first, _))) => Some(&first.message),
                _ => None,
            },
        };
        let first = first.cloned().ok_or_else(|| Error::internal("a message is gone"))?;
        outcomes.push(Ok(posted(first, false, Vec::new())));
    }
    Ok(outcomes)
}

fn posted(message: Message, new: bool, told: Vec<Told>) -> Outcome {
    Outcome::Posted(Box::new(Posted { message, new }), told)
}
