//! PostgreSQL's tables into a new SQLite file, as of one moment. Called by [`super::Copy::take`].

use std::time::Duration;

use futures_util::StreamExt;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use tokio::time::timeout;

use super::{LEFT_OUT, columns, known, quoted, set_sequence, tables, text};
use crate::archive::progress::{Length, Progress};
use crate::db::migrations;
use crate::error::{Error, Result};

/// Everything that follows sees one moment, whatever is committed meanwhile. In one transaction it works through PgBouncer
/// too. However long it takes; a lock that an upgrade holds is waited for.
const ONE_MOMENT: &str = "begin isolation level repeatable read read only; deallocate all;
    set local statement_timeout = 0; set local lock_timeout = '60s';
    set local idle_in_transaction_session_timeout = 0";
/// Rows in one statement.
const TOGETHER: usize = 32;
/// How long the server may say nothing in the middle of a table.
const SILENCE: Duration = Duration::from_secs(120);

/// Copies all but [`LEFT_OUT`] from `server` into `file`, which is empty. Errors: as [`super::Copy::take`]. Cost: reads
/// everything once; memory for some rows.
pub(super) async fn run(server: &mut PgConnection, file: &mut SqliteConnection, progress: &Progress) -> Result<()> {
    sqlx::raw_sql(ONE_MOMENT).execute(&mut *server).await.map_err(unread)?;
    let migration = migration_of(server).await?;
    migrations::sqlite_up_to(file, migration).await?;
    let indexes = drop_indexes(file).await?;
    let tables = tables(file).await?;
    progress.begin("Copying the database", Length::Rows(estimate(server).await?))?;
    sqlx::raw_sql("begin").execute(&mut *file).await?;
    for table in &tables {
        if !LEFT_OUT.contains(&table.as_str()) {
            copy(server, file, table, progress).await?;
        }
        sequence(server, file, table).await?;
    }
    for index in indexes {
        progress.go_on()?;
        sqlx::raw_sql(&index).execute(&mut *file).await?;
    }
    sqlx::raw_sql("commit").execute(&mut *file).await?;
    sqlx::raw_sql("rollback").execute(server).await.map_err(unread)?;
    Ok(())
}

async fn migration_of(server: &mut PgConnection) -> Result<i64> {
    let there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *server)
        .await
        .map_err(unread)?;
    if !there {
        return known(None);
    }
    let newest = sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(server).await;
    known(newest.map_err(unread)?)
}

/// About how many rows there are, by the server's own statistics.
async fn estimate(server: &mut PgConnection) -> Result<u64> {
    let rows: i64 = sqlx::query_scalar(
        "select cast(coalesce(sum(greatest(reltuples, 0)), 0) as bigint) from pg_class
         where relkind = 'r' and relname <> 'messages_text' and relnamespace = to_regnamespace(current_schema())",
    )
    .fetch_one(server)
    .await
    .map_err(unread)?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Indexes are made once all rows are there, in a fraction of the time. What makes them again, for each.
async fn drop_indexes(file: &mut SqliteConnection) -> Result<Vec<String>> {
    let found: Vec<(String, String)> =
        sqlx::query_as("select name, sql from sqlite_master where type = 'index' and sql is not null")
            .fetch_all(&mut *file)
            .await?;
    for (name, _) in &found {
        sqlx::query(&format!("drop index {}", quoted(name))).execute(&mut *file).await?;
    }
    Ok(found.into_iter().map(|(_, sql)| sql).collect())
}

async fn copy(server: &mut PgConnection, file: &mut SqliteConnection, table: &str, progress: &Progress) -> Result<()> {
    // Rows that the migrations made.
    sqlx::query(&format!("delete from {}", quoted(table))).execute(&mut *file).await?;
    let columns = columns(file, table).await?;
    let mut target = Table { name: table, columns: &columns, rows: Vec::with_capacity(TOGETHER) };
    let mut stream = server.copy_out_raw(&target.select()).await.map_err(unread)?;
    let mut pending = Vec::new();
    while let Some(chunk) = timeout(SILENCE, stream.next()).await.map_err(|_| silent())? {
        pending.extend_from_slice(&chunk.map_err(unread)?);
        let mut from = 0;
        // A line end inside a field is written as `\n`.
        while let Some(length) = pending[from..].iter().position(|byte| *byte == b'\n') {
            target.rows.push(text::read(&pending[from..from + length])?);
            from += length + 1;
            if target.rows.len() == TOGETHER {
                target.insert(file).await?;
                progress.add(TOGETHER as u64);
                progress.go_on()?;
            }
        }
        pending.drain(..from);
    }
    progress.add(target.rows.len() as u64);
    target.insert(file).await
}

/// A table that rows go into.
struct Table<'a> {
    name: &'a str,
    columns: &'a [(String, String)],
    rows: Vec<Vec<Option<String>>>,
}

impl Table<'_> {
    /// Truth as 1 and 0, as SQLite has it; texts and numbers are taken by SQLite according to the column.
    fn select(&self) -> String {
        let fields: Vec<String> = self
            .columns
            .iter()
            .map(|(name, kind)| if kind == "boolean" { format!("{}::int", quoted(name)) } else { quoted(name) })
            .collect();
        format!("copy (select {} from {} order by 1) to stdout", fields.join(", "), quoted(self.name))
    }

    async fn insert(&mut self, file: &mut SqliteConnection) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quoted(name)).collect();
        let places = format!("({})", vec!["?"; names.len()].join(", "));
        let all = vec![places.as_str(); self.rows.len()].join(", ");
        let sql = format!("insert into {} ({}) values {all}", quoted(self.name), names.join(", "));
        let query = self.rows.drain(..).flatten().fold(sqlx::query(&sql), |query, field| query.bind(field));
        query.execute(file).await?;
        Ok(())
    }
}

/// The id that was given last: none is given twice, also after its row is gone.
async fn sequence(server: &mut PgConnection, file: &mut SqliteConnection, table: &str) -> Result<()> {
    let name: Option<String> = sqlx::query_scalar(
        "select pg_get_serial_sequence(quote_ident($1), 'id') from information_schema.columns
         where table_schema = current_schema() and table_name = $1 and column_name = 'id' and is_identity = 'YES'",
    )
    .bind(table)
    .fetch_optional(&mut *server)
    .await
    .map_err(unread)?
    .flatten();
    let Some(name) = name else { return Ok(()) };
    // The name comes quoted.
    let last: i64 = sqlx::query_scalar(&format!("select case when is_called then last_value else 0 end from {name}"))
        .fetch_one(server)
        .await
        .map_err(unread)?;
    if last > 0 { set_sequence(file, table, last).await } else { Ok(()) }
}

fn unread(error: sqlx::Error) -> Error {
    Error::startup(format!("The PostgreSQL database can't be read: {error}"))
}

fn silent() -> Error {
    Error::startup(format!("The PostgreSQL database has said nothing for {} s.", SILENCE.as_secs()))
}
