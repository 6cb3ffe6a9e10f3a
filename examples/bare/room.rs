//! The one room: its recent frames, ready to be written, and who waits for the next. `store` (or, in memory, whoever
//! posts) appends; each socket has a [`Place`] in it and takes what it is owed.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

/// Bytes of frames that are kept for who reads slowly; who falls out is cut off.
const KEPT: usize = 16 * 1024 * 1024;
/// Pieces in one write.
const PIECES: usize = 32;

/// A message on its way in.
pub struct Post {
    pub content: String,
    pub client_id: Option<String>,
    pub reply: Option<oneshot::Sender<i64>>,
}

/// The way in.
#[derive(Clone)]
pub enum Posts {
    InMemory(Arc<Room>),
    ToWriter(mpsc::Sender<Post>),
}

impl Posts {
    /// Waits for a place in the queue. `false` when the writer is gone.
    pub async fn send(&self, post: Post) -> bool {
        match self {
            Self::InMemory(room) => {
                room.publish_one(post);
                true
            }
            Self::ToWriter(queue) => queue.send(post).await.is_ok(),
        }
    }
}

pub struct Room {
    log: Mutex<Log>,
    /// The number of the piece after the last.
    end: watch::Sender<u64>,
}

/// Pieces are the frames of one commit, one after the other.
struct Log {
    pieces: VecDeque<Bytes>,
    first: u64,
    bytes: usize,
    seq: i64,
    count: u64,
    sum: u64,
}

/// What is stored: its number, how far, and the sum of its texts' hashes, which doesn't depend on their order.
#[derive(Default, Serialize)]
pub struct Audit {
    pub count: u64,
    pub last_seq: i64,
    pub sum: u64,
    /// Microseconds that a transaction with one message took, begin to commit: the middle of the last ones.
    pub lone_commit_us: Option<f64>,
}

impl Room {
    pub fn new(seq: i64) -> Self {
        let log = Log { pieces: VecDeque::new(), first: 0, bytes: 0, seq, count: 0, sum: 0 };
        Self { log: Mutex::new(log), end: watch::Sender::new(0) }
    }

    /// A place at the end, and what tells of more.
    pub fn follow(&self) -> (Place, watch::Receiver<u64>) {
        let end = self.end.subscribe();
        let piece = *end.borrow();
        (Place { piece, offset: 0 }, end)
    }

    /// Appends the frames of one commit and wakes everybody once. Cost: O(length) and a wake-up each.
    pub fn publish(&self, frames: Vec<u8>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.append(frames.into());
        let end = log.first + log.pieces.len() as u64;
        drop(log);
        self.end.send_replace(end);
    }

    /// In memory: numbers, appends and answers at once.
    fn publish_one(&self, post: Post) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.seq += 1;
        log.count += 1;
        log.sum = log.sum.wrapping_add(fnv(post.content.as_bytes()));
        let seq = log.seq;
        let mut frames = Vec::with_capacity(640);
        frame_message(&mut frames, seq, &post);
        log.append(frames.into());
        let end = log.first + log.pieces.len() as u64;
        drop(log);
        self.end.send_replace(end);
        if let Some(reply) = post.reply {
            let _ = reply.send(seq);
        }
    }

    pub fn audit(&self) -> Audit {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        Audit { count: log.count, last_seq: log.seq, sum: log.sum, lone_commit_us: None }
    }

    /// Up to [`PIECES`] pieces from `piece` on; `None` when they aren't kept any more.
    fn owed(&self, piece: u64, into: &mut [Bytes; PIECES]) -> Option<usize> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from(piece.checked_sub(log.first)?).ok()?;
        let mut count = 0;
        for (place, piece) in into.iter_mut().zip(log.pieces.range(skip.min(log.pieces.len())..)) {
            *place = piece.clone();
            count += 1;
        }
        Some(count)
    }
}

impl Log {
    fn append(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
        while self.bytes > KEPT
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }
}

/// Where a socket stands: the piece, and how much of it is written.
#[derive(Clone, Copy)]
pub struct Place {
    piece: u64,
    offset: usize,
}

pub enum Written {
    All,
    /// The other side's buffer is full.
    Part,
    TooSlow,
}

impl Place {
    /// Between two frames: something else may be written.
    pub fn is_between(&self) -> bool {
        self.offset == 0
    }

    /// Writes what is owed, in one call as a rule.
    pub fn write(&mut self, room: &Room, stream: &TcpStream) -> io::Result<Written> {
        loop {
            let mut pieces = [const { Bytes::new() }; PIECES];
            let Some(count) = room.owed(self.piece, &mut pieces) else { return Ok(Written::TooSlow) };
            if count == 0 {
                return Ok(Written::All);
            }
            let mut slices = [IoSlice::new(&[]); PIECES];
            for (at, (slice, piece)) in slices.iter_mut().zip(&pieces[..count]).enumerate() {
                *slice = IoSlice::new(if at == 0 { &piece[self.offset..] } else { piece });
            }
            let owed: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            let sent = match stream.try_write_vectored(&slices[..count]) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Written::Part),
                Err(error) => return Err(error),
            };
            self.advance(&pieces[..count], sent);
            match (sent < owed, count < PIECES) {
                (true, _) => return Ok(Written::Part),
                // Nothing can have come since that its own wake-up doesn't tell of.
                (false, true) => return Ok(Written::All),
                (false, false) => {}
            }
        }
    }

    fn advance(&mut self, pieces: &[Bytes], mut sent: usize) {
        for piece in pieces {
            let left = piece.len() - self.offset;
            if sent < left {
                self.offset += sent;
                return;
            }
            sent -= left;
            self.piece += 1;
            self.offset = 0;
        }
    }
}

/// Appends the WebSocket frame (RFC 6455, section 5.2) of a message, in the shape and size of Switchboard's.
pub fn frame_message(out: &mut Vec<u8>, seq: i64, post: &Post) {
    let content = serde_json::to_string(&post.content).unwrap_or_default();
    let text = content.trim_matches('"');
    let client_id = serde_json::to_string(&post.client_id).unwrap_or_default();
    let mut json = Vec::with_capacity(content.len() * 2 + 320);
    let _ = write!(
        json,
        "{{\"type\":\"message\",\"id\":{seq},\"room_id\":1,\"seq\":{seq},\"rev\":{seq},\"user_id\":1,\"username\":\"admin\",\
         \"content\":{content},\"html\":\"<p>{text}</p>\\n\",\"client_id\":{client_id},\"reply_to\":null,\
         \"attachments\":[],\"reactions\":[],\"edited_at\":null,\"deleted_at\":null,\
         \"timestamp\":\"2026-01-31T10:30:00.000Z\"}}"
    );
    match json.len() {
        short @ ..126 => out.extend([0x81, short as u8]),
        middle @ ..65_536 => {
            out.extend([0x81, 126]);
            out.extend((middle as u16).to_be_bytes());
        }
        long => {
            out.extend([0x81, 127]);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(json);
}

/// FNV-1a, 64 bits: what the generator sums up, too.
pub fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
