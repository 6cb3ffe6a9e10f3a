//! The database that something is to be put over: whether there is one, and that nobody is at work on it. Called by
//! `archive::restore`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::super::postgres::{self, Pooling, UNUSED};
use crate::error::{Error, Result};

/// A command that is about to end may.
const PATIENCE: Duration = Duration::from_secs(1);
const AT_WORK: &str = "Stop it first; nothing was changed.";

/// A SQLite database that nobody else can open while this lives.
pub struct Held(SqliteConnection);

impl Held {
    pub async fn let_go(self) {
        let _ = self.0.close().await;
    }
}

/// Whether there is a database at `url` already, and, on PostgreSQL, that no server is at work on it; through PgBouncer
/// nobody can tell. Errors: [`Error::Startup`] when one is, or when PostgreSQL can't be reached. Cost: on PostgreSQL 1 connection.
pub async fn is_there(url: &str, pooling: Pooling) -> Result<bool> {
    if let Some(file) = sqlite_file(url) {
        return Ok(file.metadata().is_ok_and(|file| file.len() > 0));
    }
    let mut server = postgres::alone(url, pooling).await?;
    let told = |error: sqlx::Error| Error::startup(format!("The PostgreSQL database can't be read: {error}"));
    let (there, alone): (bool, bool) = sqlx::query_as(&format!(
        "select exists (select 1 from pg_tables where schemaname = current_schema()
             and tablename in ('_sqlx_migrations', 'users')), {UNUSED}"
    ))
    .fetch_one(&mut server)
    .await
    .map_err(told)?;
    let _ = server.close().await;
    if alone { Ok(there) } else { Err(Error::startup(format!("{} {AT_WORK}", super::AT_WORK_ON_POSTGRES))) }
}

/// The file of a SQLite address; `None` for PostgreSQL.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    url.starts_with("sqlite:").then(|| crate::db::Db::file(url)).flatten()
}

/// Keeps everybody else from the SQLite database in `file`, and moves what is in its log into it. `None` when it isn't
/// there or so damaged that nobody can be at work on it. Errors: [`Error::Startup`] when somebody is: each connection of a
/// server holds a lock for as long as it is open (sqlite.org/wal.html, "Use of WAL without shared memory").
pub async fn hold(file: &Path) -> Result<Option<Held>> {
    if !file.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).busy_timeout(PATIENCE);
    let held = async {
        let mut conn = options.connect().await?;
        for statement in ["pragma locking_mode = exclusive", "pragma journal_mode = delete", "begin exclusive"] {
            sqlx::raw_sql(statement).execute(&mut conn).await?;
        }
        Ok::<_, sqlx::Error>(conn)
    };
    match held.await {
        Ok(conn) => Ok(Some(Held(conn))),
        Err(error) if crate::error::is_passing(&error) => {
            Err(Error::startup(format!("A server, or another command, is at work on {}. {AT_WORK}", file.display())))
        }
        // Not a database, or a broken one: what is restored takes its place.
        Err(_) => Ok(None),
    }
}
