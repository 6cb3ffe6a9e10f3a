//! Rows as one value: what a select finds, as a JSON text that the database makes. The driver hands over each row by
//! itself and wakes whoever reads; as values, several lists come with one statement: a room's page then took about half of
//! the CPU (SQLite, two queries in the place of six to ten). Called by what reads many rows often: `messages/stored.rs`,
//! `messages/talk.rs` and the lists of rooms.

use std::fmt;
use std::sync::OnceLock;

use serde::de::{DeserializeOwned, Deserializer, Visitor};

use super::{Conn, Handle};
use crate::error::{Error, Result};

/// The text of a statement, made once for each engine: those of a room's page have thousands of characters.
pub(crate) struct Text {
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

impl Text {
    pub const fn new() -> Self {
        Self { sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    /// As `make` makes it, for the engine of `conn`. Cost: nothing but the first time.
    pub fn of(&self, conn: &Conn, make: impl FnOnce() -> String) -> &str {
        let made = match conn.dialect() {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        made.get_or_init(make)
    }
}

/// Whose JSON functions are spoken.
#[derive(Clone, Copy)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Conn {
    pub(crate) fn dialect(&self) -> Dialect {
        match self.0 {
            Handle::Sqlite(_) | Handle::SqliteTx(_) => Dialect::Sqlite,
            Handle::Postgres(_) => Dialect::Postgres,
        }
    }

    /// As [`Dialect::rows`], in this connection's.
    pub fn rows(&self, columns: &[impl AsRef<str>], rest: &str) -> String {
        self.dialect().rows(columns, rest)
    }
}

impl Dialect {
    /// An expression whose value holds the rows of `select columns rest` as JSON arrays, in their order; for use in the
    /// select list of a statement, cast to text, or as one of another's columns. Each of `columns` is an expression without
    /// a name; `rest` begins with `from`. All of it is ours: nothing is escaped.
    pub fn rows(self, columns: &[impl AsRef<str>], rest: &str) -> String {
        let columns = columns.iter().map(AsRef::as_ref).enumerate();
        let named = columns.clone().map(|(n, column)| format!("{column} as c{n}")).collect::<Vec<_>>().join(", ");
        let inner = format!("select {named} {rest}");
        match self {
            Self::Sqlite => {
                // Between two selects it forgets that a value is JSON, and not a text that looks like it.
                let is_rows = |column: &str| column.contains("json_group_array");
                let name = |(n, column)| if is_rows(column) { format!("json(c{n})") } else { format!("c{n}") };
                let names = columns.map(name).collect::<Vec<_>>().join(", ");
                format!("(select json_group_array(json_array({names})) from ({inner}) t)")
            }
            Self::Postgres => {
                let names = columns.map(|(n, _)| format!("c{n}")).collect::<Vec<_>>().join(", ");
                format!("(select coalesce(json_agg(json_build_array({names})), '[]') from ({inner}) t)")
            }
        }
    }
}

/// What [`Dialect::rows`] found, cast to text by the statement: each row is read into the fields of a struct, or a tuple, in
/// the order of its columns. Cost: O(length).
pub fn read<T: DeserializeOwned>(json: &str) -> Result<Vec<T>> {
    serde_json::from_str(json).map_err(Error::internal)
}

/// A truth; SQLite keeps it as a number.
pub fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(Truth).map(|truth| truth.unwrap_or(false))
}

/// The same, where there may be none.
pub fn maybe_truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    deserializer.deserialize_any(Truth)
}

struct Truth;

impl Visitor<'_> for Truth {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a truth, as such or as a number")
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<Option<bool>, E> {
        Ok(Some(truth))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Option<bool>, E> {
        Ok(Some(number != 0))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Option<bool>, E> {
        Ok(Some(number != 0))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<bool>, E> {
        Ok(None)
    }
}
