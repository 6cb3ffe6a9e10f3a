//! Statements over several rows at once: `values (?, ?), (?, ?)` for a number of rows that is rounded up to a power
//! of two, so that each statement has a handful of texts and stays prepared on both engines. The rows that are too many
//! are filled with numbers that nothing has ([`NOWHERE`]). Called by what asks for or writes many rows at a time: the writer
//! of messages, joining, imports.
//!
//! Texts of the exact size, prepared each time, made a batch of 16 posts cost 1.6 times as much on SQLite.

use std::collections::BTreeSet;
use std::iter::{repeat, repeat_with};

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::statement::{self, Statement, Value};
use super::{Conn, Engine};
use crate::error::Result;

/// Rows in one statement, so that few texts are kept. More cost more with numbered places: to bind one, SQLite looks through
/// the names of all before it.
pub(crate) const MOST_ROWS: usize = 64;

/// An id that no row has.
pub(crate) const NOWHERE: i64 = -1;

/// How many rows the statement for `count` of them has. Cost: O(1).
pub(crate) fn room_for(count: usize) -> usize {
    count.next_power_of_two()
}

/// Holds the rows of `table` that have these ids until the commit, lowest id first, so that two nodes can't wait for each other
/// in a ring. On SQLite the transaction is alone anyway. Cost: 1 statement for up to 64 on PostgreSQL.
pub(crate) async fn hold(conn: &mut Conn, table: &'static str, ids: impl IntoIterator<Item = i64>) -> Result<()> {
    if matches!(conn.engine(), Engine::Sqlite(_)) {
        return Ok(());
    }
    conn.run(holding(table, ids)).await.map(|_| ())
}

/// The statements that do so on PostgreSQL.
pub(crate) fn holding(table: &'static str, ids: impl IntoIterator<Item = i64>) -> Vec<Statement> {
    let ids: Vec<[Value; 1]> = BTreeSet::from_iter(ids).into_iter().map(|id| [id.into()]).collect();
    let before = format!("select id from {table} where id in (select id from (values");
    let after = ") as asked (id)) order by id for no key update";
    let holding = |ids: &[_]| over(&before, ids.to_vec(), [NOWHERE.into()], room_for(ids.len()), after);
    ids.chunks(MOST_ROWS).map(holding).collect()
}

/// A statement over `rows`, kept prepared: `{before} (?, …), (?, …) {after}`, filled up with `filling` to `room` rows.
/// Cost: O(room).
pub(crate) fn over<const N: usize>(
    before: &str,
    rows: Vec<[Value; N]>,
    filling: [Value; N],
    room: usize,
    after: &str,
) -> Statement {
    let text = format!("{before} {} {after}", statement::places(N, room));
    Statement::new(text, rows.into_iter().chain(repeat(filling)).take(room).flatten().collect())
}

/// A row that was found for one of several keys, by the number at which that stood among them: the column `place`.
pub(crate) struct Placed<T> {
    pub place: i64,
    pub row: T,
}

impl<'r, R: Row, T: FromRow<'r, R>> FromRow<'r, R> for Placed<T>
where
    i64: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self { place: row.try_get("place")?, row: T::from_row(row)? })
    }
}

/// What was found for each of `count` keys, in their order. Cost: O(count).
pub(crate) fn in_place<T>(found: impl IntoIterator<Item = Placed<T>>, count: usize) -> Vec<Option<T>> {
    let mut placed: Vec<Option<T>> = repeat_with(|| None).take(count).collect();
    for Placed { place, row } in found {
        if let Some(free) = usize::try_from(place).ok().and_then(|place| placed.get_mut(place)) {
            *free = Some(row);
        }
    }
    placed
}
