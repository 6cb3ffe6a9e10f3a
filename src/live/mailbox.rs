//! One socket as the rest of the program sees it: who it is, what is to be sent to it alone, and how to close it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;

use super::event::Frame;
use super::feed::Cursor;
use crate::clock::Timestamp;
use crate::ids::{RoomId, UserId};
use crate::users::Via;

/// Frames for one socket alone that may wait; a reader that lets more pile up is closed.
const MOST_WAITING: usize = 1024;
/// Their bytes. One replay may be longer, if nothing else waits.
const MOST_BYTES_WAITING: usize = 4 << 20;

/// Begins anywhere: a page that shows sockets of the process before must not end one of this.
static NEXT_ID: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(rand::random::<u64>() >> 2));

/// Why a socket is closed. The codes are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// 1012: the server restarts; come back soon.
    Restart,
    /// 1012: staff closed it; who may still come in comes back.
    ByStaff,
    /// 1013: it fell too far behind; resume.
    TooSlow,
    /// 4401: logged out, disabled, or run out.
    SignedOut,
    /// 4403: no longer in the room.
    Removed,
    /// Nothing came from the other side for too long, or it is gone.
    Silent,
}

impl Close {
    pub fn code(self) -> u16 {
        match self {
            Self::Restart | Self::ByStaff => 1012,
            Self::TooSlow => 1013,
            Self::SignedOut => 4401,
            Self::Removed => 4403,
            Self::Silent => 1001,
        }
    }

    /// Whether its person may read nothing more, not even what is queued.
    pub fn is_final(self) -> bool {
        matches!(self, Self::SignedOut | Self::Removed)
    }

    pub fn reason(self) -> &'static str {
        match self {
            Self::Restart => "The server restarts.",
            Self::ByStaff => "Staff closed this connection.",
            Self::TooSlow => "Too far behind; please resume.",
            Self::SignedOut => "You are logged out.",
            Self::Removed => "You are no longer in this room.",
            Self::Silent => "Nothing was heard for too long.",
        }
    }
}

/// What the socket's writer does next.
pub enum Item {
    Send(Frame),
    /// A room's feed from here on, after `replay`.
    Attach {
        cursor: Cursor,
        replay: Vec<Frame>,
    },
    Detach(RoomId),
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Send(frame) => frame.len(),
            Self::Attach { replay, .. } => replay.iter().map(Frame::len).sum(),
            Self::Detach(_) => 0,
        }
    }
}

pub struct Mailbox {
    pub id: u64,
    pub user: UserId,
    /// What it was opened with.
    pub via: Via,
    /// When it was opened, and from where.
    pub since: Timestamp,
    pub ip: Option<IpAddr>,
    state: AtomicU8,
    task: AtomicWaker,
    closing: AtomicBool,
    queue: Mutex<Queue>,
}

/// The socket's task waits: whoever has something for it wakes it.
const ASLEEP: u8 = 0;
/// It is at work and looks once more before it sleeps.
const AWAKE: u8 = 1;
/// And something has come since it began to look.
const TOLD: u8 = 2;

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// In order; mostly one or none.
    subscribed: Vec<RoomId>,
    closed: Option<Close>,
}

impl Mailbox {
    pub fn new(user: UserId, via: Via) -> Arc<Self> {
        Self::opened(user, via, Timestamp(0), None)
    }

    /// A socket that was opened at a time and from an address.
    pub fn opened(user: UserId, via: Via, since: Timestamp, ip: Option<IpAddr>) -> Arc<Self> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (state, task) = (AtomicU8::new(ASLEEP), AtomicWaker::new());
        let (closing, queue) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { id, user, via, since, ip, state, task, closing, queue })
    }

    #[cfg(test)]
    pub fn for_tests(user: i64) -> Arc<Self> {
        Self::new(UserId(user), Via::Session(crate::ids::SessionId(user)))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame for this socket alone.
    pub fn send(&self, frame: Frame) {
        self.push(Item::Send(frame));
    }

    pub fn push(&self, item: Item) {
        let mut queue = self.lock();
        let bytes = queue.bytes + item.bytes();
        if queue.items.len() >= MOST_WAITING || (bytes > MOST_BYTES_WAITING && !queue.items.is_empty()) {
            drop(queue);
            return self.close(Close::TooSlow);
        }
        queue.bytes = bytes;
        queue.items.push_back(item);
        drop(queue);
        self.wake();
    }

    /// Puts what a socket is greeted with before what its person was told since it was opened: `hello`, or the room that
    /// it takes up.
    pub fn greet(&self, hello: Option<Frame>) {
        let mut queue = self.lock();
        let attached = queue.items.iter().position(|item| matches!(item, Item::Attach { .. }));
        let first = hello.map(Item::Send).or_else(|| queue.items.remove(attached?));
        first.into_iter().for_each(|item| queue.items.push_front(item));
        drop(queue);
        self.wake();
    }

    /// Closes the socket after what is queued. The first reason counts, unless a later one is final.
    pub fn close(&self, why: Close) {
        let mut queue = self.lock();
        if queue.closed.is_none_or(|earlier| why.is_final() && !earlier.is_final()) {
            queue.closed = Some(why);
        }
        drop(queue);
        self.closing.store(true, Ordering::Release);
        self.wake();
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub fn closed(&self) -> Option<Close> {
        self.lock().closed
    }

    /// Has the socket look what it is owed. Cost: one atomic exchange when it is about to look anyway.
    pub fn wake(&self) {
        if self.state.swap(TOLD, Ordering::AcqRel) == ASLEEP {
            self.task.wake();
        }
    }

    /// The socket's task begins to look: until [`Self::rest`] nobody needs to wake it.
    pub fn rise(&self, task: &Waker) {
        self.task.register(task);
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    /// The task has done what there was; false when something has come meanwhile, and it is to look again.
    pub fn rest(&self) -> bool {
        let rests = self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !rests {
            self.state.swap(AWAKE, Ordering::AcqRel);
        }
        rests
    }

    /// Takes what is queued, and says whether the socket is to be closed after it.
    pub fn take(&self) -> (VecDeque<Item>, Option<Close>) {
        let mut queue = self.lock();
        queue.bytes = 0;
        (std::mem::take(&mut queue.items), queue.closed)
    }

    /// Notes that this socket follows `room`; how many it follows then, or `None` when it did already.
    pub fn follow(&self, room: RoomId) -> Option<usize> {
        let mut queue = self.lock();
        let at = queue.subscribed.binary_search(&room).err()?;
        queue.subscribed.insert(at, room);
        Some(queue.subscribed.len())
    }

    pub fn unfollow(&self, room: RoomId) -> bool {
        let mut queue = self.lock();
        let found = queue.subscribed.binary_search(&room);
        found.is_ok_and(|at| {
            queue.subscribed.remove(at);
            true
        })
    }

    pub fn follows(&self, room: RoomId) -> bool {
        self.lock().subscribed.binary_search(&room).is_ok()
    }

    pub fn followed(&self) -> Vec<RoomId> {
        self.lock().subscribed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::event::Event;

    #[test]
    fn of_two_reasons_to_close_it_the_first_counts_unless_only_the_second_is_final() {
        let closed = |reasons: [Close; 2]| {
            let mailbox = Mailbox::for_tests(1);
            reasons.into_iter().for_each(|why| mailbox.close(why));
            mailbox.closed().unwrap()
        };
        assert_eq!(closed([Close::TooSlow, Close::Restart]), Close::TooSlow);
        assert_eq!(closed([Close::TooSlow, Close::SignedOut]), Close::SignedOut);
        assert_eq!(closed([Close::Removed, Close::SignedOut]), Close::Removed);
    }

    #[test]
    fn a_greeting_comes_first_whatever_was_told_before_it() {
        let mailbox = Mailbox::for_tests(1);
        mailbox.push(Item::Detach(RoomId(1)));
        mailbox.greet(Some(Event::Pong.frame()));
        let (items, _) = mailbox.take();
        assert!(matches!((&items[0], &items[1]), (Item::Send(_), Item::Detach(_))));
    }
}
