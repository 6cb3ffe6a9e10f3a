//! How far something long has come: told by what does it, looked at by what shows it (`cli::bar`), which may also ask
//! for it to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::error::{Error, Result};

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Progress(Arc<Parts>);

#[derive(Default)]
struct Parts {
    step: Mutex<(&'static str, Length)>,
    done: AtomicU64,
    stopped: AtomicBool,
    stopping: Notify,
}

/// How much there is to do in a step, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    Bytes(u64),
    Rows(u64),
}

impl Default for Length {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

impl Progress {
    /// A step begins. Errors: as [`Self::go_on`].
    pub fn begin(&self, step: &'static str, length: Length) -> Result<()> {
        *self.0.step.lock().unwrap_or_else(PoisonError::into_inner) = (step, length);
        self.0.done.store(0, Ordering::Relaxed);
        self.go_on()
    }

    pub fn add(&self, more: u64) {
        self.0.done.fetch_add(more, Ordering::Relaxed);
    }

    pub fn at(&self, done: u64) {
        self.0.done.store(done, Ordering::Relaxed);
    }

    /// The step, how long it is, and how much of it is done.
    pub fn look(&self) -> (&'static str, Length, u64) {
        let (step, length) = *self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        (step, length, self.0.done.load(Ordering::Relaxed))
    }

    /// Asks for an end: what is under way is undone. Threads that block look for it themselves.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.0.stopping.notify_waiters();
    }

    /// Comes back once somebody has asked for an end.
    pub async fn stopped(&self) {
        let stopping = self.0.stopping.notified();
        if self.go_on().is_ok() {
            stopping.await;
        }
    }

    /// Errors: [`Error::Startup`] once somebody has asked for an end.
    pub fn go_on(&self) -> Result<()> {
        match self.0.stopped.load(Ordering::Acquire) {
            true => Err(Error::startup("Stopped before it was done; nothing was changed.")),
            false => Ok(()),
        }
    }
}
