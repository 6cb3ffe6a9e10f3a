//! The database: the only file that names a driver.
//!
//! [`Db`] is SQLite or PostgreSQL, chosen at start. [`Db::read`] gives a [`Conn`] to query, [`Db::write`] a [`Tx`]
//! to change things with. Model functions take `&mut Conn` and run one SQL text on either engine through [`on_db!`].
//!
//! SQLite has a pool of readers and exactly one connection that writes: transactions begin `IMMEDIATE` there, and
//! only it moves the log into the database ([`Db::checkpoint`]), because SQLite before 3.51.3 can, very rarely,
//! damage a WAL database when two connections checkpoint at once. Every other connection, those of command-line
//! processes too, opens with `wal_autocheckpoint=0`.
//!
//! What a short statement costs on SQLite is mostly the way to its thread and back, some 40 µs of CPU on a busy machine, as
//! are begin, commit and the pool's look at a connection that comes back. Its look before one is lent is left out: nothing
//! can have cut the connection off (a quarter of what lending costs). A row costs 1.5 µs more, whether the driver's buffer
//! holds 50 or 1000; with a buffer of 1 it is 15.

pub mod changes;
pub mod rows;
pub mod values;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Postgres, Sqlite, Transaction};
use tower_sessions_sqlx_store::{PostgresStore, SqliteStore};

use changes::{Changes, Extent, Held};

use crate::auth::session::store::Records;
use crate::error::{Error, Result};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a statement waits for another process's write lock on SQLite.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a free connection before it is refused with "unavailable".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;

/// Bytes that SQLite's log (`-wal`) may have before the writer moves it into the database even while it has more to do.
/// Once all of it is moved, SQLite begins the log anew and cuts the file to this length.
pub const LOG_LIMIT: u64 = 16 << 20;

/// Runs `$body` with `$c` bound to the driver's own connection: the same text and binds on both engines.
#[macro_export]
macro_rules! on_db {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn.engine() {
            $crate::db::Engine::Sqlite($c) => $body,
            $crate::db::Engine::Postgres($c) => $body,
        }
    };
}

/// The site's database. Cheap to clone.
#[derive(Clone)]
pub enum Db {
    Sqlite { readers: SqlitePool, writer: SqlitePool, dirty: Arc<AtomicBool>, changes: Arc<Changes> },
    Postgres(PgPool),
}

/// A borrowed driver connection; what [`on_db!`] matches on.
pub enum Engine<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// A connection to query with. In a [`Tx`], everything done on it belongs to the transaction.
pub struct Conn(Handle);

enum Handle {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
    SqliteTx(Transaction<'static, Sqlite>),
    PostgresTx(Transaction<'static, Postgres>),
}

/// A transaction that writes. Dropped without [`Tx::commit`], it is rolled back.
pub struct Tx {
    conn: Conn,
    dirty: Option<Arc<AtomicBool>>,
    changes: Option<Arc<Changes>>,
    extent: Extent,
    /// Let go of when the transaction has ended.
    held: Option<Held>,
}

impl Conn {
    pub fn engine(&mut self) -> Engine<'_> {
        match &mut self.0 {
            Handle::Sqlite(c) => Engine::Sqlite(c),
            Handle::Postgres(c) => Engine::Postgres(c),
            Handle::SqliteTx(c) => Engine::Sqlite(c),
            Handle::PostgresTx(c) => Engine::Postgres(c),
        }
    }
}

impl Tx {
    /// Says that this transaction changes less than it might: what is kept of the rest still holds.
    pub fn changes_only(&mut self, extent: Extent) {
        self.extent = extent;
    }

    /// Makes the changes durable: on SQLite the log is on disk when this returns (`synchronous=FULL`). Once asked for it
    /// is done and counted, whether anybody waits for it or not. Cost: 1 fsync.
    pub async fn commit(self) -> Result<()> {
        tokio::spawn(self.finish()).await.map_err(Error::internal)?
    }

    async fn finish(self) -> Result<()> {
        if let Some(changes) = &self.changes {
            changes.trust();
        }
        let committed = match self.conn.0 {
            Handle::SqliteTx(tx) => tx.commit().await,
            Handle::PostgresTx(tx) => tx.commit().await,
            Handle::Sqlite(_) | Handle::Postgres(_) => Ok(()),
        };
        // What failed may stand all the same.
        if let Some(changes) = self.changes {
            changes.count(&self.extent);
        }
        if let Some(dirty) = self.dirty {
            dirty.store(true, Ordering::Relaxed);
        }
        drop(self.held);
        Ok(committed?)
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

impl Db {
    /// Opens the database at `url` (`sqlite://path` or `postgres://…`), creating a SQLite file (mode 0600) that
    /// isn't there. Errors: an address of another kind, or a database that can't be reached, in a user's words.
    pub async fn open(url: &str) -> Result<Self> {
        if url.starts_with("sqlite:") {
            return Self::open_sqlite(url).await;
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(|e| Error::startup(format!("DATABASE_URL can't be read: {e}")))?
            .application_name("switchboard")
            // Every query here takes milliseconds; compiling one takes longer than it saves.
            .options([("jit", "off")]);
        let place = format!("{}:{}", options.get_host(), options.get_port());
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|e| Error::startup(format!("The PostgreSQL database at {place} can't be reached: {e}")))?;
        Ok(Self::Postgres(pool))
    }

    /// The file of a SQLite address.
    pub fn file(url: &str) -> Option<PathBuf> {
        Some(SqliteConnectOptions::from_str(url).ok()?.get_filename().to_owned())
    }

    async fn open_sqlite(url: &str) -> Result<Self> {
        let fault =
            |e: &dyn std::fmt::Display| Error::startup(format!("The SQLite database {url} can't be opened: {e}"));
        let options = SqliteConnectOptions::from_str(url).map_err(|e| fault(&e))?;
        create_private_file(options.get_filename()).map_err(|e| fault(&e))?;
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("wal_autocheckpoint", "0")
            // A batch of messages is more than SQLite keeps in memory to undo one statement: it made, wrote and deleted a
            // file for each.
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
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self::Sqlite { readers, writer, dirty: Arc::default(), changes: Arc::default() })
    }

    /// Applies the migrations that are missing. Errors: a database made by a newer version, or one that was altered.
    pub async fn migrate(&self) -> Result<()> {
        let done = match self {
            Self::Sqlite { writer, .. } => SQLITE_MIGRATIONS.run(writer).await,
            Self::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await,
        };
        done.map_err(|e| match e {
            MigrateError::VersionMissing(n) => Error::startup(format!(
                "The database was made by a newer Switchboard (it has migration {n}, this version doesn't). \
                 Start that version, or restore a backup made before the upgrade."
            )),
            MigrateError::VersionMismatch(n) => {
                Error::startup(format!("Migration {n} in the database differs from this version's: was it altered?"))
            }
            e => Error::startup(format!("The database can't be migrated: {e}")),
        })
    }

    /// How many migrations the database still lacks. Changes nothing.
    pub async fn pending_migrations(&self) -> Result<usize> {
        let mut conn = self.read().await?;
        let known = if matches!(self, Self::Sqlite { .. }) { &SQLITE_MIGRATIONS } else { &POSTGRES_MIGRATIONS };
        let applied: Result<Vec<i64>, _> = on_db!(conn, c => sqlx::query_scalar("select version from _sqlx_migrations")
            .fetch_all(c).await);
        // A database without the table has had none.
        let applied = applied.unwrap_or_default();
        Ok(known.iter().filter(|migration| !applied.contains(&migration.version)).count())
    }

    /// A connection for reading. Errors: [`Error::Unavailable`] when none is free within five seconds.
    pub async fn read(&self) -> Result<Conn> {
        Ok(Conn(match self {
            Self::Sqlite { readers, .. } => Handle::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Handle::Postgres(pool.acquire().await?),
        }))
    }

    /// A transaction for writing. On SQLite there is one at a time, and it holds the write lock from its start.
    pub async fn write(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { writer, dirty, changes, .. } => {
                let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
                changes.look(&mut tx).await?;
                let held = Some(Held::new(changes.clone()));
                let (dirty, changes) = (Some(dirty.clone()), Some(changes.clone()));
                Tx { conn: Conn(Handle::SqliteTx(tx)), dirty, changes, extent: Extent::All, held }
            }
            Self::Postgres(pool) => {
                let conn = Conn(Handle::PostgresTx(pool.begin().await?));
                Tx { conn, dirty: None, changes: None, extent: Extent::All, held: None }
            }
        })
    }

    /// Moves what was committed from SQLite's log into the database file, as far as readers allow, on the one
    /// connection that writes. Does nothing when nothing was written since, or on PostgreSQL.
    pub async fn checkpoint(&self) -> Result<()> {
        if let Self::Sqlite { writer, dirty, .. } = self
            && dirty.swap(false, Ordering::Relaxed)
        {
            sqlx::query("pragma wal_checkpoint(passive)").execute(writer).await?;
        }
        Ok(())
    }

    /// How long SQLite's log has been since it began anew, if that was more than [`LOG_LIMIT`]; below that the file says
    /// how long it ever was. 0 on PostgreSQL. By its length alone: to open it would end SQLite's locks on its neighbours
    /// when it is closed (POSIX, `fcntl`). Cost: 1 look at the file's entry.
    pub fn log_bytes(&self) -> u64 {
        let Self::Sqlite { writer, .. } = self else { return 0 };
        let mut path = writer.connect_options().get_filename().as_os_str().to_owned();
        path.push("-wal");
        std::fs::metadata(path).map_or(0, |file| file.len())
    }

    /// Keeps up to 64 MiB of SQLite's pages (2 MiB otherwise) on the one connection that writes, for a command that
    /// writes far more than a server does at a time: without it a page is written again and again.
    pub async fn prepare_bulk_write(&self) -> Result<()> {
        if let Self::Sqlite { writer, .. } = self {
            sqlx::query("pragma cache_size = -65536").execute(writer).await?;
        }
        Ok(())
    }

    /// Asks the database one trivial question.
    pub async fn ping(&self) -> Result<()> {
        let mut conn = self.read().await?;
        on_db!(conn, c => sqlx::query("select 1").execute(c).await.map(|_| ()))?;
        Ok(())
    }

    /// Bytes that the database takes on its disk. Cost: 1 query.
    pub async fn bytes(&self) -> Result<i64> {
        let question = match self {
            Self::Sqlite { .. } => "select page_count * page_size from pragma_page_count(), pragma_page_size()",
            Self::Postgres(_) => "select pg_database_size(current_database())",
        };
        let mut conn = self.read().await?;
        Ok(on_db!(conn, c => sqlx::query_scalar(question).fetch_one(c).await)?)
    }

    /// The engine's name, for people.
    /// Whether other nodes write here, too. On SQLite one process serves, and a command beside it changes little.
    pub fn has_other_writers(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// What the nodes of this site, and no other's, call it among themselves: its database and when that was made.
    /// Cost: 1 query.
    pub async fn site_name(&self) -> Result<String> {
        Ok(match self {
            Self::Sqlite { readers, .. } => readers.connect_options().get_filename().display().to_string(),
            Self::Postgres(pool) => {
                let name = "select current_database() || cast(min(installed_on) as text) from _sqlx_migrations";
                sqlx::query_scalar(name).fetch_one(pool).await?
            }
        })
    }

    pub fn engine_name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// The session stores on this database: one to load from, one to change. They share PostgreSQL's pool; on SQLite
    /// what changes goes through the one connection that writes.
    pub async fn session_stores(&self) -> Result<SessionStores> {
        Ok(match self {
            Self::Sqlite { readers, writer, dirty, .. } => SessionStores::Sqlite {
                load: SqliteStore::new(readers.clone()),
                change: SqliteStore::new(writer.clone()),
                dirty: dirty.clone(),
                records: Records::default(),
            },
            Self::Postgres(pool) => {
                // The store names its schema in every statement; ours is whichever the connection's search path says.
                let schema: String = sqlx::query_scalar("select current_schema()::text").fetch_one(pool).await?;
                let store = PostgresStore::new(pool.clone()).with_schema_name(schema).map_err(Error::startup)?;
                SessionStores::Postgres(store.with_table_name("tower_sessions").map_err(Error::startup)?)
            }
        })
    }
}

/// What [`crate::auth::session`] keeps browser sessions in.
#[derive(Clone, Debug)]
pub enum SessionStores {
    Sqlite { load: SqliteStore, change: SqliteStore, dirty: Arc<AtomicBool>, records: Records },
    Postgres(PostgresStore),
}

/// Creates `path` and its folder, readable by their owner only. An existing file is left alone.
pub fn create_private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty() && !f.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}
