//! [`Frame`]: the bytes of a message on the wire, made once and shared by every socket it goes to. Made by
//! `live/event.rs`, kept by `live/feed.rs` and mailboxes, written by `live/connection.rs`.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use serde::Serialize;

use super::wire::deflate;
use super::wire::header::{self, Opcode};

/// Bytes from which a text is packed for those who offer it. A message of 90 characters makes 480 bytes, packed 260; one
/// of 340 makes 980, packed 360. What is shorter goes out in one packet all the same, and isn't worth the time.
const WORTH_PACKING: usize = 512;

/// A message as sockets get it. Cloning copies a pointer.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The room's revision that this frame brings; `None` for what isn't kept (typing, presence).
    pub rev: Option<i64>,
    /// Who has this revision misses nothing before that one: mostly the one before it, less for what was read from the
    /// database and stands for several changes.
    pub follows: i64,
    /// Who took up the room after this revision may know this message already: nobody can tell.
    pub doubt: Option<i64>,
    /// The number of the message that is new with it.
    pub seq: Option<i64>,
    /// The feed ends with this frame.
    pub last: bool,
    /// When it was made: once the change that it tells of is stored.
    pub made: Instant,
    pub(super) bytes: Arc<Forms>,
}

#[derive(Debug)]
pub(super) struct Forms {
    /// Header and text.
    plain: Bytes,
    /// Where the text begins.
    text: usize,
    /// The same packed, once somebody has asked; `None` within when that saves nothing.
    packed: OnceLock<Option<Bytes>>,
}

impl Frame {
    /// Serialises and frames a text message. Cost: O(length), one allocation that grows.
    pub fn of(json: &impl Serialize) -> Self {
        let mut frame = Vec::with_capacity(512);
        frame.resize(header::MOST, 0);
        serde_json::to_writer(&mut frame, json).expect("an event has no map keys or values that JSON can't hold");
        Self::framed(frame)
    }

    /// Frames a text that was serialised elsewhere. Cost: O(length).
    pub fn of_text(text: &str) -> Self {
        let mut frame = Vec::with_capacity(header::MOST + text.len());
        frame.resize(header::MOST, 0);
        frame.extend_from_slice(text.as_bytes());
        Self::framed(frame)
    }

    /// `frame`: room for the header, then the text.
    fn framed(mut frame: Vec<u8>) -> Self {
        let start = header::write(&mut frame, Opcode::Text, false);
        let plain = Bytes::from(frame).slice(start..);
        let forms = Forms { plain, text: header::MOST - start, packed: OnceLock::new() };
        Self {
            rev: None,
            follows: 0,
            doubt: None,
            seq: None,
            last: false,
            made: Instant::now(),
            bytes: Arc::new(forms),
        }
    }

    /// What is written to a socket, packed if it takes that and it pays. Packs at most once, whoever asks. Cost: O(1).
    pub fn bytes(&self, packed: bool) -> &Bytes {
        let Forms { plain, text, packed: form } = &*self.bytes;
        if !packed || plain.len() - text < WORTH_PACKING {
            return plain;
        }
        form.get_or_init(|| pack(&plain[*text..])).as_ref().unwrap_or(plain)
    }

    /// Bytes on the wire, plain.
    pub fn len(&self) -> usize {
        self.bytes.plain.len()
    }

    /// Never: even an empty text has a header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes.plain[self.bytes.text..]).unwrap_or_default()
    }
}

fn pack(text: &[u8]) -> Option<Bytes> {
    let mut frame = vec![0; header::MOST];
    frame.extend_from_slice(&deflate::pack(text));
    if frame.len() >= header::MOST + text.len() {
        return None;
    }
    let start = header::write(&mut frame, Opcode::Text, true);
    Some(Bytes::from(frame).slice(start..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_packed_once_and_a_short_one_never() {
        let frame = Frame::of(&"word ".repeat(200));
        assert!(frame.bytes(true).len() < frame.bytes(false).len() / 5);
        assert_eq!(frame.bytes(true)[0], 0xc1);
        assert_eq!(frame.bytes(true).as_ptr(), frame.bytes(true).as_ptr());
        assert_eq!(frame.bytes(false)[0], 0x81);
        assert_eq!(frame.text(), serde_json::to_string(&"word ".repeat(200)).unwrap());
        let short = Frame::of(&"word ".repeat(20));
        assert_eq!(short.bytes(true), short.bytes(false));
    }
}
