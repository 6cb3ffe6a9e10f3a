//! The one writer of messages in a process. What is waiting is stored together: one transaction, one disk flush,
//! and no timer in a lone message's way. Only after the commit is anybody told, in the order of the commit.
//!
//! The queue is bounded: when it is full, a post is refused as unavailable a quarter of a second later, since whoever
//! sends it can send it again, and thousands that wait would only make each other wait. What happens when a batch fails
//! stands in `writer/attempt.rs`: while the database is away or full, each message waits for five seconds at most, and is
//! refused whole.
//!
//! A turn for others to come before a batch begins, as `db/loader.rs` gives one, made posts of 16 connections a tenth dearer
//! and slower: half of them are read while the other half is flushed, and together they only wait.
//!
//! SQLite's log is moved into the database after a second in which nothing came, or soon after it has 16 MiB, and then after
//! a batch is answered. As soon as the queue is empty would be after every batch of people who wait for their answers: each
//! batch then pays two more flushes of the disk.

mod admission;
mod attempt;
mod insert;
mod marks;
mod store;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::mentions::Named;
use super::{NewMessage, Posted};
use crate::clock::Clock;
use crate::db::statement::{Statement, Value};
use crate::db::values::{NOWHERE, over, room_for};
use crate::db::{Db, LOG_LIMIT};
use crate::error::{Error, Result};
use crate::i18n::{self, Language};
use crate::ids::{RoomId, UserId};
use crate::live::event::Event;
use crate::live::hub::Hub;
use crate::metrics::Metrics;
use crate::notifications::Told;
use crate::push::Push;
use crate::telemetry;
use crate::users::{Person, Via};

const QUEUE: usize = 4096;
/// Jobs in one transaction: some 10 ms of work.
const MOST_TOGETHER: usize = 256;
/// Jobs after which the writer looks how long SQLite's log is: some 3 MB of it, and at every batch a look is 1 % of a post.
const LOOK_EVERY: usize = 32;
/// How long a job waits for its place in a full queue, which is some 400 ms of work.
const PATIENCE: Duration = Duration::from_millis(250);
/// The same for who waits for the queue itself.
const WAIT: Duration = Duration::from_secs(5);
/// Nothing has come for so long: time to move SQLite's log into the database.
const PAUSE: Duration = Duration::from_secs(1);

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
    /// And since when it waits.
    Read(Mark, Instant),
    /// Answered when all before it is stored.
    Flush(oneshot::Sender<()>),
}

/// Somebody has read a room up to the message numbered `seq`.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub room: RoomId,
    pub user: UserId,
    pub seq: i64,
}

impl Mark {
    /// A statement over `marks`; what stands in `after` finds them as the table `marks (room, person, seq)`.
    pub fn over(marks: &[Self], after: &str) -> Statement {
        let rows = marks.iter().map(|mark| [mark.room.0, mark.user.0, mark.seq].map(Value::from)).collect();
        let nobodys = [NOWHERE, NOWHERE, 0].map(Value::from);
        over("with marks (room, person, seq) as (values", rows, nobodys, room_for(marks.len()), after)
    }
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
    /// When it came.
    since: Instant,
    /// What they read.
    language: Language,
    reply: oneshot::Sender<Result<Posted>>,
}

impl Writer {
    /// Starts the task that writes.
    pub fn start(
        db: Db,
        hub: Hub,
        push: Push,
        metrics: Arc<Metrics>,
        clock: Clock,
        after_commit: Option<AfterCommit>,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let turn = Arc::new(Mutex::new(()));
        tokio::spawn(Loop { db, hub, push, metrics, clock, after_commit, queue, turn: turn.clone() }.run());
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
        let (since, language) = (Instant::now(), i18n::current());
        let post = Post { room, sender, via, username, new, html, named, since, language, reply };
        self.send(Job::Post(Box::new(post))).await?;
        answer.await.map_err(|_| Error::Unavailable)?
    }

    pub(super) async fn read(&self, person: &Person, room: RoomId, seq: i64) -> Result<()> {
        self.send(Job::Read(Mark { room, user: person.id, seq }, Instant::now())).await
    }

    /// Returns when everything queued so far is stored.
    pub async fn flush(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send_timeout(Job::Flush(reply), WAIT).await.map_err(|_| Error::Unavailable)?;
        answer.await.map_err(|_| Error::Unavailable)
    }

    /// Whether a post polled now would stand in the queue at once, behind all that have asked before it.
    pub fn has_room(&self) -> bool {
        self.jobs.capacity() > 0
    }

    /// Jobs that wait for their batch.
    pub fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    async fn send(&self, job: Job) -> Result<()> {
        self.jobs.send_timeout(job, PATIENCE).await.map_err(|_| Error::Unavailable)
    }
}

struct Loop {
    db: Db,
    hub: Hub,
    push: Push,
    metrics: Arc<Metrics>,
    clock: Clock,
    after_commit: Option<AfterCommit>,
    queue: mpsc::Receiver<Job>,
    turn: Arc<Mutex<()>>,
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
        let (mut full_at, mut since_looked) = (LOG_LIMIT, 0);
        loop {
            match timeout(PAUSE, self.queue.recv_many(&mut jobs, MOST_TOGETHER)).await {
                Ok(0) => return,
                Ok(count) => {
                    let span = telemetry::commit(count);
                    self.write(&mut jobs).instrument(span).await;
                    since_looked += count;
                    if since_looked >= LOOK_EVERY {
                        since_looked = 0;
                        full_at = self.checkpoint_when_full(full_at).await;
                    }
                }
                Err(_) => {
                    // Whoever has the turn may keep it for long: who posts meanwhile waits for one of the two only.
                    if let Ok(_turn) = self.turn.try_lock() {
                        self.checkpoint().await;
                    }
                    full_at = self.checkpoint_when_full(full_at).await;
                }
            }
        }
    }

    /// Moves the log along when it has grown past `full_at` bytes; says when to do so next. While somebody reads, some of
    /// it stays and the log goes on growing: then a quarter of the limit later, not after each batch.
    async fn checkpoint_when_full(&self, full_at: u64) -> u64 {
        let bytes = self.db.log_bytes();
        if bytes <= LOG_LIMIT {
            return LOG_LIMIT;
        }
        if bytes <= full_at {
            return full_at;
        }
        let _turn = self.turn.lock().await;
        self.checkpoint().await;
        bytes + LOG_LIMIT / 4
    }

    /// Never between a message and its answer: what is stored is published by now.
    async fn checkpoint(&self) {
        if let Err(error) = self.db.checkpoint().await {
            tracing::warn!(%error, "the log can't be moved into the database");
        }
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
                    self.metrics.messages.inc();
                    self.hub.publish_message(message);
                    self.push.said(message);
                    told.iter().for_each(|told| told.announce(&self.hub, &self.push));
                }
                let outcome = outcome.map(|(posted, _)| posted);
                // Nobody waits any more when the client is gone; the message stands all the same.
                let _ = post.reply.send(outcome);
            }
            (Job::Read(Mark { room, user, .. }, _), Ok(Outcome::Read { members, seq, last_seq })) => {
                self.hub.publish_read(room, user, seq, members);
                self.hub.tell(user, &Event::Unread { room_id: room, count: last_seq - seq, last_seq }.frame());
            }
            (Job::Flush(reply), _) => {
                let _ = reply.send(());
            }
            (Job::Read(..), Err(error)) => tracing::warn!(%error, "a read mark can't be stored"),
            (Job::Read(..), Ok(_)) => {}
        }
    }
}

impl Job {
    fn order(&self) -> (RoomId, bool) {
        match self {
            Self::Post(post) => (post.room, false),
            Self::Read(mark, _) => (mark.room, true),
            // Last: answered when the others are stored.
            Self::Flush(_) => (RoomId(i64::MAX), true),
        }
    }

    fn room(&self) -> Option<RoomId> {
        match self {
            Self::Post(post) => Some(post.room),
            Self::Read(mark, _) => Some(mark.room),
            Self::Flush(_) => None,
        }
    }

    /// When it came; `None` for what waits for others only.
    fn since(&self) -> Option<Instant> {
        match self {
            Self::Post(post) => Some(post.since),
            Self::Read(_, since) => Some(*since),
            Self::Flush(_) => None,
        }
    }

    /// Whether doing it twice does no more than doing it once.
    fn is_repeatable(&self) -> bool {
        match self {
            Self::Post(post) => post.new.client_id.is_some(),
            Self::Read(..) | Self::Flush(_) => true,
        }
    }
}
