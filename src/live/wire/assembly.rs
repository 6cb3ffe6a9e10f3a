//! From the bytes that came in to messages (RFC 6455, sections 5.4 to 5.6 and 7.4): frames put together, control frames
//! between them, close codes, UTF-8. Called by `live/connection.rs` with what it has read.

use std::borrow::Cow;

use super::header::{self, Header, Opcode};
use super::{Fault, deflate};

/// What one frame came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    Text(Cow<'a, str>),
    Binary,
    Ping(&'a [u8]),
    Pong,
    /// The other side closes, with this code if any.
    Close(Option<u16>),
    /// A part of a message that isn't all there yet.
    Part,
}

/// One connection's state between two frames. Small while no message is in parts.
pub struct Assembly {
    /// Whether `permessage-deflate` was agreed on.
    packs: bool,
    begun: Option<Box<Begun>>,
    most: usize,
}

/// A message that comes in parts.
struct Begun {
    text: bool,
    packed: bool,
    data: Vec<u8>,
}

impl Assembly {
    /// `most`: bytes in a message, packed as well as plain.
    pub fn new(packs: bool, most: usize) -> Self {
        Self { packs, begun: None, most }
    }

    /// Takes the frame at the start of `bytes`, which it unmasks in place; says how long it was and what it came to.
    /// `None` while it isn't all there. After a fault nothing more can be taken. Cost: O(length of the frame), and of
    /// the message at its end.
    pub fn take<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Incoming<'a>)>, Fault> {
        let Some(header) = header::read(bytes, self.most)? else { return Ok(None) };
        self.fits(&header)?;
        let end = header.size + header.length;
        let Some(payload) = bytes.get_mut(header.size..end) else { return Ok(None) };
        header::unmask(payload, header.mask);
        let incoming = match header.opcode {
            Opcode::Ping => Incoming::Ping(payload),
            Opcode::Pong => Incoming::Pong,
            Opcode::Close => Incoming::Close(close_code(payload)?),
            Opcode::Continuation => self.go_on(&header, payload)?,
            Opcode::Text | Opcode::Binary => self.begin(&header, payload)?,
        };
        Ok(Some((end, incoming)))
    }

    /// Whether a frame may come now. Asked before its payload is waited for.
    fn fits(&self, header: &Header) -> Result<(), Fault> {
        match (header.opcode, &self.begun) {
            (Opcode::Continuation, None) => Err(Fault::Protocol("There is no message to go on with.")),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(Fault::Protocol("A message was begun already.")),
            (Opcode::Continuation, Some(_)) if header.packed => {
                Err(Fault::Protocol("Only the first part says that a message is packed."))
            }
            _ if header.packed && !self.packs => Err(Fault::Protocol("Packing was not agreed on.")),
            (Opcode::Continuation, Some(begun)) if begun.data.len() + header.length > self.most => Err(Fault::TooBig),
            _ => Ok(()),
        }
    }

    fn begin<'a>(&mut self, header: &Header, payload: &'a [u8]) -> Result<Incoming<'a>, Fault> {
        let text = header.opcode == Opcode::Text;
        if !header.last {
            self.begun = Some(Box::new(Begun { text, packed: header.packed, data: payload.to_vec() }));
            return Ok(Incoming::Part);
        }
        if header.packed {
            return whole(text, deflate::unpack(payload, self.most)?);
        }
        if !text {
            return Ok(Incoming::Binary);
        }
        std::str::from_utf8(payload).map(|text| Incoming::Text(text.into())).map_err(|_| Fault::Garbled)
    }

    fn go_on(&mut self, header: &Header, payload: &[u8]) -> Result<Incoming<'static>, Fault> {
        let Some(mut begun) = self.begun.take() else { return Ok(Incoming::Part) };
        begun.data.extend_from_slice(payload);
        if !header.last {
            self.begun = Some(begun);
            return Ok(Incoming::Part);
        }
        let Begun { text, packed, data } = *begun;
        whole(text, if packed { deflate::unpack(&data, self.most)? } else { data })
    }
}

fn whole(text: bool, data: Vec<u8>) -> Result<Incoming<'static>, Fault> {
    if !text {
        return Ok(Incoming::Binary);
    }
    String::from_utf8(data).map(|text| Incoming::Text(text.into())).map_err(|_| Fault::Garbled)
}

/// The code in a close frame. Errors: 1002 for one that may not be sent (section 7.4), 1007 for a reason that is no
/// text.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Fault> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Fault::Protocol("A close code has two bytes.")),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::Protocol("There is no such close code."));
    }
    std::str::from_utf8(reason).map_err(|_| Fault::Garbled)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1000;

    /// A frame as a client sends it, under a mask of zeros.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = match payload.len() {
            short @ 0..=125 => vec![first, 0x80 | short as u8],
            long => [&[first, 0xfe][..], &(long as u16).to_be_bytes()].concat(),
        };
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    /// What a stream of bytes comes to, frame by frame, to its end or the first fault.
    fn all(packs: bool, mut bytes: Vec<u8>) -> (Vec<String>, Option<Fault>) {
        let (mut assembly, mut at, mut seen) = (Assembly::new(packs, MOST), 0, Vec::new());
        loop {
            match assembly.take(&mut bytes[at..]) {
                Ok(Some((size, incoming))) => {
                    at += size;
                    seen.push(format!("{incoming:?}"));
                }
                Ok(None) => return (seen, None),
                Err(fault) => return (seen, Some(fault)),
            }
        }
    }

    #[test]
    fn a_message_in_parts_with_a_ping_between_is_one_message() {
        let bytes = [frame(1, b"Hel"), frame(0x89, b"?"), frame(0, b""), frame(0x80, b"lo")].concat();
        let (seen, fault) = all(false, bytes);
        assert_eq!(
            (seen, fault),
            (vec!["Part".into(), "Ping([63])".into(), "Part".into(), "Text(\"Hello\")".into()], None)
        );
    }

    #[test]
    fn a_letter_may_be_cut_between_two_parts() {
        let euro = "€".as_bytes();
        let (seen, _) = all(false, [frame(1, &euro[..1]), frame(0x80, &euro[1..])].concat());
        assert_eq!(seen[1], "Text(\"€\")");
    }

    #[test]
    fn what_breaks_the_rules_is_told_by_its_code() {
        for (bytes, code, why) in [
            (frame(0x80, b"x"), 1002, "nothing to go on with"),
            ([frame(1, b"x"), frame(0x81, b"y")].concat(), 1002, "two messages at once"),
            ([frame(1, b"x"), frame(0xc0, b"y")].concat(), 1002, "RSV1 on a continuation"),
            (frame(0xc1, b"x"), 1002, "packed without agreement"),
            (frame(0x81, &[0xff, 0xfe]), 1007, "no UTF-8"),
            ([frame(1, &[0xe2]), frame(0x80, &[0x41])].concat(), 1007, "no UTF-8 in parts"),
            (frame(0x81, &[0xed, 0xa0, 0x80]), 1007, "half a surrogate pair"),
            (frame(0x81, &[b'x'; MOST + 1]), 1009, "too long"),
            ([frame(1, &[b'x'; MOST]), frame(0x80, b"y")].concat(), 1009, "too long in parts"),
            (frame(0x88, &[3]), 1002, "half a close code"),
            (frame(0x88, &1005_u16.to_be_bytes()), 1002, "a code that is never sent"),
            (frame(0x88, &999_u16.to_be_bytes()), 1002, "a code out of range"),
            (frame(0x88, &[3, 0xe8, 0xff]), 1007, "a reason that is no text"),
        ] {
            assert_eq!(all(false, bytes).1.map(Fault::code), Some(code), "{why}");
        }
    }

    #[test]
    fn close_frames_carry_their_code() {
        assert_eq!(all(false, frame(0x88, b"")).0, ["Close(None)"]);
        assert_eq!(all(false, frame(0x88, &[3, 0xe8, b'o', b'k'])).0, ["Close(Some(1000))"]);
        assert_eq!(all(false, frame(0x88, &4999_u16.to_be_bytes())).0, ["Close(Some(4999))"]);
    }

    #[test]
    fn packed_messages_are_unpacked_within_the_limit() {
        // RFC 7692, section 7.2.3.1: "Hello".
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(all(true, frame(0xc1, &hello)).0, ["Text(\"Hello\")"]);
        // In two parts, of which only the first says so.
        assert_eq!(all(true, [frame(0x41, &hello[..3]), frame(0x80, &hello[3..])].concat()).0[1], "Text(\"Hello\")");
        // With a block that is marked as the last (7.2.3.4).
        let marked = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(all(true, frame(0xc1, &marked)).0, ["Text(\"Hello\")"]);
        assert_eq!(all(true, frame(0xc1, &[0xff, 0xff, 0xff])).1, Some(Fault::Garbled));
        assert_eq!(all(true, frame(0xc9, b"")).1.map(Fault::code), Some(1002));
        let bomb = deflate::pack(&[b'x'; MOST + 1]);
        assert_eq!(all(true, frame(0xc1, &bomb)).1, Some(Fault::TooBig));
        assert_eq!(all(true, frame(0xc1, &deflate::pack(&[b'x'; MOST]))).1, None);
    }
}
