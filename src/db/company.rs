//! Commands that write much: whether another process has the database open, and numbers for rows that are written with ids
//! of ours. Called by `transfer`.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;

use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use super::connections::Connections;
use super::{Conn, Db, Engine, Handle, sqlite};
use crate::error::Result;
use crate::on_db;

/// The byte of SQLite's `-shm` file that every connection locks together with others for as long as it is open
/// (`UNIX_SHM_DMS` in its os_unix.c: behind the header's 120 bytes and the eight locks).
const DEAD_MANS_SWITCH: u64 = 128;

/// Who else has this process's SQLite database open. The file is never closed: that would let go of all locks that this
/// process has on it (POSIX, `fcntl`).
pub(crate) struct Company(Option<ManuallyDrop<File>>);

impl Company {
    /// To be asked once the database is open. Cost: 1 file opened, on SQLite.
    pub fn of(db: &Db) -> Self {
        let Db::Sqlite { file, .. } = db else { return Self(None) };
        let mut path = file.as_os_str().to_owned();
        path.push("-shm");
        Self(File::options().read(true).write(true).open(path).ok().map(ManuallyDrop::new))
    }

    /// Whether this process alone has the database open; of what can't be asked, PostgreSQL above all, it is false.
    /// Cost: 1 system call.
    pub fn is_alone(&self) -> bool {
        let lock = Flock {
            start: DEAD_MANS_SWITCH,
            length: 1,
            pid: None,
            typ: FlockType::WriteLock,
            offset_type: FlockOffsetType::Set,
        };
        // Locks of one's own are no hindrance, and are not told.
        self.0.as_ref().is_some_and(|file| matches!(fcntl_getlk(&**file, &lock), Ok(None)))
    }
}

impl Db {
    /// Moves SQLite's log into the database, if no other process has it open: of two that do this at once, SQLite before
    /// 3.51.3 may damage the file. A server beside does it with its own writes.
    pub(crate) async fn checkpoint_alone(&self, company: &Company) -> Result<()> {
        if company.is_alone() { self.checkpoint().await } else { Ok(()) }
    }
}

impl Conn {
    /// `count` ids of `table` that no other row gets, in rising order. In a transaction that writes. Cost: 1 query.
    pub(crate) async fn reserve(&mut self, table: &str, count: usize) -> Result<Vec<i64>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        match self.engine() {
            // The write lock is ours, and the sequence follows whatever ids are written.
            Engine::Sqlite(_) => {
                let last = self.last_id(table).await?;
                Ok((last + 1..).take(count).collect())
            }
            Engine::Postgres(c) => {
                let sql = "select nextval(pg_get_serial_sequence($1, 'id')) from generate_series(1, $2)";
                let mut ids: Vec<i64> =
                    sqlx::query_scalar(sql).bind(table).bind(i64::try_from(count).unwrap_or(0)).fetch_all(c).await?;
                ids.sort_unstable();
                Ok(ids)
            }
        }
    }

    /// The highest id that a row of `table` ever had, by the database's own count. Cost: 1 query.
    pub(crate) async fn last_id(&mut self, table: &str) -> Result<i64> {
        let sql = match self.0 {
            Handle::Sqlite(_) | Handle::SqliteTx(_) => {
                "select coalesce(max(seq), 0) from sqlite_sequence where name = $1"
            }
            Handle::Postgres(_) => {
                "select coalesce(pg_sequence_last_value(cast(pg_get_serial_sequence($1, 'id') as regclass)), 0)"
            }
        };
        Ok(on_db!(self, c => sqlx::query_scalar(sql).bind(table).fetch_one(c).await)?)
    }

    /// No row that is made from now on gets an id up to `last`. Cost: 2 or 3 statements.
    pub(crate) async fn keep_ids_free(&mut self, table: &str, last: i64) -> Result<()> {
        if last <= self.last_id(table).await? {
            return Ok(());
        }
        match self.engine() {
            Engine::Sqlite(c) => {
                let set = sqlx::query("update sqlite_sequence set seq = $2 where name = $1").bind(table).bind(last);
                if set.execute(&mut *c).await?.rows_affected() == 0 {
                    let add = sqlx::query("insert into sqlite_sequence (name, seq) values ($1, $2)");
                    add.bind(table).bind(last).execute(c).await?;
                }
            }
            Engine::Postgres(c) => {
                let sql = "select setval(pg_get_serial_sequence($1, 'id'), $2)";
                sqlx::query(sql).bind(table).bind(last).execute(c).await?;
            }
        }
        Ok(())
    }
}

/// Another program's SQLite file, open for reading alone.
pub(crate) struct Foreign(Connections);

impl Foreign {
    /// Errors: [`crate::error::Error::Startup`] for a file that isn't a SQLite database.
    pub async fn open(file: &Path) -> Result<Self> {
        Ok(Self(sqlite::open_foreign(file).await?))
    }

    /// The one connection there is, on which every query sees the same.
    pub async fn read(&self) -> Result<Conn> {
        Ok(Conn(Handle::SqliteTx(sqlite::Transaction::begin_snapshot(&self.0).await?)))
    }

    pub async fn close(self) {
        self.0.close().await;
    }
}
