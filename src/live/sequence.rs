//! One room's changes in the order of their revisions, whichever way they come: committed here, told by another node,
//! told twice, late or never, or read from the database. A state machine without lock, clock or database, so that
//! thousands of schedules can be played with it. Called by `live/room.rs`.
//!
//! Whoever takes up the room reads the database once it has a place in the feed; the first such reading is where the
//! sequence begins ([`Sequence::begin`]). From then on each revision is handed on once and after all before it. What comes
//! too early waits; what nobody brings is read from the database ([`Sequence::fill`]), as messages in their present state:
//! one change then stands for all since the last that was handed on.

use std::collections::BTreeMap;

/// Changes that may wait for one before them. What comes beyond is let go of: the database has it.
const MOST_WAITING: usize = 1024;

pub struct Sequence<T> {
    /// All up to here was handed on, or needn't be. `None` until somebody has read the room.
    last: Option<i64>,
    /// The last that was handed on, or where the sequence began.
    handed: i64,
    /// Who has read less than this has missed something.
    floor: i64,
    /// A higher one than any that waits is known to be stored.
    known: i64,
    waiting: BTreeMap<i64, T>,
}

impl<T> Default for Sequence<T> {
    fn default() -> Self {
        Self { last: None, handed: 0, floor: 0, known: 0, waiting: BTreeMap::new() }
    }
}

/// A change that is handed on.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<T> {
    /// Who has this revision, or a higher one that is lower than the step's own, misses nothing between.
    pub follows: i64,
    pub rev: i64,
    pub change: T,
}

impl<T> Sequence<T> {
    /// Somebody has a place in the feed and has read the room at `rev` since. False when that isn't enough, as what came
    /// after was handed on before: it is to read again. Cost: O(what waits).
    pub fn begin(&mut self, rev: i64) -> (bool, Vec<Step<T>>) {
        if self.last.is_none() {
            (self.last, self.handed, self.floor) = (Some(rev), rev, rev);
        }
        (rev >= self.floor, self.drain())
    }

    /// Takes a change in, whoever brings it; what may be handed on now. Cost: O(log waiting).
    pub fn accept(&mut self, rev: i64, change: T) -> Vec<Step<T>> {
        let is_next = self.last.is_some_and(|last| rev == last + 1);
        if self.last.is_some_and(|last| rev <= last) {
            return Vec::new();
        }
        self.known = self.known.max(rev);
        if is_next || self.waiting.len() < MOST_WAITING {
            self.waiting.entry(rev).or_insert(change);
        }
        self.drain()
    }

    /// The database has changes up to `rev`.
    pub fn hear(&mut self, rev: i64) {
        self.known = self.known.max(rev);
    }

    /// Whether somebody has read the room.
    pub fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// All up to here was handed on.
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// The revision after which something is missing here. `None` when nothing is.
    pub fn gap(&self) -> Option<i64> {
        self.last.filter(|last| self.known > *last)
    }

    /// Hands on what was read from the database: `changes` in order of their revisions, all that is new since
    /// [`Self::gap`]; `to`: the room's revision, read before them. Cost: O(changes + waiting).
    pub fn fill(&mut self, changes: impl IntoIterator<Item = (i64, T)>, to: i64) -> Vec<Step<T>> {
        let Some(mut last) = self.last else { return Vec::new() };
        let mut steps = Vec::new();
        for (rev, change) in changes {
            if rev > last {
                steps.push(Step { follows: self.handed, rev, change });
                (last, self.handed) = (rev, rev);
            }
        }
        self.last = Some(last.max(to));
        steps.extend(self.drain());
        // The database is right: what was heard of and isn't there, nobody waits for.
        self.known = self.last.into_iter().chain(self.waiting.last_key_value().map(|(rev, _)| *rev)).max().unwrap_or(0);
        steps
    }

    /// Too much is missing: begins anew at `rev`. Who follows has to read the room again.
    pub fn restart(&mut self, rev: i64) -> Vec<Step<T>> {
        self.last = None;
        self.begin(rev).1
    }

    fn drain(&mut self) -> Vec<Step<T>> {
        let mut steps = Vec::new();
        let Some(mut last) = self.last else { return steps };
        while let Some(first) = self.waiting.first_entry() {
            let rev = *first.key();
            if rev > last + 1 {
                break;
            }
            let change = first.remove();
            if rev > last {
                steps.push(Step { follows: self.handed, rev, change });
                (last, self.handed) = (rev, rev);
            }
        }
        self.last = Some(last);
        steps
    }
}
