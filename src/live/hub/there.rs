//! What other nodes say, as the hub takes it in, and what this one says of itself. Who has sockets elsewhere is known from
//! what nodes say when people come and go; each beat tells whether that is still right.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::{Hub, sound};
use crate::ids::{RoomId, UserId};
use crate::live::bus::{Channel, Signal};
use crate::live::event::Frame;
use crate::live::presence::Node;

/// Who is online at other nodes.
#[derive(Default)]
pub struct There(HashMap<Node, Far>);

struct Far {
    people: HashSet<UserId>,
    heard_at: Instant,
}

impl There {
    pub fn has(&self, user: UserId) -> bool {
        self.0.values().any(|far| far.people.contains(&user))
    }

    pub fn is_empty(&self) -> bool {
        self.0.values().all(|far| far.people.is_empty())
    }

    pub fn add_to(&self, people: &mut HashSet<UserId>) {
        self.0.values().for_each(|far| people.extend(&far.people));
    }

    fn node(&mut self, node: Node, now: Instant) -> &mut Far {
        let far = self.0.entry(node).or_insert_with(|| Far { people: HashSet::new(), heard_at: now });
        far.heard_at = now;
        far
    }
}

/// Tells two sets of people apart, whatever their order (SplitMix64's mixing, summed).
fn sum<'a>(people: impl Iterator<Item = &'a UserId>) -> u64 {
    let mixed = |user: &UserId| {
        let mut x = user.0.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    people.map(mixed).fold(0, u64::wrapping_add)
}

impl Hub {
    /// A frame from another node.
    pub fn deliver(&self, room: RoomId, frame: Frame) {
        if frame.last {
            return self.end_room_here(room, frame);
        }
        if self.room(room).is_some_and(|live| !live.accept(frame)) {
            self.0.waiting.put(room);
        }
    }

    /// These people have sockets in `room` at `node`; `all`: and nobody else has. Cost: O(people).
    pub fn came_there(&self, node: Node, room: RoomId, people: Vec<(UserId, String)>, all: bool) {
        // Whoever says something lives; if nothing else comes, it is silent one day.
        if !people.is_empty() {
            sound(self.0.there.write()).node(node, Instant::now());
        }
        let Some(live) = self.room(room) else { return };
        let mut attendance = live.attendance();
        if all {
            // Who was there before this node asked isn't said to come.
            let standing: HashSet<UserId> = people.iter().map(|(user, _)| *user).collect();
            for user in attendance.presence.at(node).into_iter().filter(|user| !standing.contains(user)) {
                attendance.presence.leave(user, node.0, Instant::now());
            }
        }
        for (user, name) in people {
            let came = attendance.presence.join(room, user, node.0, &name).filter(|_| !all);
            came.into_iter().flatten().for_each(|frame| live.feed.publish(frame));
        }
        self.settle(&live, attendance);
    }

    /// These have none any more. Cost: O(people).
    pub fn went_there(&self, node: Node, room: RoomId, people: &[UserId]) {
        if let Some(live) = self.room(room) {
            let mut attendance = live.attendance();
            people.iter().for_each(|user| attendance.presence.leave(*user, node.0, Instant::now()));
            self.settle(&live, attendance);
        }
    }

    /// Who is in `room` here is to be said: once to all who ask meanwhile.
    pub fn ask(&self, room: RoomId) {
        self.0.asked.put(room);
    }

    /// The same of all rooms in use, and of who is online. Cost: O(rooms).
    pub fn ask_all(&self) {
        self.0.all_asked.put(());
        self.in_use().into_iter().for_each(|room| self.ask(room));
    }

    /// Waits until somebody asks who is where; the rooms that are asked about.
    pub async fn asked(&self) -> Vec<RoomId> {
        self.0.asked.take().await.into_iter().collect()
    }

    /// Waits until somebody asks who is online here.
    pub async fn all_asked(&self) {
        self.0.all_asked.take().await;
    }

    /// Says who is in `room` here. Cost: O(people).
    pub fn say_all_here(&self, room: RoomId) {
        if let Some(live) = self.room(room) {
            let people = live.attendance().presence.here();
            self.bus().say(Channel::Room(room), || Signal::Here { people, all: true });
        }
    }

    /// What was known of other nodes may be wrong by now: whoever isn't said to be there soon, isn't. Cost: O(people).
    pub fn doubt_others(&self) {
        sound(self.0.there.write()).0.clear();
        for live in self.in_use().into_iter().filter_map(|room| self.room(room)) {
            let mut attendance = live.attendance();
            attendance.presence.doubt_others(Instant::now());
            self.settle(&live, attendance);
        }
    }

    /// `user`, at any node, types or has stopped.
    pub fn typing_anywhere(&self, user: UserId, room: RoomId, is_typing: bool) {
        if let Some(live) = self.room(room) {
            let mut attendance = live.attendance();
            attendance.presence.typing(user, is_typing, Instant::now());
            self.settle(&live, attendance);
        }
    }

    /// Who has sent what they typed types no longer.
    pub(super) fn has_typed(&self, user: UserId, room: RoomId) {
        if self.room(room).is_some_and(|live| live.attendance().presence.is_typing(user)) {
            self.typing(user, room, false);
        }
    }

    /// What concerns this node now. Cost: O(rooms in use + people online).
    pub fn channels(&self) -> Vec<Channel> {
        let mut channels: Vec<Channel> = self.in_use().into_iter().map(Channel::Room).collect();
        channels.extend(sound(self.0.sockets.read()).keys().copied().map(Channel::Person));
        channels
    }

    pub(super) fn tell_there(&self, user: UserId, unless_in: Option<RoomId>, frame: &Frame) {
        // Whoever came a moment ago isn't known yet: what nobody follows costs Redis next to nothing.
        self.bus().tell(user, unless_in, frame);
    }

    pub(super) fn moved(&self, user: UserId) {
        if self.bus().is_up() {
            self.0.moved.put(user);
        }
    }

    /// Waits until somebody came online or went; says who. Cost: O(people).
    pub async fn say_who_moved(&self) {
        let moved = self.0.moved.take().await;
        let (came, went) = moved.into_iter().partition(|user| self.is_online_here(*user));
        self.bus().say(Channel::All, || Signal::Online { came, went, all: false });
    }

    /// Waits for new messages; says where.
    pub async fn say_where_news_are(&self) {
        let rooms = self.0.news.take().await.into_iter().collect();
        self.bus().say(Channel::All, || Signal::Touched { rooms });
    }

    /// Says who is online here. Cost: O(people).
    pub fn say_all_online(&self) {
        let came = sound(self.0.sockets.read()).keys().copied().collect();
        self.bus().say(Channel::All, || Signal::Online { came, went: Vec::new(), all: true });
    }

    /// Says that this node lives; before that who came and went since it was said, so that the sum is right.
    /// Cost: O(people online).
    pub fn say_beat(&self) {
        let sockets = sound(self.0.sockets.read());
        let moved = self.0.moved.take_now();
        let (came, went): (Vec<_>, Vec<_>) = moved.into_iter().partition(|user| sockets.contains_key(user));
        if !came.is_empty() || !went.is_empty() {
            self.bus().say(Channel::All, || Signal::Online { came, went, all: false });
        }
        let (count, sum) = (sockets.len(), sum(sockets.keys()));
        self.bus().say(Channel::All, || Signal::Beat { count, sum });
    }

    /// Says that this node goes, so that nobody waits for it to fall silent.
    pub fn say_bye(&self) {
        self.bus().say(Channel::All, || Signal::Bye);
    }

    /// These have come online at `node` or gone; `all`: those who came are all.
    pub fn online_there(&self, node: Node, came: &[UserId], went: &[UserId], all: bool, now: Instant) {
        let mut there = sound(self.0.there.write());
        let far = there.node(node, now);
        if all {
            far.people.clear();
        }
        far.people.extend(came);
        for user in went {
            far.people.remove(user);
        }
    }

    /// `node` lives. Whether who is online there, by number and sum, is known here. Cost: O(people there).
    pub fn beat_there(&self, node: Node, count: usize, theirs: u64, now: Instant) -> bool {
        let mut there = sound(self.0.there.write());
        let far = there.node(node, now);
        far.people.len() == count && sum(far.people.iter()) == theirs
    }

    /// There is new talk in rooms: whoever doesn't follow them is told how much.
    pub fn touched_there(&self, rooms: &[RoomId]) {
        rooms.iter().for_each(|room| self.0.touched.put(*room));
    }

    /// Nobody could be heard until now: no node is silent yet.
    pub fn begin_hearing(&self, now: Instant) {
        sound(self.0.there.write()).0.values_mut().for_each(|far| far.heard_at = now);
    }

    /// Takes nodes that weren't heard since `before` for gone. Cost: O(nodes), O(rooms in use) for each that is.
    pub fn forget_silent(&self, before: Instant) {
        let silent = |(node, far): (&Node, &Far)| (far.heard_at < before).then_some(*node);
        let gone: Vec<Node> = sound(self.0.there.read()).0.iter().filter_map(silent).collect();
        gone.into_iter().for_each(|node| self.node_went(node));
    }

    /// Nobody is at `node` any more. Cost: O(rooms in use × people in them).
    pub fn node_went(&self, node: Node) {
        sound(self.0.there.write()).0.remove(&node);
        for room in self.in_use() {
            self.came_there(node, room, Vec::new(), true);
        }
    }
}
