//! A room that somebody here follows: its feed, its changes in their order, and who is in it. Made and forgotten by
//! `live/hub.rs`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::event::{Event, Frame};
use super::feed::Feed;
use super::presence::Presence;
use super::sequence::{Sequence, Step};
use crate::ids::RoomId;
use crate::messages::Message;

pub(super) struct LiveRoom {
    pub feed: Arc<Feed>,
    /// Held while what it hands on is published.
    changes: Mutex<Changes>,
    attendance: Mutex<Attendance>,
}

#[derive(Default)]
struct Changes {
    sequence: Sequence<Frame>,
    /// The number of the newest message that was handed on, or was there before.
    seq: i64,
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

    /// A reader with a place in the feed has read the room at `rev`, its newest message being number `seq`; whether that is
    /// enough. See [`Sequence::begin`].
    pub fn begin(&self, rev: i64, seq: i64) -> bool {
        let mut changes = self.changes();
        if !changes.sequence.has_begun() {
            changes.seq = seq;
        }
        let (enough, steps) = changes.sequence.begin(rev);
        self.publish(&mut changes, steps);
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
        let steps = changes.sequence.accept(rev, frame);
        self.publish(&mut changes, steps);
        changes.sequence.gap().is_none()
    }

    /// The database has changes up to `rev`. Whether all of them came here.
    pub fn hear(&self, rev: i64) -> bool {
        let mut changes = self.changes();
        changes.sequence.hear(rev);
        changes.sequence.gap().is_none()
    }

    /// The revision after which something is missing.
    pub fn gap(&self) -> Option<i64> {
        self.changes().sequence.gap()
    }

    /// Publishes messages that were read from the database; see [`Sequence::fill`].
    pub fn fill(&self, missed: &[Message], to: i64) {
        let mut changes = self.changes();
        let Some(after) = changes.sequence.last() else { return };
        let frames = told_late(missed, after, changes.seq);
        let steps = changes.sequence.fill(frames, to);
        self.publish(&mut changes, steps);
    }

    /// More is missing than is read at once: begins anew at `rev` and message number `seq`, and every reader resumes from
    /// the database.
    pub fn restart(&self, rev: i64, seq: i64) {
        let mut changes = self.changes();
        changes.seq = seq;
        self.feed.lose();
        let steps = changes.sequence.restart(rev);
        self.publish(&mut changes, steps);
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, changes: &mut Changes, steps: Vec<Step<Frame>>) {
        for Step { follows, change, .. } in steps {
            changes.seq = changes.seq.max(change.seq.unwrap_or_default());
            self.feed.publish(Frame { follows, ..change });
        }
    }
}

/// What is said of `missed`, messages in the order of their revisions, to who has all up to revision `after` and message
/// number `seen`: something at each revision, new messages in the order of their numbers.
///
/// A message that was changed since has left its earlier revisions: nobody has them any more, and the one at which it was
/// new is among them. At such a revision the next message that is still new is said, as it is, else one that changes later.
/// So each is said no later than it was first, and none before a lower number. Cost: O(missed).
fn told_late(missed: &[Message], after: i64, mut seen: i64) -> Vec<(i64, Frame)> {
    let mut later = missed.iter().filter(|message| message.rev > after).peekable();
    let mut new: Vec<&Message> = missed.iter().filter(|message| message.rev > after && message.seq > seen).collect();
    new.sort_unstable_by_key(|message| message.seq);
    let mut new = new.into_iter().peekable();
    let mut frames = Vec::with_capacity(missed.len());
    let (mut rev, mut doubt) = (after, None);
    while let Some(&next) = later.peek() {
        rev += 1;
        let frame = if next.rev == rev {
            later.next();
            match next.seq <= seen {
                true => changed(next),
                false => {
                    new.next_if(|message| message.seq == next.seq);
                    seen = next.seq;
                    Event::Message(next).frame()
                }
            }
        } else if let Some(early) = new.next() {
            seen = early.seq;
            // Who has read the room since may know it already, or not yet what changes later: they resume.
            doubt = Some(after);
            Event::Message(&Message { rev, ..early.clone() }).frame()
        } else {
            changed(&Message { rev, ..next.clone() })
        };
        frames.push((rev, Frame { doubt, ..frame }));
    }
    frames
}

fn changed(message: &Message) -> Frame {
    let Message { id, room_id, seq, rev, deleted_at, .. } = *message;
    match deleted_at {
        Some(_) => Event::MessageDeleted { id, room_id, seq, rev }.frame(),
        None => Event::MessageEdited(message).frame(),
    }
}
