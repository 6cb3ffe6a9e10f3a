//! A SQLite file's tables into PostgreSQL, in one transaction: until its end the database is as it was. Called by
//! [`super::Copy::load`].
//!
//! The schema is made by the migrations; then foreign keys and indexes are dropped, rows come in by `COPY`, and both are made
//! again, which checks the keys and takes a fraction of the time. Triggers stay: they make the index of words.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgTransactionManager};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row, TransactionManager};

use super::{columns, quoted, tables, text};
use crate::archive::progress::{Length, Progress};
use crate::db::migrations;
use crate::db::postgres::UNUSED;
use crate::error::{Error, Result};

/// However long it takes.
const BEGIN: &str = "begin; deallocate all; set local statement_timeout = 0; set local lock_timeout = '60s';
    set local idle_in_transaction_session_timeout = 0; set local maintenance_work_mem = '128MB';
    set local client_min_messages = error";
/// Bytes that are sent at once.
const SENT_AT_ONCE: usize = 256 << 10;
const FUNCTIONS: &str = "'words_of', 'index_message'";

/// A database that was loaded and whose transaction is still open. Dropped, it is as it was before.
pub struct Loaded {
    server: PgConnection,
    /// The schema that holds the site that was there, if there was one and it could be kept.
    pub aside: Option<String>,
    /// Whether there was one, and it goes for good.
    pub dropped: bool,
}

impl Loaded {
    /// The new site stands from here on. Errors: [`Error::Startup`], and then most probably it doesn't.
    pub async fn commit(mut self) -> Result<()> {
        PgTransactionManager::commit(&mut self.server).await.map_err(unwritten)?;
        let _ = self.server.close().await;
        Ok(())
    }
}

/// What has to be made again: the table, and the statement.
type Definition = (String, String);

/// Errors: [`Error::Startup`] when a site is there and `replace` isn't said, when a server is at work on it, when it is newer
/// than this program, when rows don't fit, or when fewer have arrived than were sent.
pub(super) async fn run(
    file: &mut SqliteConnection,
    mut server: PgConnection,
    replace: bool,
    progress: &Progress,
) -> Result<Loaded> {
    PgTransactionManager::begin(&mut server, Some(BEGIN.into())).await.map_err(unwritten)?;
    let mut ours = tables(file).await?;
    let mut loaded = Loaded { server, aside: None, dropped: false };
    make_room(&mut loaded, &ours, replace).await?;
    let server = &mut loaded.server;
    migrations::postgres_alone(server).await?;
    let rows = total(file, &ours).await?;
    progress.begin("Loading the database", Length::Rows(rows))?;
    ours.push("messages_text".to_owned());
    let (keys, indexes) = (drop_keys(server, &ours).await?, drop_indexes(server, &ours).await?);
    ours.pop();
    let mut sent = BTreeMap::new();
    for table in &ours {
        sent.insert(table, load(file, server, table, progress).await?);
    }
    progress.begin("Making indexes", Length::Rows((keys.len() + indexes.len()) as u64))?;
    for (table, statement) in indexes.iter().chain(&keys) {
        sqlx::raw_sql(statement).execute(&mut *server).await.map_err(|error| unfit(table, &error))?;
        progress.add(1);
        progress.go_on()?;
    }
    sequences(file, server).await?;
    for (table, sent) in sent {
        compare(server, table, sent).await?;
        sqlx::raw_sql(&format!("analyze {}", quoted(table))).execute(&mut *server).await.map_err(unwritten)?;
    }
    Ok(loaded)
}

/// Puts the site that is there out of the way: into a schema of its own, or, where none may be made, nowhere.
async fn make_room(loaded: &mut Loaded, ours: &[String], replace: bool) -> Result<()> {
    let server = &mut loaded.server;
    let alone: bool =
        sqlx::query_scalar(&format!("select {UNUSED}")).fetch_one(&mut *server).await.map_err(unwritten)?;
    if !alone {
        return Err(Error::startup(format!("{} Stop it first; nothing was changed.", super::AT_WORK_ON_POSTGRES)));
    }
    let mut names = ours.to_vec();
    names.extend(["_sqlx_migrations", "messages_text"].map(str::to_owned));
    let there: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = current_schema() and tablename = any($1)",
    )
    .bind(&names)
    .fetch_all(&mut *server)
    .await
    .map_err(unwritten)?;
    if there.is_empty() {
        return Ok(());
    }
    if !replace {
        return Err(Error::startup(super::IS_THERE));
    }
    refuse_newer(server, &there).await?;
    loaded.aside = schema_aside(server).await?;
    loaded.dropped = loaded.aside.is_none();
    for table in &there {
        let moved = match &loaded.aside {
            Some(schema) => format!("alter table {} set schema {}", quoted(table), quoted(schema)),
            None => format!("drop table {} cascade", quoted(table)),
        };
        sqlx::raw_sql(&moved).execute(&mut *server).await.map_err(unwritten)?;
    }
    move_functions(server, loaded.aside.as_deref()).await
}

/// Tables of a newer version are known to nobody here: they would stay and be in that version's way.
async fn refuse_newer(server: &mut PgConnection, there: &[String]) -> Result<()> {
    if !there.iter().any(|table| table == "_sqlx_migrations") {
        return Ok(());
    }
    let newest: Option<i64> =
        sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(server).await.map_err(unwritten)?;
    if newest.is_some_and(|number| number > migrations::newest()) {
        return Err(Error::startup(
            "A newer Switchboard's site is in this PostgreSQL database. Restore into an empty database or schema instead; \
             nothing was changed.",
        ));
    }
    Ok(())
}

/// A new schema for what is replaced; `None` without the right to make one.
async fn schema_aside(server: &mut PgConnection) -> Result<Option<String>> {
    let name: String = sqlx::query_scalar(
        "select left(current_schema(), 35) || '_before_' || to_char(now() at time zone 'utc', 'YYYYMMDD\"t\"HH24MISS\"z\"')",
    )
    .fetch_one(&mut *server)
    .await
    .map_err(unwritten)?;
    sqlx::raw_sql("savepoint aside").execute(&mut *server).await.map_err(unwritten)?;
    match sqlx::raw_sql(&format!("create schema {}", quoted(&name))).execute(&mut *server).await {
        Ok(_) => Ok(Some(name)),
        // insufficient_privilege
        Err(error) if error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42501") => {
            sqlx::raw_sql("rollback to savepoint aside").execute(server).await.map_err(unwritten)?;
            Ok(None)
        }
        Err(error) => Err(unwritten(error)),
    }
}

async fn move_functions(server: &mut PgConnection, aside: Option<&str>) -> Result<()> {
    let functions: Vec<String> = sqlx::query_scalar(&format!(
        "select cast(cast(oid as regprocedure) as text) from pg_proc
         where pronamespace = to_regnamespace(current_schema()) and proname in ({FUNCTIONS})"
    ))
    .fetch_all(&mut *server)
    .await
    .map_err(unwritten)?;
    for function in functions {
        let moved = match aside {
            Some(schema) => format!("alter function {function} set schema {}", quoted(schema)),
            None => format!("drop function {function} cascade"),
        };
        sqlx::raw_sql(&moved).execute(&mut *server).await.map_err(unwritten)?;
    }
    Ok(())
}

async fn total(file: &mut SqliteConnection, tables: &[String]) -> Result<u64> {
    let mut rows = 0;
    for table in tables {
        let count: i64 =
            sqlx::query_scalar(&format!("select count(*) from {}", quoted(table))).fetch_one(&mut *file).await?;
        rows += u64::try_from(count).unwrap_or(0);
    }
    Ok(rows)
}

async fn drop_keys(server: &mut PgConnection, tables: &[String]) -> Result<Vec<Definition>> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select t.relname::text, c.conname::text, pg_get_constraintdef(c.oid) from pg_constraint c
         join pg_class t on t.oid = c.conrelid
         where c.contype = 'f' and t.relnamespace = to_regnamespace(current_schema()) and t.relname = any($1)",
    )
    .bind(tables)
    .fetch_all(&mut *server)
    .await
    .map_err(unwritten)?;
    let mut again = Vec::with_capacity(found.len());
    for (table, name, definition) in found {
        let (place, name) = (quoted(&table), quoted(&name));
        let dropped = format!("alter table {place} drop constraint {name}");
        sqlx::raw_sql(&dropped).execute(&mut *server).await.map_err(unwritten)?;
        again.push((table, format!("alter table {place} add constraint {name} {definition}")));
    }
    Ok(again)
}

/// All but those that a primary key or a `unique` has made.
async fn drop_indexes(server: &mut PgConnection, tables: &[String]) -> Result<Vec<Definition>> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select t.relname::text, i.relname::text, pg_get_indexdef(i.oid) from pg_index x
         join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
         where t.relnamespace = to_regnamespace(current_schema()) and t.relname = any($1)
           and not exists (select 1 from pg_constraint c where c.conindid = i.oid)",
    )
    .bind(tables)
    .fetch_all(&mut *server)
    .await
    .map_err(unwritten)?;
    for (_, name, _) in &found {
        sqlx::raw_sql(&format!("drop index {}", quoted(name))).execute(&mut *server).await.map_err(unwritten)?;
    }
    Ok(found.into_iter().map(|(table, _, definition)| (table, definition)).collect())
}

/// Sends a table's rows; how many there were.
async fn load(file: &mut SqliteConnection, server: &mut PgConnection, table: &str, progress: &Progress) -> Result<u64> {
    let names: Vec<String> = columns(file, table).await?.into_iter().map(|(name, _)| quoted(&name)).collect();
    let place = quoted(table);
    // Rows that the migrations made.
    sqlx::raw_sql(&format!("delete from {place}")).execute(&mut *server).await.map_err(unwritten)?;
    let fields: Vec<String> = names.iter().map(|name| format!("cast({name} as text)")).collect();
    let question = format!("select {} from {place}", fields.join(", "));
    let statement = format!("copy {place} ({}) from stdin", names.join(", "));
    let mut copy = server.copy_in_raw(&statement).await.map_err(|error| unfit(table, &error))?;
    let (mut sent, mut lines) = (0, Vec::with_capacity(SENT_AT_ONCE + (16 << 10)));
    let mut rows = sqlx::query(&question).fetch(&mut *file);
    while let Some(row) = rows.try_next().await? {
        for place in 0..names.len() {
            if place > 0 {
                lines.push(b'\t');
            }
            text::write(&mut lines, row.try_get::<Option<&str>, _>(place)?);
        }
        lines.push(b'\n');
        sent += 1;
        if lines.len() >= SENT_AT_ONCE {
            copy.send(lines.as_slice()).await.map_err(|error| unfit(table, &error))?;
            lines.clear();
            progress.go_on()?;
        }
        progress.add(1);
    }
    copy.send(lines.as_slice()).await.map_err(|error| unfit(table, &error))?;
    copy.finish().await.map_err(|error| unfit(table, &error))?;
    Ok(sent)
}

/// No id that was ever given is given again.
async fn sequences(file: &mut SqliteConnection, server: &mut PgConnection) -> Result<()> {
    let last: Vec<(String, i64)> =
        sqlx::query_as("select name, seq from sqlite_sequence where seq > 0").fetch_all(file).await?;
    for (table, last) in last {
        sqlx::query("select setval(pg_get_serial_sequence(quote_ident($1), 'id'), $2)")
            .bind(&table)
            .bind(last)
            .execute(&mut *server)
            .await
            .map_err(|error| unfit(&table, &error))?;
    }
    Ok(())
}

async fn compare(server: &mut PgConnection, table: &str, sent: u64) -> Result<()> {
    let arrived: i64 = sqlx::query_scalar(&format!("select count(*) from {}", quoted(table)))
        .fetch_one(server)
        .await
        .map_err(unwritten)?;
    if u64::try_from(arrived) == Ok(sent) {
        return Ok(());
    }
    Err(Error::startup(format!(
        "PostgreSQL has {arrived} rows of {table} where the backup has {sent}; nothing was changed."
    )))
}

fn unfit(table: &str, error: &sqlx::Error) -> Error {
    Error::startup(format!("The rows of {table} can't be loaded into PostgreSQL: {error}. Nothing was changed."))
}

fn unwritten(error: sqlx::Error) -> Error {
    Error::startup(format!("The PostgreSQL database can't be restored: {error}. Nothing was changed."))
}
