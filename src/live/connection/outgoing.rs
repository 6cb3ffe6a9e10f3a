//! What a connection says: everything it is owed, gathered and written in one call; what the kernel doesn't take stays,
//! and nothing more is gathered until it has gone. So a reader that stalls holds some 128 KiB; the rest stays in the
//! feeds, and who falls out of one is closed.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::{Connection, Ending, Gone};
use crate::live::feed::{Cursor, Owed, Share};
use crate::live::mailbox::{Close, Item};
use crate::live::wire::header::{self, Opcode};

/// Bytes of one feed that are gathered at once.
const GATHER: usize = 128 * 1024;
/// Pieces in one call; the kernel takes 1024.
const PIECES: usize = 64;
/// Pieces that may wait before only the last ping is answered (RFC 6455, section 5.5.3).
const MANY: usize = 32;

thread_local! {
    /// Room for what is gathered, lent to the socket that is at work.
    static ROOM: Cell<Vec<Bytes>> = const { Cell::new(Vec::new()) };
}

/// The writing side's state.
pub struct Outgoing {
    packs: bool,
    /// Whole frames, but for what is written of the first.
    pieces: Vec<Bytes>,
    /// The answer to the handshake, until it is written.
    answer: Bytes,
    /// Pieces that are written.
    gone: usize,
    /// Bytes of the next that are.
    part: usize,
    pong: Option<Bytes>,
    cursors: Vec<Cursor>,
    /// Of what the feeds gave, what is still to be written.
    owed: Option<Share>,
}

impl Outgoing {
    /// `answer`: what is written before all else.
    pub fn new(packs: bool, answer: Bytes) -> Self {
        Self { packs, pieces: Vec::new(), answer, gone: 0, part: 0, pong: None, cursors: Vec::new(), owed: None }
    }

    pub fn borrow_room(&mut self) {
        if self.pieces.capacity() == 0 {
            self.pieces = ROOM.take();
        }
    }

    pub fn give_room_back(&mut self) {
        if self.pieces.is_empty() {
            ROOM.set(std::mem::take(&mut self.pieces));
        }
    }

    pub fn push(&mut self, frame: Bytes) {
        self.pieces.push(frame);
    }

    pub fn is_stalled(&self) -> bool {
        self.pieces.len() > self.gone
    }

    /// Answers a ping; only the last, when the other side doesn't read.
    pub fn pong(&mut self, payload: &[u8]) {
        let pong = header::control(Opcode::Pong, payload);
        if self.pong.is_none() && self.pieces.len() < self.gone + MANY {
            self.pieces.push(pong);
        } else {
            self.pong = Some(pong);
        }
    }

    /// Lets go of what was gathered, but for what is begun; whether there was anything.
    pub fn forget(&mut self) -> bool {
        let (before, begun) = (self.pieces.len(), self.gone + usize::from(self.part > 0));
        self.pieces.truncate(begun);
        before > begun
    }

    /// Writes until all is written.
    fn flush(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.is_stalled() {
            let written = ready!(self.write(stream, cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.pieces.clear();
        (self.gone, self.part) = (0, 0);
        Poll::Ready(Ok(()))
    }

    fn write(&self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let first = &self.pieces[self.gone][self.part..];
        let rest = &self.pieces[self.gone + 1..];
        let before = (!self.answer.is_empty()).then_some(&self.answer[..]);
        if rest.is_empty() && before.is_none() {
            return Pin::new(stream).poll_write(cx, first);
        }
        let (mut slices, mut count) = ([IoSlice::new(first); PIECES], 0);
        let all = before.into_iter().chain([first]).chain(rest.iter().map(|piece| &piece[..]));
        for (slice, piece) in slices.iter_mut().zip(all) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        Pin::new(stream).poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, mut written: usize) {
        if !self.answer.is_empty() {
            let answered = written.min(self.answer.len());
            written -= answered;
            self.answer = self.answer.slice(answered..);
        }
        while let Some(piece) = self.pieces.get(self.gone) {
            let left = piece.len() - self.part;
            if written < left {
                self.part += written;
                return;
            }
            written -= left;
            self.part = 0;
            // Let go at once: a reader that stalls must not keep what it has.
            self.pieces[self.gone] = Bytes::new();
            self.gone += 1;
        }
    }
}

impl Connection {
    /// Writes what is owed until there is nothing more, or the kernel is full.
    pub(super) fn say(&mut self, cx: &mut Context<'_>) -> Result<(), Gone> {
        loop {
            match self.outgoing.flush(&mut self.stream, cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => return Err(Gone),
                Poll::Ready(Ok(())) => self.count(),
            }
            match self.ending {
                Ending::No => self.gather(),
                // What is under way is still done.
                Ending::Agreed if self.incoming.is_any_under_way() => return Ok(()),
                Ending::Agreed => return Err(Gone),
                Ending::Said | Ending::Broken => return Ok(()),
            }
            if !self.outgoing.is_stalled() {
                return Ok(());
            }
        }
    }

    /// Counts what the feeds gave, now that it is written.
    fn count(&mut self) {
        if let Some(Share { frames, since }) = self.outgoing.owed.take() {
            let metrics = &self.session.app.metrics;
            metrics.deliveries.inc_by(frames);
            metrics.fan_out_seconds.observe(since.elapsed().as_secs_f64());
        }
    }

    /// Gathers what is owed. Only while nothing waits to be written. More than [`GATHER`] bytes of the feeds go out first:
    /// what was published before an answer was queued is written before it, and before the end.
    fn gather(&mut self) {
        let mailbox = self.session.mailbox.clone();
        let outcast = mailbox.is_closing().then(|| mailbox.closed()).flatten().filter(|why| why.is_final());
        if outcast.is_none() {
            self.outgoing.pieces.extend(self.outgoing.pong.take());
            if !self.gather_feeds() {
                return;
            }
        }
        let (items, closed) = mailbox.take();
        match closed {
            // They read nothing more.
            Some(why) if why.is_final() => {
                self.outgoing.forget();
                self.outgoing.owed = None;
                self.close(close_frame(why), Ending::Said);
            }
            closed => {
                self.gather_feeds();
                self.gather_items(items);
                if let Some(why) = closed {
                    self.close(close_frame(why), Ending::Said);
                }
            }
        }
    }

    /// Whether all that the feeds owe is gathered; otherwise it is [`GATHER`] bytes or some more, and another room has its
    /// turn first the next time.
    fn gather_feeds(&mut self) -> bool {
        let Outgoing { packs, pieces, cursors, owed, .. } = &mut self.outgoing;
        let begun = pieces.len();
        let mut ended = Vec::new();
        for cursor in cursors.iter_mut() {
            // What the socket has already is passed over without a byte.
            while pieces[begun..].iter().map(Bytes::len).sum::<usize>() < GATHER {
                match cursor.take(*packs, GATHER, pieces) {
                    Owed::Some { ends, share } => {
                        *owed = added(*owed, share);
                        if !ends {
                            continue;
                        }
                        ended.push(cursor.feed.room);
                    }
                    Owed::Lagged => self.session.mailbox.close(Close::TooSlow),
                    Owed::Nothing => {}
                }
                break;
            }
        }
        let is_all = pieces[begun..].iter().map(Bytes::len).sum::<usize>() < GATHER;
        if !is_all {
            cursors.rotate_left(1);
        }
        for room in ended {
            self.session.mailbox.unfollow(room);
            cursors.retain(|cursor| cursor.feed.room != room);
        }
        is_all
    }

    fn gather_items(&mut self, items: VecDeque<Item>) {
        let Outgoing { packs, pieces, cursors, .. } = &mut self.outgoing;
        for item in items {
            match item {
                Item::Send(frame) => pieces.push(frame.bytes(*packs).clone()),
                Item::Attach { mut cursor, replay } => {
                    pieces.extend(replay.iter().map(|frame| frame.bytes(*packs).clone()));
                    // Taken up again: what came live before this replay doesn't come a second time after it.
                    if let Some(at) = cursors.iter().position(|other| other.feed.room == cursor.feed.room) {
                        cursor.start(cursor.rev().max(cursors.swap_remove(at).rev()));
                    }
                    if cursors.capacity() == cursors.len() {
                        cursors.reserve_exact(1);
                    }
                    cursors.push(cursor);
                }
                Item::Detach(room) => cursors.retain(|cursor| cursor.feed.room != room),
            }
        }
    }
}

fn added(one: Option<Share>, other: Option<Share>) -> Option<Share> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(Share { frames: one.frames + other.frames, since: one.since.min(other.since) })
        }
        (one, other) => one.or(other),
    }
}

fn close_frame(why: Close) -> Bytes {
    header::close(why.code(), why.reason())
}
