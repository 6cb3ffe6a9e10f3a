//! The one writer of messages in a process. What is waiting is stored together: one transaction, one disk flush,
//! and no timer in a lone message's way. Only after the commit is anybody told, in the order of the commit.
//!
//! The queue is bounded: when it is full, a post waits for room in it, and is refused as unavailable after five
//! seconds. A batch that fails before its commit is tried again message by message, so that one bad row can't refuse
//! the others. When the commit itself fails nobody knows what was stored: nothing is tried again here, the senders are
//! told "unavailable" (their `client_id` makes sending again safe), and who follows the rooms resumes from the
//! database, so that what may stand there is seen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use super::mentions::{self, Named};
use super::{Message, NewMessage, Posted};
use crate::attachments;
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::live::event::Event;
use crate::live::hub::Hub;
use crate::notifications::{self, Told};
use crate::push::Push;
use crate::rooms::{NO_ROOM, NOT_JOINED};
use crate::users::blocks::{self, LETS_WRITE};
use crate::users::{Person, Via};
use crate::{auth, on_db};

const QUEUE: usize = 4096;
/// Jobs in one transaction: some 10 ms of work.
const MOST_TOGETHER: usize = 256;
const WAIT: Duration = Duration::from_secs(5);
/// A commit moves the database's log along so often even while there is more to do.
const CHECKPOINT_EVERY: usize = 200;

/// Called between the commit of a batch and its publishing: where tests cut a connection.
pub type AfterCommit = Arc<dyn Fn() + Send + Sync>;

/// The way in. Cheap to clone; when the last clone is gone the writer finishes its queue and ends.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    turn: Arc<Mutex<()>>,
}

enum Job {
    Post(Box<Post>),
    Read {
        room: RoomId,
        user: UserId,
        seq: i64,
    },
    /// Answered when all before it is stored.
    Flush(oneshot::Sender<()>),
}

struct Post {
    room: RoomId,
    sender: UserId,
    /// What they came in by: it may end while the message waits.
    via: Via,
    username: String,
    new: NewMessage,
    html: String,
    named: Named,
    reply: oneshot::Sender<Result<Posted>>,
}

impl Writer {
    /// Starts the task that writes.
    pub fn start(db: Db, hub: Hub, push: Push, clock: Clock, after_commit: Option<AfterCommit>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let turn = Arc::new(Mutex::new(()));
        tokio::spawn(Loop { db, hub, push, clock, after_commit, queue, turn: turn.clone() }.run());
        Self { jobs, turn }
    }

    /// Keeps the writer from its next batch while it is held: who changes messages beside it (`crate::work`) commits
    /// and publishes in one turn, so that a room's feed has the order of the commits.
    pub async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    pub(super) async fn post(
        &self,
        person: &Person,
        room: RoomId,
        new: NewMessage,
        html: String,
        named: Named,
    ) -> Result<Posted> {
        let (reply, answer) = oneshot::channel();
        let (sender, via, username) = (person.id, person.via, person.username.clone());
        let post = Post { room, sender, via, username, new, html, named, reply };
        self.send(Job::Post(Box::new(post))).await?;
        answer.await.map_err(|_| Error::Unavailable)?
    }

    pub(super) async fn read(&self, person: &Person, room: RoomId, seq: i64) -> Result<()> {
        self.send(Job::Read { room, user: person.id, seq }).await
    }

    /// Returns when everything queued so far is stored.
    pub async fn flush(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Flush(reply)).await?;
        answer.await.map_err(|_| Error::Unavailable)
    }

    /// Whether a post polled now would stand in the queue at once, behind all that have asked before it.
    pub fn has_room(&self) -> bool {
        self.jobs.capacity() > 0
    }

    async fn send(&self, job: Job) -> Result<()> {
        self.jobs.send_timeout(job, WAIT).await.map_err(|_| Error::Unavailable)
    }
}

struct Loop {
    db: Db,
    hub: Hub,
    push: Push,
    clock: Clock,
    after_commit: Option<AfterCommit>,
    queue: mpsc::Receiver<Job>,
    turn: Arc<Mutex<()>>,
}

/// Where a transaction failed.
enum Fault {
    /// The database can't be written to; nothing was stored.
    Begin(Error),
    /// One of the jobs spoiled it, or the database went away; nothing was stored.
    Job(Error),
    /// Nobody knows.
    Commit(Error),
}

/// What a job came to inside the transaction.
enum Outcome {
    /// And who is told of it.
    Posted(Box<Posted>, Vec<Told>),
    Read {
        members: i64,
        seq: i64,
        last_seq: i64,
    },
    /// Nothing was changed: a mark that stood further already, or a room that was left.
    Nothing,
}

impl Loop {
    async fn run(mut self) {
        let mut jobs = Vec::with_capacity(MOST_TOGETHER);
        let mut since_checkpoint = 0;
        while self.queue.recv_many(&mut jobs, MOST_TOGETHER).await > 0 {
            // By room, keeping each room's order: two nodes then lock rooms in the same order and can't wait in a ring.
            // Posts go first, since they lock their room's row before any membership, as other acts do.
            jobs.sort_by_key(Job::order);
            self.write(&mut jobs).await;
            since_checkpoint += 1;
            if self.queue.is_empty() || since_checkpoint >= CHECKPOINT_EVERY {
                since_checkpoint = 0;
                if let Err(error) = self.db.checkpoint().await {
                    tracing::warn!(%error, "the log can't be moved into the database");
                }
            }
        }
    }

    /// Stores `jobs` together, or, when one of them spoils it, each by itself; publishes and answers.
    async fn write(&mut self, jobs: &mut Vec<Job>) {
        let _turn = self.turn.clone().lock_owned().await;
        let stored = self.store(jobs).await;
        if let Some(hook) = &self.after_commit {
            hook();
        }
        match stored {
            Err(Fault::Job(Error::Internal(cause))) if jobs.len() > 1 => {
                tracing::warn!(%cause, jobs = jobs.len(), "a batch failed; each job is tried by itself");
                let mut away = false;
                for job in jobs.drain(..) {
                    let one = std::slice::from_ref(&job);
                    let stored = if away { Err(Fault::Begin(Error::Unavailable)) } else { self.store(one).await };
                    away |= matches!(stored, Err(Fault::Begin(_)));
                    let mut outcomes = self.told(one, stored);
                    self.finish(job, outcomes.pop().unwrap_or(Err(Error::Unavailable)));
                }
            }
            stored => {
                if let Err(Fault::Begin(_)) = &stored {
                    // These have waited as long: nobody is kept longer than the database's own patience.
                    while let Ok(job) = self.queue.try_recv() {
                        jobs.push(job);
                    }
                }
                let outcomes = self.told(jobs, stored);
                for (job, outcome) in jobs.drain(..).zip(outcomes) {
                    self.finish(job, outcome);
                }
            }
        }
    }

    /// Stores all of `jobs` in one transaction.
    async fn store(&self, jobs: &[Job]) -> Result<Vec<Result<Outcome>>, Fault> {
        let mut tx = self.db.write().await.map_err(Fault::Begin)?;
        let now = self.clock.now();
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(match apply(&mut tx, job, now).await {
                Err(error @ (Error::Internal(_) | Error::Unavailable)) => return Err(Fault::Job(error)),
                outcome => outcome,
            });
        }
        tx.commit().await.map_err(Fault::Commit)?;
        Ok(outcomes)
    }

    /// An outcome for each job, whatever became of the transaction.
    fn told(&self, jobs: &[Job], stored: Result<Vec<Result<Outcome>>, Fault>) -> Vec<Result<Outcome>> {
        let (error, unknown) = match stored {
            Ok(outcomes) => return outcomes,
            Err(Fault::Begin(error) | Fault::Job(error)) => (error, false),
            Err(Fault::Commit(error)) => (error, true),
        };
        match error {
            Error::Internal(cause) => tracing::error!(%cause, unknown, jobs = jobs.len(), "nothing can be stored"),
            // What keeps the database away was logged where it was met.
            _ => tracing::warn!(unknown, jobs = jobs.len(), "nothing can be stored for the moment"),
        }
        let refuse = |job: &Job| {
            if let (true, Job::Post(post)) = (unknown, job) {
                self.hub.lose(post.room);
            }
            Err(Error::Unavailable)
        };
        jobs.iter().map(refuse).collect()
    }

    /// Publishes what was stored, then answers who asked.
    fn finish(&self, job: Job, outcome: Result<Outcome>) {
        match (job, outcome) {
            (Job::Post(post), outcome) => {
                let outcome = outcome.and_then(|outcome| match outcome {
                    Outcome::Posted(posted, told) => Ok((*posted, told)),
                    Outcome::Read { .. } | Outcome::Nothing => Err(Error::Unavailable),
                });
                if let Ok((Posted { message, new: true }, told)) = &outcome {
                    self.hub.publish_message(message);
                    self.push.said(message);
                    told.iter().for_each(|told| told.announce(&self.hub, &self.push));
                }
                let outcome = outcome.map(|(posted, _)| posted);
                // Nobody waits any more when the client is gone; the message stands all the same.
                let _ = post.reply.send(outcome);
            }
            (Job::Read { room, user, .. }, Ok(Outcome::Read { members, seq, last_seq })) => {
                self.hub.publish_read(room, user, seq, members);
                self.hub.tell(user, &Event::Unread { room_id: room, count: last_seq - seq, last_seq }.frame());
            }
            (Job::Flush(reply), _) => {
                let _ = reply.send(());
            }
            (Job::Read { .. }, Err(error)) => tracing::warn!(%error, "a read mark can't be stored"),
            (Job::Read { .. }, Ok(_)) => {}
        }
    }
}

impl Job {
    fn order(&self) -> (RoomId, bool) {
        match self {
            Self::Post(post) => (post.room, false),
            Self::Read { room, .. } => (*room, true),
            // Last: answered when the others are stored.
            Self::Flush(_) => (RoomId(i64::MAX), true),
        }
    }
}

async fn apply(conn: &mut Conn, job: &Job, now: Timestamp) -> Result<Outcome> {
    match job {
        Job::Post(post) => store_message(conn, post, now).await,
        Job::Read { room, user, seq } => mark_read(conn, *room, *user, *seq, now).await,
        Job::Flush(_) => Ok(Outcome::Nothing),
    }
}

/// Numbers and stores one message. Raising the room's counters locks its row until the commit, which makes commit
/// order equal to `seq` and `rev` order on both engines; whether the sender is in it, still signed in, and not kept
/// out by a block, is asked in the same statement.
async fn store_message(conn: &mut Conn, post: &Post, now: Timestamp) -> Result<Outcome> {
    let Post { room, sender, via, new, .. } = post;
    let (stands, by) = auth::standing_of(*via);
    let sql = format!(
        "update rooms set last_seq = last_seq + 1, last_rev = last_rev + 1, last_message_at = $3
         where id = $1 and exists (select 1 from memberships where room_id = $1 and user_id = $2) and {stands}
            and {LETS_WRITE}
         returning last_seq, last_rev, kind"
    );
    let numbers: Option<(i64, i64, String)> = on_db!(conn, c => sqlx::query_as(&sql)
        .bind(room).bind(sender).bind(now).bind(by).fetch_optional(c).await)?;
    let Some((seq, rev, kind)) = numbers else { return Err(outside(conn, post).await?) };
    let inserted = insert(conn, post, seq, rev, now).await?;
    let Some(id) = inserted else {
        give_back(conn, *room).await?;
        let client_id = new.client_id.as_deref().unwrap_or_default();
        let first = super::stored::by_client_id(conn, *room, *sender, client_id).await?;
        let refused = || Error::field("reply_to", "There is no such message in this room.");
        return first.map(|message| posted(message, false, Vec::new())).ok_or_else(refused);
    };
    on_db!(conn, c => sqlx::query("update memberships set last_read_seq = $3 where room_id = $1 and user_id = $2")
        .bind(room).bind(sender).bind(seq).execute(c).await.map(|_| ()))?;
    let attachments = attachments::insert(conn, id, *sender, &new.files, now).await?;
    let said = mentions::Said { room: *room, id, sender: *sender, reply_to: new.reply_to, in_direct: kind == "direct" };
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
    Ok(posted(message, true, told))
}

fn posted(message: Message, new: bool, told: Vec<Told>) -> Outcome {
    Outcome::Posted(Box::new(Posted { message, new }), told)
}

/// `None` when this sender has used the `client_id` here before, or `reply_to` is no message of the room.
async fn insert(conn: &mut Conn, post: &Post, seq: i64, rev: i64, now: Timestamp) -> Result<Option<MessageId>> {
    let Post { room, sender, new, .. } = post;
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "insert into messages (room_id, seq, rev, sender_id, content, html, client_id, reply_to, created_at)
         select r.id, $2, $3, $4, $5, $6, $7, $8, $9 from rooms r
         where r.id = $1 and (cast($8 as bigint) is null or exists (select 1 from messages where id = $8 and room_id = $1))
         on conflict (room_id, sender_id, client_id) where client_id is not null do nothing returning id")
        .bind(room).bind(seq).bind(rev).bind(sender).bind(&new.content).bind(&post.html).bind(&new.client_id)
        .bind(new.reply_to).bind(now).fetch_optional(c).await)?)
}

/// Takes back the numbers and the time of a message that wasn't stored: the row is still locked, so nobody saw them.
async fn give_back(conn: &mut Conn, room: RoomId) -> Result<()> {
    Ok(on_db!(conn, c => sqlx::query(
        "update rooms set last_seq = last_seq - 1, last_rev = last_rev - 1, last_message_at = coalesce(
            (select created_at from messages where room_id = $1 and seq < last_seq order by seq desc limit 1),
            created_at) where id = $1")
        .bind(room).execute(c).await.map(|_| ()))?)
}

/// Why somebody can't write: one of the two in a direct room has blocked the other, or they were signed out while the
/// message waited, or aren't in the room, which is private to
/// others (or gone), or public and not joined.
async fn outside(conn: &mut Conn, post: &Post) -> Result<Error> {
    let member: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from memberships where room_id = $1 and user_id = $2")
        .bind(post.room).bind(post.sender).fetch_optional(c).await)?;
    if member.is_some() {
        let block = blocks::in_room(conn, post.sender, post.room).await?;
        return Ok(block.map_or(Error::SignedOut, blocks::Block::refusal));
    }
    let public: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from rooms where id = $1 and kind = 'public'").bind(post.room).fetch_optional(c).await)?;
    Ok(if public.is_some() { NOT_JOINED } else { NO_ROOM })
}

async fn mark_read(conn: &mut Conn, room: RoomId, user: UserId, seq: i64, now: Timestamp) -> Result<Outcome> {
    // Where the mark stands further already, too: who writes in a room has read it, and was told of something there.
    notifications::read_in_room(conn, user, room, seq, now).await?;
    let read: Option<(i64,)> = on_db!(conn, c => sqlx::query_as(
        "update memberships set last_read_seq = (select case when last_seq < $3 then last_seq else $3 end
                                                 from rooms where id = $1)
         where room_id = $1 and user_id = $2 and last_read_seq < $3
           and last_read_seq < (select last_seq from rooms where id = $1)
         returning last_read_seq")
        .bind(room).bind(user).bind(seq).fetch_optional(c).await)?;
    let Some((seq,)) = read else { return Ok(Outcome::Nothing) };
    let (members, last_seq): (i64, i64) = on_db!(conn, c => sqlx::query_as(
        "select member_count, last_seq from rooms where id = $1").bind(room).fetch_one(c).await)?;
    Ok(Outcome::Read { members, seq, last_seq })
}
