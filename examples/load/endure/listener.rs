//! One listener: a socket in a room that comes back, to the next target if need be, with the revision it has, and
//! checks each frame's place. It stays where it is while a node is silent, as a browser does.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Run;
use super::line::{Broken, Line};
use super::order::Place;
use super::writer::EDITED;
use crate::http::request;

/// Until a handshake must be answered.
const WELCOME: Duration = Duration::from_secs(3);
/// How often one that hears nothing looks whether all is over.
const LOOK: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(40);

/// A frame of the server's, or a message as the API answers it: what is looked at here.
#[derive(Deserialize)]
pub struct Frame<'a> {
    #[serde(rename = "type", default)]
    pub kind: &'a str,
    pub id: Option<i64>,
    pub seq: Option<i64>,
    pub rev: Option<i64>,
    pub content: Option<String>,
    pub client_id: Option<String>,
    pub code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    messages: Vec<Frame<'a>>,
    has_more: bool,
}

struct Listener<'a> {
    run: &'a Run<'a>,
    number: usize,
    room: usize,
    target: usize,
    place: Place,
    /// What was missed is more than is replayed: to be fetched.
    gap: bool,
    /// Since when it has been away.
    away: Option<Instant>,
}

/// Listens until it has all that there is in the end.
pub fn listen(run: &Run<'_>, number: usize) {
    let (room, target) = (number % run.rooms.len(), number / run.rooms.len() % run.targets.len());
    let mut listener = Listener { run, number, room, target, place: Place::new(), gap: false, away: None };
    loop {
        match listener.follow() {
            Ok(()) => break,
            Err(Broken::Refused(503) | Broken::Gone) => {}
            Err(Broken::Refused(status)) => run.book.unexpected(format!("a handshake: {status}")),
            Err(Broken::Closed(code)) => run.book.closed(code),
        }
        run.book.is_gone(number);
        listener.away.get_or_insert_with(Instant::now);
        if run.given_up() {
            break;
        }
        listener.target = (listener.target + 1) % run.targets.len();
        std::thread::sleep(PAUSE + Duration::from_millis(number as u64 % 32 * 5));
    }
    listener.settle();
}

impl Listener<'_> {
    /// One socket's life. `Ok` when all is over.
    fn follow(&mut self) -> Result<(), Broken> {
        let target = &self.run.targets[self.target];
        let path = format!("/ws/chat/{}?after={}", self.run.rooms[self.room], self.place.rev);
        let credentials = self.run.credentials(self.number, self.target);
        let mut line = Line::socket(target, &path, &credentials, Instant::now() + WELCOME)?;
        self.place.resumes();
        self.gap = false;
        while !self.is_done() {
            if let Some(bytes) = line.frame(Instant::now() + LOOK)? {
                self.hear(&bytes)?;
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let goal = self.run.goals[self.room].load(Ordering::Relaxed);
        (self.place.is_live() && self.place.rev >= goal) || self.run.given_up()
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let Ok(frame) = serde_json::from_slice::<Frame>(bytes) else {
            self.run.book.damage();
            return Ok(());
        };
        match frame.kind {
            "message" => self.take(&frame, true),
            "message_edited" => self.take(&frame, false),
            "gap" => self.gap = true,
            "synced" => self.synced(frame.rev.unwrap_or_default())?,
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame<'_>, new: bool) {
        let content = frame.content.as_deref().unwrap_or_default();
        let said = self.run.site.number(content.strip_suffix(EDITED).unwrap_or(content));
        let (Some(n), Some(seq), Some(rev)) = (said, frame.seq, frame.rev) else {
            self.run.book.damage();
            return;
        };
        self.run.book.see(self.number, seq, n, new && self.place.is_live());
        self.run.book.wrong(self.place.take(seq, rev, new));
    }

    fn synced(&mut self, rev: i64) -> Result<(), Broken> {
        if self.gap {
            self.run.book.gap();
            self.fetch(rev)?;
        }
        let exact = !(self.gap && self.run.is_edited(self.room));
        self.run.book.wrong(self.place.synced(rev, exact));
        let away = self.away.take().map_or(0, |away| away.elapsed().as_millis());
        self.run.book.is_live(self.number, away);
        Ok(())
    }

    /// Reads over HTTP what isn't replayed; what is newer than `rev` comes by the socket.
    fn fetch(&mut self, rev: i64) -> Result<(), Broken> {
        let target = &self.run.targets[self.target];
        let credentials = self.run.credentials(self.number, self.target);
        let (mut line, mut since) = (Line::open(target)?, self.place.rev);
        loop {
            let room = self.run.rooms[self.room];
            let path = format!("/api/v1/chat/rooms/{room}/messages?since_rev={since}&limit=100");
            let asked = request("GET", &path, &target.host, &credentials, "");
            let (status, body) = line.ask(&asked, Instant::now() + self.run.patience)?;
            if status != 200 {
                return Err(Broken::Refused(status));
            }
            let page: Page = serde_json::from_slice(&body).map_err(|_| Broken::Gone)?;
            for message in &page.messages {
                since = message.rev.unwrap_or(i64::MAX);
                if since <= rev {
                    self.take(message, true);
                }
            }
            if since >= rev || !page.has_more {
                return Ok(());
            }
        }
    }

    /// What it never got.
    fn settle(&self) {
        let goal = self.run.goals[self.room].load(Ordering::Relaxed);
        if goal != i64::MAX && self.place.rev < goal {
            self.run.book.miss((goal - self.place.rev) as u64);
        }
    }
}
