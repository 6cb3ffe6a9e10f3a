//! One writer: a message at a time, sent again under the same `client_id` until it is acknowledged. Over HTTP, or over
//! a socket; turns to the next target when its own doesn't answer.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Run;
use super::book::Edit;
use super::line::{Broken, Line};
use super::listener::Frame;
use crate::http::request;

/// What an edited message says after its text.
pub const EDITED: &str = " (edited)";
/// One in so many is edited, in the room for that.
const EDITED_OF: u64 = 5;
/// After a refusal, or before a target is tried anew; each writer some milliseconds later than the one before.
const PAUSE: Duration = Duration::from_millis(60);

/// Why a try was none.
enum Again {
    /// Refused for the moment, in words.
    NotNow,
    /// Nobody knows whether it arrived.
    Gone,
}

impl From<Broken> for Again {
    fn from(_: Broken) -> Self {
        Self::Gone
    }
}

/// As acknowledged.
struct Stored {
    id: i64,
    seq: i64,
}

struct Writer<'a> {
    run: &'a Run<'a>,
    number: usize,
    room: usize,
    target: usize,
    by_socket: bool,
    line: Option<Line>,
}

/// Writes until told to stop, or until it is too late for what is under way.
pub fn write(run: &Run<'_>, number: usize) {
    let (room, target) = (number / 2 % run.rooms.len(), number / 2 % run.targets.len());
    let mut writer = Writer { run, number, room, target, by_socket: number % 2 == 1, line: None };
    while !run.stop.load(Ordering::Relaxed) {
        let n = run.book.begin(room);
        let Some(stored) = writer.until_done(|writer| writer.say(n)) else { return };
        run.book.acknowledge(number, n, stored.seq);
        if run.is_edited(room) && !writer.by_socket && n.is_multiple_of(EDITED_OF) {
            run.book.edit(n, Edit::Tried);
            if writer.until_done(|writer| writer.edit(n, stored.id)).is_none() {
                return;
            }
            run.book.edit(n, Edit::Acknowledged);
        }
        std::thread::sleep(run.rest);
    }
}

impl Writer<'_> {
    /// `None` when the run is over before.
    fn until_done<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<T, Again>) -> Option<T> {
        loop {
            match attempt(self) {
                Ok(done) => return Some(done),
                Err(Again::NotNow) => self.run.book.refuse(self.by_socket),
                Err(Again::Gone) => {
                    self.run.book.doubt();
                    self.line = None;
                    self.target = (self.target + 1) % self.run.targets.len();
                }
            }
            if self.run.given_up() {
                return None;
            }
            std::thread::sleep(PAUSE + Duration::from_millis(self.number as u64 % 16 * 5));
        }
    }

    fn say(&mut self, n: u64) -> Result<Stored, Again> {
        if self.by_socket { self.say_by_socket(n) } else { self.say_by_http(n) }
    }

    fn say_by_http(&mut self, n: u64) -> Result<Stored, Again> {
        let body = json!({"content": self.run.site.text(n), "client_id": self.client_id(n)});
        let path = format!("/chat/rooms/{}/messages", self.run.rooms[self.room]);
        let (status, answer) = self.ask("POST", &path, &body.to_string())?;
        match status {
            200 | 201 => self.stored(n, &answer, &self.run.site.text(n)),
            status => Err(self.refused(&format!("a post: {status}"), status)),
        }
    }

    fn edit(&mut self, n: u64, id: i64) -> Result<(), Again> {
        let text = self.run.site.text(n) + EDITED;
        let path = format!("/chat/messages/{id}");
        let (status, answer) = self.ask("PATCH", &path, &json!({"content": text}).to_string())?;
        match status {
            200 => self.stored(n, &answer, &text).map(drop),
            status => Err(self.refused(&format!("an edit: {status}"), status)),
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, Vec<u8>), Again> {
        let target = &self.run.targets[self.target];
        if self.line.is_none() {
            self.line = Some(Line::open(target)?);
        }
        let headers = format!("{}Content-Type: application/json\r\n", self.run.credentials(self.number, self.target));
        let request = request(method, &format!("/api/v1{path}"), &target.host, &headers, body);
        let line = self.line.as_mut().ok_or(Again::Gone)?;
        Ok(line.ask(&request, Instant::now() + self.run.patience)?)
    }

    fn say_by_socket(&mut self, n: u64) -> Result<Stored, Again> {
        let until = Instant::now() + self.run.patience;
        if self.line.is_none() {
            self.line = Some(self.open_socket(until)?);
        }
        let (client_id, text) = (self.client_id(n), self.run.site.text(n));
        let line = self.line.as_mut().ok_or(Again::Gone)?;
        line.send(&crate::websocket::text(&self.run.site.said(n)))?;
        while let Some(bytes) = line.frame(until)? {
            let Ok(frame) = serde_json::from_slice::<Frame>(&bytes) else {
                self.run.book.damage();
                continue;
            };
            match frame.kind {
                "message" if frame.client_id.as_deref() == Some(&client_id) => return self.stored(n, &bytes, &text),
                "error" => {
                    let status = if frame.code == Some("unavailable") { 503 } else { 0 };
                    return Err(self.refused(&format!("a frame: {}", frame.code.unwrap_or_default()), status));
                }
                _ => {}
            }
        }
        Err(Again::Gone)
    }

    fn open_socket(&self, until: Instant) -> Result<Line, Again> {
        let path = format!("/ws/chat/{}", self.run.rooms[self.room]);
        let target = &self.run.targets[self.target];
        match Line::socket(target, &path, &self.run.credentials(self.number, self.target), until) {
            Err(Broken::Refused(status)) => {
                self.refused(&format!("a handshake: {status}"), status);
                Err(Again::Gone)
            }
            line => Ok(line?),
        }
    }

    /// Reads what acknowledges message `n`: it must be that message, with this text.
    fn stored(&self, n: u64, bytes: &[u8], text: &str) -> Result<Stored, Again> {
        let frame = serde_json::from_slice::<Frame>(bytes).ok();
        let ours = frame.filter(|frame| {
            frame.client_id.as_deref() == Some(&self.client_id(n)) && frame.content.as_deref() == Some(text)
        });
        match ours.and_then(|frame| frame.id.zip(frame.seq)) {
            Some((id, seq)) => Ok(Stored { id, seq }),
            None => {
                self.run.book.damage();
                Err(Again::Gone)
            }
        }
    }

    /// "Unavailable" is what a fault may bring; any other refusal is none of ours to expect.
    fn refused(&self, what: &str, status: u16) -> Again {
        if status != 503 {
            self.run.book.unexpected(what.to_owned());
        }
        Again::NotNow
    }

    fn client_id(&self, n: u64) -> String {
        format!("{}-{n}", self.run.site.run)
    }
}
