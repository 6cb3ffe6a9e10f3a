//! From a line to a row: its id here, the ids of what it refers to, and the statement that stores it. Called by the rest of
//! `transfer::take`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Taking;
use crate::admin::column::{Column, Kind};
use crate::admin::value::Value;
use crate::db::Conn;
use crate::db::bulk;
use crate::error::{Error, Result};
use crate::transfer::lines::{Line, Lines};
use crate::transfer::models;

/// What rows of a batch refer to, by model: what is there.
pub(super) struct References(HashMap<&'static str, HashMap<String, i64>>);

/// A row that is about to be stored.
pub(super) struct Row {
    pub theirs: String,
    pub ours: i64,
    /// In the order of the model's columns.
    pub values: Vec<bulk::Value>,
}

impl Row {
    /// The number at a place of its values; nought where there is none.
    pub fn number(&self, place: usize) -> i64 {
        match self.values.get(place) {
            Some(bulk::Value::Number(Some(number))) => *number,
            _ => 0,
        }
    }
}

impl References {
    pub fn of(&self, slug: &str, theirs: &str) -> Option<i64> {
        self.0.get(slug)?.get(theirs).copied()
    }

    /// More of them, which are about to be stored.
    pub fn add(&mut self, slug: &'static str, more: impl IntoIterator<Item = (String, i64)>) {
        self.0.entry(slug).or_default().extend(more);
    }
}

impl Taking<'_> {
    /// What `batch` refers to, and `more` besides. Cost: 1 query for each 64 of each model.
    pub(super) async fn references(
        &self,
        conn: &mut Conn,
        lines: &Lines,
        batch: &[Line],
        more: &[(&'static str, &str)],
    ) -> Result<References> {
        let mut wanted: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
        for (slug, theirs) in more {
            wanted.entry(slug).or_default().insert(theirs);
        }
        for line in batch {
            if lines.model.resource.key == "user_id" {
                wanted.entry("users").or_default().insert(&line.theirs);
            }
            for (column, value) in lines.columns.iter().zip(&line.values) {
                if let (Kind::Reference(slug), Value::Text(theirs)) = (column.kind, value) {
                    wanted.entry(slug).or_default().insert(theirs);
                }
            }
        }
        let source = self.source()?;
        let mut found = HashMap::new();
        for (slug, theirs) in wanted {
            let theirs: Vec<&str> = theirs.into_iter().collect();
            let table = models::find(slug).map_or(slug, |model| model.table());
            found.insert(slug, source.standing(conn, slug, table, &theirs).await?);
        }
        Ok(References(found))
    }

    /// The ids that rows of `batch` get. Cost: 1 query, or none where ids are kept.
    pub(super) async fn ids(&self, conn: &mut Conn, lines: &Lines, batch: &[Line]) -> Result<Vec<i64>> {
        if self.keeps_ids {
            return batch.iter().map(|line| line.theirs.parse().map_err(Error::internal)).collect();
        }
        conn.reserve(lines.model.table(), batch.len()).await
    }

    /// The rows of `batch`, without those whose room, message or person isn't here: they are counted as left out.
    pub(super) async fn rows(&mut self, conn: &mut Conn, lines: &Lines, batch: Vec<Line>) -> Result<Vec<Row>> {
        let references = self.references(conn, lines, &batch, &[]).await?;
        let ids = match lines.model.resource.key {
            "id" => self.ids(conn, lines, &batch).await?,
            _ => batch.iter().map(|line| references.of("users", &line.theirs).unwrap_or(0)).collect(),
        };
        let mut rows = Vec::with_capacity(batch.len());
        for (line, ours) in batch.into_iter().zip(ids) {
            rows.extend(self.row(lines, line, ours, &references).filter(|row| row.ours > 0));
        }
        Ok(rows)
    }

    /// One of them.
    pub(super) fn row(&mut self, lines: &Lines, line: Line, ours: i64, references: &References) -> Option<Row> {
        let values = lines.columns.iter().zip(line.values).map(|(column, value)| stored(column, value, references));
        let values: Option<Vec<_>> = values.collect();
        if values.is_none() || ours <= 0 {
            self.report.left(lines.model.slug(), "what they belong to isn't here, or isn't any more", 1);
        }
        Some(Row { theirs: line.theirs, ours, values: values? })
    }

    /// Stores `rows`, with `more` columns behind the model's own, and writes down what they are; one that breaks a rule of the
    /// table (`on conflict do nothing`) is left out where `or_leave`. How many were stored. Cost: 1 statement for some dozen rows,
    /// twice.
    pub(super) async fn insert(
        &mut self,
        conn: &mut Conn,
        lines: &Lines,
        rows: Vec<Row>,
        more: &[&'static str],
        or_leave: bool,
    ) -> Result<u64> {
        let (model, count) = (lines.model, rows.len() as u64);
        let names = lines.columns.iter().map(|column| column.name).chain(more.iter().copied());
        let names: String = names.map(|name| format!(", \"{name}\"")).collect();
        let into = format!("insert into {} (\"{}\"{names}) values", model.table(), model.resource.key);
        let width = 1 + lines.columns.len() + more.len();
        let (mut values, mut came) = (Vec::with_capacity(rows.len() * width), Vec::with_capacity(rows.len()));
        for row in rows {
            values.push(row.ours.into());
            values.extend(row.values);
            came.push((row.theirs, row.ours));
        }
        let after = if or_leave { " on conflict do nothing" } else { "" };
        let stored = bulk::run(conn, &into, width, values, after).await.map_err(|error| clash(model.slug(), error))?;
        self.source()?.remember(conn, model.slug(), came).await?;
        self.report.new_rows(model.slug(), stored);
        self.report.left(model.slug(), "the same is here already", count - stored);
        Ok(stored)
    }
}

/// What stands in the way where names and numbers should have been free.
fn clash(slug: &str, error: Error) -> Error {
    match error {
        Error::Internal(cause) => Error::startup(format!(
            "{slug} can't be stored beside what is here: {cause}. What came before it stays; run the command again to go on."
        )),
        error => error,
    }
}

/// A value as the table holds it; `None` for a reference to what isn't here that can't be empty.
fn stored(column: &Column, value: Value, references: &References) -> Option<bulk::Value> {
    Some(match (column.kind, value) {
        (Kind::Reference(slug), Value::Text(theirs)) => match references.of(slug, &theirs) {
            None if !column.nullable => return None,
            ours => ours.into(),
        },
        (_, Value::Int(number)) => number.into(),
        (_, Value::Time(time)) => time.into(),
        (_, Value::Flag(flag)) => flag.into(),
        (_, Value::Text(text)) => text.into(),
        (Kind::Int | Kind::Time | Kind::Reference(_) | Kind::Count(..) | Kind::Flag, Value::Null) => {
            bulk::Value::Number(None)
        }
        (Kind::Text | Kind::Long | Kind::Choice(_) | Kind::Changes, Value::Null) => bulk::Value::Text(None),
    })
}

/// The text in a column of a line; empty where there is none.
pub(super) fn text<'a>(lines: &Lines, line: &'a Line, name: &str) -> &'a str {
    match line.values.get(lines.place(name)) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

/// Puts another value in its place.
pub(super) fn set(lines: &Lines, line: &mut Line, name: &str, value: Value) {
    if let Some(own) = line.values.get_mut(lines.place(name)) {
        *own = value;
    }
}
