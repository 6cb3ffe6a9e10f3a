//! The protocol that joins nodes, played through thousands of schedules: two real hubs over a modelled database, joined by
//! a bus that drops, doubles and reorders, with readers that come, go and fall behind at any moment. Whatever the order of
//! steps, nobody is shown a change twice, out of order or not at all. The same seed plays the same schedule.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use switchboard::clock::Timestamp;
use switchboard::ids::{MessageId, RoomId, SessionId, UserId};
use switchboard::live::event::{Event, Frame};
use switchboard::live::feed::{Cursor, Owed};
use switchboard::live::hub::Hub;
use switchboard::live::mailbox::Mailbox;
use switchboard::messages::Message;
use switchboard::users::Via;

const ROOM: RoomId = RoomId(1);
const NODES: usize = 2;
const SCHEDULES: u64 = 3000;
const STEPS: usize = 120;

/// The room as it is stored: each message with the revision of its last change.
#[derive(Default)]
struct Store {
    messages: Vec<Message>,
    rev: i64,
}

impl Store {
    /// A new message, or one that was changed; what is published of it.
    fn change(&mut self, rng: &mut StdRng) -> (i64, Frame) {
        self.rev += 1;
        let rev = self.rev;
        if self.messages.is_empty() || rng.random_bool(0.6) {
            let seq = self.messages.len() as i64 + 1;
            self.messages.push(message(seq, rev));
            return (rev, Event::Message(self.messages.last().unwrap()).frame());
        }
        let at = rng.random_range(0..self.messages.len());
        let changed = &mut self.messages[at];
        (changed.rev, changed.content) = (rev, format!("as of {rev}"));
        (rev, Event::MessageEdited(changed).frame())
    }

    fn since(&self, rev: i64) -> Vec<&Message> {
        let mut newer: Vec<&Message> = self.messages.iter().filter(|message| message.rev > rev).collect();
        newer.sort_by_key(|message| message.rev);
        newer
    }
}

fn message(seq: i64, rev: i64) -> Message {
    Message {
        id: MessageId(seq),
        room_id: ROOM,
        seq,
        rev,
        user_id: Some(UserId(1)),
        username: Some("ann".into()),
        content: format!("as of {rev}"),
        html: String::new(),
        client_id: None,
        reply_to: None,
        attachments: Vec::new(),
        reactions: Vec::new(),
        edited_at: None,
        deleted_at: None,
        created_at: Timestamp(seq),
    }
}

/// A socket's side: where it is in taking up the room, and what it was shown.
struct Reader {
    node: usize,
    mailbox: Arc<Mailbox>,
    cursor: Option<Cursor>,
    stage: Stage,
    /// The revision that it has.
    rev: i64,
    /// The number of the newest message that it has.
    seq: i64,
    /// Each message as it knows it: revision and text.
    known: BTreeMap<i64, (i64, String)>,
}

enum Stage {
    Away,
    /// It has a place in the feed.
    Joined,
    /// And has read the room: its revision, and the number of its newest message.
    Read(i64, i64),
    Live,
}

impl Reader {
    fn new(n: i64, node: usize) -> Self {
        let mailbox = Mailbox::new(UserId(n), Via::Session(SessionId(n)));
        Self { node, mailbox, cursor: None, stage: Stage::Away, rev: 0, seq: 0, known: BTreeMap::new() }
    }

    /// One more step of taking up the room, as `live/subscription.rs` does it, or a look at what it is owed.
    fn step(&mut self, hubs: &[Hub], store: &Store) {
        let hub = &hubs[self.node];
        match self.stage {
            Stage::Away => {
                self.mailbox.follow(ROOM);
                self.cursor = hub.join(&self.mailbox, ROOM);
                self.stage = Stage::Joined;
            }
            Stage::Joined => self.stage = Stage::Read(store.rev, store.messages.len() as i64),
            Stage::Read(rev, seq) if !hub.begin(ROOM, rev, seq) => self.stage = Stage::Joined,
            Stage::Read(rev, _) => {
                let mut last = rev;
                for message in store.since(self.rev) {
                    self.show(message.seq, message.rev, &message.content);
                    last = last.max(message.rev);
                }
                (self.rev, self.seq) = (last, store.messages.len() as i64);
                self.cursor.as_mut().unwrap().start(last);
                self.stage = Stage::Live;
            }
            Stage::Live => self.look(hub),
        }
    }

    fn look(&mut self, hub: &Hub) {
        let mut out = Vec::new();
        if self.cursor.as_mut().unwrap().take(false, usize::MAX, &mut out) == Owed::Lagged {
            // Closed with 1013: it comes back.
            return self.go(hub);
        }
        for text in texts(&out.concat()) {
            let frame: Value = serde_json::from_str(&text).unwrap();
            let rev = frame["rev"].as_i64().unwrap();
            assert_eq!(rev, self.rev + 1, "something at each revision, in order");
            self.rev = rev;
            let seq = frame["seq"].as_i64().unwrap();
            match frame["type"].as_str().unwrap() {
                "message" => {
                    assert_eq!(seq, self.seq + 1, "messages in the order of their numbers, each once");
                    self.seq = seq;
                }
                _ => assert!(seq <= self.seq, "a change of message {seq}, which never came"),
            }
            self.show(seq, rev, frame["content"].as_str().unwrap());
        }
    }

    fn show(&mut self, seq: i64, rev: i64, content: &str) {
        let before = self.known.insert(seq, (rev, content.to_owned()));
        assert!(before.is_none_or(|(older, _)| older < rev), "message {seq} as it was before");
    }

    fn go(&mut self, hub: &Hub) {
        hub.leave(&self.mailbox, ROOM);
        self.cursor = None;
        self.stage = Stage::Away;
    }
}

/// The texts of unmasked, unpacked frames (RFC 6455, section 5.2).
fn texts(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let [_, short, rest @ ..] = bytes {
        let (length, from) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), 2),
            127 => panic!("no such long frame is sent here"),
            short => (usize::from(*short), 0),
        };
        texts.push(String::from_utf8(rest[from..from + length].to_vec()).unwrap());
        bytes = &rest[from + length..];
    }
    texts
}

/// A node reads what it misses, in the steps that `live/catch_up.rs` takes.
enum CatchUp {
    Idle,
    /// Where the gap is, and the room's revision.
    Asked {
        after: i64,
        to: i64,
    },
    Found {
        changes: Vec<Message>,
        to: i64,
    },
}

struct Play {
    rng: StdRng,
    store: Store,
    hubs: Vec<Hub>,
    /// What each node has committed but not published yet.
    committed: Vec<Vec<Frame>>,
    /// What is on its way: to which node.
    bus: Vec<(usize, Frame)>,
    catching: Vec<CatchUp>,
    readers: Vec<Reader>,
}

impl Play {
    fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            store: Store::default(),
            hubs: (0..NODES).map(|_| Hub::default()).collect(),
            committed: vec![Vec::new(); NODES],
            bus: Vec::new(),
            catching: (0..NODES).map(|_| CatchUp::Idle).collect(),
            readers: (0..4).map(|n| Reader::new(n, n as usize % NODES)).collect(),
        }
    }

    fn step(&mut self) {
        let node = self.rng.random_range(0..NODES);
        match self.rng.random_range(0..100) {
            0..20 => {
                let (_, frame) = self.store.change(&mut self.rng);
                self.committed[node].push(frame);
            }
            20..40 => self.publish(node),
            40..60 => self.carry(),
            60..75 => self.catch_up(node),
            75..97 => {
                let reader = self.rng.random_range(0..self.readers.len());
                self.readers[reader].step(&self.hubs, &self.store);
            }
            _ => {
                let reader = self.rng.random_range(0..self.readers.len());
                let hub = &self.hubs[self.readers[reader].node];
                self.readers[reader].go(hub);
                // It may come back at another node.
                self.readers[reader].node = node;
            }
        }
    }

    /// A node tells its own sockets and the others of its oldest change that it hasn't told yet.
    fn publish(&mut self, node: usize) {
        if self.committed[node].is_empty() {
            return;
        }
        let frame = self.committed[node].remove(0);
        self.hubs[node].deliver(ROOM, frame.clone());
        for other in (0..NODES).filter(|other| *other != node) {
            // Lost, once, or twice.
            let times = [0, 1, 1, 1, 1, 2][self.rng.random_range(0..6)];
            self.bus.extend(std::iter::repeat_n((other, frame.clone()), times));
        }
    }

    /// Something that is on its way arrives, in whatever order.
    fn carry(&mut self) {
        if !self.bus.is_empty() {
            let at = self.rng.random_range(0..self.bus.len());
            let (node, frame) = self.bus.swap_remove(at);
            self.hubs[node].deliver(ROOM, frame);
        }
    }

    fn catch_up(&mut self, node: usize) {
        let hub = &self.hubs[node];
        self.catching[node] = match std::mem::replace(&mut self.catching[node], CatchUp::Idle) {
            CatchUp::Idle => match (hub.hear(ROOM, self.store.rev), hub.gap(ROOM)) {
                (false, Some(after)) => CatchUp::Asked { after, to: self.store.rev },
                _ => CatchUp::Idle,
            },
            CatchUp::Asked { after, to } => {
                CatchUp::Found { changes: self.store.since(after).into_iter().cloned().collect(), to }
            }
            CatchUp::Found { changes, to } => {
                hub.fill(ROOM, &changes, to);
                CatchUp::Idle
            }
        };
    }

    /// Everything comes to rest: then every reader knows all that is stored.
    fn rest(&mut self) {
        for _ in 0..6 {
            (0..NODES).for_each(|node| (0..self.committed[node].len()).for_each(|_| self.publish(node)));
            (0..NODES).for_each(|node| (0..6).for_each(|_| self.catch_up(node)));
            for reader in &mut self.readers {
                (0..8).for_each(|_| reader.step(&self.hubs, &self.store));
            }
        }
        let stored: HashMap<i64, (i64, &str)> =
            self.store.messages.iter().map(|message| (message.seq, (message.rev, message.content.as_str()))).collect();
        for reader in &self.readers {
            assert_eq!(reader.known.len(), stored.len(), "something never came");
            for (seq, (rev, content)) in &reader.known {
                assert_eq!(stored[seq], (*rev, content.as_str()), "message {seq}");
            }
        }
    }
}

#[test]
fn whatever_is_dropped_doubled_or_late_everyone_is_shown_everything_once_and_in_order() {
    for seed in 0..SCHEDULES {
        let played = std::panic::catch_unwind(|| {
            let mut play = Play::new(seed);
            (0..STEPS).for_each(|_| play.step());
            play.rest();
        });
        assert!(played.is_ok(), "schedule {seed}");
    }
}
