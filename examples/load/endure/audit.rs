//! Reading back, in the end, through every target that answers: each acknowledged message once, at the number it was
//! acknowledged with and with its text, `seq` from 1 on without a hole, `rev` likewise.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::book::Edit;
use super::line::Line;
use super::listener::Frame;
use super::writer::EDITED;
use super::{Run, Target};
use crate::http::request;

/// How long the first target may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Default)]
pub struct Audit {
    /// The last revision of each room.
    pub revs: Vec<i64>,
    targets: usize,
    stored: u64,
    lost: u64,
    doubled: u64,
    reordered: u64,
    damaged: u64,
    /// Numbers that aren't where they should be.
    holes: u64,
}

impl Audit {
    pub fn report(&self) -> Value {
        json!({"targets": self.targets, "stored": self.stored, "lost": self.lost, "doubled": self.doubled,
               "reordered": self.reordered, "damaged": self.damaged, "holes": self.holes})
    }
}

struct Stored {
    seq: i64,
    rev: i64,
    content: String,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    messages: Vec<Frame<'a>>,
    has_more: bool,
    rev: i64,
}

/// Without any target that answers, everything acknowledged counts as lost.
pub fn audit(run: &Run<'_>) -> Audit {
    let mut audit = Audit::default();
    let end = Instant::now() + PATIENCE;
    while audit.targets == 0 && Instant::now() < end {
        for target in 0..run.targets.len() {
            let rooms = (0..run.rooms.len()).map(|room| read(run, target, room)).collect::<Option<Vec<_>>>();
            let Some(rooms) = rooms else { continue };
            audit.targets += 1;
            audit.revs = rooms.iter().map(|(_, rev)| *rev).collect();
            audit.stored = rooms.iter().map(|(messages, _)| messages.len() as u64).sum();
            for (room, (messages, rev)) in rooms.iter().enumerate() {
                audit.look(run, room, messages, *rev);
            }
        }
    }
    if audit.targets == 0 {
        audit.lost = run.book.posts(|_, post| post.seq).len() as u64;
    }
    audit
}

/// All of a room, and its revision; `None` when the target doesn't answer.
fn read(run: &Run<'_>, target: usize, room: usize) -> Option<(Vec<Stored>, i64)> {
    let at: &Target = &run.targets[target];
    let mut line = Line::open(at).ok()?;
    let (mut messages, mut after) = (Vec::<Stored>::new(), 0);
    loop {
        let path = format!("/api/v1/chat/rooms/{}/messages?after={after}&limit=100", run.rooms[room]);
        let asked = request("GET", &path, &at.host, &run.credentials(0, target), "");
        let (status, body) = line.ask(&asked, Instant::now() + run.patience).ok()?;
        let page: Page = serde_json::from_slice(&body).ok().filter(|_| status == 200)?;
        for message in page.messages {
            after = message.seq?;
            messages.push(Stored { seq: after, rev: message.rev?, content: message.content? });
        }
        if !page.has_more {
            return Some((messages, page.rev));
        }
    }
}

impl Audit {
    fn look(&mut self, run: &Run<'_>, room: usize, messages: &[Stored], last_rev: i64) {
        let mut found: HashMap<u64, &Stored> = HashMap::with_capacity(messages.len());
        let mut revs = HashSet::with_capacity(messages.len());
        for (message, expected) in messages.iter().zip(1..) {
            let misplaced = message.seq != expected || message.rev > last_rev || !revs.insert(message.rev);
            self.holes += u64::from(misplaced || (message.rev != message.seq && !run.is_edited(room)));
            let text = message.content.strip_suffix(EDITED).unwrap_or(&message.content);
            match run.site.number(text) {
                Some(n) => self.doubled += u64::from(found.insert(n, message).is_some()),
                None => self.damaged += 1,
            }
        }
        self.holes += u64::from(last_rev < messages.len() as i64);
        for (n, seq, edit) in run.book.posts(|n, post| Some((n, post.seq?, post.edit)).filter(|_| post.room == room)) {
            match found.get(&n) {
                None => self.lost += 1,
                Some(message) => {
                    self.reordered += u64::from(message.seq != seq);
                    let edited = message.content.ends_with(EDITED);
                    self.lost += u64::from(edit == Edit::Acknowledged && !edited);
                    self.damaged += u64::from(edit == Edit::None && edited);
                }
            }
        }
    }
}
