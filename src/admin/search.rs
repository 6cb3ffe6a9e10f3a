//! Searching everything at once: the first hits of every model that a person sees. Each model finds as its list does,
//! so that no search costs more than a page of each list.

use super::label::Labels;
use super::plan::Total;
use super::query::Query;
use super::resource::{Resource, Search};
use super::value::Key;
use super::{list, permission, record, words};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::users::Person;

/// Hits shown of a model.
const MOST: usize = 5;
/// Characters of a search; what comes after isn't looked for.
pub const LONGEST: usize = 200;

/// What one model has.
pub struct Hits {
    pub resource: &'static Resource,
    pub rows: Vec<(Key, String)>,
    /// How many its list has; none where only an id was found.
    pub total: Total,
}

/// The text that is looked for: cut where it gets long; empty when there is nothing in it to find.
pub fn asked(q: &str) -> String {
    let q: String = q.trim().chars().take(LONGEST).collect();
    if words::terms(&q).is_empty() { String::new() } else { q }
}

/// The models in which `q` finds something. Cost: a constant number of queries a model, each as its list's.
pub async fn everywhere(conn: &mut Conn, person: &Person, q: &str) -> Result<Vec<Hits>> {
    let mut all = Vec::new();
    let q = asked(q);
    if q.is_empty() {
        return Ok(all);
    }
    for resource in permission::visible(person) {
        let mut hits = within(conn, resource, person, &q).await?;
        by_id(conn, person, &q, &mut hits).await?;
        if !hits.rows.is_empty() {
            all.push(hits);
        }
    }
    Ok(all)
}

async fn within(conn: &mut Conn, resource: &'static Resource, person: &Person, q: &str) -> Result<Hits> {
    let mut hits = Hits { resource, rows: Vec::new(), total: Total::default() };
    if resource.search == Search::None {
        return Ok(hits);
    }
    let mut query = Query::all(resource, person)?;
    (query.q, query.terms, query.per_page) = (q.to_owned(), words::terms(q), MOST);
    let (page, _) = list::load(conn, resource, person, &query).await?;
    hits.rows = page.rows.iter().map(|row| (row.key.clone(), page.labels.name(resource, row))).collect();
    hits.total = page.total;
    Ok(hits)
}

/// An id is found by itself, in models that can't be searched too.
async fn by_id(conn: &mut Conn, person: &Person, q: &str, hits: &mut Hits) -> Result<()> {
    let is_number = q.bytes().all(|digit| digit.is_ascii_digit());
    let Some(id) = q.parse().ok().filter(|_| is_number && hits.resource.key == "id") else { return Ok(()) };
    if hits.rows.iter().any(|(key, _)| *key == Key::Id(id)) {
        return Ok(());
    }
    match record::read(conn, hits.resource, person, &Key::Id(id)).await {
        Ok(row) => {
            let labels = Labels::of(conn, std::slice::from_ref(&row)).await?;
            hits.rows.insert(0, (row.key.clone(), labels.name(hits.resource, &row)));
            Ok(())
        }
        Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
