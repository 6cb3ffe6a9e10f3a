//! SQLite's side of [`super::Db`]: how its file is opened, and its transactions. Called by `db.rs`.
//!
//! There are some connections that read, two for those who look at one state of the site for long, and exactly one that
//! writes: transactions begin `IMMEDIATE` there, and only it moves the log into the database ([`super::Db::checkpoint`]),
//! because SQLite before 3.51.3 can, very rarely, damage a WAL database when two connections checkpoint at once. Every other
//! connection, those of command-line processes too, opens with `wal_autocheckpoint=0`.
//!
//! A transaction is statements like others, not the driver's own: those hand over each answer in two steps, and a
//! transaction that SQLite gave up (a full disk) stays one for them. With that, a batch of messages in four ways to SQLite's
//! thread instead of eight, and no look at whether the connection is still there after each, a post took 11 % less CPU, and the
//! threads changed places twice for each and not five times. What comes first goes along with the begin: one way less. What
//! needs no answer on its way goes along from begin to commit, and nobody listens before that ([`Transaction::all`]): with it 9 %
//! more posts a second, for 11 % less CPU.

use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool::managed::Object;
use log::LevelFilter;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor};
use tokio::runtime::Handle;

use super::changes::{Extent, Held};
use super::connections::{Connection, Connections};
use super::statement::{self, Answer, Statement};
use super::values::MOST_ROWS;
use super::{Db, LOG_LIMIT, SLOW_STATEMENT, Uncommitted, create_private_file};
use crate::error::{Error, Result};

/// How long a statement waits for another process's write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Takes the write lock, and says what changes when another process has committed (sqlite.org/pragma.html).
const BEGIN: [&str; 2] = ["begin immediate", "pragma data_version"];
const COMMIT: &str = "commit";
/// Answers and rows that are held for who isn't listening yet: some more than a batch of messages has.
const UNHEARD: usize = 2 * MOST_ROWS;
const READERS: usize = 4;
const SNAPSHOTS: usize = 2;

/// What reads, what writes, and what looks at one state of the site for long.
pub(super) struct Opened {
    pub(super) readers: Connections,
    pub(super) writer: Connections,
    pub(super) snapshots: Connections,
    pub(super) file: PathBuf,
}

/// Opens the file at `url` with the one connection that writes. Errors: [`Error::Startup`] in a user's words.
pub(super) async fn open(url: &str) -> Result<Opened> {
    let fault = |e: &dyn Display| Error::startup(format!("The SQLite database {url} can't be opened: {e}"));
    let options = SqliteConnectOptions::from_str(url).map_err(|e| fault(&e))?;
    let file = options.get_filename().to_owned();
    create_private_file(&file).map_err(|e| fault(&e))?;
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
    let writing = options.clone().pragma("journal_size_limit", LOG_LIMIT.to_string()).row_buffer_size(UNHEARD);
    let writer = Connections::new(writing, 1)?;
    drop(writer.lend_or_say().await.map_err(|e| fault(&e))?);
    let reading = options.pragma("query_only", "on");
    let snapshots = Connections::new(reading.clone(), SNAPSHOTS)?;
    Ok(Opened { readers: Connections::new(reading, READERS)?, writer, snapshots, file })
}

/// A transaction. Dropped before [`Transaction::commit`], it is rolled back, and the connection free only then.
pub(super) struct Transaction(Option<Connection>);

impl Transaction {
    /// Begins one that writes and runs `first` in it, and tells what [`super::changes`] wants to know. Cost: 1 way to
    /// SQLite's thread and back. Errors: [`Error::Unavailable`] when another process keeps the lock for [`BUSY_TIMEOUT`];
    /// what `first` runs into stands beside the transaction.
    pub async fn begin(writer: &Connections, first: Vec<Statement>) -> Result<(Self, i64, Result<Vec<Answer>>)> {
        let mut begun = Self(Some(writer.lend().await?));
        let (mut answers, fault) = statement::on_sqlite(&mut begun, beginning(first), None, |_| ()).await;
        if answers.len() < BEGIN.len() {
            return Err(fault.map_or(Error::Unavailable, Error::from));
        }
        let version = version(&answers);
        answers.drain(..BEGIN.len());
        Ok((begun, version, fault.map_or(Ok(answers), |error| Err(error.into()))))
    }

    /// Begins one that writes, tells `begun` when it has the lock, runs `statements` and commits; an answer for each. Cost: 1
    /// way to SQLite's thread and back, and 1 fsync.
    pub async fn all(
        writer: &Connections,
        statements: impl FnOnce() -> Vec<Statement>,
        begun: impl FnOnce(i64),
    ) -> Result<Vec<Answer>, Uncommitted> {
        let mut tx = Self(Some(writer.lend().await.map_err(Uncommitted::Undone)?));
        let mut all = beginning(statements());
        let expected = all.len();
        all.push(Statement::new(COMMIT, Vec::new()));
        let mut begun = Some(begun);
        let told = |answers: &[Answer]| {
            if let Some(begun) = begun.take_if(|_| answers.len() == BEGIN.len()) {
                begun(version(answers));
            }
        };
        let (mut answers, fault) = statement::on_sqlite(&mut tx, all, Some(&writer.committing()), told).await;
        match fault {
            None => {
                drop(tx.0.take());
                answers.truncate(expected);
                answers.drain(..BEGIN.len());
                Ok(answers)
            }
            Some(error) if answers.len() < BEGIN.len() => Err(Uncommitted::Undone(error.into())),
            Some(error) if answers.len() < expected => Err(Uncommitted::Spoiled(error.into())),
            Some(error) => Err(Uncommitted::by(error)),
        }
    }

    /// Begins one that reads: what it sees first is what it sees until its end. Cost: 1 statement.
    pub async fn begin_snapshot(readers: &Connections) -> Result<Self> {
        let mut begun = Self(Some(readers.lend().await?));
        sqlx::query("begin").execute(&mut *begun).await?;
        Ok(begun)
    }

    /// Errors: SQLite's; then it is rolled back, unless the error says nothing of that.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        let (_, fault) = statement::on_sqlite(&mut self, vec![Statement::new(COMMIT, Vec::new())], None, |_| ()).await;
        fault.map_or(Ok(()), Err)?;
        drop(self.0.take());
        Ok(())
    }
}

fn beginning(statements: Vec<Statement>) -> Vec<Statement> {
    BEGIN.map(|text| Statement::new(text, Vec::new())).into_iter().chain(statements).collect()
}

/// What a transaction that has begun so said of others.
fn version(answers: &[Answer]) -> i64 {
    let said = answers.get(1).and_then(|answer| answer.read::<(i64,)>().ok());
    said.and_then(|rows| rows.first().copied()).map_or(-1, |(version,)| version)
}

impl Db {
    /// Runs `statements`, which are made when the connection is free, in a transaction of their own on SQLite, for who waits for
    /// it whatever happens; an answer for each. Errors: [`Uncommitted`], and on PostgreSQL. Cost: 1 way to SQLite's thread and
    /// back, and 1 fsync.
    pub(crate) async fn write_at_once(
        &self,
        statements: impl FnOnce() -> Vec<Statement>,
        extent: &Extent,
    ) -> Result<Vec<Answer>, Uncommitted> {
        let Self::Sqlite { writer, dirty, changes, .. } = self else {
            return Err(Uncommitted::Undone(Error::Unavailable));
        };
        let (mut held, at) = (None, changes.now());
        let begun = |version| {
            changes.saw(version, at);
            held = Some(Held::new(changes.clone()));
        };
        let written = Transaction::all(writer, statements, begun).await;
        // What failed may stand all the same.
        changes.count(extent);
        dirty.store(true, Ordering::Relaxed);
        written
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut conn) = self.0.take() else { return };
        // Outside of a runtime nothing can be asked of it any more: closed, it is rolled back as well.
        let Ok(runtime) = Handle::try_current() else { return drop(Object::take(conn)) };
        runtime.spawn(async move {
            // On a full or broken disk SQLite has rolled back by itself (sqlite.org/lang_transaction.html, 3.1), and says that
            // there is nothing to roll back. What fails otherwise is closed.
            if conn.execute("rollback").await.is_err() && is_within(&mut conn).await {
                drop(Object::take(conn));
            }
        });
    }
}

/// Whether the connection is in a transaction still, or can't be asked.
async fn is_within(conn: &mut SqliteConnection) -> bool {
    conn.execute("begin; rollback").await.is_err()
}

impl Deref for Transaction {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        self.0.as_ref().expect("only a transaction that ended has no connection")
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.0.as_mut().expect("only a transaction that ended has no connection")
    }
}

/// The connection to another program's database, of which nothing is changed, nor anything written beside it.
/// Errors: [`Error::Startup`] for a file that isn't a SQLite database or that isn't there.
pub(super) async fn open_foreign(file: &Path) -> Result<Connections> {
    let fault = |e: &dyn Display| Error::startup(format!("{} can't be read as a SQLite database: {e}", file.display()));
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    // Whoever has it open writes to its log, which is read, too; without one the file is all there is.
    let has_log = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let options =
        SqliteConnectOptions::new().filename(file).read_only(true).immutable(!has_log).create_if_missing(false);
    let connections = Connections::new(options, 1)?;
    let mut conn = connections.lend_or_say().await.map_err(|e| fault(&e))?;
    // The driver opens whatever there is; the first question tells what it is.
    conn.execute("select count(*) from sqlite_master").await.map_err(|e| fault(&e))?;
    drop(conn);
    Ok(connections)
}
