//! The database: with the files of its folder the only place that names a driver.
//!
//! [`Db`] is SQLite or PostgreSQL, chosen at start. [`Db::read`] gives a [`Conn`] to query, [`Db::write`] a [`Tx`]
//! to change things with. Model functions take `&mut Conn` and run one SQL text on either engine through [`on_db!`].
//! How each engine is opened, and what it does when it is away, full or locked, stands in [`sqlite`] and [`postgres`].
//!
//! What a short statement costs on SQLite is mostly the way to its thread and back, some 40 µs of CPU on a busy machine, as
//! are begin and commit. A row costs 1.5 µs more, whether the driver's buffer holds 50 or 1000; with a buffer of 1 it is 15.

pub(crate) mod bulk;
pub mod changes;
pub(crate) mod company;
mod connections;
pub mod copy;
pub(crate) mod direct;
pub mod loader;
pub mod migrations;
pub mod postgres;
pub mod rows;
mod sqlite;
pub(crate) mod statement;
pub mod values;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use changes::{Changes, Extent, Held};
use connections::{Connection, Connections};
use direct::Direct;
use postgres::{Lent, Pooling, Server};
use statement::{Answer, Statement};

use crate::error::{Error, Result, is_undone};

/// How long a request waits for a free connection before it is refused with "unavailable".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A statement that takes so long is worth a warning, without what was bound to it.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);

/// Bytes that SQLite's log (`-wal`) may have before the writer moves it into the database even while it has more to do.
/// Once all of it is moved, SQLite begins the log anew and cuts the file to this length.
pub const LOG_LIMIT: u64 = 16 << 20;

/// Runs `$body` with `$c` bound to the driver's own connection: the same text and binds on both engines. A server that says
/// nothing is waited for thirty seconds.
#[macro_export]
macro_rules! on_db {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn.engine() {
            $crate::db::Engine::Sqlite($c) => $body,
            $crate::db::Engine::Postgres($c) => $crate::db::postgres::answered(async { $body }).await,
        }
    };
}

/// The site's database. Cheap to clone.
#[derive(Clone)]
pub enum Db {
    Sqlite {
        readers: Connections,
        writer: Connections,
        snapshots: Connections,
        file: Arc<Path>,
        dirty: Arc<AtomicBool>,
        changes: Arc<Changes>,
        direct: Arc<Direct>,
    },
    Postgres(Server),
}

/// A borrowed driver connection; what [`on_db!`] matches on.
pub enum Engine<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// A connection to query with. In a [`Tx`], everything done on it belongs to the transaction.
pub struct Conn(Handle);

enum Handle {
    Sqlite(Connection),
    SqliteTx(sqlite::Transaction),
    /// In a transaction or not.
    Postgres(Lent),
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

/// What became of a transaction that failed to commit.
pub enum Uncommitted {
    /// Nothing of it stands: a statement of it failed.
    Spoiled(Error),
    /// Nothing of it stands: the database said so.
    Undone(Error),
    /// Nobody knows: the word that it stands may have been lost on its way.
    Unknown(Error),
}

impl Uncommitted {
    /// What a commit ran into.
    fn by(error: sqlx::Error) -> Self {
        if is_undone(&error) { Self::Undone(error.into()) } else { Self::Unknown(error.into()) }
    }
}

impl From<Uncommitted> for Error {
    fn from(uncommitted: Uncommitted) -> Self {
        match uncommitted {
            Uncommitted::Spoiled(error) | Uncommitted::Undone(error) | Uncommitted::Unknown(error) => error,
        }
    }
}

impl Conn {
    pub fn engine(&mut self) -> Engine<'_> {
        match &mut self.0 {
            Handle::Sqlite(c) => Engine::Sqlite(c),
            Handle::SqliteTx(c) => Engine::Sqlite(c),
            Handle::Postgres(c) => Engine::Postgres(c),
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
        Ok(self.commit_or_say().await?)
    }

    /// The same for who makes a difference between what was undone and what nobody knows.
    pub async fn commit_or_say(self) -> Result<(), Uncommitted> {
        let finished = tokio::spawn(self.commit_here()).await;
        finished.unwrap_or_else(|error| Err(Uncommitted::Unknown(Error::internal(error))))
    }

    /// The same for who waits for it whatever happens: given up halfway, nobody counts what was committed.
    pub(crate) async fn commit_here(self) -> Result<(), Uncommitted> {
        if let Some(changes) = &self.changes {
            changes.trust();
        }
        let fault = match self.conn.0 {
            Handle::Sqlite(_) => None,
            Handle::SqliteTx(tx) => tx.commit().await.err(),
            Handle::Postgres(lent) => lent.commit().await.err(),
        };
        // What failed may stand all the same.
        if let (Some(changes), Some(dirty)) = (&self.changes, &self.dirty) {
            changes.count(&self.extent);
            dirty.store(true, Ordering::Relaxed);
        }
        drop(self.held);
        fault.map_or(Ok(()), |error| Err(Uncommitted::by(error)))
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
        Self::open_with(url, Pooling::default()).await
    }

    /// The same with a pool of one's own making; SQLite has the one that it has.
    pub async fn open_with(url: &str, pooling: Pooling) -> Result<Self> {
        if url.starts_with("sqlite:") {
            let sqlite::Opened { readers, writer, snapshots, file } = sqlite::open(url).await?;
            let (file, dirty, changes) = (Arc::<Path>::from(file), Arc::default(), Arc::default());
            let direct = Arc::new(Direct::new(file.clone()));
            return Ok(Self::Sqlite { readers, writer, snapshots, file, dirty, changes, direct });
        }
        Ok(Self::Postgres(Server::open(url, pooling).await?))
    }

    /// The file of a SQLite address.
    pub fn file(url: &str) -> Option<PathBuf> {
        Some(SqliteConnectOptions::from_str(url).ok()?.get_filename().to_owned())
    }

    /// A connection for reading. Errors: [`Error::Unavailable`] when none is free within five seconds.
    pub async fn read(&self) -> Result<Conn> {
        Ok(Conn(match self {
            Self::Sqlite { readers, .. } => Handle::Sqlite(readers.lend().await?),
            Self::Postgres(server) => Handle::Postgres(server.lend().await?),
        }))
    }

    /// A connection on which every query sees the site as it is now, whatever others commit meanwhile; it holds up nobody who
    /// writes. On SQLite the log can't begin anew while it stands, and on PostgreSQL old rows aren't cleared away.
    /// Errors: as [`Db::read`]. Cost: 2 statements.
    pub async fn snapshot(&self) -> Result<Conn> {
        let mut conn = Conn(match self {
            Self::Sqlite { snapshots, .. } => Handle::SqliteTx(sqlite::Transaction::begin_snapshot(snapshots).await?),
            Self::Postgres(server) => Handle::Postgres(server.begin_snapshot().await?),
        });
        // The moment is that of the first query.
        on_db!(conn, c => sqlx::query("select key from settings limit 1").execute(c).await.map(|_| ()))?;
        Ok(conn)
    }

    /// A transaction for writing. On SQLite there is one at a time, and it holds the write lock from its start. Errors:
    /// [`Error::Unavailable`] when it can't begin: the database is away, full, or locked by another process for five seconds.
    pub async fn write(&self) -> Result<Tx> {
        match self {
            Self::Sqlite { .. } => Ok(self.write_sqlite(Vec::new()).await?.0),
            Self::Postgres(server) => Ok(Self::tx_on(server.begin().await?)),
        }
    }

    /// The same for what is done in milliseconds and keeps others back: limits are shorter on PostgreSQL. On SQLite it takes
    /// what is in `first` along on the way on which it begins; what that came to.
    pub(crate) async fn write_briefly(&self, first: &mut Vec<Statement>) -> Result<(Tx, Result<Vec<Answer>>)> {
        match self {
            Self::Sqlite { .. } => self.write_sqlite(std::mem::take(first)).await,
            Self::Postgres(server) => Ok((Self::tx_on(server.begin_briefly().await?), Ok(Vec::new()))),
        }
    }

    fn tx_on(lent: Lent) -> Tx {
        let conn = Conn(Handle::Postgres(lent));
        Tx { conn, dirty: None, changes: None, extent: Extent::All, held: None }
    }

    async fn write_sqlite(&self, first: Vec<Statement>) -> Result<(Tx, Result<Vec<Answer>>)> {
        let Self::Sqlite { writer, dirty, changes, .. } = self else { return Err(Error::Unavailable) };
        let at = changes.now();
        let (tx, version, answers) = sqlite::Transaction::begin(writer, first).await?;
        changes.saw(version, at);
        let held = Some(Held::new(changes.clone()));
        let (dirty, changes) = (Some(dirty.clone()), Some(changes.clone()));
        Ok((Tx { conn: Conn(Handle::SqliteTx(tx)), dirty, changes, extent: Extent::All, held }, answers))
    }

    /// Moves what was committed from SQLite's log into the database file, as far as readers allow, on the one
    /// connection that writes. Does nothing when nothing was written since, or on PostgreSQL.
    pub async fn checkpoint(&self) -> Result<()> {
        if let Self::Sqlite { writer, dirty, .. } = self
            && dirty.swap(false, Ordering::Relaxed)
        {
            sqlx::query("pragma wal_checkpoint(passive)").execute(&mut *writer.lend().await?).await?;
        }
        Ok(())
    }

    /// How long SQLite's log has been since it began anew, if that was more than [`LOG_LIMIT`]; below that the file says
    /// how long it ever was. 0 on PostgreSQL. By its length alone: to open it would end SQLite's locks on its neighbours
    /// when it is closed (POSIX, `fcntl`). Cost: 1 look at the file's entry.
    pub fn log_bytes(&self) -> u64 {
        let Self::Sqlite { file, .. } = self else { return 0 };
        let mut path = file.as_os_str().to_owned();
        path.push("-wal");
        std::fs::metadata(path).map_or(0, |file| file.len())
    }

    /// Keeps up to 64 MiB of SQLite's pages (2 MiB otherwise) on the one connection that writes, for a command that
    /// writes far more than a server does at a time: without it a page is written again and again.
    pub async fn prepare_bulk_write(&self) -> Result<()> {
        if let Self::Sqlite { writer, .. } = self {
            sqlx::query("pragma cache_size = -65536").execute(&mut *writer.lend().await?).await?;
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

    /// Whether other nodes write here, too. On SQLite one process serves, and a command beside it changes little.
    pub fn has_other_writers(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// What the nodes of this site, and no other's, call it among themselves: its database, when that was made or restored,
    /// and the cluster that it is in, so that a copy elsewhere, and an earlier state put back, is another site.
    /// Cost: 1 query.
    pub async fn site_name(&self) -> Result<String> {
        let (name, question) = match self {
            Self::Sqlite { file, .. } => {
                (file.display().to_string(), "select cast(min(installed_on) as text) from _sqlx_migrations")
            }
            Self::Postgres(_) => (
                String::new(),
                "select current_database() || cast(min(installed_on) as text) ||
                     (select cast(system_identifier as text) from pg_control_system()) from _sqlx_migrations",
            ),
        };
        let mut conn = self.read().await?;
        let made: String = on_db!(conn, c => sqlx::query_scalar(question).fetch_one(c).await)?;
        Ok(name + &made)
    }

    /// Connections for reading that are open, and how many of those are free.
    pub fn connections(&self) -> (usize, usize) {
        match self {
            Self::Sqlite { readers, .. } => readers.count(),
            Self::Postgres(server) => server.count(),
        }
    }

    /// The engine's name, for people.
    pub fn engine_name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer, snapshots, direct, .. } => {
                direct.close();
                readers.close().await;
                snapshots.close().await;
                writer.close().await;
            }
            Self::Postgres(server) => server.close().await,
        }
    }
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
