//! One value as a page shows it: the text, what it leads to, how it is set.

use crate::admin::label::Labels;
use crate::admin::plan::Total;
use crate::admin::resource::{Act, Column, Kind, Resource};
use crate::admin::value::{Row, Value};
use crate::admin::{find, permission, wording};
use crate::i18n::{date_time, number};
use crate::users::Person;

/// Characters of a text in a list.
const MOST_SHOWN: usize = 120;

#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub text: String,
    /// Where it leads; empty for nowhere.
    pub href: String,
    /// A class: `number`, `time`, `yes`, `no`, `tag`, `none`.
    pub class: &'static str,
    /// For times, what a machine reads.
    pub datetime: String,
}

impl Cell {
    fn new(text: impl Into<String>, class: &'static str) -> Self {
        Self { text: text.into(), class, ..Self::default() }
    }
}

/// The value of a column in a row, for `person`. Cost: no query.
pub fn cell(person: &Person, column: &Column, row: &Row, labels: &Labels) -> Cell {
    let value = row.get(column.name);
    match (column.kind, value) {
        (_, Value::Null) => Cell::new("–", "none"),
        (Kind::Reference(slug), Value::Int(id)) => {
            let name = labels.get(slug, *id).map_or_else(|| format!("#{id}"), str::to_owned);
            let leads = find(slug).is_some_and(|resource| permission::may(resource, person, Act::View));
            let href = if leads { format!("/admin/{slug}/{id}/") } else { String::new() };
            Cell { text: name, href, ..Cell::default() }
        }
        (Kind::Choice(choices), Value::Text(word)) => {
            let label = choices.iter().find(|(choice, _)| choice == word);
            Cell::new(label.map_or(word.as_str().into(), |(_, label)| wording::said(label)), "tag")
        }
        (_, Value::Flag(true)) => Cell::new(tr!("Yes"), "yes"),
        (_, Value::Flag(false)) => Cell::new(tr!("No"), "no"),
        (_, Value::Time(time)) => {
            Cell { text: date_time(*time), class: "time", datetime: time.to_string(), ..Cell::default() }
        }
        (_, Value::Int(count)) => Cell::new(number(*count), "number"),
        (_, Value::Text(text)) if text.is_empty() => Cell::new("–", "none"),
        (_, Value::Text(text)) => Cell::new(cut(text), ""),
    }
}

/// A count of rows that refer to this one, which leads to them.
pub fn count(column: &Column, row: &Row, total: Option<&Total>) -> Cell {
    let Kind::Count(slug, reference) = column.kind else { return Cell::default() };
    let total = total.copied().unwrap_or_default();
    let href = if total.count > 0 { format!("/admin/{slug}/?{reference}={}", row.key) } else { String::new() };
    Cell { text: said(total), href, class: "number", ..Cell::default() }
}

/// A total in words: `12`, or `10,000+`.
pub fn said(total: Total) -> String {
    format!("{}{}", number(total.count), if total.more { "+" } else { "" })
}

/// So many rows of a model, in words: `1 person`, `10,000+ people`.
pub fn counted(resource: &Resource, total: Total) -> String {
    resource.counted(said(total), total.count == 1 && !total.more)
}

/// The first line of a text, cut where it gets long.
fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(MOST_SHOWN).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
