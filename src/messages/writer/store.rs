//! What a batch of the writer does in the database, within the one transaction of `messages/writer.rs`: a handful of
//! statements, however many wait. Who may post is asked in `writer/admission.rs`, the messages are numbered and stored in
//! `writer/insert.rs`; what was read up to where is stored in `writer/marks.rs`.
//!
//! Each way to SQLite's thread and back is paid for by all, as is a round trip to PostgreSQL. Against three statements for
//! each message, SQLite's CPU a message is 0.43 of that in a batch of 16, 0.25 in one of 256. What most batches are, posts that
//! need nothing but their rows, is one way there ([`Plain`]).

use super::super::{Message, Posted, mentions, stored};
use super::admission::{self, Verdict};
use super::insert::{Check, Insertion, Stored};
use super::marks;
use super::{Job, Outcome, Post};
use crate::attachments::{self, Attachment};
use crate::clock::Timestamp;
use crate::db::statement::{Answer, Statement};
use crate::db::values::{MOST_ROWS, holding};
use crate::db::{Conn, Db, Engine, Tx};
use crate::error::{Error, Result};
use crate::ids::MessageId;
use crate::notifications::Told;

/// What [`batch`] wants done on the way on which its transaction begins: the rooms are held, and who of the first
/// [`MOST_ROWS`] may post is asked. Cost: 1 statement, on PostgreSQL 2.
pub(super) fn opening(jobs: &[Job], on: &Db) -> Vec<Statement> {
    // Commit order is then `seq` and `rev` order. Whoever takes a person out of a room changes its row too, so nobody who is
    // found in it afterwards leaves before the commit. It comes before the statement that asks who is in the room: a
    // statement of PostgreSQL sees what was committed when it began, not when its wait for a row ended.
    let rooms = jobs.iter().filter_map(Job::room).map(|room| room.0);
    let mut first = if matches!(on, Db::Postgres(_)) { holding("rooms", rooms) } else { Vec::new() };
    let posts: Vec<&Post> = posts(jobs).map(|(_, post)| post).take(MOST_ROWS).collect();
    if !posts.is_empty() {
        first.push(admission::question(&posts));
    }
    first
}

/// Stores `jobs`, which are in the order of their rooms; an outcome for each; `opened` is what [`opening`] came to. An error
/// spoils all of them, and the transaction has to be rolled back. Cost: 4 statements for up to 64 messages with those of the
/// opening, 2 for up to 64 marks, 1 more for each message that names or answers somebody and each file; O(jobs).
pub(super) async fn batch(
    tx: &mut Tx,
    jobs: &[Job],
    mut opened: Vec<Answer>,
    now: Timestamp,
) -> Result<Vec<Result<Outcome>>> {
    let mut outcomes: Vec<Result<Outcome>> = jobs.iter().map(|_| Ok(Outcome::Nothing)).collect();
    let (places, posts): (Vec<usize>, Vec<&Post>) = posts(jobs).unzip();
    let mut first = opened.pop().filter(|_| !posts.is_empty());
    for (places, posts) in places.chunks(MOST_ROWS).zip(posts.chunks(MOST_ROWS)) {
        let asked = match first.take() {
            Some(asked) => asked,
            None => tx.run_one(admission::question(posts)).await?,
        };
        let verdicts = admission::verdicts(posts, &asked)?;
        for (place, outcome) in places.iter().zip(store_posts(tx, posts, verdicts, now).await?) {
            outcomes[*place] = outcome;
        }
    }
    marks::store(tx, jobs, &mut outcomes, now).await?;
    Ok(outcomes)
}

/// The posts among `jobs`, and where they stand.
fn posts(jobs: &[Job]) -> impl Iterator<Item = (usize, &Post)> {
    jobs.iter().enumerate().filter_map(|(place, job)| match job {
        Job::Post(post) => Some((place, &**post)),
        _ => None,
    })
}

/// Numbers go to those that are let in, in the order of the queue: no holes.
fn let_in<'a>(posts: &[&'a Post], verdicts: &[Verdict]) -> Vec<&'a Post> {
    posts.iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::New)).map(|(post, _)| *post).collect()
}

/// Posts on SQLite that need nothing but their rows: no files, and nobody who is told of them. All of them are stored as one
/// and on one way, if all are let in and new.
pub(super) struct Plain<'a>(Insertion<'a>);

impl<'a> Plain<'a> {
    /// `None` for `jobs` that aren't such posts only. On PostgreSQL a room has to be held before it is asked who is in it, and
    /// a server isn't waited for without a limit.
    pub fn of(jobs: &'a [Job], on: &Db) -> Option<Self> {
        let plain = |job: &'a Job| match job {
            Job::Post(post) if is_plain(post) => Some(&**post),
            _ => None,
        };
        if !matches!(on, Db::Sqlite { .. }) || jobs.is_empty() || jobs.len() > MOST_ROWS {
            return None;
        }
        Some(Self(Insertion::of(jobs.iter().map(plain).collect::<Option<_>>()?)))
    }

    /// What stores them, if it comes to a commit. Cost: 3 statements.
    pub fn statements(&self, now: Timestamp) -> Vec<Statement> {
        self.0.statements(Check::AsStored, false, now)
    }

    /// An outcome for each by the answers to [`Self::statements`].
    pub fn outcomes(&self, answers: &[Answer], now: Timestamp) -> Result<Vec<Result<Outcome>>> {
        let stored = self.0.stored(answers)?;
        Ok(stored.iter().map(|stored| Ok(posted(message(stored, Vec::new(), now), true, Vec::new()))).collect())
    }
}

fn is_plain(post: &Post) -> bool {
    post.new.files.is_empty() && post.new.reply_to.is_none() && post.named.is_nobody()
}

/// Stores the posts that were let in and what belongs to them; an outcome for each that was asked for.
async fn store_posts(
    tx: &mut Tx,
    posts: &[&Post],
    verdicts: Vec<Verdict>,
    now: Timestamp,
) -> Result<Vec<Result<Outcome>>> {
    let insertion = Insertion::of(let_in(posts, &verdicts));
    let mut messages = Vec::new();
    if !insertion.posts.is_empty() {
        let returns_ids = matches!(tx.engine(), Engine::Postgres(_));
        let answers = tx.run(insertion.statements(Check::Done, returns_ids, now)).await?;
        for stored in insertion.stored(&answers)? {
            messages.push(complete(tx, &stored, now).await?);
        }
    }
    let before: Vec<MessageId> = verdicts.iter().filter_map(Verdict::first).collect();
    let before = stored::by_ids(tx, &before).await?;
    told(verdicts, &before, messages)
}

/// Stores what belongs to a message besides its row: its files, and who is told of it.
async fn complete(conn: &mut Conn, stored: &Stored<'_>, now: Timestamp) -> Result<(Message, Vec<Told>)> {
    let Stored { post, id, in_direct, .. } = *stored;
    let Post { room, sender, new, .. } = post;
    let attachments = attachments::insert(conn, id, *sender, &new.files, now).await?;
    let said = mentions::Said { room: *room, id, sender: *sender, reply_to: new.reply_to, in_direct };
    let told = mentions::tell(conn, &said, &post.named, now).await?;
    Ok((message(stored, attachments, now), told))
}

fn message(stored: &Stored<'_>, attachments: Vec<Attachment>, now: Timestamp) -> Message {
    let Stored { post, id, seq, rev, .. } = *stored;
    let Post { room, sender, new, .. } = post;
    Message {
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
    }
}

/// What each post came to: `messages` are those that are new, in order. Who repeats a post is answered with its first
/// message: one of those that were stored `before`, or a moment ago.
fn told(
    verdicts: Vec<Verdict>,
    before: &[Message],
    messages: impl IntoIterator<Item = (Message, Vec<Told>)>,
) -> Result<Vec<Result<Outcome>>> {
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
