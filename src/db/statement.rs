//! Statements as values: a text with a `?` for each of its own, the same on both engines. Several that need nothing from
//! each other's answers are run together: on SQLite as one text, which is one way to its thread and back. What returns
//! rows stands as late as it can there: each row wakes whoever waits for it, and on one core the thread that makes them then
//! waits.
//! Called by what writes many rows: the writer of messages and [`super::bulk`].

use std::iter::repeat_n;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::stream::{BoxStream, Peekable};
use futures_util::{StreamExt, TryStreamExt};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteQueryResult, SqliteRow};
use sqlx::{Either, Executor, FromRow, Postgres, Sqlite};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Conn, Engine, postgres};
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// How long a transaction that is one way has until its commit before it is listened to all the same: it may have failed.
const QUIET: Duration = Duration::from_millis(3);

/// What a place holds. One Rust type a place: PostgreSQL keeps prepared statements by their text alone.
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

/// A text, ours and without a `?` that isn't a place, and what fills its places.
pub(crate) struct Statement {
    text: String,
    values: Vec<Value>,
    is_kept: bool,
}

/// What a statement came to.
pub(crate) struct Answer {
    rows: Rows,
    /// How many rows it changed.
    pub changed: u64,
    /// The id of the last row that was inserted; on SQLite only.
    pub last_id: Option<i64>,
}

enum Rows {
    Sqlite(Vec<SqliteRow>),
    Postgres(Vec<PgRow>),
}

impl Statement {
    /// One that is run again and again: it stays prepared.
    pub fn new(text: impl Into<String>, values: Vec<Value>) -> Self {
        Self { text: text.into(), values, is_kept: true }
    }

    /// One whose text won't come again.
    pub fn once(text: impl Into<String>, values: Vec<Value>) -> Self {
        Self { is_kept: false, ..Self::new(text, values) }
    }

    /// The same with what fills its last places.
    pub fn and(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.extend(values);
        self
    }
}

impl Answer {
    /// The rows that it returned.
    pub fn read<T>(&self) -> Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        let read = match &self.rows {
            Rows::Sqlite(rows) => rows.iter().map(T::from_row).collect::<sqlx::Result<_>>(),
            Rows::Postgres(rows) => rows.iter().map(T::from_row).collect(),
        };
        Ok(read?)
    }
}

impl Conn {
    /// Runs `statement`. Errors and cost: as [`Conn::run`].
    pub(crate) async fn run_one(&mut self, statement: Statement) -> Result<Answer> {
        self.run(vec![statement]).await?.pop().ok_or_else(|| Error::internal("a statement wasn't answered"))
    }

    /// Runs `statements` one after the other; an answer for each. Errors: the first that fails; what came before it stands,
    /// unless this is in a transaction. Cost: on SQLite one way to its thread and back, on PostgreSQL a round trip each.
    pub(crate) async fn run(&mut self, statements: Vec<Statement>) -> Result<Vec<Answer>> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        match self.engine() {
            Engine::Sqlite(c) => match on_sqlite(c, statements, None, |_| ()).await {
                (_, Some(error)) => Err(error.into()),
                (answers, None) => Ok(answers),
            },
            Engine::Postgres(c) => {
                let mut answers = Vec::with_capacity(statements.len());
                for Statement { text, values, is_kept } in statements {
                    let text = numbered(&text);
                    let query: Query<'_, Postgres, PgArguments> = sqlx::query(&text).persistent(is_kept);
                    let query = values.into_iter().fold(query, |query, value| match value {
                        Value::Number(number) => query.bind(number),
                        Value::Text(text) => query.bind(text),
                        Value::Flag(flag) => query.bind(flag),
                    });
                    answers.push(postgres::answered(on_postgres(c, query)).await?);
                }
                Ok(answers)
            }
        }
    }
}

/// What comes back from SQLite's thread.
type Coming<'a> = Peekable<BoxStream<'a, sqlx::Result<Either<SqliteQueryResult, SqliteRow>>>>;

/// Runs `statements` on one way to SQLite's thread and back: the answers of those that were done, and what the one after
/// them ran into. `told` sees them as they come; with `committing` they may all come as late as when that is told.
pub(super) async fn on_sqlite(
    c: &mut SqliteConnection,
    statements: Vec<Statement>,
    committing: Option<&Notify>,
    mut told: impl FnMut(&[Answer]),
) -> (Vec<Answer>, Option<sqlx::Error>) {
    let is_kept = statements.iter().all(|statement| statement.is_kept);
    let (texts, values): (Vec<String>, Vec<Vec<Value>>) =
        statements.into_iter().map(|statement| (statement.text, statement.values)).unzip();
    let text = texts.join(";\n");
    let query: Query<'_, Sqlite, SqliteArguments<'_>> = sqlx::query(&text).persistent(is_kept);
    let query = values.into_iter().flatten().fold(query, |query, value| match value {
        Value::Number(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Flag(flag) => query.bind(flag),
    });
    let (mut rows, mut answers) = (Vec::new(), Vec::with_capacity(texts.len()));
    let mut coming: Coming<'_> = c.fetch_many(query).peekable();
    if let Some(committing) = committing {
        undisturbed(&mut coming, committing).await;
    }
    // Not until the thread says that there is no more: that would be one more waking.
    while answers.len() < texts.len() {
        match coming.try_next().await {
            Ok(Some(Either::Right(row))) => rows.push(row),
            Ok(Some(Either::Left(done))) => {
                let rows = Rows::Sqlite(std::mem::take(&mut rows));
                answers.push(Answer { rows, changed: done.rows_affected(), last_id: Some(done.last_insert_rowid()) });
                told(&answers);
            }
            Ok(None) => return (answers, Some(sqlx::Error::WorkerCrashed)),
            Err(error) => return (answers, Some(error)),
        }
    }
    drop(coming);
    (answers, None)
}

/// Sends the statements on their way and waits until SQLite is `committing`, or for [`QUIET`], without being woken by each
/// answer: whoever is wakes up while the thread that sent it still has the queue, so that the two take turns, twice for each.
async fn undisturbed(coming: &mut Coming<'_>, committing: &Notify) {
    let mut told = pin!(committing.notified());
    told.as_mut().enable();
    // What is there by now stays; nobody is told of what comes.
    let _ = Pin::new(coming).poll_peek(&mut Context::from_waker(Waker::noop()));
    let _ = timeout(QUIET, told).await;
}

async fn on_postgres(c: &mut PgConnection, query: Query<'_, Postgres, PgArguments>) -> Result<Answer> {
    let (mut told, mut rows, mut changed) = (c.fetch_many(query), Vec::new(), 0);
    while let Some(one) = told.try_next().await? {
        match one {
            Either::Right(row) => rows.push(row),
            Either::Left(done) => changed += done.rows_affected(),
        }
    }
    Ok(Answer { rows: Rows::Postgres(rows), changed, last_id: None })
}

/// `text` with its places as PostgreSQL wants them. SQLite looks a numbered place up in a list of them all, so that a long
/// statement would cost the square of its length. Cost: O(length).
fn numbered(text: &str) -> String {
    let mut parts = text.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (before, part) in parts.enumerate() {
        numbered.push_str(&format!("${}", before + 1));
        numbered.push_str(part);
    }
    numbered
}

/// `(?, ?), (?, ?)`. Cost: O(columns × rows).
pub(crate) fn places(columns: usize, rows: usize) -> String {
    let row = format!("({})", repeat_n("?", columns).collect::<Vec<_>>().join(", "));
    let mut text = String::with_capacity(rows * (row.len() + 2));
    for n in 0..rows {
        text.push_str(if n == 0 { "" } else { ", " });
        text.push_str(&row);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{numbered, places};

    #[test]
    fn places_get_their_numbers_for_who_wants_them() {
        assert_eq!(places(2, 3), "(?, ?), (?, ?), (?, ?)");
        assert_eq!(
            numbered("select ? from (values (?, 'a'), (?, 'b')) as t"),
            "select $1 from (values ($2, 'a'), ($3, 'b')) as t"
        );
        assert_eq!(numbered("select 1"), "select 1");
    }
}
