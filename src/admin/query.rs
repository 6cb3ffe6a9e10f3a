//! What the address of a list asks for: [`Query`], read from `?q=…&role=admin&created_at.from=…&sort=-created_at`.
//!
//! A field that isn't there, is secret, or can't be asked for refuses the whole address (it would be an oracle, or a
//! typing mistake that shows more than was meant); a value that can't be read leaves the list as it is, with a message.

use std::ops::Range;

use serde_json::Value as Json;
use time::{Date, Month, OffsetDateTime};
use url::form_urlencoded;

use super::permission;
use super::resource::{Column, Kind, Resource, Search};
use super::sql::Read;
use super::value::Value;
use super::words::{self, Term};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::users::Person;

/// Rows on a page, to choose from; the second is what nobody chose.
pub const PER_PAGE: [usize; 4] = [25, 50, 100, 200];
const MOST_COLUMNS_SORTED: usize = 4;

/// How rows are narrowed by a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Is(Value),
    /// From the first (inclusive) to the second: exclusive for times, inclusive for numbers. Either may be open.
    Between(Option<Value>, Option<Value>),
    /// Nothing in it, or something.
    Empty(bool),
}

/// A key that a page begins after, or ends before.
#[derive(Clone, Debug, PartialEq)]
pub enum Cursor {
    After(Vec<Value>),
    Before(Vec<Value>),
}

/// A list as it was asked for.
#[derive(Clone, Debug)]
pub struct Query {
    pub q: String,
    pub terms: Vec<Term>,
    pub filters: Vec<(&'static Column, Filter)>,
    /// Columns and whether each falls. Never empty; the key settles ties.
    pub sort: Vec<(&'static Column, bool)>,
    pub page: usize,
    pub per_page: usize,
    pub cursor: Option<Cursor>,
    /// What couldn't be read, in words.
    pub complaints: Vec<String>,
    /// The address's own pairs, for links that change one of them.
    pub pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads an address's query. Errors: [`Error::Malformed`] that names a field which isn't there, is secret, or that
    /// lists aren't narrowed or sorted by. Cost: O(length).
    pub fn parse(resource: &'static Resource, person: &Person, query: &str) -> Result<Self> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let default = sort_of(resource, person, resource.order)?;
        let mut asked = Self {
            q: String::new(),
            terms: Vec::new(),
            filters: Vec::new(),
            sort: default,
            page: 1,
            per_page: PER_PAGE[1],
            cursor: None,
            complaints: Vec::new(),
            pairs: Vec::new(),
        };
        let mut keys = Vec::new();
        for (name, value) in &pairs {
            match name.as_str() {
                "q" => asked.search(resource, value),
                "sort" => {
                    let sort = sort_of(resource, person, value)?;
                    asked.sort = if sort.is_empty() { asked.sort } else { sort };
                }
                "page" => asked.number(name, value, 1..usize::MAX),
                "per" => asked.number(name, value, 1..PER_PAGE[3] + 1),
                "after" | "before" => keys.push((name.clone(), value.clone())),
                _ => asked.filter(resource, person, name, value)?,
            }
        }
        for (name, value) in keys {
            asked.cursor(resource, &name, &value);
        }
        asked.pairs = pairs;
        asked.pairs.retain(|(_, value)| !value.is_empty());
        Ok(asked)
    }

    /// Everything, as nobody asked for anything.
    pub fn all(resource: &'static Resource, person: &Person) -> Result<Self> {
        Self::parse(resource, person, "")
    }

    /// The address's query with `name` set to `value` (or left out, when empty), from the first page.
    pub fn with(&self, name: &str, value: &str) -> String {
        self.with_all(&[(name, value)])
    }

    /// The same with several. Cost: O(length).
    pub fn with_all(&self, changes: &[(&str, &str)]) -> String {
        let changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
        let kept = self
            .pairs
            .iter()
            .filter(|(name, _)| !changed(name) && !["page", "after", "before"].contains(&name.as_str()));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        query.extend_pairs(changes.iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }

    /// The whole query, as it was asked.
    pub fn text(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish()
    }

    /// What was asked in the field `name`, for forms.
    pub fn asked(&self, name: &str) -> &str {
        self.pairs.iter().rev().find(|(asked, _)| asked == name).map_or("", |(_, value)| value)
    }

    fn search(&mut self, resource: &Resource, q: &str) {
        if resource.search == Search::None && !q.trim().is_empty() {
            self.complaints.push(tr!("{} can't be searched; narrow them by a column instead.", resource.plural()));
            return;
        }
        self.q = q.to_owned();
        self.terms = words::terms(q);
    }

    fn number(&mut self, name: &str, value: &str, range: Range<usize>) {
        let place = if name == "page" { &mut self.page } else { &mut self.per_page };
        match value.trim().parse() {
            Ok(number) if range.contains(&number) => *place = number,
            Ok(number) if number >= range.end => *place = range.end - 1,
            _ if value.is_empty() => {}
            _ => self.complaints.push(tr!(
                "“{typed}” is no number of {name} from 1.",
                typed = shortened(value),
                name = name
            )),
        }
    }

    fn filter(&mut self, resource: &Resource, person: &Person, name: &str, value: &str) -> Result<()> {
        let (field, part) = name.split_once('.').unwrap_or((name, ""));
        let column = permission::column(resource, person, field)?;
        if !column.filtered {
            return Err(Error::Malformed(tr!(
                "{models} can't be narrowed by “{name}”.",
                models = resource.plural(),
                name = field
            )));
        }
        if !["", "from", "to", "empty"].contains(&part) {
            return Err(Error::Malformed(tr!(
                "“{name}” can't be asked: use {field}, {field}.from or {field}.to.",
                name = name,
                field = field
            )));
        }
        if value.trim().is_empty() {
            return Ok(());
        }
        match read_filter(column, part, value.trim()) {
            Ok(filter) => self.narrow(column, filter),
            Err(why) => self.complaints.push(format!("{}: {why}", column.heading())),
        }
        Ok(())
    }

    /// Two halves of a range become one.
    fn narrow(&mut self, column: &'static Column, filter: Filter) {
        let other = self
            .filters
            .iter_mut()
            .find(|(other, filter)| other.name == column.name && matches!(filter, Filter::Between(..)));
        match (other, filter) {
            (Some((_, Filter::Between(from, to))), Filter::Between(new_from, new_to)) => {
                *from = new_from.max(from.take());
                *to = match (new_to, to.take()) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            (_, filter) => self.filters.push((column, filter)),
        }
    }

    /// A key is a JSON array of the sort columns' values and the row's key. One that doesn't fit is left out.
    fn cursor(&mut self, resource: &Resource, name: &str, text: &str) {
        let Ok(Json::Array(items)) = serde_json::from_str::<Json>(text) else { return };
        let values: Option<Vec<Value>> = items.iter().map(key_value).collect();
        let Some(values) = values else { return };
        if values.len() != self.sort.len() + 1 {
            return;
        }
        // Of the columns' own types: PostgreSQL compares no others.
        let key = if resource.key == "id" { Read::Int } else { Read::Text };
        let reads = self.sort.iter().map(|(column, _)| Read::of(column)).chain([key]);
        let fit = reads.zip(&values).all(|(read, value)| match read {
            Read::Int | Read::Time => matches!(value, Value::Int(_)),
            Read::Flag => matches!(value, Value::Flag(_)),
            Read::Text => matches!(value, Value::Text(_)),
        });
        if !fit {
            return;
        }
        self.cursor = Some(if name == "after" { Cursor::After(values) } else { Cursor::Before(values) });
    }
}

fn key_value(item: &Json) -> Option<Value> {
    match item {
        Json::String(text) if !text.contains('\0') => Some(Value::Text(text.clone())),
        Json::Number(number) => number.as_i64().map(Value::Int),
        Json::Bool(flag) => Some(Value::Flag(*flag)),
        _ => None,
    }
}

/// The text of a key, as [`Query`] reads it back.
pub fn key_text(values: &[Value]) -> String {
    let item = |value: &Value| match value {
        Value::Null => Json::Null,
        Value::Flag(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Time(time) => time.0.into(),
        Value::Text(text) => text.as_str().into(),
    };
    Json::Array(values.iter().map(item).collect()).to_string()
}

fn sort_of(resource: &'static Resource, person: &Person, text: &str) -> Result<Vec<(&'static Column, bool)>> {
    let mut sort: Vec<(&'static Column, bool)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, falls) = part.strip_prefix('-').map_or((part, false), |name| (name, true));
        let column = permission::column(resource, person, name)?;
        if !column.sorted {
            return Err(Error::Malformed(tr!(
                "{models} can't be sorted by “{name}”.",
                models = resource.plural(),
                name = name
            )));
        }
        if sort.iter().all(|(other, _)| other.name != name) && sort.len() < MOST_COLUMNS_SORTED {
            sort.push((column, falls));
        }
    }
    // Few words, many ties: their index goes on with the default order.
    let default = resource.column(resource.order.trim_start_matches('-'));
    if let (Some((last, falls)), Some(default)) = (sort.last().copied(), default)
        && matches!(last.kind, Kind::Choice(_) | Kind::Flag)
        && sort.iter().all(|(other, _)| other.name != default.name)
    {
        sort.push((default, falls));
    }
    Ok(sort)
}

fn read_filter(column: &Column, part: &str, value: &str) -> Result<Filter, String> {
    if part == "empty" {
        return match value {
            "true" => Ok(Filter::Empty(true)),
            "false" => Ok(Filter::Empty(false)),
            _ => Err(tr!("“{}” isn't true or false.", shortened(value))),
        };
    }
    match column.kind {
        Kind::Time => {
            let span = span(value).ok_or_else(|| {
                tr!("“{}” is no date. Write 2026, 2026-01, 2026-01-31 or 2026-01-31T10:30:00Z.", shortened(value))
            })?;
            let (from, to) = (Some(Value::Time(span.start)), Some(Value::Time(span.end)));
            Ok(match part {
                "from" => Filter::Between(from, None),
                "to" => Filter::Between(None, to),
                _ => Filter::Between(from, to),
            })
        }
        Kind::Int | Kind::Count(..) => {
            let number = Value::Int(whole(value)?);
            Ok(match part {
                "from" => Filter::Between(Some(number), None),
                "to" => Filter::Between(None, Some(number)),
                _ => Filter::Is(number),
            })
        }
        _ if !part.is_empty() => Err(tr!("only times and numbers have a range.").into()),
        Kind::Reference(_) => Ok(Filter::Is(Value::Int(whole(value)?))),
        Kind::Flag => match value {
            "true" => Ok(Filter::Is(Value::Flag(true))),
            "false" => Ok(Filter::Is(Value::Flag(false))),
            _ => Err(tr!("“{}” isn't true or false.", shortened(value))),
        },
        Kind::Choice(choices) if choices.iter().all(|(word, _)| *word != value) => {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            Err(tr!("“{typed}” isn't one of {words}.", typed = shortened(value), words = words.join(", ")))
        }
        Kind::Choice(_) | Kind::Text | Kind::Long | Kind::Changes => {
            Ok(Filter::Is(Value::Text(value.replace('\0', ""))))
        }
    }
}

fn whole(value: &str) -> Result<i64, String> {
    value.parse().map_err(|_| tr!("“{}” is no whole number.", shortened(value)))
}

/// What was typed, cut where it gets long, for a message.
pub fn shortened(text: &str) -> String {
    let short: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if text.chars().count() > 40 { format!("{short}…") } else { short }
}

/// The time that a year, a month, a day or a moment takes, in UTC.
pub fn span(text: &str) -> Option<Range<Timestamp>> {
    let start_of = |date: Date| Timestamp::of(date.midnight().assume_utc());
    let parts: Vec<&str> = text.split('-').collect();
    let number = |place: usize, digits: usize| {
        let part: &&str = parts.get(place)?;
        if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) { part.parse::<i32>().ok() } else { None }
    };
    let month = |number: i32| Month::try_from(u8::try_from(number).ok()?).ok();
    if let (Some(year), 1) = (number(0, 4), parts.len()) {
        let next = Date::from_calendar_date(year + 1, Month::January, 1).ok()?;
        return Some(start_of(Date::from_calendar_date(year, Month::January, 1).ok()?)..start_of(next));
    }
    if let (Some(year), Some(m), 2) = (number(0, 4), number(1, 2), parts.len()) {
        let first = Date::from_calendar_date(year, month(m)?, 1).ok()?;
        let next = first.replace_day(28).ok()?.checked_add(time::Duration::days(4))?;
        return Some(start_of(first)..start_of(next.replace_day(1).ok()?));
    }
    if let (Some(year), Some(m), Some(day), 3) = (number(0, 4), number(1, 2), number(2, 2), parts.len()) {
        let date = Date::from_calendar_date(year, month(m)?, u8::try_from(day).ok()?).ok()?;
        return Some(start_of(date)..start_of(date.next_day()?));
    }
    let moment = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    let start = Timestamp::of(moment);
    Some(start..Timestamp(start.0 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spans() {
        let day = 86_400_000_000;
        assert_eq!(span("1970-01-02"), Some(Timestamp(day)..Timestamp(2 * day)));
        assert_eq!(span("1970"), Some(Timestamp(0)..Timestamp(365 * day)));
        assert_eq!(span("1970-02"), Some(Timestamp(31 * day)..Timestamp(59 * day)));
        assert_eq!(span("1970-01-01T00:00:01Z"), Some(Timestamp(1_000_000)..Timestamp(1_000_001)));
        for bad in ["", "70", "1970-13", "1970-02-30", "9999-12-32", "9999-12", "yesterday", "1970-1-1", "-1970"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
