//! What came, what was here already, and what was left out and why: for the terminal, and as a file. Called by all of
//! `transfer`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Notes of one kind that a terminal is shown.
const MOST_SHOWN: usize = 5;
/// Notes of one kind that are kept.
const MOST_KEPT: usize = 10_000;

#[derive(Clone, Debug, Default)]
pub struct Report {
    counts: BTreeMap<&'static str, Counts>,
    /// By model and reason.
    left: BTreeMap<(&'static str, String), u64>,
    /// What somebody should know, by kind: how many, and the first of them.
    notes: BTreeMap<String, (u64, Vec<String>)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    new: u64,
    here: u64,
    left: u64,
}

impl Report {
    /// Rows that came, or would.
    pub fn new_rows(&mut self, model: &'static str, rows: u64) {
        self.counts.entry(model).or_default().new += rows;
    }

    /// Rows that are here from an earlier import, or are what somebody here is called already.
    pub fn here(&mut self, model: &'static str, rows: u64) {
        self.counts.entry(model).or_default().here += rows;
    }

    /// Rows that were left out.
    pub fn left(&mut self, model: &'static str, why: &str, rows: u64) {
        if rows > 0 {
            self.counts.entry(model).or_default().left += rows;
            *self.left.entry((model, why.to_owned())).or_default() += rows;
        }
    }

    /// Something that somebody should know; `kind` is how all of them are told.
    pub fn note(&mut self, kind: &str, what: impl Into<String>) {
        let (count, kept) = self.notes.entry(kind.to_owned()).or_default();
        *count += 1;
        if kept.len() < MOST_KEPT {
            kept.push(shown(&what.into()));
        }
    }

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        for (model, counts) in other.counts {
            let own = self.counts.entry(model).or_default();
            *own = Counts { new: own.new + counts.new, here: own.here + counts.here, left: own.left + counts.left };
        }
        for (reason, rows) in other.left {
            *self.left.entry(reason).or_default() += rows;
        }
        for (kind, (count, kept)) in other.notes {
            let own = self.notes.entry(kind).or_default();
            own.0 += count;
            own.1.extend(kept);
            own.1.truncate(MOST_KEPT);
        }
    }

    /// Rows of `model` that are new.
    pub fn count_new(&self, model: &str) -> u64 {
        self.counts.get(model).map_or(0, |counts| counts.new)
    }

    /// For the terminal: of many notes the first.
    pub fn short(&self) -> String {
        self.text(MOST_SHOWN).unwrap_or_default()
    }

    /// All of it.
    pub fn long(&self) -> String {
        self.text(usize::MAX).unwrap_or_default()
    }

    fn text(&self, most: usize) -> Result<String, fmt::Error> {
        let mut text = String::new();
        writeln!(text, "{:24} {:>10} {:>13} {:>10}", "", "new", "already here", "left out")?;
        for (model, Counts { new, here, left }) in &self.counts {
            writeln!(text, "{model:24} {new:>10} {here:>13} {left:>10}")?;
        }
        if !self.left.is_empty() {
            writeln!(text, "\nLeft out:")?;
        }
        for ((model, why), rows) in &self.left {
            writeln!(text, "  {rows} {model}: {why}")?;
        }
        for (kind, (count, kept)) in &self.notes {
            writeln!(text, "\n{kind} ({count}):")?;
            for what in kept.iter().take(most) {
                writeln!(text, "  {what}")?;
            }
            if kept.len() > most {
                writeln!(text, "  … and {} more: --report FILE has them all", kept.len() - most)?;
            }
        }
        Ok(text)
    }
}

/// A text that somebody else wrote, for a terminal: what would steer it is shown as what it is. Cost: O(length).
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
