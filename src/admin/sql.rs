//! Statements put together at run time: [`Sql`] numbers its binds, and runs on either engine. Names in the text come
//! from declarations only; everything that anyone typed is bound.

use sqlx::{ColumnIndex, Decode, Type};

use super::resource::{Column, Kind};
use super::value::Value;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::on_db;

/// A statement with its values.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    pub text: String,
    values: Vec<Value>,
}

/// What a column of an answer is read as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Read {
    Int,
    Time,
    Flag,
    Text,
}

impl Read {
    pub fn of(column: &Column) -> Self {
        match column.kind {
            Kind::Int | Kind::Reference(_) | Kind::Count(..) => Self::Int,
            Kind::Time => Self::Time,
            Kind::Flag => Self::Flag,
            Kind::Text | Kind::Long | Kind::Choice(_) | Kind::Changes => Self::Text,
        }
    }
}

impl Sql {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Binds a value and writes its number. Null can't be bound: write `is null`.
    pub fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Adds a piece written by itself; its numbers go on after this one's.
    pub fn append(&mut self, piece: &Self) -> &mut Self {
        let mut rest = piece.text.as_str();
        for (place, value) in piece.values.iter().enumerate() {
            let mark = format!("${}", place + 1);
            if let Some((before, after)) = rest.split_once(&mark) {
                self.push(before).bind(value.clone());
                rest = after;
            }
        }
        self.push(rest)
    }

    /// Adds `items`, with `between` between them.
    pub fn join(&mut self, items: &[Self], between: &str) -> &mut Self {
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.push(between);
            }
            self.append(item);
        }
        self
    }

    /// Adds numbers as a list; they are ours, so there is nothing to escape.
    pub fn ids(&mut self, ids: impl IntoIterator<Item = i64>) -> &mut Self {
        let list: Vec<String> = ids.into_iter().chain([-1]).map(|id| id.to_string()).collect();
        self.push(&list.join(", "))
    }

    /// Runs it and reads each row as `reads` says. Cost: 1 query, O(rows).
    pub async fn rows(&self, conn: &mut Conn, reads: &[Read]) -> Result<Vec<Vec<Value>>> {
        macro_rules! bound {
            () => {{
                let mut query = sqlx::query(&self.text).persistent(false);
                for value in &self.values {
                    query = match value {
                        Value::Null => query.bind(None::<i64>),
                        Value::Flag(flag) => query.bind(*flag),
                        Value::Int(number) => query.bind(*number),
                        Value::Time(time) => query.bind(time.0),
                        Value::Text(text) => query.bind(text.as_str()),
                    };
                }
                query
            }};
        }
        let rows: Result<Vec<_>, sqlx::Error> = on_db!(conn, c => match bound!().fetch_all(c).await {
            Ok(rows) => rows.iter().map(|row| decode(row, reads)).collect(),
            Err(error) => Err(error),
        });
        Ok(rows?)
    }

    /// Runs it and reads one number. Cost: 1 query.
    pub async fn number(&self, conn: &mut Conn) -> Result<i64> {
        let rows = self.rows(conn, &[Read::Int]).await?;
        Ok(rows.first().and_then(|row| row[0].as_int()).unwrap_or(0))
    }
}

fn decode<R>(row: &R, reads: &[Read]) -> Result<Vec<Value>, sqlx::Error>
where
    R: sqlx::Row,
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let value = |(place, read): (usize, &Read)| {
        Ok(match read {
            Read::Int => row.try_get::<Option<i64>, _>(place)?.map(Value::Int),
            Read::Time => row.try_get::<Option<i64>, _>(place)?.map(|micros| Value::Time(Timestamp(micros))),
            Read::Flag => row.try_get::<Option<bool>, _>(place)?.map(Value::Flag),
            Read::Text => row.try_get::<Option<String>, _>(place)?.map(Value::Text),
        }
        .unwrap_or(Value::Null))
    };
    reads.iter().enumerate().map(value).collect()
}
