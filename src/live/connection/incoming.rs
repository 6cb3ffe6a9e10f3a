//! What a connection hears: bytes into frames, frames into what is asked for, and the pace of it all.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use super::pace::Pace;
use super::turns::Turns;
use super::{Connection, Ending, Gone};
use crate::live::command::{MOST_BYTES, Session};
use crate::live::wire::assembly::{Assembly, Incoming};
use crate::live::wire::header::{self, Opcode};

/// A frame over the limit is refused in words; one that is out of all proportion closes the socket (1009).
const MOST: usize = 4 * MOST_BYTES;
/// Parts of a message that are shorter count as frames: without a limit they cost much and bring nothing.
const SMALL_PART: usize = 128;
/// Bytes taken from a connection at once.
const READ: usize = 32 * 1024;

thread_local! {
    /// What is read lies here until it is understood: a buffer a thread, not a socket.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// The reading side's state.
pub struct Incomings {
    assembly: Assembly,
    /// What came and isn't taken yet: a frame that isn't all there, or frames whose turn hasn't come.
    kept: Vec<u8>,
    turns: Turns,
    pub pace: Pace,
    /// When anything last came.
    pub heard: Instant,
    /// Nothing will come any more.
    ended: bool,
}

impl Incomings {
    pub fn new(packs: bool, already: &Bytes, now: Instant) -> Self {
        let (assembly, turns, pace) = (Assembly::new(packs, MOST), Turns::default(), Pace::default());
        Self { assembly, kept: already.to_vec(), turns, pace, heard: now, ended: false }
    }

    pub fn is_any_under_way(&self) -> bool {
        self.turns.is_any_under_way()
    }

    /// Whether another frame may be taken.
    fn is_free(&self) -> bool {
        self.turns.are_free() && !self.pace.waits()
    }
}

impl Connection {
    /// Finishes what is under way and takes what came, until there is nothing more or something has to be waited for.
    pub(super) fn hear(&mut self, cx: &mut Context<'_>) -> Result<(), Gone> {
        loop {
            while let Some(done) = self.incoming.turns.done(&self.session, cx) {
                if let Some(answer) = done.answer {
                    self.session.mailbox.send(answer);
                }
                if !done.is_message {
                    self.incoming.pace.count(Instant::now());
                }
            }
            let mut kept = std::mem::take(&mut self.incoming.kept);
            let taken = self.take_all(&mut kept, cx);
            if taken < kept.len() {
                kept.drain(..taken);
                self.incoming.kept = kept;
            }
            // Nobody wakes this task for what was done at once.
            if self.incoming.turns.is_next_done() {
                continue;
            }
            if self.ending == Ending::No && !self.incoming.is_free() || !self.read(cx)? {
                return Ok(());
            }
        }
    }

    /// Reads once; false when there is nothing to read.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        if self.incoming.ended {
            return Ok(false);
        }
        BUFFER.with_borrow_mut(|buffer| {
            let mut room = ReadBuf::new(buffer);
            match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(())) if !room.filled().is_empty() => {}
                // What is under way is still done: who says something and goes has said it.
                Poll::Ready(_) if self.incoming.turns.is_any_under_way() => {
                    self.incoming.ended = true;
                    self.ending = Ending::Agreed;
                    self.end_soon();
                    return Ok(false);
                }
                Poll::Ready(_) => return Err(Gone),
            }
            self.incoming.heard = Instant::now();
            let came = room.filled_mut();
            if self.incoming.kept.is_empty() {
                let taken = self.take_all(came, cx);
                self.incoming.kept = came[taken..].to_vec();
            } else {
                self.incoming.kept.extend_from_slice(came);
            }
            Ok(true)
        })
    }

    /// Takes frames from the start of `bytes` while they may be; says how many bytes that were.
    fn take_all(&mut self, bytes: &mut [u8], cx: &mut Context<'_>) -> usize {
        let mut at = 0;
        while at < bytes.len() && (self.incoming.is_free() || self.ending != Ending::No) {
            if matches!(self.ending, Ending::Broken | Ending::Agreed) {
                return bytes.len();
            }
            match self.incoming.assembly.take(&mut bytes[at..]) {
                Ok(None) => break,
                Ok(Some((size, incoming))) => {
                    at += size;
                    let asked = match incoming {
                        // After our close frame nothing is done any more, only the other's is waited for.
                        Incoming::Text(_) | Incoming::Binary if self.ending != Ending::No => None,
                        Incoming::Text(text) => Some(self.session.understand(&text)),
                        Incoming::Binary => Some(Session::not_binary()),
                        Incoming::Part => {
                            if size < SMALL_PART {
                                self.incoming.pace.count(Instant::now());
                            }
                            None
                        }
                        control => {
                            self.take_control(&control);
                            None
                        }
                    };
                    if let Some(asked) = asked {
                        self.incoming.turns.add(&self.session.clone(), asked, cx);
                    }
                }
                Err(fault) => self.fail(fault),
            }
        }
        at
    }

    fn take_control(&mut self, control: &Incoming<'_>) {
        match control {
            Incoming::Ping(payload) if self.ending == Ending::No => self.outgoing.pong(payload),
            Incoming::Close(code) => {
                let answer = code.map_or_else(|| header::control(Opcode::Close, b""), |code| header::close(code, ""));
                self.close(answer, Ending::Agreed);
            }
            _ => {}
        }
        self.incoming.pace.count(Instant::now());
    }
}
