//! The hub: which sockets are open here, and which feed and presence each room in use has. It knows no database.
//!
//! A room is here while somebody here follows it. The domain publishes after its commit; a socket joins a feed before it
//! reads the store, so that between the two nothing is missed. What is published or told goes to who is here at once, and
//! over the [`Bus`] to other nodes; what they say comes in at `hub/there.rs`.

mod there;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::there::There;
use super::bus::{Bus, Channel, Signal};
use super::event::{Event, Frame};
use super::feed::Cursor;
use super::mailbox::{Close, Mailbox};
use super::pile::Pile;
use super::room::{Attendance, LiveRoom};
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
    bus: Bus,
    rooms: RwLock<HashMap<RoomId, Arc<LiveRoom>>>,
    sockets: RwLock<HashMap<UserId, Vec<Arc<Mailbox>>>>,
    /// How many those are.
    open: AtomicUsize,
    gone: Notify,
    /// Rooms with new messages, for `unread` to tell who doesn't follow them.
    touched: Pile<RoomId>,
    /// The same rooms, for the bus to tell other nodes.
    news: Pile<RoomId>,
    /// Rooms where something may be missing, for `catch_up` to look.
    suspected: Pile<RoomId>,
    /// People who came or went, for the bus to tell.
    moved: Pile<UserId>,
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

    /// A socket that joined has read `room` at `rev` since. False when that isn't enough: it is to read again.
    /// Cost: O(1), O(what waits) for the first.
    pub fn begin(&self, room: RoomId, rev: i64) -> bool {
        self.room(room).is_none_or(|live| live.begin(rev))
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
            self.suspect(room);
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

    /// The same rooms, for the bus to tell other nodes.
    news: Pile<RoomId>,
    /// Rooms where something may be missing; waits for one.
    pub async fn suspected(&self) -> HashSet<RoomId> {
        self.0.suspected.take().await
    }

    /// People with an open socket here that doesn't follow `room`. Cost: O(1) when all follow it, else O(open sockets).
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
        self.tell_here(user, None, frame);
        self.tell_there(user, None, frame);
    }

    /// Sends a frame to those sockets of `user` that don't follow `room`.
    pub fn tell_elsewhere(&self, user: UserId, room: RoomId, frame: &Frame) {
        self.tell_here(user, Some(room), frame);
        self.tell_there(user, Some(room), frame);
    }

    /// Sends a frame to those sockets of `user` at this node that don't follow `unless_in`.
    pub fn tell_here(&self, user: UserId, unless_in: Option<RoomId>, frame: &Frame) {
        self.each_of(user, |mailbox| {
            if unless_in.is_none_or(|room| !mailbox.follows(room)) {
                mailbox.send(frame.clone());
            }
        });
    }

    /// Whether this person has a socket at any node. Cost: O(nodes).
    pub fn is_online(&self, user: UserId) -> bool {
        self.is_online_here(user) || sound(self.0.there.read()).has(user)
    }

    fn is_online_here(&self, user: UserId) -> bool {
        sound(self.0.sockets.read()).contains_key(&user)
    }

    /// Names of people in a room, at most 100, for pages.
    pub fn present(&self, room: RoomId) -> Vec<String> {
        self.room(room).map(|live| live.attendance().presence.names()).unwrap_or_default()
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
        self.0.bus.publish(room, &last);
        self.end_room_here(room, last);
    }

    /// The same at this node alone.
    pub fn end_room_here(&self, room: RoomId, last: Frame) {
        if let Some(live) = sound(self.0.rooms.write()).remove(&room) {
            self.0.bus.unfollow(Channel::Room(room));
            live.feed.publish(last);
        }
    }

    /// Closes every socket and returns when the last one is gone.
    pub async fn close_all(&self, why: Close) {
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

    /// How many sockets are open here.
    pub fn open_sockets(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// How many people have an open socket at any node. Cost: O(1), O(people online) with several nodes.
    pub fn people_online(&self) -> usize {
        match sound(self.0.there.read()).is_empty() {
            true => sound(self.0.sockets.read()).len(),
            false => self.online().len(),
        }
    }

    /// Who they are. Cost: O(people online).
    pub fn online(&self) -> HashSet<UserId> {
        let mut online: HashSet<UserId> = sound(self.0.sockets.read()).keys().copied().collect();
        sound(self.0.there.read()).add_to(&mut online);
        online
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
    pub fn fill(&self, room: RoomId, frames: Vec<Frame>, to: i64) {
        if let Some(live) = self.room(room) {
            live.fill(frames, to);
        }
    }

    /// So much is missing that everyone who follows `room` is to resume from the database.
    pub fn restart(&self, room: RoomId, rev: i64) {
        if let Some(live) = self.room(room) {
            live.restart(rev);
        }
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
