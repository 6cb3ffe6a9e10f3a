//! The hub: which sockets are open here, and which feed and presence each room in use has. It knows no database.
//!
//! A room is here while somebody here follows it. The domain publishes after its commit; a socket joins a feed before it
//! reads the store, so that between the two nothing is missed. What is published or told goes to who is here at once, and
//! over the [`Bus`] to other nodes; what they say comes in at `hub/there.rs`.

mod people;
mod there;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::there::There;
use super::bus::{Bus, Channel, Signal};
use super::event::Event;
use super::feed::Cursor;
use super::mailbox::{Close, Mailbox};
use super::pile::Pile;
use super::room::{Attendance, LiveRoom};
use crate::ids::{RoomId, UserId};
use crate::messages::Message;
use crate::reactions::Reaction;

/// Rooms of at most so many members show who has read how far.
pub const MOST_FOR_RECEIPTS: i64 = 50;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    bus: Bus,
    rooms: RwLock<HashMap<RoomId, Arc<LiveRoom>>>,
    sockets: RwLock<HashMap<UserId, Vec<Arc<Mailbox>>>>,
    /// How many those are.
    open: AtomicUsize,
    gone: Notify,
    /// Why every socket is closed, those that are yet to open, too.
    ending: OnceLock<Close>,
    /// Rooms with new messages, for `unread` to tell who doesn't follow them.
    touched: Pile<RoomId>,
    /// The same rooms, for the bus to tell other nodes.
    news: Pile<RoomId>,
    /// Rooms where something may be missing, for `catch_up` to look.
    suspected: Pile<RoomId>,
    /// Rooms where a change waits for one before it, likewise.
    waiting: Pile<RoomId>,
    /// People who came or went, for the bus to tell.
    moved: Pile<UserId>,
    /// Rooms of which other nodes ask who is there, and whether they ask who is online.
    asked: Pile<RoomId>,
    all_asked: Pile<()>,
    /// Who has sockets at other nodes.
    there: RwLock<There>,
}

fn sound<T>(lock: Result<T, PoisonError<T>>) -> T {
    lock.unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub fn new(bus: Bus) -> Self {
        Self(Arc::new(Inner { bus, ..Inner::default() }))
    }

    /// What joins this node with others.
    pub fn bus(&self) -> &Bus {
        &self.0.bus
    }

    /// Makes an open socket known: it can be told things and closed from now on.
    pub fn open(&self, mailbox: &Arc<Mailbox>) {
        let mut sockets = sound(self.0.sockets.write());
        // Mostly one: room for four would be kept for everybody.
        let own = sockets.entry(mailbox.user).or_insert_with(|| Vec::with_capacity(1));
        own.push(mailbox.clone());
        if own.len() == 1 {
            self.0.bus.follow(Channel::Person(mailbox.user));
            self.moved(mailbox.user);
        }
        self.0.open.fetch_add(1, Ordering::Relaxed);
        // Under the lock: of this and `close_all` one sees the other.
        if let Some(why) = self.0.ending.get() {
            mailbox.close(*why);
        }
    }

    /// Forgets a socket and takes it out of every room.
    pub fn shut(&self, mailbox: &Arc<Mailbox>) {
        for room in mailbox.followed() {
            self.leave(mailbox, room);
        }
        let mut sockets = sound(self.0.sockets.write());
        if let Some(own) = sockets.get_mut(&mailbox.user) {
            let before = own.len();
            own.retain(|other| other.id != mailbox.id);
            self.0.open.fetch_sub(before - own.len(), Ordering::Relaxed);
            if own.is_empty() {
                sockets.remove(&mailbox.user);
                self.0.bus.unfollow(Channel::Person(mailbox.user));
                self.moved(mailbox.user);
            }
        }
        if sockets.is_empty() {
            self.0.gone.notify_waiters();
        }
    }

    /// Gives a socket its place in a room's feed. `None` when the room has just been deleted. Cost: O(1).
    pub fn join(&self, mailbox: &Arc<Mailbox>, room: RoomId) -> Option<Cursor> {
        // Under the lock, so that the room isn't forgotten between.
        if let Some(live) = sound(self.0.rooms.read()).get(&room) {
            return live.feed.join(mailbox);
        }
        let mut rooms = sound(self.0.rooms.write());
        let live = rooms.entry(room).or_insert_with(|| {
            self.0.bus.follow(Channel::Room(room));
            Arc::new(LiveRoom::new(room))
        });
        live.feed.join(mailbox)
    }

    /// A socket that joined has read `room` at `rev` since, its newest message being number `seq`. False when that isn't enough: it is to read again.
    /// Cost: O(1), O(what waits) for the first.
    pub fn begin(&self, room: RoomId, rev: i64, seq: i64) -> bool {
        self.room(room).is_none_or(|live| live.begin(rev, seq))
    }

    /// Counts a socket's person as here and tells the room. Cost: O(sockets in the room) when the person is new there, else O(1).
    pub fn arrive(&self, mailbox: &Arc<Mailbox>, room: RoomId, name: &str) {
        let Some(live) = self.room(room) else { return };
        let mut attendance = live.attendance();
        if !attendance.presence.is_here(mailbox.user) {
            let people = vec![(mailbox.user, name.to_owned())];
            self.0.bus.say(Channel::Room(room), || Signal::Here { people, all: false });
        }
        match attendance.presence.join(room, mailbox.user, mailbox.id, name) {
            Some(frames) => frames.into_iter().for_each(|frame| live.feed.publish(frame)),
            None => attendance.presence.list_for_one(room).into_iter().for_each(|list| mailbox.send(list)),
        }
        self.settle(&live, attendance);
    }

    /// Takes a socket out of a room. Cost: O(1).
    pub fn leave(&self, mailbox: &Arc<Mailbox>, room: RoomId) {
        if !mailbox.unfollow(room) {
            return;
        }
        if let Some(live) = self.room(room) {
            live.feed.leave(mailbox);
            let mut attendance = live.attendance();
            attendance.presence.leave(mailbox.user, mailbox.id, Instant::now());
            if !attendance.presence.is_here(mailbox.user) {
                self.0.bus.say(Channel::Room(room), || Signal::Gone { people: vec![mailbox.user] });
            }
            self.settle(&live, attendance);
        }
    }

    /// `user`, who is in the room, types or has stopped.
    pub fn typing(&self, user: UserId, room: RoomId, is_typing: bool) {
        self.typing_anywhere(user, room, is_typing);
        self.0.bus.say(Channel::Room(room), || Signal::Typing { user, is_typing });
    }

    /// Sends a stored message to everyone who follows its room. Cost: one serialisation, O(sockets in the room).
    pub fn publish_message(&self, message: &Message) {
        self.publish(message.room_id, &Event::Message(message));
        if let Some(user) = message.user_id {
            self.has_typed(user, message.room_id);
        }
        self.0.touched.put(message.room_id);
        if self.0.bus.is_up() {
            self.0.news.put(message.room_id);
        }
    }

    /// Shows a stored message as it stands now. Cost: one serialisation, O(sockets in the room).
    pub fn publish_edited(&self, message: &Message) {
        self.publish(message.room_id, &Event::MessageEdited(message));
    }

    /// Says that a message's text is gone. Cost: one serialisation, O(sockets in the room).
    pub fn publish_deleted(&self, message: &Message) {
        let Message { id, room_id, seq, rev, .. } = *message;
        self.publish(room_id, &Event::MessageDeleted { id, room_id, seq, rev });
    }

    /// Shows who reacts how to a stored message. Cost: one serialisation, O(sockets in the room).
    pub fn publish_reactions(&self, message: &Message, reactions: &[Reaction]) {
        let Message { id, room_id, rev, .. } = *message;
        self.publish(room_id, &Event::Reaction { message_id: id, room_id, rev, reactions });
    }

    /// Says that other messages are pinned in `room` now. Cost: O(sockets in the room).
    pub fn publish_pins(&self, room: RoomId) {
        self.publish(room, &Event::Pins { room_id: room });
    }

    fn publish(&self, room: RoomId, event: &Event<'_>) {
        let live = self.room(room);
        if live.is_none() && !self.0.bus.is_up() {
            return;
        }
        let frame = event.frame();
        self.0.bus.publish(room, &frame);
        if live.is_some_and(|live| !live.accept(frame)) {
            self.0.waiting.put(room);
        }
    }

    /// Whether something was stored in `room` isn't known: it is looked up.
    pub fn suspect(&self, room: RoomId) {
        self.0.suspected.put(room);
    }

    /// Shows in a small room how far `user` has read.
    pub fn publish_read(&self, room: RoomId, user: UserId, seq: i64, members: i64) {
        if members <= MOST_FOR_RECEIPTS {
            self.publish(room, &Event::Read { room_id: room, user_id: user, seq });
        }
    }

    /// Rooms with new messages since the last call; waits for one.
    pub async fn touched(&self) -> HashSet<RoomId> {
        self.0.touched.take().await
    }

    /// Rooms where something may be missing; waits for one.
    pub async fn suspected(&self) -> HashSet<RoomId> {
        self.0.suspected.take().await
    }

    /// Rooms where a change waits for one before it; waits for one.
    pub async fn waiting(&self) -> HashSet<RoomId> {
        self.0.waiting.take().await
    }

    /// Rooms that somebody here follows. Cost: O(rooms).
    pub fn in_use(&self) -> Vec<RoomId> {
        sound(self.0.rooms.read()).keys().copied().collect()
    }

    /// The database has changes of `room` up to `rev`. Whether all of them came here.
    pub fn hear(&self, room: RoomId, rev: i64) -> bool {
        self.room(room).is_none_or(|live| live.hear(rev))
    }

    /// The revision of `room` after which something is missing here.
    pub fn gap(&self, room: RoomId) -> Option<i64> {
        self.room(room)?.gap()
    }

    /// Publishes what was read from the database after [`Self::gap`]; `to`: the room's revision, read before.
    pub fn fill(&self, room: RoomId, missed: &[Message], to: i64) {
        if let Some(live) = self.room(room) {
            live.fill(missed, to);
        }
    }

    /// So much is missing that everyone who follows `room` is to resume from the database.
    pub fn restart(&self, room: RoomId, rev: i64, seq: i64) {
        if let Some(live) = self.room(room) {
            live.restart(rev, seq);
        }
    }

    fn room(&self, room: RoomId) -> Option<Arc<LiveRoom>> {
        sound(self.0.rooms.read()).get(&room).cloned()
    }

    /// Publishes what presence has to tell by now and sees to it that somebody asks again in time.
    fn settle(&self, live: &Arc<LiveRoom>, mut attendance: MutexGuard<'_, Attendance>) {
        let (frames, next) = attendance.presence.settle(live.feed.room, Instant::now());
        frames.into_iter().for_each(|frame| live.feed.publish(frame));
        let Some(next) = next else {
            let is_empty = live.feed.is_empty() && !attendance.presence.is_anyone_here();
            drop(attendance);
            // Asked first: forgetting keeps everybody else from every room.
            if is_empty {
                self.forget_if_empty(live.feed.room);
            }
            return;
        };
        if attendance.timer.is_none_or(|timer| next < timer) {
            attendance.timer = Some(next);
            let (hub, live) = (self.clone(), live.clone());
            tokio::spawn(async move {
                sleep_until(next).await;
                let mut attendance = live.attendance();
                // A timer set for an earlier moment has taken this one's place.
                if attendance.timer == Some(next) {
                    attendance.timer = None;
                    hub.settle(&live, attendance);
                }
            });
        }
    }

    fn forget_if_empty(&self, room: RoomId) {
        let mut rooms = sound(self.0.rooms.write());
        let empty = |live: &Arc<LiveRoom>| live.feed.is_empty() && !live.attendance().presence.is_anyone_here();
        if rooms.get(&room).is_some_and(empty) {
            rooms.remove(&room);
            self.0.bus.unfollow(Channel::Room(room));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_opens_while_all_are_closed_is_closed_as_well() {
        let (hub, [early, late]) = (Hub::default(), [1, 2].map(Mailbox::for_tests));
        hub.open(&early);
        let closing = tokio::spawn({
            let hub = hub.clone();
            async move { hub.close_all(Close::Restart).await }
        });
        while !early.is_closing() {
            tokio::task::yield_now().await;
        }
        hub.open(&late);
        assert_eq!((early.closed(), late.closed()), (Some(Close::Restart), Some(Close::Restart)));
        hub.shut(&early);
        hub.shut(&late);
        closing.await.unwrap();
    }
}
