//! What else goes with a row: which tables refer to it, as the database itself has it, and how many rows do.

use super::plan::Total;
use super::resource::Resource;
use super::sql::{Read, Sql};
use super::value::{Key, Value};
use super::{RESOURCES, permission};
use crate::db::{Conn, Engine};
use crate::error::Result;
use crate::users::Person;

/// Rows counted before the count says "and more".
const MOST_COUNTED: i64 = 1000;

/// Rows of another model that refer to one which is to go.
pub struct Referring {
    pub resource: &'static Resource,
    pub column: &'static str,
    pub total: Total,
    /// They go too; else they stay and refer to nothing.
    pub go: bool,
    /// What goes with them in turn.
    pub with: Vec<&'static Resource>,
}

/// A reference from one table to another, and whether its rows go with what they refer to.
struct Reference {
    table: String,
    column: String,
    to: String,
    cascades: bool,
}

/// Everything that refers to the row, of models that `person` sees. Cost: 2 queries, O(1,000) a reference.
pub async fn of(conn: &mut Conn, resource: &Resource, person: &Person, key: &Key) -> Result<Vec<Referring>> {
    let references = references(conn).await?;
    let mut all = Vec::new();
    let mut sql = Sql::new("select cast(0 as bigint)");
    for reference in references.iter().filter(|reference| reference.to == resource.table) {
        let Some(other) = RESOURCES.iter().copied().find(|other| other.table == reference.table) else { continue };
        let Some(column) = other.column(&reference.column) else { continue };
        if !permission::may(other, person, super::resource::Act::View) {
            continue;
        }
        let with = references.iter().filter(|next| next.to == other.table && next.cascades);
        let with = with.filter_map(|next| RESOURCES.iter().copied().find(|model| model.table == next.table));
        let with = if reference.cascades { with.collect() } else { Vec::new() };
        let (go, total) = (reference.cascades, Total::default());
        all.push(Referring { resource: other, column: column.name, total, go, with });
        sql.push(&format!(", (select count(*) from (select 1 from {} where \"{}\" = ", other.table, column.name));
        sql.bind(key.value()).push(&format!(" limit {}) as counted)", MOST_COUNTED + 1));
    }
    let rows = sql.rows(conn, &vec![Read::Int; all.len() + 1]).await?;
    for (referring, count) in all.iter_mut().zip(&rows[0][1..]) {
        let count = count.as_int().unwrap_or(0);
        referring.total = Total { count: count.min(MOST_COUNTED), more: count > MOST_COUNTED };
    }
    all.retain(|referring| referring.total.count > 0);
    all.sort_by_key(|referring| !referring.go);
    Ok(all)
}

/// Every reference in the database, from its own catalogue: the one place where the two engines are asked differently.
async fn references(conn: &mut Conn) -> Result<Vec<Reference>> {
    let sql = match conn.engine() {
        Engine::Sqlite(_) => {
            "select m.name, f.\"from\", f.\"table\", f.on_delete = 'CASCADE'
             from sqlite_master m join pragma_foreign_key_list(m.name) f where m.type = 'table'"
        }
        Engine::Postgres(_) => {
            "select c.conrelid::regclass::text, a.attname::text, c.confrelid::regclass::text, c.confdeltype = 'c'
             from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
             join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace
             where c.contype = 'f' and n.nspname = current_schema()"
        }
    };
    let rows = Sql::new(sql).rows(conn, &[Read::Text, Read::Text, Read::Text, Read::Flag]).await?;
    let text = |value: &Value| value.plain();
    Ok(rows
        .iter()
        .map(|row| Reference {
            table: text(&row[0]),
            column: text(&row[1]),
            to: text(&row[2]),
            cascades: row[3] == Value::Flag(true),
        })
        .collect())
}
