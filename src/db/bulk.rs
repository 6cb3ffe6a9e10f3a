//! Many rows in one statement, the same text on both engines. Called by what writes a site at once: `demo::store` and
//! `transfer`.

use super::{Conn, Engine};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::on_db;

/// In one statement of PostgreSQL, far below what it takes (65,535).
const PARAMETERS: usize = 160;
/// The same for SQLite, which takes 32,766, and whose thread is a hop away for each. Its places have no numbers: it would
/// look each up in a list of them all, so that a long statement cost the square of its length.
const SQLITE_PARAMETERS: usize = 640;

/// What a column holds. One Rust type a column: PostgreSQL keeps prepared statements by their text alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
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

/// Runs `{before} ($1, …), ($…) {after}` over rows of `width` values each, as many at a time as fit a statement; says how
/// many rows it changed. The two texts are ours: nothing is escaped. Cost: 1 statement for some dozen rows.
pub(crate) async fn run(conn: &mut Conn, before: &str, width: usize, values: Vec<Value>, after: &str) -> Result<u64> {
    let numbered = matches!(conn.engine(), Engine::Postgres(_));
    let most = (if numbered { PARAMETERS } else { SQLITE_PARAMETERS } / width).max(1);
    let mut left = values.len() / width;
    let mut values = values.into_iter();
    let mut changed = 0;
    while left > 0 {
        let count = left.min(most);
        let sql = format!("{before} {}{after}", places(width, count, numbered));
        changed += statement(conn, &sql, count == most, values.by_ref().take(count * width)).await?;
        left -= count;
    }
    Ok(changed)
}

/// `($1, $2), ($3, $4)`, or `(?, ?), (?, ?)`.
fn places(width: usize, rows: usize, numbered: bool) -> String {
    let place = |number: usize| if numbered { format!("${number}") } else { "?".to_owned() };
    let row = |row: usize| {
        let places: Vec<String> = (1..=width).map(|column| place(row * width + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

async fn statement(conn: &mut Conn, sql: &str, again: bool, values: impl Iterator<Item = Value>) -> Result<u64> {
    Ok(on_db!(conn, c => {
        let mut query = sqlx::query(sql).persistent(again);
        for value in values {
            query = match value {
                Value::Number(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
                Value::Flag(flag) => query.bind(flag),
            };
        }
        query.execute(c).await.map(|done| done.rows_affected())
    })?)
}
