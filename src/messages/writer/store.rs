//! What a batch of the writer does in the database, within the one transaction of `messages/writer.rs`: a handful of
//! statements, however many wait. Who may post is asked in `writer/admission.rs`, the messages are numbered and stored in
//! `writer/insert.rs`; what was read up to where is stored in `writer/marks.rs`.
//!
//! Each way to SQLite's thread and back is paid for by all, as is a round trip to PostgreSQL. Against three statements for
//! each message, SQLite's CPU a message is 0.43 of that in a batch of 16, 0.25 in one of 256.

use super::super::{Message, Posted, mentions, stored};
use super::admission::{self, Verdict};
use super::insert::{Stored, insert};
use super::marks;
use super::{Job, Outcome, Post};
use crate::attachments;
use crate::clock::Timestamp;
use crate::db::values::{MOST_ROWS, hold};
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::MessageId;
use crate::notifications::Told;

/// Stores `jobs`, which are in the order of their rooms; an outcome for each. An error spoils all of them, and the
/// transaction has to be rolled back. Cost: 4 statements for up to 64 messages, on SQLite on 2 ways; 2 for up to 64 marks,
/// 1 more for each message that names or answers somebody and each file, and 1 on PostgreSQL; O(jobs).
pub(super) async fn batch(tx: &mut Tx, jobs: &[Job], now: Timestamp) -> Result<Vec<Result<Outcome>>> {
    // Commit order is then `seq` and `rev` order. Whoever takes a person out of a room changes its row too, so nobody who is
    // found in it afterwards leaves before the commit. It comes before the statement that asks who is in the room: a
    // statement of PostgreSQL sees what was committed when it began, not when its wait for a row ended.
    hold(tx, "rooms", jobs.iter().filter_map(Job::room).map(|room| room.0)).await?;
    let mut outcomes: Vec<Result<Outcome>> = jobs.iter().map(|_| Ok(Outcome::Nothing)).collect();
    let (mut place_of, mut posts) = (Vec::new(), Vec::new());
    for (place, job) in jobs.iter().enumerate() {
        if let Job::Post(post) = job {
            place_of.push(place);
            posts.push(&**post);
        }
    }
    for (places, posts) in place_of.chunks(MOST_ROWS).zip(posts.chunks(MOST_ROWS)) {
        for (place, outcome) in places.iter().zip(store_posts(tx, posts, now).await?) {
            outcomes[*place] = outcome;
        }
    }
    marks::store(tx, jobs, &mut outcomes, now).await?;
    Ok(outcomes)
}

/// An outcome for each of `posts`. Numbers go to those that are let in, in the order of the queue: no holes.
async fn store_posts(tx: &mut Tx, posts: &[&Post], now: Timestamp) -> Result<Vec<Result<Outcome>>> {
    let verdicts = admission::verdicts(posts, &tx.run_one(admission::question(posts)).await?)?;
    let accepted: Vec<&Post> = posts
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| matches!(verdict, Verdict::New))
        .map(|(post, _)| *post)
        .collect();
    let mut messages = Vec::new();
    if !accepted.is_empty() {
        for stored in insert(tx, &accepted, now).await? {
            messages.push(complete(tx, &stored, now).await?);
        }
    }
    answers(tx, verdicts, messages).await
}

/// Stores what belongs to a message besides its row: its files, and who is told of it.
async fn complete(conn: &mut Conn, stored: &Stored<'_>, now: Timestamp) -> Result<(Message, Vec<Told>)> {
    let Stored { post, id, seq, rev, in_direct } = *stored;
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
