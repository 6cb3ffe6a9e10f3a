//! One open connection, as a task of its own: it reads frames and has them done (`connection/incoming.rs`), and writes
//! what its mailbox and the feeds of its rooms owe it (`connection/outgoing.rs`). Started by `live/socket.rs`.
//!
//! A future written by hand rather than two loops in a `select!`: one place that decides what comes next, no lock
//! between reading and writing, and next to nothing kept while nothing happens. Idle, it has no buffer at all: bytes
//! are read into one that all sockets of a thread share, and only a frame that isn't all there is kept.

mod incoming;
mod outgoing;
mod pace;
mod turns;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use self::incoming::Incomings;
use self::outgoing::Outgoing;
use super::command::Session;
use super::mailbox::{Close, Mailbox};
use super::wire::Fault;
use super::wire::handshake::Taken;
use super::wire::header::{self, Opcode};
use crate::app::App;

const PING_EVERY: Duration = Duration::from_secs(30);
const SILENT_AFTER: Duration = Duration::from_secs(75);
/// How long a socket that is to be closed may take to hear of it.
const GOODBYE: Duration = Duration::from_millis(700);
/// The same for a reader that is too slow: what the kernel holds for it comes first.
const SLOW_GOODBYE: Duration = Duration::from_secs(3);
/// Rounds before other tasks have their turn.
const MOST_ROUNDS: usize = 16;

pub struct Connection {
    stream: TcpStream,
    session: Arc<Session>,
    incoming: Incomings,
    outgoing: Outgoing,
    ending: Ending,
    timer: Pin<Box<Sleep>>,
    ping_at: Instant,
    /// When it is over, whatever was still to be said.
    over_at: Option<Instant>,
    /// Its person may read nothing more, and what was still to be written is let go of.
    is_cut_off: bool,
    _open: Open,
}

/// How far the end has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It is open.
    No,
    /// Our close frame is among what is to be written; the other side hasn't sent its own.
    Said,
    /// Nothing of the other side's counts any more: it broke the rules.
    Broken,
    /// Both have said it: the connection is let go once ours is written.
    Agreed,
}

/// The connection is to be let go.
struct Gone;

/// Forgets the socket when its task ends, however it ends.
pub struct Open(App, Arc<Mailbox>);

impl Open {
    /// Makes the socket known to the hub.
    pub fn new(app: &App, mailbox: &Arc<Mailbox>) -> Self {
        app.hub.open(mailbox);
        Self(app.clone(), mailbox.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Self(app, mailbox) = self;
        app.hub.shut(mailbox);
        if let Some(why) = mailbox.closed() {
            app.metrics.closed(why.code());
        }
    }
}

impl Connection {
    pub fn new(taken: Taken, session: Session, open: Open) -> Self {
        let now = Instant::now();
        let Taken { stream, answer, already, packs } = taken;
        Self {
            stream,
            session: Arc::new(session),
            incoming: Incomings::new(packs, &already, now),
            outgoing: Outgoing::new(packs, answer),
            ending: Ending::No,
            timer: Box::pin(sleep_until(now + PING_EVERY)),
            ping_at: now + PING_EVERY,
            over_at: None,
            is_cut_off: false,
            _open: open,
        }
    }

    /// Does what there is to do; waits for nothing.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<(), Gone> {
        if !self.is_cut_off && self.session.mailbox.is_closing() {
            self.end_soon();
            if let Some(why) = self.session.mailbox.closed().filter(|why| why.is_final()) {
                self.is_cut_off = true;
                // Its end was among that, if it was said for another reason.
                if self.outgoing.forget() && self.ending != Ending::No {
                    self.outgoing.push(header::close(why.code(), why.reason()));
                }
            }
        }
        self.keep_time(cx)?;
        self.hear(cx)?;
        self.say(cx)?;
        self.arm(cx);
        Ok(())
    }

    /// Sets the timer, where a nearer moment has come up since it was set.
    fn arm(&mut self, cx: &mut Context<'_>) {
        let next = self.next_moment();
        if next < self.timer.deadline() {
            self.timer.as_mut().reset(next);
            if self.timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }

    fn end_soon(&mut self) {
        let is_slow = self.session.mailbox.closed() == Some(Close::TooSlow);
        let at = Instant::now() + if is_slow { SLOW_GOODBYE } else { GOODBYE };
        self.over_at = Some(self.over_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Looks at the clock if it has rung: one timer for pings, silence, pace and the end.
    fn keep_time(&mut self, cx: &mut Context<'_>) -> Result<(), Gone> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.over_at.is_some_and(|at| at <= now) {
                return Err(Gone);
            }
            if self.ending == Ending::No && self.incoming.heard + SILENT_AFTER <= now {
                // Who doesn't read doesn't answer pings either.
                let is_slow = self.outgoing.is_stalled();
                self.session.mailbox.close(if is_slow { Close::TooSlow } else { Close::Silent });
                self.end_soon();
            }
            if self.ping_at <= now {
                self.ping_at = now + PING_EVERY;
                if self.ending == Ending::No && !self.outgoing.is_stalled() {
                    self.outgoing.push(header::control(Opcode::Ping, b""));
                }
            }
            self.incoming.pace.rested(now);
            let next = self.next_moment();
            self.timer.as_mut().reset(next);
        }
        Ok(())
    }

    fn next_moment(&self) -> Instant {
        let silent = if self.ending == Ending::No && self.over_at.is_none() {
            self.incoming.heard + SILENT_AFTER
        } else {
            self.ping_at
        };
        let moments = [self.over_at, self.incoming.pace.waits_until()].into_iter().flatten();
        moments.fold(self.ping_at.min(silent), Instant::min)
    }

    /// Says why it ends, after what is queued, once.
    fn close(&mut self, frame: Bytes, ending: Ending) {
        if self.ending == Ending::No {
            self.outgoing.push(frame);
        }
        self.ending = ending;
        self.end_soon();
    }

    fn fail(&mut self, fault: Fault) {
        self.close(header::close(fault.code(), fault.reason()), Ending::Broken);
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.session.mailbox.rise(cx.waker());
        this.outgoing.borrow_room();
        for _ in 0..MOST_ROUNDS {
            if this.work(cx).is_err() {
                return Poll::Ready(());
            }
            if this.session.mailbox.rest() {
                this.outgoing.give_room_back();
                return Poll::Pending;
            }
        }
        this.outgoing.give_room_back();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
