//! Finding the row that a reference is to name: as it is typed, and by what was typed. Who may not see a model finds
//! nothing in it.

use super::label::Labels;
use super::query::Query;
use super::resource::{Act, Resource, Search};
use super::sql::{Read, Sql};
use super::value::{Key, Value};
use super::{find, list, permission, record};
use crate::db::Conn;
use crate::error::Result;
use crate::text::fold;
use crate::users::Person;

/// Rows offered.
const MOST: usize = 25;

/// Whom a text names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found {
    One(i64),
    Several,
    None,
}

/// Rows of `resource` that are found by `q`, with their names; at most 25. Cost: as a list's first page.
pub async fn search(
    conn: &mut Conn,
    resource: &'static Resource,
    person: &Person,
    q: &str,
) -> Result<Vec<(i64, String)>> {
    permission::require(resource, person, Act::View)?;
    let mut query = Query::parse(resource, person, &format!("per={MOST}"))?;
    query.q = q.to_owned();
    query.terms = super::words::terms(q);
    let (page, _) = list::load(conn, resource, person, &query).await?;
    let mut found: Vec<(i64, String)> =
        // What is named by a text can't be referred to by an id.
        page.rows.iter().filter(|_| resource.key == "id").map(|row| (row.key.id(), page.labels.name(resource, row))).collect();
    // An id is found by itself, whatever else begins with these digits.
    if let Some(key @ Key::Id(id)) = resource.parse_key(q.trim())
        && found.iter().all(|(found, _)| *found != id)
        && let Some(row) = record::look(conn, resource, person, &key).await?
    {
        let labels = Labels::of(conn, std::slice::from_ref(&row)).await?;
        found.insert(0, (id, labels.name(resource, &row)));
    }
    Ok(found)
}

/// The row of `slug` that `text` names: by its id, or by exactly what it is found by first (a user's name, a room's).
/// Cost: at most 2 indexed queries.
pub async fn resolve(conn: &mut Conn, person: &Person, slug: &str, text: &str) -> Result<Found> {
    let Some(resource) = find(slug).filter(|resource| permission::may(resource, person, Act::View)) else {
        return Ok(Found::None);
    };
    if let Ok(id) = text.parse()
        && record::look(conn, resource, person, &Key::Id(id)).await?.is_some()
    {
        return Ok(Found::One(id));
    }
    let Search::Prefix([first, ..]) = resource.search else { return Ok(Found::None) };
    let mut sql = Sql::new(format!("select \"{}\" from {} where {first} = ", resource.key, resource.table));
    sql.bind(Value::Text(fold(text.trim()))).push(" limit 2");
    let rows = sql.rows(conn, &[Read::Int]).await?;
    Ok(match rows.as_slice() {
        [] => Found::None,
        [only] => only[0].as_int().map_or(Found::None, Found::One),
        _ => Found::Several,
    })
}
