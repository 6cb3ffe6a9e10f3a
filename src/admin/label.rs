//! What rows are called: a model's `name`, with references by what they refer to, fetched together for all rows of a
//! page, however many there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::resource::{Kind, Resource};
use super::value::{Row, Value};
use super::{find, record, wording};
use crate::db::Conn;
use crate::error::Result;
use crate::i18n::{self, Language};

/// How far names reach: a report's message is called by its sender and room, which are called by their own columns.
const DEPTH: usize = 2;

/// Names of referred rows by slug and id.
#[derive(Clone, Debug, Default)]
pub struct Labels(HashMap<(&'static str, i64), String>);

impl Labels {
    /// What the row `id` of `slug` is called; `None` when it isn't there any more.
    pub fn get(&self, slug: &'static str, id: i64) -> Option<&str> {
        self.0.get(&(slug, id)).map(String::as_str)
    }

    /// The names of all that `rows` refer to. Cost: 1 query a model referred to, at most two levels deep.
    pub async fn of(conn: &mut Conn, rows: &[Row]) -> Result<Self> {
        let mut labels = Self::default();
        labels.add(conn, rows, DEPTH).await?;
        Ok(labels)
    }

    async fn add(&mut self, conn: &mut Conn, rows: &[Row], depth: usize) -> Result<()> {
        if depth == 0 {
            return Ok(());
        }
        let mut wanted: BTreeMap<&'static str, BTreeSet<i64>> = BTreeMap::new();
        for (column, value) in rows.iter().flat_map(Row::pairs) {
            if let (Kind::Reference(slug), Value::Int(id)) = (column.kind, value)
                && !self.0.contains_key(&(slug, *id))
            {
                wanted.entry(slug).or_default().insert(*id);
            }
        }
        let mut found = Vec::new();
        for (slug, ids) in wanted {
            let Some(resource) = find(slug) else { continue };
            found.push((resource, record::named(conn, resource, ids).await?));
        }
        let all: Vec<Row> = found.iter().flat_map(|(_, rows)| rows.clone()).collect();
        Box::pin(self.add(conn, &all, depth - 1)).await?;
        for (resource, rows) in found {
            for row in rows {
                let name = self.name(resource, &row);
                self.0.insert((resource.slug, row.key.id()), name);
            }
        }
        Ok(())
    }

    /// What `row` is called, in the reader's language where there are words in it.
    pub fn name(&self, resource: &Resource, row: &Row) -> String {
        let mut name = String::new();
        let pattern =
            if wording::has_words(resource.name) { i18n::gettext(resource.name) } else { resource.name.into() };
        for part in parts(&pattern) {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Column(column) => name.push_str(&self.shown(row, column)),
            }
        }
        if name.trim().is_empty() { format!("{} {}", resource.singular(), row.key) } else { name }
    }

    fn shown(&self, row: &Row, name: &str) -> String {
        let value = row.get(name);
        let column = row.columns.iter().find(|column| column.name == name);
        match (column.map(|column| column.kind), value) {
            (Some(Kind::Reference(slug)), Value::Int(id)) => {
                self.get(slug, *id).map_or(format!("#{id}"), str::to_owned)
            }
            (Some(Kind::Reference(_)), _) => tr!("nobody").into_owned(),
            _ => {
                let text = value.plain();
                let short: String = text.chars().take(80).collect();
                if short.len() < text.len() { format!("{short}…") } else { short }
            }
        }
    }
}

/// What `row` is called in history: in English, as all that is stored for everybody. Cost: as [`Labels::of`].
pub async fn stored(conn: &mut Conn, resource: &Resource, row: &Row) -> Result<String> {
    let named = async { Ok(Labels::of(conn, std::slice::from_ref(row)).await?.name(resource, row)) };
    i18n::within(Language::English, named).await
}

enum Part<'a> {
    Text(&'a str),
    Column(&'a str),
}

fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for piece in template.split('{') {
        match piece.split_once('}') {
            Some((column, text)) => parts.extend([Part::Column(column), Part::Text(text)]),
            None => parts.push(Part::Text(piece)),
        }
    }
    parts
}

/// The columns that a model's rows are called by.
pub fn columns_of(resource: &Resource) -> Vec<&'static str> {
    let names = parts(resource.name).into_iter().filter_map(|part| match part {
        Part::Column(column) => resource.column(column).map(|column| column.name),
        Part::Text(_) => None,
    });
    names.collect()
}
