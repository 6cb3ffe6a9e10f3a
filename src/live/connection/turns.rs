//! What a socket has under way. Messages may be several, so that who sends many is written in few commits; they go into
//! the writer's queue in the order they came, and are answered in that order. Anything else waits until they are done,
//! and they for it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::live::command::{Asked, Done, Session};

/// Messages of one socket under way at once; then its reading waits.
const MOST: usize = 32;

#[derive(Default)]
pub struct Turns {
    under_way: VecDeque<Turn>,
    /// Whether those are messages.
    messages: bool,
    /// What couldn't begin yet.
    next: Option<Box<Asked>>,
}

enum Turn {
    Going(Pin<Box<dyn Future<Output = Done> + Send>>),
    Done(Done),
}

impl Turns {
    /// Whether another frame may be read.
    pub fn are_free(&self) -> bool {
        self.next.is_none() && (self.messages || self.under_way.is_empty())
    }

    pub fn is_any_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Whether [`Self::done`] has one to tell.
    pub fn is_next_done(&self) -> bool {
        matches!(self.under_way.front(), Some(Turn::Done(_)))
    }

    /// Begins what a frame asks for, or keeps it until it may begin. Only while they are free.
    pub fn add(&mut self, session: &Arc<Session>, asked: Asked, cx: &mut Context<'_>) {
        if self.may_begin(session, &asked) {
            self.begin(session, asked, cx);
        } else {
            self.next = Some(Box::new(asked));
        }
    }

    /// The next that is done, in the order of the frames. Called until it says none.
    pub fn done(&mut self, session: &Arc<Session>, cx: &mut Context<'_>) -> Option<Done> {
        for turn in &mut self.under_way {
            turn.poll(cx);
        }
        if let Some(Turn::Done(_)) = self.under_way.front()
            && let Some(Turn::Done(done)) = self.under_way.pop_front()
        {
            return Some(done);
        }
        if self.under_way.is_empty() && self.under_way.capacity() > 0 {
            self.under_way = VecDeque::new();
        }
        // Those before it have been polled just now: whoever waited for the queue stands in it before this one does.
        if let Some(asked) = self.next.take_if(|asked| may_begin(&self.under_way, self.messages, session, asked)) {
            self.begin(session, *asked, cx);
            return self.done(session, cx);
        }
        None
    }

    fn may_begin(&self, session: &Session, asked: &Asked) -> bool {
        may_begin(&self.under_way, self.messages, session, asked)
    }

    fn begin(&mut self, session: &Arc<Session>, asked: Asked, cx: &mut Context<'_>) {
        // One that waited for room in the queue has it by now; it goes in first.
        self.under_way.iter_mut().for_each(|turn| turn.poll(cx));
        self.messages = asked.is_message();
        let mut turn = Turn::Going(Box::pin(session.clone().run(asked)));
        turn.poll(cx);
        self.under_way.push_back(turn);
    }
}

/// A message may begin beside others while the writer's queue has room: one that has to wait for it must not be
/// overtaken by the next.
fn may_begin(under_way: &VecDeque<Turn>, messages: bool, session: &Session, asked: &Asked) -> bool {
    under_way.is_empty() || (messages && asked.is_message() && under_way.len() < MOST && session.app.writer.has_room())
}

impl Turn {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Self::Going(going) = self
            && let Poll::Ready(done) = going.as_mut().poll(cx)
        {
            *self = Self::Done(done);
        }
    }
}
