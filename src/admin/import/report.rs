//! What an import would do, as its page tells it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::admin::resource::Column;

/// Records of which it is told what would change.
pub const MOST_SHOWN: usize = 200;
/// Bad lines that are told.
pub const MOST_BAD: usize = 1000;
/// Characters of a value.
const MOST_OF_A_VALUE: usize = 200;

/// What a file is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    #[default]
    Line,
    /// Of an array: its objects may stand on any line.
    Record,
}

#[derive(Default)]
pub struct Report {
    pub unit: Unit,
    pub made: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub shown: Vec<Shown>,
    pub bad_lines: usize,
    /// The first of them, with the reason.
    pub bad: Vec<(usize, String)>,
    /// Columns that differ but only read: the first line, and on how many.
    pub left: BTreeMap<String, (usize, usize)>,
}

/// What one line would make or change.
pub struct Shown {
    pub line: usize,
    pub name: String,
    /// Empty for what isn't there yet.
    pub href: String,
    /// Title, before, after.
    pub fields: Vec<(String, String, String)>,
}

impl Report {
    pub fn bad(&mut self, line: usize, why: String) {
        self.bad_lines += 1;
        // Lines are compared first and tried then, so their reasons don't come in order.
        let place = self.bad.partition_point(|(earlier, _)| *earlier <= line);
        self.bad.insert(place, (line, why));
        self.bad.truncate(MOST_BAD);
    }

    pub fn left(&mut self, column: &Column, line: usize) {
        let (_, lines) = self.left.entry(column.heading()).or_insert((line, 0));
        *lines += 1;
    }

    /// Records that would be stored.
    pub fn stored(&self) -> usize {
        self.made + self.changed
    }
}

/// A value as a table shows it.
pub fn short(json: &Json) -> String {
    let text = match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let short: String = text.chars().take(MOST_OF_A_VALUE).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
