//! What joins the nodes of a site: [`Bus`] takes what is said to other nodes, `bus/talk.rs` brings it to Redis and what
//! others say to the hub. Without REDIS_URL there is nobody else, and nothing is said.
//!
//! Redis is never the truth. Nothing is kept in it: who is where is told, told again to who asks, and forgotten when a
//! node falls silent; a message that doesn't come is read from the database (`live/catch_up.rs`). So what is said may be
//! lost, doubled or late at any time.

pub mod talk;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

use super::frame::Frame;
use super::presence::Node;
use crate::ids::{RoomId, UserId};
use crate::link::Server;

/// Bytes that wait to be said. Who has more to say than Redis takes begins anew: other nodes read what they missed.
const MOST_WAITING: usize = 64 << 20;

/// Cheap to clone.
#[derive(Clone, Default)]
pub enum Bus {
    /// One process is the site.
    #[default]
    Local,
    Redis(Arc<Outbox>),
}

pub struct Outbox {
    /// This process.
    node: Node,
    server: Server,
    /// Begins the names of the site's channels: several sites may share a Redis.
    prefix: String,
    orders: UnboundedSender<Order>,
    /// The other end, until the talk begins.
    queue: Mutex<Option<UnboundedReceiver<Order>>>,
    /// Bytes in it.
    waiting: AtomicUsize,
    /// More was to be said than fits, or heard.
    overflown: Arc<Notify>,
    is_up: AtomicBool,
}

enum Order {
    Say(Channel, Vec<u8>),
    Follow(Channel),
    Unfollow(Channel),
}

/// Whom something concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Nodes where somebody follows the room.
    Room(RoomId),
    /// Nodes where this person has a socket.
    Person(UserId),
    All,
}

impl Channel {
    fn name(self, prefix: &str) -> String {
        match self {
            Self::Room(id) => format!("{prefix}:room:{id}"),
            Self::Person(id) => format!("{prefix}:person:{id}"),
            Self::All => format!("{prefix}:all"),
        }
    }

    fn of_name(name: &str, prefix: &str) -> Option<Self> {
        let rest = name.strip_prefix(prefix)?.strip_prefix(':')?;
        match rest.split_once(':') {
            Some(("room", id)) => id.parse().ok().map(|id| Self::Room(RoomId(id))),
            Some(("person", id)) => id.parse().ok().map(|id| Self::Person(UserId(id))),
            _ => (rest == "all").then_some(Self::All),
        }
    }
}

/// What one node says to others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Signal {
    /// Of a room: the text is a frame for everyone in it.
    Frame { rev: Option<i64>, seq: Option<i64>, last: bool },
    /// Of a room: who has come to it at this node; `all`: and nobody else is there.
    Here { people: Vec<(UserId, String)>, all: bool },
    /// Of a room: who has no socket in it at this node any more.
    Gone { people: Vec<UserId> },
    /// Of a room.
    Typing { user: UserId, is_typing: bool },
    /// Of a room: who else has people in it is to say so.
    WhoIsHere,
    /// Of a person: the text is a frame for their sockets, but not for those in one room.
    Tell { unless_in: Option<RoomId> },
    /// Who has come online at this node and who has gone; `all`: those who came are all.
    Online { came: Vec<UserId>, went: Vec<UserId>, all: bool },
    /// Still alive, with so many people online, whose ids come to this sum.
    Beat { count: usize, sum: u64 },
    /// What `of` said of itself isn't known here any more; with nobody named, what anybody said.
    WhoIsOnline { of: Option<Node> },
    /// There are new messages in these rooms.
    Touched { rooms: Vec<RoomId> },
    /// This node goes: nobody is there any more.
    Bye,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    node: Node,
    #[serde(flatten)]
    signal: Signal,
}

impl Bus {
    /// Talks through `server`, under names that begin with `prefix`.
    pub fn redis(server: Server, prefix: String) -> Self {
        let (orders, queue) = mpsc::unbounded_channel();
        let queue = Mutex::new(Some(queue));
        let (waiting, overflown, is_up) = (AtomicUsize::new(0), Arc::default(), AtomicBool::new(false));
        Self::Redis(Arc::new(Outbox {
            node: Node::named_by_chance(),
            server,
            prefix,
            orders,
            queue,
            waiting,
            overflown,
            is_up,
        }))
    }

    /// Whether there may be other nodes.
    pub fn is_joined(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Whether other nodes hear what is said here, as far as this one knows.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Redis(outbox) if outbox.is_up.load(Ordering::Relaxed))
    }

    /// Says something to the nodes that a channel concerns, if any can hear it. Never waits.
    pub fn say(&self, channel: Channel, signal: impl FnOnce() -> Signal) {
        if self.is_up() {
            self.send(channel, signal(), "");
        }
    }

    /// Sends a room's frame to other nodes.
    pub fn publish(&self, room: RoomId, frame: &Frame) {
        if self.is_up() {
            self.send(
                Channel::Room(room),
                Signal::Frame { rev: frame.rev, seq: frame.seq, last: frame.last },
                frame.text(),
            );
        }
    }

    /// Sends a frame to somebody's sockets at other nodes.
    pub fn tell(&self, user: UserId, unless_in: Option<RoomId>, frame: &Frame) {
        if self.is_up() {
            self.send(Channel::Person(user), Signal::Tell { unless_in }, frame.text());
        }
    }

    fn send(&self, channel: Channel, signal: Signal, text: &str) {
        let Self::Redis(outbox) = self else { return };
        let said = encode(outbox.node, signal, text);
        if outbox.waiting.fetch_add(said.len(), Ordering::Relaxed) > MOST_WAITING {
            return outbox.overflown.notify_one();
        }
        let _ = outbox.orders.send(Order::Say(channel, said));
    }

    /// Bytes that wait to be said.
    pub fn waiting(&self) -> usize {
        match self {
            Self::Redis(outbox) if self.is_up() => outbox.waiting.load(Ordering::Relaxed),
            _ => 0,
        }
    }

    /// Returns when nothing waits to be said.
    pub async fn said(&self) {
        while self.waiting() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// What concerns `channel` is wanted here from now on.
    pub fn follow(&self, channel: Channel) {
        self.order(Order::Follow(channel));
    }

    pub fn unfollow(&self, channel: Channel) {
        self.order(Order::Unfollow(channel));
    }

    /// Whoever connects later asks what is wanted then.
    fn order(&self, order: Order) {
        if let Self::Redis(outbox) = self
            && self.is_up()
        {
            let _ = outbox.orders.send(order);
        }
    }
}

impl Outbox {
    fn queue(&self) -> Option<UnboundedReceiver<Order>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A line that says who says what, then the text of a frame.
fn encode(node: Node, signal: Signal, text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96 + text.len());
    serde_json::to_writer(&mut bytes, &Envelope { node, signal }).expect("a signal has nothing that JSON can't hold");
    bytes.push(b'\n');
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// `None` for what no node of this version says.
fn decode(bytes: &[u8]) -> Option<(Node, Signal, &str)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let Envelope { node, signal } = serde_json::from_slice(&bytes[..end]).ok()?;
    Some((node, signal, std::str::from_utf8(&bytes[end + 1..]).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_and_nonsense_is_not() {
        let node = Node::named_by_chance();
        let signals = [
            Signal::Frame { rev: Some(7), seq: Some(5), last: false },
            Signal::Here { people: vec![(UserId(1), "Ann".into())], all: true },
            Signal::Online { came: vec![UserId(1)], went: vec![], all: false },
            Signal::Beat { count: 3, sum: u64::MAX },
            Signal::WhoIsOnline { of: Some(node) },
            Signal::Bye,
        ];
        for signal in signals {
            let bytes = encode(node, signal.clone(), "{\"type\":\"pong\"}");
            assert_eq!(decode(&bytes), Some((node, signal, "{\"type\":\"pong\"}")));
        }
        for nonsense in [&b""[..], b"{}\n", b"{\"node\":1,\"say\":\"sing\"}\n", b"\xff\n"] {
            assert_eq!(decode(nonsense), None);
        }
    }

    #[test]
    fn channels_have_names_that_lead_back_and_those_of_other_sites_do_not() {
        for channel in [Channel::Room(RoomId(7)), Channel::Person(UserId(3)), Channel::All] {
            assert_eq!(Channel::of_name(&channel.name("switchboard:a"), "switchboard:a"), Some(channel));
            assert_eq!(Channel::of_name(&channel.name("switchboard:ab"), "switchboard:a"), None);
        }
    }
}
