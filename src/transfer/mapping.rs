//! Which row of ours is which of theirs: the tables `import_sources` and `imported`. Written in the transaction of the rows
//! themselves; a row that is deleted here afterwards keeps its line, and so stays deleted when it comes again. Called by
//! `transfer::take`.

use std::collections::HashMap;

use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::bulk::{self, Value};
use crate::db::values::{MOST_ROWS, over, room_for};
use crate::error::Result;
use crate::on_db;

/// A person who had an account here with the same address: it stays as it is.
pub const MET: &str = "users met";
/// A room that was made for what a bundle has of it, and whose numbers are theirs; under the bundle's mark.
pub const NUMBERED: &str = "rooms numbered";
/// A bundle, by its mark, that came into an empty site: its ids are ours.
pub const WHOLE: &str = "whole";

/// A place that rows were taken in from.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Source {
    pub id: i64,
}

/// The source of this name, if anything was ever taken in from it. Cost: 1 indexed query.
pub async fn find(conn: &mut Conn, name: &str) -> Result<Option<Source>> {
    Ok(on_db!(conn, c => sqlx::query_as("select id from import_sources where name = $1")
        .bind(name).fetch_optional(c).await)?)
}

/// Adds a source. Cost: 1 statement.
pub async fn add(conn: &mut Conn, name: &str, now: Timestamp) -> Result<Source> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "insert into import_sources (name, created_at) values ($1, $2) returning id")
        .bind(name).bind(now).fetch_one(c).await)?)
}

impl Source {
    /// Those of `theirs` that came before, with what they are here, or were. Cost: 1 indexed query for each 64.
    pub async fn came(&self, conn: &mut Conn, model: &str, theirs: &[&str]) -> Result<HashMap<String, i64>> {
        self.look(conn, model, theirs, "").await
    }

    /// Those of `theirs` whose row in `table` stands here. Cost: 1 indexed query for each 64.
    pub async fn standing(
        &self,
        conn: &mut Conn,
        model: &str,
        table: &str,
        theirs: &[&str],
    ) -> Result<HashMap<String, i64>> {
        self.look(conn, model, theirs, &format!("and exists (select 1 from {table} t where t.id = imported.ours)"))
            .await
    }

    async fn look(&self, conn: &mut Conn, model: &str, theirs: &[&str], and: &str) -> Result<HashMap<String, i64>> {
        let mut found = HashMap::with_capacity(theirs.len());
        let before = "select theirs, ours from imported where theirs in (values";
        let after = format!(") and source_id = ? and model = ? {and}");
        for theirs in theirs.chunks(MOST_ROWS) {
            let rows = theirs.iter().map(|theirs| [(*theirs).into()]).collect();
            // Nothing is called by an empty text.
            let asked = over(before, rows, ["".into()], room_for(theirs.len()), &after);
            let asked = asked.and([self.id.into(), model.into()]);
            found.extend(conn.run_one(asked).await?.read::<(String, i64)>()?);
        }
        Ok(found)
    }

    /// Writes down what rows are here. One that is written down already stays so. Cost: 1 statement for each 40.
    pub async fn remember(
        &self,
        conn: &mut Conn,
        model: &str,
        rows: impl IntoIterator<Item = (String, i64)>,
    ) -> Result<()> {
        let values: Vec<Value> = rows
            .into_iter()
            .flat_map(|(theirs, ours)| [self.id.into(), model.into(), theirs.into(), ours.into()])
            .collect();
        let into = "insert into imported (source_id, model, theirs, ours) values";
        bulk::run(conn, into, 4, values, " on conflict (source_id, model, theirs) do nothing").await.map(|_| ())
    }
}
