//! `permessage-deflate` (RFC 7692) without context between messages, so that a frame is packed once for all who read it.
//! Called by `wire/assembly.rs` for what comes, by `live/event.rs` for what goes.
//!
//! One packer and one unpacker a thread, set back after each message: kept for each socket they would take 300 KB.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Fault;

/// What a sender leaves out at the end of each message, and a reader puts back (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

thread_local! {
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
    static UNPACKER: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Packs a message by itself. Cost: O(length), and some microseconds however short it is.
pub fn pack(message: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(message.len() + 32);
    PACKER.with_borrow_mut(|packer| {
        packer.reset();
        loop {
            let rest = &message[usize::try_from(packer.total_in()).unwrap_or(message.len())..];
            let status = packer.compress_vec(rest, &mut packed, FlushCompress::Sync);
            // A full output may hide more to come.
            if !matches!(status, Ok(Status::Ok)) || packed.len() < packed.capacity() {
                break;
            }
            packed.reserve(packed.len());
        }
    });
    if packed.ends_with(&TAIL) {
        packed.truncate(packed.len() - TAIL.len());
    }
    packed
}

/// Unpacks a message. Errors: [`Fault::TooBig`] as soon as it goes beyond `most` bytes, whatever it would come to;
/// [`Fault::Garbled`]. Cost: O(length packed and plain), at most `most` bytes of memory.
pub fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, Fault> {
    let mut plain = Vec::with_capacity((packed.len() * 4).min(most) + 1);
    UNPACKER.with_borrow_mut(|unpacker| {
        unpacker.reset(false);
        for input in [packed, &TAIL] {
            if feed(unpacker, input, &mut plain, most)? == Status::StreamEnd {
                break;
            }
        }
        Ok(plain)
    })
}

fn feed(unpacker: &mut Decompress, mut input: &[u8], plain: &mut Vec<u8>, most: usize) -> Result<Status, Fault> {
    loop {
        let (read, written) = (unpacker.total_in(), plain.len());
        let status = unpacker.decompress_vec(input, plain, FlushDecompress::Sync).map_err(|_| Fault::Garbled)?;
        input = &input[usize::try_from(unpacker.total_in() - read).unwrap_or(input.len())..];
        if plain.len() > most {
            return Err(Fault::TooBig);
        }
        if status == Status::StreamEnd || plain.len() < plain.capacity() {
            let stuck = !input.is_empty() && plain.len() == written && status != Status::StreamEnd;
            return if stuck { Err(Fault::Garbled) } else { Ok(status) };
        }
        plain.reserve_exact(plain.len().min(most + 1 - plain.len()).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        for length in [0, 1, 100, 5000, 70_000] {
            let text: String = (0..length).map(|n: u32| char::from(b'a' + (n.wrapping_mul(n) % 26) as u8)).collect();
            for _ in 0..2 {
                assert_eq!(unpack(&pack(text.as_bytes()), 70_000).unwrap(), text.as_bytes(), "{length}");
            }
        }
        let noise: Vec<u8> = (0..40_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert_eq!(unpack(&pack(&noise), 40_000).unwrap(), noise);
    }

    #[test]
    fn a_bomb_takes_no_more_than_the_limit() {
        let bomb = pack(&vec![0; 4 << 20]);
        assert!(bomb.len() < 1 << 17);
        assert_eq!(unpack(&bomb, 1 << 18), Err(Fault::TooBig));
    }

    #[test]
    fn rubbish_is_refused_and_hurts_nothing_after_it() {
        for rubbish in [&[0xff_u8, 0xff][..], &[0x06, 0x01, 0x02], &[0x00, 0x05, 0x00, 0x00, 0x00]] {
            let _ = unpack(rubbish, 1000);
            assert_eq!(unpack(&pack(b"fine"), 1000).unwrap(), b"fine");
        }
        assert_eq!(unpack(&[0xff, 0xff], 1000), Err(Fault::Garbled));
    }
}
