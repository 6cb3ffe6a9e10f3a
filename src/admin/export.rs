//! Exports: all rows that a list finds, or those that are ticked, in the list's order, as a stream of a thousand rows at
//! a time. Called by `web::pages::admin::exports` and by the bulk action.
//!
//! Each piece is read when the one before is on its way, on a connection of its own, so a slow reader holds none and the
//! memory is that of one piece. The pieces are one moment each, not all together: a row that is saved meanwhile is in
//! the file as it was or as it is, and one whose place in the order changes may be in it twice or not at all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::condition::{self, Condition};
use super::plan::Listing;
use super::query::Query;
use super::record::{self, Columns};
use super::resource::{Act, Column, Kind, Resource};
use super::sql::Sql;
use super::value::{Key, Row, Value};
use super::{csv, list, permission};
use crate::app::App;
use crate::audit::{self, Changes, Entry};
use crate::error::{Error, Result};
use crate::users::Person;
use crate::work::Work;

/// Rows in one piece.
const TOGETHER: usize = 1000;
/// Characters of the query that history keeps.
const MOST_REMEMBERED: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    /// One array.
    Json,
    /// An object a line.
    JsonLines,
}

impl Format {
    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
        }
    }
}

/// The file, a piece at a time. An error is its last item: what was sent then is no whole file. Errors beforehand:
/// [`Error::Forbidden`], and [`Error::Malformed`] for a query of which a part can't be read, since more would leave than
/// was meant. Of `keys` only those that the query finds. Cost: 2 queries now, 1 for each 1,000 rows.
pub async fn stream(
    app: &App,
    person: &Person,
    resource: &'static Resource,
    query: &Query,
    keys: Option<Vec<Key>>,
    format: Format,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
    permission::require(resource, person, Act::Export)?;
    if let Some(complaint) = query.complaints.first() {
        return Err(Error::Malformed(complaint.clone()));
    }
    let mut conn = app.db.read().await?;
    let mut conditions = condition::all(&mut conn, resource, person, query);
    conditions.extend(keys.map(|keys| among(resource, &keys)));
    let listing = Listing::plan(&mut conn, resource, conditions, query).await?;
    drop(conn);
    let columns = columns(resource, person);
    let part = Part { app: app.clone(), listing, columns, format, after: None, is_first: true };
    Ok(try_unfold(Some(part), |part| async move {
        match part {
            Some(part) => part.next().await.map(Some),
            None => Ok(None),
        }
    }))
}

/// Writes into history that `person` took this file. Cost: 1 write transaction.
pub async fn remember(app: &App, person: &Person, ip: &str, resource: &Resource, file: &str) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    work.ip = ip.to_owned();
    let label: String = file.chars().take(MOST_REMEMBERED).collect();
    let entry = Entry {
        action: "export",
        model: resource.slug,
        object_id: String::new(),
        object_label: &label,
        changes: &Changes::new(),
        form_token: None,
    };
    audit::record(&mut work, &entry).await?;
    work.commit().await
}

/// What stands in the file besides the key, which comes first: all that is stored and `person` sees.
fn columns(resource: &Resource, person: &Person) -> Columns {
    let seen = record::seen(resource, person);
    Arc::new(seen.iter().copied().filter(|column| column.name != resource.key).collect())
}

/// Only these rows.
fn among(resource: &Resource, keys: &[Key]) -> Condition {
    let write = |expression: String| {
        let mut sql = Sql::new(format!("{expression} in ("));
        if resource.key == "id" {
            sql.ids(keys.iter().map(Key::id));
        } else {
            let names: Vec<Sql> = keys.iter().map(|key| std::mem::take(Sql::default().bind(key.value()))).collect();
            sql.join(&names, ", ");
        }
        sql.push(")");
        sql
    };
    let name = resource.key;
    let natural = write(format!("\"{name}\""));
    let guarded = write(if name == "id" { "(\"id\" + 0)".into() } else { format!("(\"{name}\" || '')") });
    Condition { column: None, natural, guarded, leads: false, partial: false, full_text: false }
}

/// What is still to be written.
struct Part {
    app: App,
    listing: Listing,
    columns: Columns,
    format: Format,
    after: Option<Vec<Value>>,
    is_first: bool,
}

impl Part {
    /// One piece, and what comes after it.
    async fn next(mut self) -> Result<(Bytes, Option<Self>)> {
        let mut conn = self.app.db.read().await?;
        let after = self.after.take();
        let (rows, last) = list::batch(&mut conn, &self.listing, &self.columns, after, TOGETHER).await?;
        drop(conn);
        let mut out = Vec::with_capacity(rows.len() * 256);
        if self.is_first {
            self.head(&mut out)?;
        }
        for (place, row) in rows.iter().enumerate() {
            self.row(&mut out, row, self.is_first && place == 0)?;
        }
        if last.is_none() && self.format == Format::Json {
            out.extend_from_slice(b"\n]\n");
        }
        (self.is_first, self.after) = (false, last);
        let more = self.after.is_some().then_some(self);
        Ok((out.into(), more))
    }

    fn head(&self, out: &mut Vec<u8>) -> Result<()> {
        let names = [self.listing.resource.key].into_iter().chain(self.columns.iter().map(|column| column.name));
        match self.format {
            Format::Csv => csv::write(out, names.map(Cow::from))?,
            Format::Json => out.extend_from_slice(b"[\n"),
            Format::JsonLines => {}
        }
        Ok(())
    }

    fn row(&self, out: &mut Vec<u8>, row: &Row, is_first: bool) -> Result<()> {
        let record = Record { key: self.listing.resource.key, row, exact: false };
        match self.format {
            Format::Csv => {
                let cells = row.pairs().map(|(column, value)| cell(column.kind, value));
                csv::write(out, [csv::defused(&row.key.to_string()).into_owned().into()].into_iter().chain(cells))?;
            }
            Format::Json => {
                out.extend_from_slice(if is_first { b"" } else { b",\n" });
                serde_json::to_writer(out, &record).map_err(Error::internal)?;
            }
            Format::JsonLines => {
                serde_json::to_writer(&mut *out, &record).map_err(Error::internal)?;
                out.push(b'\n');
            }
        }
        Ok(())
    }
}

/// A value as a CSV cell. A number below nought is one: only texts are kept from being computed.
fn cell(kind: Kind, value: &Value) -> Cow<'_, str> {
    match (kind, value) {
        (Kind::Choice(_), Value::Text(word)) => word.into(),
        (_, Value::Text(text)) => csv::defused(text),
        (_, other) => other.plain().into(),
    }
}

/// A row as a JSON object, the key first.
pub(crate) struct Record<'a> {
    pub key: &'static str,
    pub row: &'a Row,
    /// With what its times have beyond the millisecond, under `micros`, so that they can be read back as they are stored.
    pub exact: bool,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { key, row, exact } = self;
        let micros = if *exact { micros(row) } else { BTreeMap::new() };
        let more = usize::from(!micros.is_empty());
        let mut object = serializer.serialize_map(Some(row.values.len() + 1 + more))?;
        object.serialize_entry(key, &row.key.value())?;
        for (column, value) in row.pairs() {
            object.serialize_entry(column.name, value)?;
        }
        if !micros.is_empty() {
            object.serialize_entry("micros", &micros)?;
        }
        object.end()
    }
}

/// By column: the microseconds of a time that its milliseconds don't tell.
fn micros(row: &Row) -> BTreeMap<&'static str, i64> {
    let rest = |(column, value): (&'static Column, &Value)| match value {
        Value::Time(time) => Some((column.name, time.0.rem_euclid(1000))),
        _ => None,
    };
    row.pairs().filter_map(rest).filter(|(_, rest)| *rest > 0).collect()
}
