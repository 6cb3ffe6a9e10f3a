//! Imports between upload and confirmation: kept in this process, few, and not for long. After a restart, or on another
//! node, the file has to be uploaded again. `App` has one [`Imports`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::report::Report;
use super::{Deed, Stopped};
use crate::auth;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::UserId;

/// Imports at a time, of everybody.
const MOST: usize = 8;
/// Bytes of their files together.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const KEPT: Duration = Duration::from_secs(30 * 60);

#[derive(Default)]
pub struct Imports(Mutex<Vec<Arc<Pending>>>);

/// One upload.
pub struct Pending {
    pub token: String,
    pub by: UserId,
    /// The model.
    pub slug: &'static str,
    pub progress: Progress,
    bytes: usize,
    at: Timestamp,
    state: Mutex<State>,
}

/// How far it is. A plan is here only from its check to its confirmation.
#[derive(Clone)]
pub enum State {
    Checking,
    Checked(Arc<Report>, Arc<Vec<Deed>>),
    Importing,
    Done(usize),
    /// Nothing of it is stored; the words say why.
    Failed(Option<Arc<Stopped>>, String),
}

/// What is being done, for how many lines, and how many are behind.
#[derive(Default)]
pub struct Progress {
    what: Mutex<&'static str>,
    done: AtomicUsize,
    all: AtomicUsize,
}

impl Progress {
    pub fn begin(&self, what: &'static str, all: usize) {
        *lock(&self.what) = what;
        self.all.store(all, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
    }

    pub fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub fn told(&self) -> (&'static str, usize, usize) {
        (*lock(&self.what), self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn is_running(&self) -> bool {
        matches!(self, Self::Checking | Self::Importing)
    }
}

impl Pending {
    pub fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub fn set(&self, state: State) {
        *lock(&self.state) = state;
    }

    /// Takes the plan, once: whoever confirms a second time gets none. A plan with a bad line stays where it is.
    pub fn confirm(&self) -> Option<Arc<Vec<Deed>>> {
        let mut state = lock(&self.state);
        let State::Checked(report, deeds) = &*state else { return None };
        if report.bad_lines > 0 || deeds.is_empty() {
            return None;
        }
        let deeds = deeds.clone();
        self.progress.begin(msgid!("Importing"), deeds.len());
        *state = State::Importing;
        Some(deeds)
    }
}

impl Imports {
    /// Makes room and keeps a new one of `bytes`, in the place of the same person's earlier one for this model.
    /// Errors: [`Error::Conflict`] when others take all the room.
    pub fn begin(&self, by: UserId, slug: &'static str, bytes: usize, now: Timestamp) -> Result<Arc<Pending>> {
        let mut all = lock(&self.0);
        all.retain(|one| one.state().is_running() || one.at.plus(KEPT) > now);
        all.retain(|one| one.state().is_running() || one.by != by || one.slug != slug);
        let together: usize = all.iter().map(|one| one.bytes).sum();
        if all.len() >= MOST || together + bytes > MOST_BYTES {
            return Err(Error::Conflict(msgid!("Too many imports are under way. Try again when some are done.")));
        }
        let (token, progress, state) = (auth::random_token(), Progress::default(), Mutex::new(State::Checking));
        let one = Arc::new(Pending { token, by, slug, bytes, at: now, progress, state });
        all.push(one.clone());
        Ok(one)
    }

    /// The upload of this token, if it is this person's, for this model, and still kept.
    pub fn find(&self, token: &str, by: UserId, slug: &str, now: Timestamp) -> Option<Arc<Pending>> {
        let mut all = lock(&self.0);
        all.retain(|one| one.state().is_running() || one.at.plus(KEPT) > now);
        all.iter().find(|one| one.token == token && one.by == by && one.slug == slug).cloned()
    }

    /// Forgets it, unless it is under way.
    pub fn drop(&self, token: &str) {
        lock(&self.0).retain(|one| one.token != token || one.state().is_running());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(imports: &Imports, by: i64, bytes: usize, at: i64) -> Result<Arc<Pending>> {
        let one = imports.begin(UserId(by), "rooms", bytes, Timestamp(at))?;
        one.set(State::Done(0));
        Ok(one)
    }

    #[test]
    fn there_is_room_for_eight_and_for_64_mib_and_the_old_make_way() {
        let imports = Imports::default();
        for by in 0..8 {
            done(&imports, by, 1, 0).unwrap();
        }
        assert!(done(&imports, 8, 1, 0).is_err());
        done(&imports, 7, 2, 0).unwrap();
        let later = KEPT.as_micros() as i64;
        let first = done(&imports, 8, MOST_BYTES, later).unwrap();
        assert!(done(&imports, 9, 1, later).is_err());
        assert!(imports.find(&first.token, UserId(8), "rooms", Timestamp(later)).is_some());
        assert!(imports.find(&first.token, UserId(9), "rooms", Timestamp(later)).is_none());
        assert!(imports.find(&first.token, UserId(8), "users", Timestamp(later)).is_none());
        assert!(imports.find(&first.token, UserId(8), "rooms", Timestamp(2 * later)).is_none());
    }
}
