//! Who is in a room and who is typing: a state machine without a clock or a socket of its own, so that it can be
//! tested by the millisecond. The hub feeds it and publishes the frames that [`Presence::settle`] gives back.
//!
//! What would be a storm is coalesced: the list of people goes out at most once a second, joins and leaves are named
//! only in rooms of at most [`NAMED`] people, and a person who comes back within [`GRACE`] was never gone. The list is
//! made once for each change that is told, and shared by all who ask meanwhile: ten thousand who come at once are ten
//! thousand insertions and some lists, not ten thousand lists.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::event::{Coming, Event, Frame};
use crate::ids::{RoomId, UserId};

/// How long a person's leaving isn't told, so that a reload is silent.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long somebody is typing after the last sign of it.
const TYPING: Duration = Duration::from_secs(5);
const LIST_EVERY: Duration = Duration::from_secs(1);
const TYPING_EVERY: Duration = Duration::from_millis(250);
/// People present up to whom each coming and going is named: beyond, a thousand joins would be a million frames.
const NAMED: usize = 50;
/// Names in a list.
const LISTED: usize = 100;

#[derive(Default)]
pub struct Presence {
    people: HashMap<UserId, Here>,
    names: BTreeSet<Arc<str>>,
    /// Who has no socket here any more, by when that is told.
    leaving: BTreeMap<(Instant, UserId), ()>,
    typing: BTreeMap<Arc<str>, Instant>,
    list: Coalesced,
    /// The list as it is, once somebody has asked for it.
    listed: Option<Frame>,
    typists: Coalesced,
}

struct Here {
    name: Arc<str>,
    /// The numbers of those at this node, and the nodes of others.
    sockets: Vec<u64>,
    leaves_at: Option<Instant>,
}

impl Here {
    fn is_here(&self) -> bool {
        self.sockets.iter().any(|socket| socket & ELSEWHERE == 0)
    }
}

/// Another node. In a room's presence it stands for the sockets that somebody has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Node(pub u64);

impl Node {
    /// A name for this process that no other has.
    pub fn named_by_chance() -> Self {
        Self(rand::random::<u64>() | ELSEWHERE)
    }
}

/// No socket's own number has this bit.
const ELSEWHERE: u64 = 1 << 63;

/// Something that is told again when it changed, but not more often than `every`.
#[derive(Default)]
struct Coalesced {
    changed: bool,
    told_at: Option<Instant>,
}

impl Coalesced {
    /// True when it is to be told now; otherwise `next` is brought forward to when it may be.
    fn due(&mut self, now: Instant, every: Duration, next: &mut Option<Instant>) -> bool {
        if !self.changed {
            return false;
        }
        let at = self.told_at.map_or(now, |told| told + every);
        if at > now {
            earlier(next, at);
            return false;
        }
        self.changed = false;
        self.told_at = Some(now);
        true
    }
}

fn earlier(next: &mut Option<Instant>, at: Instant) {
    *next = Some(next.map_or(at, |next| next.min(at)));
}

impl Presence {
    /// A socket of `user` came. `None` when the person was here already: the socket alone gets the list then.
    /// Otherwise the frames to publish at once.
    pub fn join(&mut self, room: RoomId, user: UserId, socket: u64, name: &str) -> Option<Vec<Frame>> {
        if let Some(here) = self.people.get_mut(&user) {
            if !here.sockets.contains(&socket) {
                here.sockets.push(socket);
            }
            if let Some(at) = here.leaves_at.take() {
                self.leaving.remove(&(at, user));
            }
            return None;
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        self.people.insert(user, Here { name: name.clone(), sockets: vec![socket], leaves_at: None });
        self.changed();
        Some(self.named(room, Coming::Join, &name))
    }

    /// A socket of `user` went; whether the person went too shows after [`GRACE`].
    pub fn leave(&mut self, user: UserId, socket: u64, now: Instant) {
        let Some(here) = self.people.get_mut(&user) else { return };
        // A socket that was cut before it arrived takes nobody with it.
        let Some(at) = here.sockets.iter().position(|id| *id == socket) else { return };
        here.sockets.swap_remove(at);
        if here.sockets.is_empty() {
            here.leaves_at = Some(now + GRACE);
            self.leaving.insert((now + GRACE, user), ());
        }
    }

    /// `user`, who is here, types or has stopped.
    pub fn typing(&mut self, user: UserId, is_typing: bool, now: Instant) {
        let Some(here) = self.people.get(&user) else { return };
        let changed = if is_typing {
            self.typing.insert(here.name.clone(), now + TYPING).is_none()
        } else {
            self.typing.remove(&here.name).is_some()
        };
        self.typists.changed |= changed;
    }

    /// What is to be told by now, and when to ask again. Cost: O(what changed), O(100) for a list.
    pub fn settle(&mut self, room: RoomId, now: Instant) -> (Vec<Frame>, Option<Instant>) {
        let mut frames = Vec::new();
        while let Some(&(at, user)) = self.leaving.first_key_value().map(|(key, ())| key).filter(|key| key.0 <= now) {
            self.leaving.remove(&(at, user));
            if let Some(here) = self.people.remove(&user) {
                self.names.remove(&here.name);
                self.typists.changed |= self.typing.remove(&here.name).is_some();
                self.changed();
                frames.extend(self.named(room, Coming::Leave, &here.name));
            }
        }
        let typing = self.typing.len();
        self.typing.retain(|_, until| *until > now);
        self.typists.changed |= self.typing.len() != typing;

        let mut next = self.leaving.first_key_value().map(|((at, _), ())| *at);
        self.typing.values().for_each(|until| earlier(&mut next, *until));
        if self.typists.due(now, TYPING_EVERY, &mut next) {
            let users = self.typing.keys().take(LISTED).map(AsRef::as_ref).collect();
            frames.push(Event::Typing { room_id: room, users }.frame());
        }
        if self.list.due(now, LIST_EVERY, &mut next) {
            frames.push(self.list(room));
        }
        (frames, next)
    }

    /// The list for a socket of somebody who was here already; `None` when everybody is told within a second anyway.
    /// Cost: O(1), O(100) after a change.
    pub fn list_for_one(&mut self, room: RoomId) -> Option<Frame> {
        (!self.list.changed).then(|| self.list(room))
    }

    /// The list of who is here: at most 100 names, and how many there are.
    fn list(&mut self, room: RoomId) -> Frame {
        let (names, count) = (&self.names, self.people.len());
        let make = || {
            let users = names.iter().take(LISTED).map(AsRef::as_ref).collect();
            Event::UsersList { room_id: room, users, count }.frame()
        };
        self.listed.get_or_insert_with(make).clone()
    }

    fn changed(&mut self) {
        self.list.changed = true;
        self.listed = None;
    }

    /// Whether this person is shown as typing.
    pub fn is_typing(&self, user: UserId) -> bool {
        !self.typing.is_empty() && self.people.get(&user).is_some_and(|here| self.typing.contains_key(&here.name))
    }

    pub fn names(&self) -> Vec<String> {
        self.names.iter().take(LISTED).map(|name| name.to_string()).collect()
    }

    /// Whether `user` has a socket at this node.
    pub fn is_here(&self, user: UserId) -> bool {
        self.people.get(&user).is_some_and(Here::is_here)
    }

    /// Whether anybody has, or left so lately that it is still to be told. Cost: O(people).
    pub fn is_anyone_here(&self) -> bool {
        !self.leaving.is_empty() || self.people.values().any(Here::is_here)
    }

    /// Everybody who has a socket at this node. Cost: O(people).
    pub fn here(&self) -> Vec<(UserId, String)> {
        let here = self.people.iter().filter(|(_, here)| here.is_here());
        here.map(|(user, here)| (*user, here.name.to_string())).collect()
    }

    /// Nobody knows any more who is at other nodes: they leave, unless their node says soon that they are there.
    /// Cost: O(people).
    pub fn doubt_others(&mut self, now: Instant) {
        let elsewhere = |(user, here): (&UserId, &Here)| {
            let nodes = here.sockets.iter().filter(|socket| **socket & ELSEWHERE != 0);
            nodes.map(|node| (*user, *node)).collect::<Vec<_>>()
        };
        let far: Vec<(UserId, u64)> = self.people.iter().flat_map(elsewhere).collect();
        far.into_iter().for_each(|(user, node)| self.leave(user, node, now));
    }

    /// Everybody who is at another node. Cost: O(people).
    pub fn at(&self, node: Node) -> Vec<UserId> {
        let there = self.people.iter().filter(|(_, here)| here.sockets.contains(&node.0));
        there.map(|(user, _)| *user).collect()
    }

    fn named(&self, room_id: RoomId, event: Coming, username: &str) -> Vec<Frame> {
        if self.people.len() > NAMED {
            return Vec::new();
        }
        let verb = if event == Coming::Join { "joined" } else { "left" };
        let content = format!("{username} {verb} the room");
        vec![Event::System { room_id, event, username, content: &content }.frame()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId(1);
    const ANN: UserId = UserId(1);

    fn texts(frames: &[Frame]) -> Vec<&str> {
        frames.iter().map(Frame::text).collect()
    }

    fn kinds(frames: &[Frame]) -> Vec<String> {
        let kind = |text: &&str| text.split('"').nth(3).unwrap_or_default().to_owned();
        texts(frames).iter().map(kind).collect()
    }

    #[test]
    fn a_second_tab_and_a_reload_are_silent_and_leaving_is_told_after_the_grace() {
        let (mut presence, t) = (Presence::default(), Instant::now());
        assert_eq!(kinds(&presence.join(ROOM, ANN, 1, "Ann").unwrap()), ["system"]);
        assert!(presence.join(ROOM, ANN, 2, "Ann").is_none());
        presence.leave(ANN, 1, t);
        presence.leave(ANN, 2, t);
        assert!(presence.join(ROOM, ANN, 3, "Ann").is_none());
        assert_eq!(kinds(&presence.settle(ROOM, t + GRACE).0), ["users_list"]);
        presence.leave(ANN, 3, t + GRACE);
        assert_eq!(kinds(&presence.settle(ROOM, t + GRACE * 2).0), ["system", "users_list"]);
        assert!(!presence.is_anyone_here());
    }

    #[test]
    fn the_list_goes_out_at_most_once_a_second() {
        let (mut presence, t) = (Presence::default(), Instant::now());
        let mut lists = 0;
        for n in 0..1000 {
            presence.join(ROOM, UserId(n), 1, &format!("p{n}"));
            let at = t + Duration::from_millis(n as u64);
            lists += kinds(&presence.settle(ROOM, at).0).iter().filter(|kind| *kind == "users_list").count();
        }
        assert_eq!(lists, 1);
        let (frames, _) = presence.settle(ROOM, t + Duration::from_secs(1));
        assert!(texts(&frames)[0].ends_with("\"count\":1000}"), "{:?}", texts(&frames));
    }

    #[test]
    fn many_tabs_share_one_list_and_wait_for_one_that_is_due() {
        let (mut presence, t) = (Presence::default(), Instant::now());
        presence.join(ROOM, ANN, 1, "Ann");
        assert!(presence.list_for_one(ROOM).is_none(), "everybody is about to be told");
        presence.settle(ROOM, t);
        let [one, two] = [(); 2].map(|()| presence.list_for_one(ROOM).unwrap());
        assert_eq!(one.bytes(false).as_ptr(), two.bytes(false).as_ptr());
        presence.join(ROOM, UserId(2), 2, "Bob");
        presence.settle(ROOM, t + LIST_EVERY);
        assert!(presence.list_for_one(ROOM).unwrap().text().ends_with("\"count\":2}"));
    }

    #[test]
    fn a_crowd_is_not_named_one_by_one() {
        let mut presence = Presence::default();
        let named = (0..1000).filter(|n| !presence.join(ROOM, UserId(*n), 1, &format!("p{n}")).unwrap().is_empty());
        assert_eq!(named.count(), NAMED);
    }

    #[test]
    fn typing_ends_by_itself() {
        let (mut presence, t) = (Presence::default(), Instant::now());
        presence.join(ROOM, ANN, 1, "Ann");
        presence.settle(ROOM, t);
        presence.typing(ANN, true, t);
        let (frames, next) = presence.settle(ROOM, t);
        assert!(texts(&frames)[0].ends_with("\"users\":[\"Ann\"]}"));
        assert_eq!(next, Some(t + TYPING));
        let (frames, _) = presence.settle(ROOM, t + TYPING);
        assert!(texts(&frames)[0].ends_with("\"users\":[]}"));
    }
}
