//! Rows as one value: what a select finds, as a JSON text that the database makes. The driver hands over each row by
//! itself and wakes whoever reads; as values, several lists come with one statement: a room's page then took about half of
//! the CPU (SQLite, two queries in the place of six to ten). Called by what reads many rows often: `messages/stored.rs`,
//! `messages/talk.rs` and the lists of rooms.

use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};

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
        let made = match conn.0 {
            Handle::Sqlite(_) | Handle::SqliteTx(_) => &self.sqlite,
            Handle::Postgres(_) => &self.postgres,
        };
        made.get_or_init(make)
    }
}

impl Conn {
    /// An expression whose value holds the rows of `select columns rest` as JSON arrays, in their order; for use in the
    /// select list of a statement, cast to text, or as one of another's columns. Each of `columns` is an expression without
    /// a name; `rest` begins with `from`. All of it is ours: nothing is escaped.
    pub fn rows(&self, columns: &[impl AsRef<str>], rest: &str) -> String {
        let columns = columns.iter().map(AsRef::as_ref).enumerate();
        let named = columns.clone().map(|(n, column)| format!("{column} as c{n}")).collect::<Vec<_>>().join(", ");
        let inner = format!("select {named} {rest}");
        match self.0 {
            Handle::Sqlite(_) | Handle::SqliteTx(_) => {
                // Between two selects it forgets that a value is JSON, and not a text that looks like it.
                let is_rows = |column: &str| column.contains("json_group_array");
                let name = |(n, column)| if is_rows(column) { format!("json(c{n})") } else { format!("c{n}") };
                let names = columns.map(name).collect::<Vec<_>>().join(", ");
                format!("(select json_group_array(json_array({names})) from ({inner}) t)")
            }
            Handle::Postgres(_) => {
                let names = columns.map(|(n, _)| format!("c{n}")).collect::<Vec<_>>().join(", ");
                format!("(select coalesce(json_agg(json_build_array({names})), '[]') from ({inner}) t)")
            }
        }
    }
}

/// What [`Conn::rows`] found, cast to text by the statement: each row is read into the fields of a struct, or a tuple, in
/// the order of its columns. Cost: O(length).
pub fn read<T: DeserializeOwned>(json: &str) -> Result<Vec<T>> {
    serde_json::from_str(json).map_err(Error::internal)
}

/// A truth; SQLite keeps it as a number.
pub fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    maybe_truth(deserializer).map(|truth| truth.unwrap_or(false))
}

/// The same, where there may be none.
pub fn maybe_truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept {
        Truth(bool),
        Number(i64),
    }
    let kept = Option::<Kept>::deserialize(deserializer)?;
    Ok(kept.map(|kept| match kept {
        Kept::Truth(truth) => truth,
        Kept::Number(number) => number != 0,
    }))
}
