//! What stands before a frame's payload (RFC 6455, section 5.2), read and written, and the mask over what clients send.
//! Called by `wire/assembly.rs` for what comes, by `live/event.rs` and `live/connection.rs` for what goes.

use bytes::Bytes;

use super::Fault;

/// Bytes that a header which a server writes may take.
pub const MOST: usize = 10;
/// Bytes that the payload of a control frame may have.
pub const MOST_IN_CONTROL: usize = 125;

const LAST: u8 = 0x80;
const PACKED: u8 = 0x40;
const RESERVED: u8 = 0x30;
const MASKED: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// The header of a frame from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether its message ends with this frame.
    pub last: bool,
    /// RSV1: the message is packed by `permessage-deflate`.
    pub packed: bool,
    pub opcode: Opcode,
    pub mask: [u8; 4],
    /// Bytes of the payload.
    pub length: usize,
    /// Bytes of the header itself.
    pub size: usize,
}

/// Reads the header at the start of `bytes`; `None` when it isn't all there yet. Errors: 1002 for what no client may
/// send, 1009 for a payload of more than `most` bytes. Doesn't check what depends on frames before it. Cost: O(1).
pub fn read(bytes: &[u8], most: usize) -> Result<Option<Header>, Fault> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & RESERVED != 0 {
        return Err(Fault::Protocol("A reserved bit is set."));
    }
    let opcode = Opcode::of(first & 0x0f).ok_or(Fault::Protocol("There is no such opcode."))?;
    let (last, packed) = (first & LAST != 0, first & PACKED != 0);
    if second & MASKED == 0 {
        return Err(Fault::Protocol("A client's frames are masked."));
    }
    let short = usize::from(second & !MASKED);
    if opcode.is_control() && (!last || packed || short > MOST_IN_CONTROL) {
        return Err(Fault::Protocol("A control frame is whole, plain and short."));
    }
    let (length, rest) = match (short, rest) {
        (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest),
        (126 | 127, _) => return Ok(None),
        (short, rest) => (short as u64, rest),
    };
    let length = usize::try_from(length).ok().filter(|length| *length <= most).ok_or(Fault::TooBig)?;
    let [a, b, c, d, rest @ ..] = rest else { return Ok(None) };
    Ok(Some(Header { last, packed, opcode, mask: [*a, *b, *c, *d], length, size: bytes.len() - rest.len() }))
}

/// Takes the mask off a payload. Cost: O(length), eight bytes at a time.
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Writes the header of a whole message into the [`MOST`] bytes left free at the start of `frame`, right before the
/// payload; says where the frame begins. Cost: O(1).
pub fn write(frame: &mut [u8], opcode: Opcode, packed: bool) -> usize {
    let length = frame.len() - MOST;
    let mut header = [0; MOST];
    header[0] = LAST | if packed { PACKED } else { 0 } | opcode as u8;
    let size = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => {
            header[1] = short;
            2
        }
        (_, Ok(middle)) => {
            header[1] = 126;
            header[2..4].copy_from_slice(&middle.to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(length as u64).to_be_bytes());
            MOST
        }
    };
    frame[MOST - size..MOST].copy_from_slice(&header[..size]);
    MOST - size
}

/// A control frame; what goes beyond 125 bytes is cut off. Cost: O(length).
pub fn control(opcode: Opcode, payload: &[u8]) -> Bytes {
    let payload = &payload[..payload.len().min(MOST_IN_CONTROL)];
    let mut frame = vec![0; MOST];
    frame.extend_from_slice(payload);
    let start = write(&mut frame, opcode, false);
    Bytes::from(frame).slice(start..)
}

/// A close frame with a code and why.
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    control(Opcode::Close, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // Section 5.7: a masked "Hello"; the others with a mask put in.
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let header = read(&hello, 100).unwrap().unwrap();
        assert_eq!(header, Header { last: true, packed: false, opcode: Opcode::Text, mask: MASK, length: 5, size: 6 });
        let mut payload = hello[6..].to_vec();
        unmask(&mut payload, header.mask);
        assert_eq!(payload, b"Hello");
        let long = [0x82, 0xfe, 1, 0, 1, 2, 3, 4];
        assert_eq!(read(&long, 256).unwrap().unwrap().length, 256);
        let longer = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        assert_eq!(read(&longer, 65_536).unwrap().unwrap().length, 65_536);
        for cut in 0..longer.len() {
            assert_eq!(read(&longer[..cut], 65_536), Ok(None), "{cut}");
        }
    }

    #[test]
    fn what_no_client_may_send_is_refused() {
        for (frame, why) in [
            (&[0x81, 0x05][..], "not masked"),
            (&[0xa1, 0x80], "RSV2"),
            (&[0x91, 0x80], "RSV3"),
            (&[0x83, 0x80], "a reserved opcode"),
            (&[0x8b, 0x80], "a reserved control opcode"),
            (&[0x09, 0x80], "a ping in parts"),
            (&[0xc9, 0x80], "a packed ping"),
            (&[0x88, 0xfe], "a long close"),
        ] {
            assert!(matches!(read(frame, 1000), Err(Fault::Protocol(_))), "{why}");
        }
        assert_eq!(read(&[0x81, 0xfe, 4, 1], 1024), Err(Fault::TooBig));
        assert_eq!(read(&[0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255], 1024), Err(Fault::TooBig));
    }

    #[test]
    fn a_mask_comes_off_at_any_length() {
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).collect();
            let mut masked: Vec<u8> = plain.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            unmask(&mut masked, MASK);
            assert_eq!(masked, plain);
        }
    }

    #[test]
    fn headers_are_as_short_as_they_can_be() {
        for (length, size) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut frame = vec![0; MOST + length];
            assert_eq!(write(&mut frame, Opcode::Text, false), MOST - size, "{length}");
            assert_eq!(frame[MOST - size], 0x81);
        }
        assert_eq!(&control(Opcode::Pong, b"hi")[..], b"\x8a\x02hi");
        assert_eq!(&close(1013, "no")[..], b"\x88\x04\x03\xf5no");
        assert_eq!(control(Opcode::Ping, &[0; 200]).len(), 127);
    }
}
