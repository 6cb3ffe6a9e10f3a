//! SQLite's side of [`super::Db`]: how its file is opened, and how a transaction begins. Called by `db.rs`.
//!
//! There are some that read ([`super::readers`]) and exactly one connection that writes: transactions begin `IMMEDIATE` there, and
//! only it moves the log into the database ([`super::Db::checkpoint`]), because SQLite before 3.51.3 can, very rarely,
//! damage a WAL database when two connections checkpoint at once. Every other connection, those of command-line
//! processes too, opens with `wal_autocheckpoint=0`.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous, SqliteTransactionManager,
};
use sqlx::{ConnectOptions, Sqlite, Transaction, TransactionManager};

use super::readers::Readers;
use super::{ACQUIRE_TIMEOUT, LOG_LIMIT, SLOW_STATEMENT, create_private_file};
use crate::error::{Error, Result};

/// How long a statement waits for another process's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that load browser sessions that aren't kept, whose store wants the driver's own pool; snapshots have one, too.
const LOADERS: u32 = 2;

/// What reads, what writes, and what loads sessions.
pub(super) struct Opened {
    pub(super) readers: Readers,
    pub(super) writer: SqlitePool,
    pub(super) sessions: SqlitePool,
}

/// Opens the file at `url` with the one connection that writes. Errors: [`Error::Startup`] in a user's words.
pub(super) async fn open(url: &str) -> Result<Opened> {
    let fault = |e: &dyn Display| Error::startup(format!("The SQLite database {url} can't be opened: {e}"));
    let options = SqliteConnectOptions::from_str(url).map_err(|e| fault(&e))?;
    create_private_file(options.get_filename()).map_err(|e| fault(&e))?;
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .log_slow_statements(LevelFilter::Warn, SLOW_STATEMENT)
        .pragma("wal_autocheckpoint", "0")
        // A batch of messages is more than SQLite keeps in memory to undo one statement: it made, wrote and deleted a file
        // for each.
        .pragma("temp_store", "memory");
    let limited = options.clone().pragma("journal_size_limit", LOG_LIMIT.to_string());
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(limited)
        .await
        .map_err(|e| fault(&e))?;
    let reading = options.pragma("query_only", "on");
    let sessions = SqlitePoolOptions::new()
        .max_connections(LOADERS)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .connect_lazy_with(reading.clone());
    Ok(Opened { readers: Readers::new(reading)?, writer, sessions })
}

/// Begins a transaction on the connection that writes. Cost: 1 statement.
///
/// On a full or broken disk SQLite rolls back by itself (sqlite.org/lang_transaction.html, 3.1). The driver's own rollback
/// fails then, and it goes on counting the transaction as open and refuses the next, until that connection is closed.
pub(super) async fn begin(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    let mut conn = writer.acquire().await?;
    if SqliteTransactionManager::get_transaction_depth(&conn) > 0 {
        tracing::warn!("SQLite has given up a transaction: its connection is opened anew");
        conn.close().await?;
        conn = writer.acquire().await?;
    }
    Ok(Transaction::begin(conn, Some("BEGIN IMMEDIATE".into())).await?)
}

/// A transaction that reads: what it sees first is what it sees until its end. Cost: 1 statement.
pub(super) async fn begin_snapshot(readers: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    Ok(Transaction::begin(readers.acquire().await?, Some("BEGIN".into())).await?)
}

/// The connections to another program's database, of which nothing is changed, nor anything written beside it.
/// Errors: [`Error::Startup`] for a file that isn't a SQLite database or that isn't there.
pub(super) async fn open_foreign(file: &Path) -> Result<SqlitePool> {
    let fault = |e: &dyn Display| Error::startup(format!("{} can't be read as a SQLite database: {e}", file.display()));
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    // Whoever has it open writes to its log, which is read, too; without one the file is all there is.
    let has_log = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let options =
        SqliteConnectOptions::new().filename(file).read_only(true).immutable(!has_log).create_if_missing(false);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(|e| fault(&e))?;
    // The driver opens whatever there is; the first question tells what it is.
    sqlx::query("select count(*) from sqlite_master").execute(&pool).await.map_err(|e| fault(&e))?;
    Ok(pool)
}
