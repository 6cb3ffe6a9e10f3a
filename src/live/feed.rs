//! A room's feed: a short log of framed events, and the sockets that hold a place in it.
//!
//! Publishing appends once and wakes; a socket that wakes takes all it is owed. A socket that falls out of the log is
//! told so ([`Owed::Lagged`]) and closed by its writer: it resumes from the database. So is one that would get
//! revision 9 after 7: whatever went wrong before, nobody is shown a gap. Memory is bounded by the log, never by the
//! number of slow readers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::event::Frame;
use super::mailbox::Mailbox;
use crate::ids::RoomId;

/// Frames kept for readers that are behind.
const LOG: usize = 1024;
/// Their bytes, unless one frame alone is longer.
const LOG_BYTES: usize = 2 << 20;

pub struct Feed {
    pub room: RoomId,
    log: Mutex<Log>,
    /// The place of the next frame; read without the lock by sockets that look whether there is anything.
    next: AtomicU64,
}

#[derive(Default)]
struct Log {
    frames: VecDeque<Frame>,
    bytes: usize,
    readers: HashMap<u64, Arc<Mailbox>>,
    ended: bool,
}

/// A socket's place in a feed.
pub struct Cursor {
    pub feed: Arc<Feed>,
    next: u64,
    /// The revision that the socket has; the next one it gets is one more.
    pub after_rev: i64,
}

/// What a socket is owed by a feed.
pub enum Owed {
    Nothing,
    Frames(Vec<Frame>),
    Lagged,
}

impl Feed {
    pub fn new(room: RoomId) -> Self {
        Self { room, log: Mutex::default(), next: AtomicU64::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a reader; it is owed what is published from now on. `None` when the room has ended.
    pub fn join(self: &Arc<Self>, mailbox: &Arc<Mailbox>) -> Option<Cursor> {
        let mut log = self.lock();
        if log.ended {
            return None;
        }
        log.readers.insert(mailbox.id, mailbox.clone());
        Some(Cursor { feed: self.clone(), next: self.next.load(Ordering::Acquire), after_rev: i64::MIN })
    }

    pub fn leave(&self, mailbox: &Mailbox) {
        self.lock().readers.remove(&mailbox.id);
    }

    pub fn is_empty(&self) -> bool {
        self.lock().readers.is_empty()
    }

    /// Appends a frame and wakes every reader. After the last frame nothing more is published.
    /// Cost: O(readers), without a copy of the frame.
    pub fn publish(&self, frame: Frame) {
        let mut log = self.lock();
        if log.ended {
            return;
        }
        log.ended = frame.last;
        log.bytes += frame.text.len();
        log.frames.push_back(frame);
        while log.frames.len() > LOG || (log.bytes > LOG_BYTES && log.frames.len() > 1) {
            let dropped = log.frames.pop_front().map_or(0, |frame| frame.text.len());
            log.bytes -= dropped;
        }
        self.wake(&log);
    }

    /// Something may be missing here: every reader is to resume from the database.
    pub fn lose(&self) {
        let mut log = self.lock();
        log.frames.clear();
        log.bytes = 0;
        self.wake(&log);
    }

    fn wake(&self, log: &Log) {
        self.next.fetch_add(1, Ordering::Release);
        for mailbox in log.readers.values() {
            mailbox.wake();
        }
    }
}

impl Cursor {
    /// Whether anything was published since the last look. Cost: one atomic read.
    pub fn is_behind(&self) -> bool {
        self.feed.next.load(Ordering::Acquire) != self.next
    }

    /// Takes what was published since the last look. Cost: one atomic read when that is nothing.
    pub fn take(&mut self) -> Owed {
        if !self.is_behind() {
            return Owed::Nothing;
        }
        let log = self.feed.lock();
        let next = self.feed.next.load(Ordering::Acquire);
        let behind = usize::try_from(next - self.next).unwrap_or(usize::MAX);
        let Some(skip) = log.frames.len().checked_sub(behind) else { return Owed::Lagged };
        self.next = next;
        let mut owed = Vec::with_capacity(behind);
        for frame in log.frames.range(skip..) {
            match frame.rev {
                Some(rev) if rev <= self.after_rev => continue,
                Some(rev) if rev > self.after_rev + 1 => return Owed::Lagged,
                Some(rev) => self.after_rev = rev,
                None => {}
            }
            owed.push(frame.clone());
        }
        Owed::Frames(owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::event::Event;

    fn frame(rev: i64) -> Frame {
        Frame { rev: Some(rev), ..Event::Pong.frame() }
    }

    fn revs(owed: Owed) -> Vec<i64> {
        match owed {
            Owed::Frames(frames) => frames.iter().filter_map(|frame| frame.rev).collect(),
            Owed::Nothing => Vec::new(),
            Owed::Lagged => vec![-1],
        }
    }

    #[test]
    fn a_reader_is_owed_what_came_after_it_joined_in_order_and_once() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        feed.publish(frame(1));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        assert!(revs(cursor.take()).is_empty());
        (2..5).for_each(|rev| feed.publish(frame(rev)));
        cursor.after_rev = 2;
        assert_eq!(revs(cursor.take()), [3, 4]);
        assert!(revs(cursor.take()).is_empty());
    }

    #[test]
    fn nobody_is_shown_a_gap() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        cursor.after_rev = 7;
        feed.publish(frame(9));
        assert!(matches!(cursor.take(), Owed::Lagged));
        let mut other = feed.join(&Mailbox::for_tests(2)).expect("a feed is open");
        feed.lose();
        assert!(matches!(other.take(), Owed::Lagged));
    }

    #[test]
    fn after_the_last_frame_nothing_is_published() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        feed.publish(Frame { last: true, ..Event::Pong.frame() });
        feed.publish(Event::Pong.frame());
        assert!(matches!(cursor.take(), Owed::Frames(frames) if frames.len() == 1));
        assert!(feed.join(&Mailbox::for_tests(2)).is_none());
    }

    #[test]
    fn a_reader_that_falls_out_of_the_log_is_told() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        (0..LOG as i64).for_each(|rev| feed.publish(frame(rev)));
        feed.publish(frame(9999));
        assert!(matches!(cursor.take(), Owed::Lagged));
    }
}
