//! A room's feed: a short log of framed events, and the sockets that hold a place in it.
//!
//! Publishing appends once and wakes; a socket that wakes takes all it is owed. A socket that falls out of the log is
//! told so ([`Owed::Lagged`]) and closed by its writer: it resumes from the database. So is one that would get
//! revision 9 after 7: whatever went wrong before, nobody is shown a gap. Memory is bounded by the log, never by the
//! number of slow readers.
//!
//! Under load sockets stand at the same few places, so what leads from one place to the next is joined to one stretch
//! of bytes by the first that asks, and the others share it: a thousand readers of fifty frames then cost a thousand
//! pointers and writes of one buffer, not fifty thousand.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::event::Frame;
use super::mailbox::Mailbox;
use crate::ids::RoomId;

/// Frames kept for readers that are behind.
const LOG: usize = 1024;
/// Their bytes, unless one frame alone is longer.
const LOG_BYTES: usize = 2 << 20;
/// Joined stretches kept.
const STRETCHES: usize = 4;

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
    stretches: VecDeque<Stretch>,
}

/// Several frames as one stretch of bytes.
#[derive(Clone)]
struct Stretch {
    from: u64,
    to: u64,
    packed: bool,
    revs: Option<Revs>,
    ends: bool,
    share: Share,
    bytes: Bytes,
}

/// What a socket takes of a feed at once, to be counted when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub frames: u64,
    /// When the first of them was made.
    pub since: Instant,
}

/// The revisions that a stretch brings: whoever has one from `follows` on, but not yet the first, takes all of it.
#[derive(Clone, Copy)]
struct Revs {
    follows: i64,
    first: i64,
    last: i64,
    /// Only for who took up the room at this revision or before.
    doubt: i64,
}

/// A socket's place in a feed.
pub struct Cursor {
    pub feed: Arc<Feed>,
    next: u64,
    /// The revision that the socket has.
    after_rev: i64,
    /// The one that it had when it took up the room.
    began: i64,
}

/// What a socket is owed by a feed.
#[derive(Debug, PartialEq, Eq)]
pub enum Owed {
    Nothing,
    /// It was handed over, unless the socket had it; the feed ends with it, or there may be more.
    Some {
        ends: bool,
        share: Option<Share>,
    },
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
        Some(Cursor {
            feed: self.clone(),
            next: self.next.load(Ordering::Acquire),
            after_rev: i64::MIN,
            began: i64::MIN,
        })
    }

    pub fn leave(&self, mailbox: &Mailbox) {
        self.lock().readers.remove(&mailbox.id);
    }

    pub fn is_empty(&self) -> bool {
        self.readers() == 0
    }

    /// Sockets that follow the room.
    pub fn readers(&self) -> usize {
        self.lock().readers.len()
    }

    /// Appends a frame and wakes every reader. After the last frame nothing more is published.
    /// Cost: O(readers), without a copy of the frame.
    pub fn publish(&self, frame: Frame) {
        let mut log = self.lock();
        if log.ended {
            return;
        }
        log.ended = frame.last;
        log.bytes += frame.len();
        log.frames.push_back(frame);
        while log.frames.len() > LOG || (log.bytes > LOG_BYTES && log.frames.len() > 1) {
            let dropped = log.frames.pop_front().map_or(0, |frame| frame.len());
            log.bytes -= dropped;
        }
        self.wake(&log);
        if log.ended {
            // A socket that never takes its place would keep the feed, and the feed that socket.
            log.readers.clear();
        }
    }

    /// Something may be missing here: every reader is to resume from the database.
    pub fn lose(&self) {
        let mut log = self.lock();
        log.frames.clear();
        log.stretches.clear();
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
    /// The socket has the room up to `rev` otherwise: it is owed what comes after.
    pub fn start(&mut self, rev: i64) {
        (self.after_rev, self.began) = (rev, rev);
    }

    /// The revision that the socket has.
    pub fn rev(&self) -> i64 {
        self.after_rev
    }

    /// Whether anything was published since the last look. Cost: one atomic read.
    pub fn is_behind(&self) -> bool {
        self.feed.next.load(Ordering::Acquire) != self.next
    }

    /// Adds to `out` what was published since the last look, up to the frame that goes beyond `most` bytes; each piece
    /// is one or more whole frames. `packed`: whether the socket takes packed ones. Cost: one atomic read when it is
    /// nothing, O(1) when another socket has taken the same, else O(bytes).
    pub fn take(&mut self, packed: bool, most: usize, out: &mut Vec<Bytes>) -> Owed {
        if !self.is_behind() {
            return Owed::Nothing;
        }
        let log = self.feed.lock();
        let next = self.feed.next.load(Ordering::Acquire);
        let behind = usize::try_from(next - self.next).unwrap_or(usize::MAX);
        let Some(skip) = log.frames.len().checked_sub(behind) else { return Owed::Lagged };
        if behind == 1 {
            let frame = log.frames[skip].clone();
            drop(log);
            return self.take_one(&frame, packed, out);
        }
        let fitting = |revs: Revs| (revs.follows..revs.first).contains(&self.after_rev) && self.began <= revs.doubt;
        let fits = |stretch: &&Stretch| {
            stretch.from == self.next && stretch.packed == packed && stretch.revs.is_none_or(fitting)
        };
        if let Some(stretch) = log.stretches.iter().find(fits) {
            let (to, revs, ends, share) = (stretch.to, stretch.revs, stretch.ends, stretch.share);
            out.push(stretch.bytes.clone());
            drop(log);
            self.next = to;
            self.after_rev = revs.map_or(self.after_rev, |revs| revs.last);
            return Owed::Some { ends, share: Some(share) };
        }
        let mut bytes = 0;
        let within = |frame: &&Frame| {
            let before = bytes;
            bytes += frame.len();
            before <= most
        };
        let frames: Vec<Frame> = log.frames.range(skip..).take_while(within).cloned().collect();
        drop(log);
        self.take_many(&frames, packed, out)
    }

    fn take_one(&mut self, frame: &Frame, packed: bool, out: &mut Vec<Bytes>) -> Owed {
        self.next += 1;
        let is_new = match self.is_next(frame) {
            Some(is_new) => is_new,
            None => return Owed::Lagged,
        };
        if is_new {
            out.push(frame.bytes(packed).clone());
        }
        Owed::Some { ends: frame.last, share: is_new.then_some(Share { frames: 1, since: frame.made }) }
    }

    /// Joins frames to one stretch and leaves it to whoever stands at the same place.
    fn take_many(&mut self, frames: &[Frame], packed: bool, out: &mut Vec<Bytes>) -> Owed {
        let (from, to) = (self.next, self.next + frames.len() as u64);
        let (mut ends, mut revs, mut skipped, mut share) = (false, None::<Revs>, false, None::<Share>);
        let mut joined = BytesMut::with_capacity(frames.iter().map(|frame| frame.bytes(packed).len()).sum());
        for frame in frames {
            match self.is_next(frame) {
                Some(true) => {
                    joined.extend_from_slice(frame.bytes(packed));
                    share.get_or_insert(Share { frames: 0, since: frame.made }).frames += 1;
                    if let Some(rev) = frame.rev {
                        let first = Revs { follows: frame.follows, first: rev, last: rev, doubt: i64::MAX };
                        let before = revs.unwrap_or(first);
                        let doubt = before.doubt.min(frame.doubt.unwrap_or(i64::MAX));
                        revs = Some(Revs { last: rev, doubt, ..before });
                    }
                }
                Some(false) => skipped = true,
                None => return Owed::Lagged,
            }
            ends |= frame.last;
        }
        self.next = to;
        let bytes = joined.freeze();
        if !bytes.is_empty() {
            out.push(bytes.clone());
        }
        // Who takes up a feed passes over what it has: such a stretch is nobody else's.
        if let (false, Some(share)) = (skipped, share) {
            let mut log = self.feed.lock();
            log.stretches.truncate(STRETCHES - 1);
            log.stretches.push_front(Stretch { from, to, packed, revs, ends, share, bytes });
        }
        Owed::Some { ends, share }
    }

    /// Whether `frame` is the next for this socket (true) or one it has already; `None` when one is missing between.
    fn is_next(&mut self, frame: &Frame) -> Option<bool> {
        match frame.rev {
            Some(rev) if rev <= self.after_rev => return Some(false),
            Some(_) if frame.follows > self.after_rev => return None,
            Some(_) if frame.doubt.is_some_and(|doubt| self.began > doubt) => return None,
            Some(rev) => self.after_rev = rev,
            None => {}
        }
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::event::Event;

    fn frame(rev: i64) -> Frame {
        Frame { rev: Some(rev), follows: rev - 1, ..Event::Synced { room_id: RoomId(1), rev }.frame() }
    }

    /// The revisions that a reader is given, by the texts it gets; -1 when it lags.
    fn revs(cursor: &mut Cursor, most: usize) -> Vec<i64> {
        let mut out = Vec::new();
        if cursor.take(false, most, &mut out) == Owed::Lagged {
            return vec![-1];
        }
        let bytes = out.concat();
        let text = String::from_utf8_lossy(&bytes);
        let number = |rest: &str| rest.split('}').next().and_then(|rev| rev.parse().ok());
        text.split("\"rev\":").skip(1).filter_map(number).collect()
    }

    #[test]
    fn a_reader_is_owed_what_came_after_it_joined_in_order_and_once() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        feed.publish(frame(1));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        assert!(revs(&mut cursor, 1000).is_empty());
        (2..5).for_each(|rev| feed.publish(frame(rev)));
        cursor.start(2);
        assert_eq!(revs(&mut cursor, 1000), [3, 4]);
        assert!(revs(&mut cursor, 1000).is_empty());
    }

    #[test]
    fn readers_at_one_place_share_a_stretch_and_others_get_their_own() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursors: Vec<_> = (0..3).map(|user| feed.join(&Mailbox::for_tests(user)).unwrap()).collect();
        (1..6).for_each(|rev| feed.publish(frame(rev)));
        cursors[0].start(0);
        cursors[1].start(0);
        cursors[2].start(3);
        let [mut one, mut two] = [Vec::new(), Vec::new()];
        cursors[0].take(false, 1000, &mut one);
        cursors[1].take(false, 1000, &mut two);
        assert_eq!((one.len(), one[0].as_ptr()), (1, two[0].as_ptr()));
        assert_eq!(revs(&mut cursors[2], 1000), [4, 5], "what it has doesn't come again");
        feed.publish(frame(6));
        for cursor in &mut cursors {
            assert_eq!(revs(cursor, 1000), [6]);
        }
    }

    #[test]
    fn much_is_taken_in_several_turns() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).unwrap();
        cursor.start(0);
        (1..10).for_each(|rev| feed.publish(frame(rev)));
        let mut seen = Vec::new();
        let mut turns = 0;
        while cursor.is_behind() {
            seen.extend(revs(&mut cursor, 50));
            turns += 1;
        }
        assert_eq!(seen, (1..10).collect::<Vec<_>>());
        assert!(turns > 3);
    }

    #[test]
    fn nobody_is_shown_a_gap() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        cursor.start(7);
        feed.publish(frame(9));
        assert_eq!(revs(&mut cursor, 1000), [-1]);
        let mut other = feed.join(&Mailbox::for_tests(2)).expect("a feed is open");
        other.start(9);
        [10, 12].into_iter().for_each(|rev| feed.publish(frame(rev)));
        assert_eq!(revs(&mut other, 1000), [-1], "nor in the midst of several");
        let mut third = feed.join(&Mailbox::for_tests(3)).expect("a feed is open");
        feed.lose();
        assert_eq!(revs(&mut third, 1000), [-1]);
    }

    #[test]
    fn after_the_last_frame_nothing_is_published() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        feed.publish(Frame { last: true, ..Event::Pong.frame() });
        feed.publish(Event::Pong.frame());
        let mut out = Vec::new();
        assert!(matches!(cursor.take(false, 1000, &mut out), Owed::Some { ends: true, .. }));
        assert_eq!(out.len(), 1);
        assert!(feed.join(&Mailbox::for_tests(2)).is_none());
    }

    #[test]
    fn a_reader_that_falls_out_of_the_log_is_told() {
        let feed = Arc::new(Feed::new(RoomId(1)));
        let mut cursor = feed.join(&Mailbox::for_tests(1)).expect("a new feed is open");
        (0..LOG as i64).for_each(|rev| feed.publish(frame(rev)));
        feed.publish(frame(9999));
        assert_eq!(revs(&mut cursor, 1000), [-1]);
    }
}
