//! How a batch of the writer is tried, and tried again. Called by the loop in `messages/writer.rs`.
//!
//! What fails before the commit is asked for has stored nothing, and may be tried again:
//! - The database is away, full or locked: all of it, with what came meanwhile, until each has waited for [`PATIENCE`].
//! - Another node was in the way (a deadlock, a lock that it kept for too long): once more together, then room by room, so
//!   that one room which somebody holds doesn't refuse the others.
//! - One of the messages spoiled it: each by itself.
//!
//! A commit that fails may have stored everything, unless the database says that it was undone. Who follows those rooms
//! resumes from the database, so that what may stand there is seen. Messages with a `client_id` are tried again all the same:
//! by it the database knows them (a unique index), and their senders are answered with what stands. The others are refused.

use std::mem::take;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::store::{self, Plain};
use super::{Job, Loop, MOST_TOGETHER, Outcome};
use crate::clock::Timestamp;
use crate::db::changes::Extent;
use crate::db::{Db, Uncommitted};
use crate::error::{Error, Result};

/// How long a message waits for a database that is away before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// An attempt has at least so long, however long its messages have waited for their turn.
const LEAST: Duration = Duration::from_secs(1);
/// Between attempts; each is twice the one before, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_millis(400);

/// Where an attempt failed.
enum Fault {
    /// The database can't be written to; nothing was stored.
    Begin(Error),
    /// One of the jobs spoiled it, or the database went away; nothing was stored.
    Job(Error),
    /// Nothing was stored: the database said so when it was asked to commit.
    Undone(Error),
    /// Nobody knows.
    Commit(Error),
}

impl From<Uncommitted> for Fault {
    fn from(uncommitted: Uncommitted) -> Self {
        match uncommitted {
            Uncommitted::Spoiled(error) => Self::Job(error),
            Uncommitted::Undone(error) => Self::Undone(error),
            Uncommitted::Unknown(error) => Self::Commit(error),
        }
    }
}

impl Loop {
    /// Stores `jobs` and answers all of them; while that can't be done, takes in what comes meanwhile.
    pub(super) async fn write(&mut self, jobs: &mut Vec<Job>) {
        let (mut failed, mut pause) = (0, FIRST_PAUSE);
        loop {
            // By room, keeping each room's order. Posts go first, as their numbers are dealt out.
            jobs.sort_by_key(Job::order);
            self.attempt(jobs, failed).await;
            if jobs.iter().all(|job| job.since().is_none()) {
                // Who waited for the others only.
                return jobs.drain(..).for_each(|job| self.finish(job, Ok(Outcome::Nothing)));
            }
            failed += 1;
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
            let now = Instant::now();
            let is_late = |job: &mut Job| job.since().is_some_and(|since| since + PATIENCE <= now);
            let late = jobs.extract_if(.., is_late).collect();
            self.refuse(late);
            while jobs.len() < MOST_TOGETHER
                && let Ok(job) = self.queue.try_recv()
            {
                jobs.push(job);
            }
        }
    }

    /// Tries all of `jobs` once, and takes out those that are settled.
    async fn attempt(&mut self, jobs: &mut Vec<Job>, failed: u32) {
        if jobs.iter().all(|job| job.since().is_none()) {
            return;
        }
        let _turn = self.turn.clone().lock_owned().await;
        let stored = self.store_plain(jobs, failed).await;
        let by = deadline(jobs);
        let stored = match stored {
            Some(stored) => stored,
            None => self.store(jobs, by).await,
        };
        if let Some(hook) = &self.after_commit {
            hook();
        }
        match stored {
            Ok(outcomes) => jobs.drain(..).zip(outcomes).for_each(|(job, outcome)| self.finish(job, outcome)),
            Err(Fault::Job(Error::Internal(cause))) if jobs.len() > 1 => {
                tracing::warn!(%cause, jobs = jobs.len(), "a batch failed; each job is tried by itself");
                let parts = take(jobs).into_iter().map(|job| vec![job]).collect();
                *jobs = self.apart(parts, by).await;
            }
            // Once more together; by then it isn't the database that is away, but a room in it that somebody has.
            Err(Fault::Job(Error::Unavailable)) if failed > 0 && matches!(self.db, Db::Postgres(_)) => {
                *jobs = self.apart(by_room(take(jobs)), by).await;
            }
            Err(fault) => {
                let all = take(jobs);
                *jobs = self.left(all, fault);
            }
        }
    }

    /// Tries each of `parts` in a transaction of its own; those jobs that may be tried again.
    async fn apart(&self, parts: Vec<Vec<Job>>, by: Instant) -> Vec<Job> {
        let (mut left, mut is_away) = (Vec::new(), false);
        for part in parts {
            if is_away {
                left.extend(part);
                continue;
            }
            match self.store(&part, by).await {
                Ok(outcomes) => part.into_iter().zip(outcomes).for_each(|(job, outcome)| self.finish(job, outcome)),
                Err(fault) => {
                    is_away = matches!(fault, Fault::Begin(_) | Fault::Undone(_) | Fault::Commit(_));
                    left.extend(self.left(part, fault));
                }
            }
        }
        left
    }

    /// Those of `jobs`, which failed so, that may be tried again; the others are refused.
    fn left(&self, jobs: Vec<Job>, fault: Fault) -> Vec<Job> {
        let (error, is_unknown) = match fault {
            Fault::Begin(error) | Fault::Undone(error) => (error, false),
            Fault::Job(Error::Internal(cause)) => {
                tracing::error!(%cause, jobs = jobs.len(), "a message can't be stored");
                self.refuse(jobs);
                return Vec::new();
            }
            Fault::Job(error) => (error, false),
            Fault::Commit(error) => (error, true),
        };
        match error {
            Error::Internal(cause) => tracing::error!(%cause, is_unknown, jobs = jobs.len(), "nothing can be stored"),
            // What keeps the database away was logged where it was met.
            _ => tracing::warn!(is_unknown, jobs = jobs.len(), "nothing can be stored for the moment"),
        }
        if !is_unknown {
            return jobs;
        }
        for job in &jobs {
            if let Job::Post(post) = job {
                self.hub.suspect(post.room);
            }
        }
        let (again, refused) = jobs.into_iter().partition(Job::is_repeatable);
        self.refuse(refused);
        again
    }

    fn refuse(&self, jobs: Vec<Job>) {
        jobs.into_iter().for_each(|job| self.finish(job, Err(Error::Unavailable)));
    }

    /// Stores `jobs` as one at the first attempt; `None` if that can't be done, or if one of them spoiled it, and they have to
    /// be looked at. It can't be given up halfway, and may wait for another process's lock: not those who have waited already.
    async fn store_plain(&self, jobs: &[Job], failed: u32) -> Option<Result<Vec<Result<Outcome>>, Fault>> {
        let begun = Instant::now();
        if failed > 0 || oldest(jobs).is_none_or(|since| since + LEAST < begun) {
            return None;
        }
        let plain = Plain::of(jobs, &self.db)?;
        let mut now = Timestamp(0);
        let statements = || {
            now = self.clock.now();
            plain.statements(now)
        };
        let stored = match self.db.write_at_once(statements, &extent(jobs)).await {
            Ok(answers) => plain.outcomes(&answers, now).map_err(Fault::Commit),
            Err(Uncommitted::Spoiled(_)) => return None,
            Err(uncommitted) => Err(uncommitted.into()),
        };
        self.observe(jobs, begun);
        Some(stored)
    }

    /// Stores all of `jobs` in one transaction, which has to be ready to commit by then.
    async fn store(&self, jobs: &[Job], by: Instant) -> Result<Vec<Result<Outcome>>, Fault> {
        let begun = Instant::now();
        let mut first = store::opening(jobs, &self.db);
        let (mut tx, opened) = in_time(by, self.db.write_briefly(&mut first)).await.map_err(Fault::Begin)?;
        let now = self.clock.now();
        tx.changes_only(extent(jobs));
        let mut opened = opened.map_err(Fault::Job)?;
        opened.extend(in_time(by, tx.run(first)).await.map_err(Fault::Job)?);
        let outcomes = in_time(by, store::batch(&mut tx, jobs, opened, now)).await.map_err(Fault::Job)?;
        tx.commit_here().await?;
        self.observe(jobs, begun);
        Ok(outcomes)
    }

    fn observe(&self, jobs: &[Job], begun: Instant) {
        self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
        self.metrics.batch_jobs.observe(jobs.len() as f64);
    }
}

/// Only what is said moves a room in the lists of those who aren't in it.
fn extent(jobs: &[Job]) -> Extent {
    let rooms = jobs.iter().filter_map(Job::room).collect();
    Extent::Talk { rooms, public: jobs.iter().any(|job| matches!(job, Job::Post(_))) }
}

/// What isn't done by then is given up; the database rolls it back.
async fn in_time<T>(by: Instant, doing: impl Future<Output = Result<T>>) -> Result<T> {
    timeout_at(by, doing).await.unwrap_or(Err(Error::Unavailable))
}

/// When the first of `jobs` has waited for long enough.
fn deadline(jobs: &[Job]) -> Instant {
    let now = Instant::now();
    oldest(jobs).map_or(now, |since| since + PATIENCE).max(now + LEAST)
}

/// When the first of `jobs` came.
fn oldest(jobs: &[Job]) -> Option<Instant> {
    jobs.iter().filter_map(Job::since).min()
}

/// The jobs of each room, which stand in the order of their rooms.
fn by_room(jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let mut parts: Vec<Vec<Job>> = Vec::new();
    for job in jobs {
        match parts.last_mut() {
            Some(part) if part[0].room() == job.room() => part.push(job),
            _ => parts.push(vec![job]),
        }
    }
    parts
}
