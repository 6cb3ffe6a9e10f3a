//! What was said, what was acknowledged, and how long nobody heard anything. All threads write into it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::audit::Audit;
use super::order::Wrong;
use crate::figures::Times;

/// A message on its way.
pub struct Post {
    /// The place of its room.
    pub room: usize,
    sent: Instant,
    /// `seq`, once it is acknowledged.
    pub seq: Option<i64>,
    pub edit: Edit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    None,
    /// Sent, perhaps done.
    Tried,
    Acknowledged,
}

/// From a `mark` on: the end of a fault.
struct Mark {
    at: Instant,
    first: Option<Instant>,
    writers: BTreeSet<usize>,
    all: Option<Instant>,
}

pub struct Book {
    writers: usize,
    listeners: usize,
    next: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    /// Of those, answered by a frame.
    refused_by_frame: AtomicU64,
    gaps: AtomicU64,
    doubts: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    posts: HashMap<u64, Post>,
    /// Which message each listener saw at a place; all must see the same.
    seen: HashMap<(usize, i64), u64>,
    wrong: Wrong,
    damaged: u64,
    /// Answers that no fault excuses, and how often.
    unexpected: BTreeMap<String, u64>,
    /// Listeners' sockets that the server closed, by code.
    closed: BTreeMap<u16, u64>,
    /// What listeners didn't have in the end.
    missed: u64,
    marks: Vec<Mark>,
    /// Listeners that are live now.
    live: BTreeSet<usize>,
    /// The highest number acknowledged in each room.
    newest: Vec<i64>,
    /// Of each listener, the room and the number of the last message it has.
    had: Vec<(usize, i64)>,
    last: Option<Instant>,
    silence: u128,
    away: u128,
    answered: Times,
    told: Times,
}

impl Book {
    pub fn new(writers: usize, listeners: usize, rooms: usize) -> Self {
        let zero = || AtomicU64::new(0);
        let had = (0..listeners).map(|listener| (listener % rooms, 0)).collect();
        let inner = Inner { newest: vec![0; rooms], had, ..Inner::default() };
        Self {
            writers,
            listeners,
            next: zero(),
            acknowledged: zero(),
            refused: zero(),
            refused_by_frame: zero(),
            gaps: zero(),
            doubts: zero(),
            inner: Mutex::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new message for a room: its number.
    pub fn begin(&self, room: usize) -> u64 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().posts.insert(n, Post { room, sent: Instant::now(), seq: None, edit: Edit::None });
        n
    }

    /// Acknowledged to `writer`, whose message it is.
    pub fn acknowledge(&self, writer: usize, n: u64, seq: i64) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let (mut inner, now) = (self.lock(), Instant::now());
        let since = inner.last.replace(now).map_or(0, |last| now.duration_since(last).as_millis());
        inner.silence = inner.silence.max(since);
        let Some(post) = inner.posts.get_mut(&n) else { return };
        post.seq = Some(seq);
        let (room, took) = (post.room, post.sent.elapsed().as_micros());
        inner.answered.add(took);
        inner.newest[room] = inner.newest[room].max(seq);
        if let Some(mark) = inner.marks.last_mut() {
            mark.first.get_or_insert(now);
            mark.writers.insert(writer);
        }
        self.look_whether_all_are_back(&mut inner, now);
    }

    pub fn edit(&self, n: u64, edit: Edit) {
        if let Some(post) = self.lock().posts.get_mut(&n) {
            post.edit = edit;
        }
    }

    /// The server says that it can't now.
    pub fn refuse(&self, by_frame: bool) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.refused_by_frame.fetch_add(u64::from(by_frame), Ordering::Relaxed);
    }

    /// No answer: it may be stored or not.
    pub fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::Relaxed);
    }

    pub fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    pub fn damage(&self) {
        self.lock().damaged += 1;
    }

    pub fn unexpected(&self, what: String) {
        *self.lock().unexpected.entry(what).or_default() += 1;
    }

    pub fn closed(&self, code: u16) {
        *self.lock().closed.entry(code).or_default() += 1;
    }

    pub fn miss(&self, count: u64) {
        self.lock().missed += count;
    }

    pub fn wrong(&self, Wrong { lost, doubled, reordered }: Wrong) {
        let mut inner = self.lock();
        inner.wrong.lost += lost;
        inner.wrong.doubled += doubled;
        inner.wrong.reordered += reordered;
    }

    /// A listener has message `n` at `seq` of its room: `live` when it came at once, not in a replay.
    pub fn see(&self, listener: usize, seq: i64, n: u64, live: bool) {
        let mut inner = self.lock();
        let (room, had) = inner.had[listener];
        inner.had[listener] = (room, had.max(seq));
        let Some(sent) = inner.posts.get(&n).filter(|post| post.room == room).map(|post| post.sent) else {
            inner.damaged += 1;
            return;
        };
        if live {
            inner.told.add(sent.elapsed().as_micros());
        }
        if *inner.seen.entry((room, seq)).or_insert(n) != n {
            inner.damaged += 1;
        }
    }

    /// A listener has what it missed, after so many milliseconds away.
    pub fn is_live(&self, listener: usize, away: u128) {
        let mut inner = self.lock();
        inner.away = inner.away.max(away);
        inner.live.insert(listener);
        self.look_whether_all_are_back(&mut inner, Instant::now());
    }

    pub fn is_gone(&self, listener: usize) {
        self.lock().live.remove(&listener);
    }

    /// A fault is over.
    pub fn mark(&self) {
        self.lock().marks.push(Mark { at: Instant::now(), first: None, writers: BTreeSet::new(), all: None });
    }

    fn look_whether_all_are_back(&self, inner: &mut Inner, now: Instant) {
        let all_live = inner.live.len() == self.listeners;
        if let Some(mark) = inner.marks.last_mut().filter(|mark| all_live && mark.writers.len() == self.writers) {
            mark.all.get_or_insert(now);
        }
    }

    /// What was acknowledged, for the audit.
    pub fn posts<T>(&self, mut with: impl FnMut(u64, &Post) -> Option<T>) -> Vec<T> {
        self.lock().posts.iter().filter_map(|(n, post)| with(*n, post)).collect()
    }

    /// How it goes. `back` when, since the last mark, every writer was answered and every listener is live.
    pub fn state(&self) -> Value {
        let inner = self.lock();
        let back = inner.marks.last().is_some_and(|mark| mark.all.is_some());
        let of = |room| inner.had.iter().filter(|(of, _)| *of == room).map(|(_, seq)| *seq).min();
        let had: Vec<i64> = (0..inner.newest.len()).map(|room| of(room).unwrap_or(i64::MAX)).collect();
        json!({"acknowledged": self.acknowledged.load(Ordering::Relaxed), "refused": self.refused.load(Ordering::Relaxed),
               "refused_by_frame": self.refused_by_frame.load(Ordering::Relaxed), "live": inner.live.len(), "marks": inner.marks.len(), "back": back,
               "last": inner.newest, "had": had, "silent_ms": inner.last.map(|last| last.elapsed().as_millis() as u64)})
    }

    pub fn report(&self, audit: &Audit) -> Value {
        let mut inner = self.lock();
        let after =
            |mark: &Mark, then: Option<Instant>| then.map(|then| then.duration_since(mark.at).as_millis() as u64);
        let marks: Vec<Value> = inner
            .marks
            .iter()
            .map(|mark| json!({"first_ms": after(mark, mark.first), "all_ms": after(mark, mark.all)}))
            .collect();
        let Wrong { lost, doubled, reordered } = &inner.wrong;
        let seen = json!({"lost": lost, "doubled": doubled, "reordered": reordered, "damaged": inner.damaged,
                         "missed": inner.missed});
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        json!({
            "scenario": "endure", "acknowledged": count(&self.acknowledged), "refused": count(&self.refused),
            "unanswered": count(&self.doubts), "gaps": count(&self.gaps), "heard": seen, "audit": audit.report(),
            "unexpected": inner.unexpected.clone(), "closed": inner.closed.clone(), "marks": marks, "silence_ms": inner.silence as u64,
            "away_ms": inner.away as u64, "answered": inner.answered.report(), "told": inner.told.report(),
        })
    }
}
