//! The client's side of RFC 6455, as far as load needs it: a handshake's text, masked text frames, and the frames of a
//! server found in a buffer without copying.

/// The opcodes of section 5.2 that a server here may send.
pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
const PONG: u8 = 10;

/// The header lines of a handshake (section 4.1). The key is always the same: no cache stands between.
pub const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// What answers that key.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// One whole frame and what it takes in the buffer.
#[derive(Debug, PartialEq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    pub size: usize,
}

/// The frame at the start of `bytes`, once it is all there. Errors: what no server may send unasked (masked, in
/// fragments, compressed).
pub fn next(bytes: &[u8]) -> Result<Option<Frame<'_>>, String> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(format!("a frame that begins with {first:#04x} {second:#04x}"));
    }
    let (header, length): (usize, usize) = match second {
        126 => match bytes.get(2..4) {
            Some(length) => (4, usize::from(u16::from_be_bytes([length[0], length[1]]))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|length| length.try_into().ok()) {
            Some(length) => (10, u64::from_be_bytes(length) as usize),
            None => return Ok(None),
        },
        short => (2, usize::from(short)),
    };
    let Some(payload) = bytes.get(header..header.saturating_add(length)) else { return Ok(None) };
    Ok(Some(Frame { opcode: first & 0x0f, payload, size: header + length }))
}

/// A masked text frame.
pub fn text(payload: &str) -> Vec<u8> {
    masked(TEXT, payload.as_bytes())
}

pub fn pong(payload: &[u8]) -> Vec<u8> {
    masked(PONG, payload)
}

/// Section 5.3 asks for a mask that can't be guessed, for the sake of proxies; there is none between.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x88];
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        middle @ ..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_found_once_they_are_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let mut bytes = match length {
                short @ ..126 => vec![0x81, short as u8],
                middle @ ..65_536 => [&[0x81, 126][..], &(middle as u16).to_be_bytes()].concat(),
                long => [&[0x81, 127][..], &(long as u64).to_be_bytes()].concat(),
            };
            bytes.resize(bytes.len() + length, b'x');
            assert_eq!(next(&bytes[..bytes.len() - 1]), Ok(None));
            let size = bytes.len();
            bytes.push(0x81);
            let frame = next(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.payload.len(), frame.size), (TEXT, length, size));
        }
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        assert!(next(&[0xc1, 0x00]).is_err() && next(&[0x01, 0x00]).is_err() && next(&[0x81, 0x80]).is_err());
    }

    #[test]
    fn a_client_masks_what_it_says() {
        let frame = text("Hello");
        assert_eq!(frame[..2], [0x81, 0x85]);
        let plain: Vec<u8> =
            frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(plain, b"Hello");
    }
}
