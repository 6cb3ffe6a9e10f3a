//! People and their sockets: who is online, telling them something, and ending what they may have no longer. Of other
//! nodes it is known who is there (`there.rs`); their sockets are theirs.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Hub, sound};
use crate::ids::{RoomId, UserId};
use crate::live::bus::Channel;
use crate::live::event::Frame;
use crate::live::mailbox::{Close, Mailbox};
use crate::users::Via;

impl Hub {
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

    /// Whether this person has a socket at any node; while other nodes can't be heard, at this one. Cost: O(nodes).
    pub fn is_online(&self, user: UserId) -> bool {
        self.is_online_here(user) || (self.bus().is_up() && sound(self.0.there.read()).has(user))
    }

    pub(super) fn is_online_here(&self, user: UserId) -> bool {
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

    /// How many sockets are open here.
    pub fn open_sockets(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// How many people have an open socket at any node. Cost: O(1), O(people online) with several nodes.
    pub fn people_online(&self) -> usize {
        match !self.bus().is_up() || sound(self.0.there.read()).is_empty() {
            true => sound(self.0.sockets.read()).len(),
            false => self.online().len(),
        }
    }

    /// Who they are. Cost: O(people online).
    pub fn online(&self) -> HashSet<UserId> {
        let mut online: HashSet<UserId> = sound(self.0.sockets.read()).keys().copied().collect();
        if self.bus().is_up() {
            sound(self.0.there.read()).add_to(&mut online);
        }
        online
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
}
