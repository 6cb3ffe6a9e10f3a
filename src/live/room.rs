//! A room that somebody here follows: its feed, its changes in their order, and who is in it. Made and forgotten by
//! `live/hub.rs`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::event::Frame;
use super::feed::Feed;
use super::presence::Presence;
use super::sequence::{Sequence, Step};
use crate::ids::RoomId;

pub(super) struct LiveRoom {
    pub feed: Arc<Feed>,
    /// Held while what it hands on is published.
    changes: Mutex<Sequence<Frame>>,
    attendance: Mutex<Attendance>,
}

#[derive(Default)]
pub(super) struct Attendance {
    pub presence: Presence,
    /// When the task that settles it next wakes, if there is one.
    pub timer: Option<Instant>,
}

impl LiveRoom {
    pub fn new(room: RoomId) -> Self {
        Self { feed: Arc::new(Feed::new(room)), changes: Mutex::default(), attendance: Mutex::default() }
    }

    pub fn attendance(&self) -> MutexGuard<'_, Attendance> {
        self.attendance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader with a place in the feed has read the room at `rev`; whether that is enough. See [`Sequence::begin`].
    pub fn begin(&self, rev: i64) -> bool {
        let mut changes = self.changes();
        let (enough, steps) = changes.begin(rev);
        self.publish(steps);
        enough
    }

    /// Takes in a frame from here or from another node: in its turn when it has a revision, else at once. Whether nothing
    /// is missing before it.
    pub fn accept(&self, frame: Frame) -> bool {
        let Some(rev) = frame.rev else {
            self.feed.publish(frame);
            return true;
        };
        let mut changes = self.changes();
        let steps = changes.accept(rev, frame);
        self.publish(steps);
        changes.gap().is_none()
    }

    /// The database has changes up to `rev`. Whether all of them came here.
    pub fn hear(&self, rev: i64) -> bool {
        let mut changes = self.changes();
        changes.hear(rev);
        changes.gap().is_none()
    }

    /// The revision after which something is missing.
    pub fn gap(&self) -> Option<i64> {
        self.changes().gap()
    }

    /// See [`Sequence::fill`].
    pub fn fill(&self, frames: Vec<Frame>, to: i64) {
        let mut changes = self.changes();
        let steps = changes.fill(frames.into_iter().map(|frame| (frame.rev.unwrap_or_default(), frame)), to);
        self.publish(steps);
    }

    /// More is missing than is read at once: begins anew at `rev`, and every reader resumes from the database.
    pub fn restart(&self, rev: i64) {
        let mut changes = self.changes();
        self.feed.lose();
        let steps = changes.restart(rev);
        self.publish(steps);
    }

    fn changes(&self) -> MutexGuard<'_, Sequence<Frame>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, steps: Vec<Step<Frame>>) {
        for Step { follows, change, .. } in steps {
            self.feed.publish(Frame { follows, ..change });
        }
    }
}
