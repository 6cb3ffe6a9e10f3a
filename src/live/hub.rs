//! The hub: which sockets are open, and which feed and presence each room in use has. It knows no database.
//!
//! A room is here while somebody follows it. The domain publishes after its commit; a socket joins a feed before it
//! reads the store, so that between the two nothing is missed.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::event::{Event, Frame};
use super::feed::{Cursor, Feed};
use super::mailbox::{Close, Mailbox};
use super::presence::Presence;
use crate::ids::{RoomId, UserId};
use crate::messages::Message;
use crate::reactions::Reaction;
use crate::users::Via;

/// Rooms of at most so many members show who has read how far.
pub const MOST_FOR_RECEIPTS: i64 = 50;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rooms: RwLock<HashMap<RoomId, Arc<LiveRoom>>>,
    sockets: RwLock<HashMap<UserId, Vec<Arc<Mailbox>>>>,
    /// How many those are.
    open: AtomicUsize,
    gone: Notify,
    /// Why every socket is closed, those that are yet to open, too.
    ending: OnceLock<Close>,
    /// Rooms with new messages, for `unread` to tell who doesn't follow them.
    touched: Mutex<HashSet<RoomId>>,
    touched_told: Notify,
}

struct LiveRoom {
    feed: Arc<Feed>,
    presence: Mutex<Attendance>,
}

#[derive(Default)]
struct Attendance {
    presence: Presence,
    /// When the task that settles it next wakes, if there is one.
    timer: Option<Instant>,
}

fn sound<T>(lock: Result<T, PoisonError<T>>) -> T {
    lock.unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Makes an open socket known: it can be told things and closed from now on.
    pub fn open(&self, mailbox: &Arc<Mailbox>) {
        let mut sockets = sound(self.0.sockets.write());
        // Mostly one: room for four would be kept for everybody.
        let own = sockets.entry(mailbox.user).or_insert_with(|| Vec::with_capacity(1));
        own.push(mailbox.clone());
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
        let live = rooms
            .entry(room)
            .or_insert_with(|| Arc::new(LiveRoom { feed: Arc::new(Feed::new(room)), presence: Mutex::default() }));
        live.feed.join(mailbox)
    }

    /// Counts a socket's person as here and tells the room. Cost: O(sockets in the room) when the person is new there, else O(1).
    pub fn arrive(&self, mailbox: &Arc<Mailbox>, room: RoomId, name: &str) {
        let Some(live) = self.room(room) else { return };
        let mut attendance = sound(live.presence.lock());
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
            let mut attendance = sound(live.presence.lock());
            attendance.presence.leave(mailbox.user, mailbox.id, Instant::now());
            self.settle(&live, attendance);
        }
    }

    /// `user`, who is in the room, types or has stopped.
    pub fn typing(&self, user: UserId, room: RoomId, is_typing: bool) {
        if let Some(live) = self.room(room) {
            let mut attendance = sound(live.presence.lock());
            attendance.presence.typing(user, is_typing, Instant::now());
            self.settle(&live, attendance);
        }
    }

    /// Sends a stored message to everyone who follows its room. Cost: one serialisation, O(sockets in the room).
    pub fn publish_message(&self, message: &Message) {
        if let Some(live) = self.room(message.room_id) {
            live.feed.publish(Event::Message(message).frame());
            if let Some(user) = message.user_id {
                let mut attendance = sound(live.presence.lock());
                if attendance.presence.is_anyone_typing() {
                    attendance.presence.typing(user, false, Instant::now());
                    self.settle(&live, attendance);
                }
            }
        }
        if sound(self.0.touched.lock()).insert(message.room_id) {
            self.0.touched_told.notify_one();
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
        if let Some(live) = self.room(room) {
            live.feed.publish(event.frame());
        }
    }

    /// Whether something was stored in `room` isn't known: who follows it is to resume from the database.
    pub fn lose(&self, room: RoomId) {
        if let Some(live) = self.room(room) {
            live.feed.lose();
        }
    }

    /// Shows in a small room how far `user` has read.
    pub fn publish_read(&self, room: RoomId, user: UserId, seq: i64, members: i64) {
        if members <= MOST_FOR_RECEIPTS
            && let Some(live) = self.room(room)
        {
            live.feed.publish(Event::Read { room_id: room, user_id: user, seq }.frame());
        }
    }

    /// Rooms with new messages since the last call; waits for one.
    pub async fn touched(&self) -> HashSet<RoomId> {
        loop {
            let touched = std::mem::take(&mut *sound(self.0.touched.lock()));
            if !touched.is_empty() {
                return touched;
            }
            self.0.touched_told.notified().await;
        }
    }

    /// People with an open socket that doesn't follow `room`. Cost: O(1) when all follow it, else O(open sockets).
    pub fn elsewhere(&self, room: RoomId) -> HashSet<UserId> {
        let followers = self.room(room).map_or(0, |live| live.feed.readers());
        if followers >= self.open_sockets() {
            return HashSet::new();
        }
        let sockets = sound(self.0.sockets.read());
        let away = sockets.iter().filter(|(_, own)| own.iter().any(|mailbox| !mailbox.follows(room)));
        away.map(|(user, _)| *user).collect()
    }

    /// Sends a frame to every socket of `user`.
    pub fn tell(&self, user: UserId, frame: &Frame) {
        self.each_of(user, |mailbox| mailbox.send(frame.clone()));
    }

    /// Sends a frame to those sockets of `user` that don't follow `room`.
    pub fn tell_elsewhere(&self, user: UserId, room: RoomId, frame: &Frame) {
        self.each_of(user, |mailbox| {
            if !mailbox.follows(room) {
                mailbox.send(frame.clone());
            }
        });
    }

    pub fn is_online(&self, user: UserId) -> bool {
        sound(self.0.sockets.read()).contains_key(&user)
    }

    /// Names of people in a room, at most 100, for pages.
    pub fn present(&self, room: RoomId) -> Vec<String> {
        self.room(room).map(|live| sound(live.presence.lock()).presence.names()).unwrap_or_default()
    }

    /// Closes the sockets that were opened with one session or token (4401).
    pub fn end(&self, user: UserId, via: Via) {
        self.each_of(user, |mailbox| {
            if mailbox.via == via {
                mailbox.close(Close::SignedOut);
            }
        });
    }

    /// Closes all sockets of `user` (4401) but those of sessions and tokens that stand.
    pub fn end_user(&self, user: UserId, standing: &[Via]) {
        self.each_of(user, |mailbox| {
            if !standing.contains(&mailbox.via) {
                mailbox.close(Close::SignedOut);
            }
        });
    }

    /// Closes those sockets of `user` that follow `room` (4403).
    pub fn end_membership(&self, user: UserId, room: RoomId) {
        self.each_of(user, |mailbox| {
            if mailbox.follows(room) {
                mailbox.close(Close::Removed);
            }
        });
    }

    /// Sends a deleted room's last frame and forgets the room; its feed ends with that frame.
    pub fn end_room(&self, room: RoomId, last: Frame) {
        if let Some(live) = sound(self.0.rooms.write()).remove(&room) {
            live.feed.publish(last);
        }
    }

    /// Closes every socket, those that open from now on, too, and returns when the last one is gone.
    pub async fn close_all(&self, why: Close) {
        let why = *self.0.ending.get_or_init(|| why);
        for mailbox in sound(self.0.sockets.read()).values().flatten() {
            mailbox.close(why);
        }
        loop {
            let gone = self.0.gone.notified();
            if sound(self.0.sockets.read()).is_empty() {
                return;
            }
            gone.await;
        }
    }

    /// How many sockets are open.
    pub fn open_sockets(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// People with an open socket.
    pub fn people_online(&self) -> usize {
        sound(self.0.sockets.read()).len()
    }

    /// Who they are. Cost: O(people online).
    pub fn online(&self) -> Vec<UserId> {
        sound(self.0.sockets.read()).keys().copied().collect()
    }

    /// The open sockets of those people that `whose` names (of all, with `None`), newest first and at most `limit`; and
    /// how many there are. Cost: O(open sockets).
    pub fn newest(&self, whose: Option<&HashSet<UserId>>, limit: usize) -> (Vec<Arc<Mailbox>>, usize) {
        let sockets = sound(self.0.sockets.read());
        let own = sockets.iter().filter(|(user, _)| whose.is_none_or(|whose| whose.contains(user)));
        let mut all: Vec<&Arc<Mailbox>> = own.flat_map(|(_, own)| own).collect();
        let count = all.len();
        if count > limit {
            all.select_nth_unstable_by_key(limit, |mailbox| std::cmp::Reverse(mailbox.id));
            all.truncate(limit);
        }
        all.sort_unstable_by_key(|mailbox| std::cmp::Reverse(mailbox.id));
        (all.into_iter().cloned().collect(), count)
    }

    /// The open socket with this id. Cost: O(open sockets).
    pub fn socket(&self, id: u64) -> Option<Arc<Mailbox>> {
        sound(self.0.sockets.read()).values().flatten().find(|mailbox| mailbox.id == id).cloned()
    }

    fn each_of(&self, user: UserId, act: impl Fn(&Arc<Mailbox>)) {
        if let Some(own) = sound(self.0.sockets.read()).get(&user) {
            own.iter().for_each(act);
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
            let is_empty = attendance.presence.is_empty();
            drop(attendance);
            // Asked first: forgetting keeps everybody else from every room.
            if is_empty && live.feed.is_empty() {
                self.forget_if_empty(live.feed.room);
            }
            return;
        };
        if attendance.timer.is_none_or(|timer| next < timer) {
            attendance.timer = Some(next);
            let (hub, live) = (self.clone(), live.clone());
            tokio::spawn(async move {
                sleep_until(next).await;
                let mut attendance = sound(live.presence.lock());
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
        let empty = |live: &Arc<LiveRoom>| live.feed.is_empty() && sound(live.presence.lock()).presence.is_empty();
        if rooms.get(&room).is_some_and(empty) {
            rooms.remove(&room);
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
