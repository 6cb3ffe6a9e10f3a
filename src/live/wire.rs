//! RFC 6455 on the server's side, on the bytes of an upgraded connection, with RFC 7692's `permessage-deflate`:
//! [`handshake`] agrees on it, [`header`] reads and writes what stands before a payload, [`assembly`] makes messages of
//! what came in, [`deflate`] packs and unpacks. None of it waits, reads or writes: `live/connection.rs` does.
//!
//! Our own because of what it saves: axum's `WebSocket` copies and frames each message for each reader, writes each
//! with a call of its own and keeps a read and a write buffer a socket; here a frame's bytes are made once, shared by
//! all, and an idle socket has no buffer.

pub mod assembly;
pub mod deflate;
pub mod handshake;
pub mod header;

/// What the other side did wrong; the connection can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 1002, and what it was.
    Protocol(&'static str),
    /// 1007: text that isn't UTF-8, or data that can't be unpacked.
    Garbled,
    /// 1009: a message out of all proportion.
    TooBig,
}

impl Fault {
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::Garbled => 1007,
            Self::TooBig => 1009,
        }
    }

    pub fn reason(self) -> &'static str {
        match self {
            Self::Protocol(what) => what,
            Self::Garbled => "The message can't be read.",
            Self::TooBig => "The message is too big.",
        }
    }
}
