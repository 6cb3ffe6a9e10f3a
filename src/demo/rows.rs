//! Rows of the demo that wait to be written. Called by `demo::store` and what follows it.

use crate::db::Conn;
use crate::db::bulk;
pub(super) use crate::db::bulk::Value;
use crate::error::{Error, Result};
use crate::on_db;

pub(super) struct Rows<const N: usize>(Vec<[Value; N]>);

impl<const N: usize> Rows<N> {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn push(&mut self, row: [Value; N]) {
        self.0.push(row);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Inserts all rows into `columns` (`table (a, b, …)`). Cost: 1 statement for some dozen rows.
    pub async fn insert(self, conn: &mut Conn, columns: &str) -> Result<()> {
        let values = self.0.into_iter().flatten().collect();
        bulk::run(conn, &format!("insert into {columns} values"), N, values, "").await.map(|_| ())
    }

    /// Runs `update {table} set {changes}` for each row, whose first value is the id; `changes` calls the others
    /// `v.column2`, `v.column3` … Cost: 1 statement for some dozen rows.
    pub async fn update(self, conn: &mut Conn, table: &str, changes: &str) -> Result<()> {
        let values = self.0.into_iter().flatten().collect();
        let before = format!("update {table} set {changes} from (values");
        bulk::run(conn, &before, N, values, &format!(") as v where {table}.id = v.column1")).await.map(|_| ())
    }
}

/// The id of the first row of `table`, whose `count` rows must all be ours and follow one by one: asking this costs
/// less than having every id returned. Errors: [`Error::Startup`] when they don't. Cost: 2 looks into an index.
pub(super) async fn first_id(conn: &mut Conn, table: &str, count: u64) -> Result<i64> {
    let sql = format!("select (select min(id) from {table}), (select max(id) from {table})");
    let ends: (Option<i64>, Option<i64>) = on_db!(conn, c => sqlx::query_as(&sql).fetch_one(c).await)?;
    match ends {
        (Some(first), Some(last)) if (last - first + 1) as u64 == count => Ok(first),
        _ => Err(Error::startup("Somebody else writes to this database; stop that, empty it and try again.")),
    }
}
