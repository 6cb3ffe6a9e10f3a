//! Single rows: read as a person sees them, held for a change, or by their ids for their names.

use std::sync::Arc;

use super::label;
use super::permission;
use super::resource::{Column, Resource};
use super::sql::{Read, Sql};
use super::value::{Key, Row, Value};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::users::Person;

pub type Columns = Arc<Vec<&'static Column>>;

pub const NOT_THERE: Error = Error::NotFound(msgid!("There is no such record. It may have been deleted meanwhile."));

/// All stored columns that `person` sees.
pub fn seen(resource: &Resource, person: &Person) -> Columns {
    Arc::new(resource.stored().filter(|column| permission::sees(person, column)).collect())
}

/// All stored columns.
pub fn stored(resource: &Resource) -> Columns {
    Arc::new(resource.stored().collect())
}

/// What is selected for rows of `columns`: the key first.
pub fn selected(resource: &Resource, columns: &[&'static Column]) -> String {
    let names = columns.iter().map(|column| format!(", \"{}\"", column.name));
    format!("\"{}\"{}", resource.key, names.collect::<String>())
}

/// How that is read.
pub fn reads(resource: &Resource, columns: &[&'static Column]) -> Vec<Read> {
    let key = if resource.key == "key" { Read::Text } else { Read::Int };
    [key].into_iter().chain(columns.iter().map(|column| Read::of(column))).collect()
}

/// A row from what was read; what comes after its columns stays behind.
pub fn row(columns: &Columns, values: &mut Vec<Value>) -> Row {
    let mut own = values.drain(..=columns.len());
    let key = match own.next() {
        Some(Value::Int(id)) => Key::Id(id),
        other => Key::Name(other.map(|value| value.plain()).unwrap_or_default()),
    };
    let values = own.collect();
    Row { key, columns: columns.clone(), values }
}

/// The row that `person` sees under this key. Errors: [`Error::NotFound`]. Cost: 1 query by the key.
pub async fn read(conn: &mut Conn, resource: &Resource, person: &Person, key: &Key) -> Result<Row> {
    look(conn, resource, person, key).await?.ok_or(NOT_THERE)
}

/// The same; `None` for a row that isn't there or that they don't see. Cost: 1 query by the key.
pub async fn look(conn: &mut Conn, resource: &Resource, person: &Person, key: &Key) -> Result<Option<Row>> {
    let columns = seen(resource, person);
    let scope = permission::scope(resource, person).map(|scope| format!(" and ({scope})")).unwrap_or_default();
    one(conn, resource, columns, key, &scope).await
}

/// The whole row under this key, if it is there. Cost: 1 query by the key.
pub async fn find(conn: &mut Conn, resource: &Resource, key: &Key) -> Result<Option<Row>> {
    one(conn, resource, stored(resource), key, "").await
}

/// The whole row, and nobody else changes it until the transaction ends. Errors: [`Error::NotFound`].
/// Cost: 2 statements by the key.
pub async fn hold(conn: &mut Conn, resource: &Resource, key: &Key) -> Result<Row> {
    let name = resource.key;
    let mut sql = Sql::new(format!("update {} set \"{name}\" = \"{name}\" where \"{name}\" = ", resource.table));
    sql.bind(key.value()).push(&format!(" returning \"{name}\""));
    sql.rows(conn, &reads(resource, &[])).await?;
    find(conn, resource, key).await?.ok_or(NOT_THERE)
}

async fn one(conn: &mut Conn, resource: &Resource, columns: Columns, key: &Key, and: &str) -> Result<Option<Row>> {
    let selected = selected(resource, &columns);
    let mut sql = Sql::new(format!("select {selected} from {} where \"{}\" = ", resource.table, resource.key));
    sql.bind(key.value()).push(and);
    let mut rows = sql.rows(conn, &reads(resource, &columns)).await?;
    Ok(rows.first_mut().map(|values| row(&columns, values)))
}

/// The rows with these ids, as far as their names need. Cost: 1 query by the key, O(ids).
/// A model whose rows are named by a text has none with an id.
pub async fn named(conn: &mut Conn, resource: &Resource, ids: impl IntoIterator<Item = i64>) -> Result<Vec<Row>> {
    if resource.key != "id" {
        return Ok(Vec::new());
    }
    let columns: Columns =
        Arc::new(label::columns_of(resource).into_iter().filter_map(|name| resource.column(name)).collect());
    let selected = selected(resource, &columns);
    let mut sql = Sql::new(format!("select {selected} from {} where \"{}\" in (", resource.table, resource.key));
    sql.ids(ids).push(")");
    let rows = sql.rows(conn, &reads(resource, &columns)).await?;
    Ok(rows.into_iter().map(|mut values| row(&columns, &mut values)).collect())
}
