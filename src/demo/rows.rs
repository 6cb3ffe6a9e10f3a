//! Many rows in one statement, the same text on both engines. Called by `demo::store` and `demo::extras`.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::on_db;

/// In one statement. Far below what the engines take (32,766 and 65,535): SQLite looks each numbered parameter up in a
/// list of them all, so a long statement costs the square of its length.
const PARAMETERS: usize = 160;

/// What a column holds. One Rust type a column: PostgreSQL keeps prepared statements by their text alone.
pub(super) enum Value {
    Number(Option<i64>),
    Text(Option<String>),
    Flag(bool),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Number(Some(time.0))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(time: Option<Timestamp>) -> Self {
        Self::Number(time.map(|time| time.0))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// Rows that wait to be written.
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
        let mut rows = self.0.into_iter();
        while rows.len() > 0 {
            let count = rows.len().min(PARAMETERS / N);
            let sql = format!("insert into {columns} values {}", places(N, count));
            run(conn, &sql, count == PARAMETERS / N, rows.by_ref().take(count)).await?;
        }
        Ok(())
    }

    /// Runs `update {table} set {changes}` for each row, whose first value is the id; `changes` calls the others
    /// `v.column2`, `v.column3` … Cost: 1 statement for some dozen rows.
    pub async fn update(self, conn: &mut Conn, table: &str, changes: &str) -> Result<()> {
        let mut rows = self.0.into_iter();
        while rows.len() > 0 {
            let count = rows.len().min(PARAMETERS / N);
            let values = places(N, count);
            let sql = format!("update {table} set {changes} from (values {values}) as v where {table}.id = v.column1");
            run(conn, &sql, count == PARAMETERS / N, rows.by_ref().take(count)).await?;
        }
        Ok(())
    }
}

/// `($1, $2), ($3, $4)`.
fn places(width: usize, rows: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

async fn run<const N: usize>(
    conn: &mut Conn,
    sql: &str,
    again: bool,
    rows: impl Iterator<Item = [Value; N]>,
) -> Result<()> {
    Ok(on_db!(conn, c => {
        let mut query = sqlx::query(sql).persistent(again);
        for value in rows.flatten() {
            query = match value {
                Value::Number(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
                Value::Flag(flag) => query.bind(flag),
            };
        }
        query.execute(c).await.map(|_| ())
    })?)
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
