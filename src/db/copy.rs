//! The whole database as one SQLite file of its own, whatever engine it is on, and the way back: what a backup holds and what
//! is restored from. Called by `crate::archive`.
//!
//! From SQLite it is `vacuum into`: one read transaction, so nothing that is committed meanwhile is in it by halves and
//! nobody who writes waits. The backup API would copy page by page in less time, but begins anew whenever another
//! connection commits, copies the free pages too, where deleted texts still stand, and has no safe face in the driver.
//! From PostgreSQL it is `COPY` of each table within one `REPEATABLE READ` transaction ([`out`]), and back the same way
//! ([`back`]), so there is one form of a backup, and either engine takes it.
//!
//! Who has the copy has the site as it was, except what would let somebody in without a password or happen twice
//! ([`LEFT_OUT`]): those who were signed in sign in again. Personal tokens stay: they are known by their hashes alone.

mod back;
pub mod hold;
mod out;
mod text;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::time::interval;

pub use back::Loaded;

use super::postgres::{self, Pooling};
use super::{create_private_file, migrations};
use crate::archive::progress::{Length, Progress};
use crate::archive::scratch::has_room;
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// Who is signed in and by what, links that open an account, what is told between processes, and whose turn it is. What
/// refers to these goes with them. Invitations stay: staff see them listed, and only their hashes are kept.
pub const LEFT_OUT: [&str; 8] = [
    "tower_sessions",
    "push_subscriptions",
    "refresh_tokens",
    "sessions",
    "password_reset_tokens",
    "email_changes",
    "revocations",
    "leases",
];
/// Why nothing is put over a site without being asked to.
pub const IS_THERE: &str =
    "There is a site in this database already. Nothing was changed; with --force it is replaced.";
const AT_WORK_ON_POSTGRES: &str = "A server, or another command, is at work on this PostgreSQL database.";
/// Sessions of the restored site are numbered from so far on: an access token that names a session from after the backup
/// must never fit another one of the same person. It lives for a quarter of an hour.
const NUMBERS_APART: i64 = 1 << 20;
/// How often one looks how long the copy has become.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A copy; nobody else has its file open.
pub struct Copy(SqliteConnection);

impl Copy {
    /// Copies the database at `url` into a new file at `path` (mode 0600), while others write to it. Changes nothing there,
    /// and doesn't migrate it. Errors: [`Error::Startup`] in words, for a database that isn't there, isn't ours, is newer
    /// than this program or is damaged. Cost: reads everything once; on PostgreSQL its vacuum waits meanwhile.
    pub async fn take(url: &str, pooling: Pooling, path: &Path, progress: &Progress) -> Result<Self> {
        create_private_file(path).map_err(|error| unwritten(path, &error))?;
        let mut copy = match url.starts_with("sqlite:") {
            true => {
                vacuum_into(url, path, progress).await?;
                Self::open(path).await?
            }
            false => {
                let mut copy = Self::open(path).await?;
                out::run(&mut postgres::alone(url, pooling).await?, &mut copy.0, progress).await?;
                copy
            }
        };
        copy.leave_out().await?;
        Ok(copy)
    }

    /// One that lies at `path`. Errors: [`Error::Startup`] for what is no database.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(false)
            // It is made anew if anything goes wrong.
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .pragma("secure_delete", "on")
            .pragma("temp_store", "memory")
            .pragma("trusted_schema", "off")
            .pragma("cell_size_check", "on")
            .pragma("cache_size", "-16384");
        options.connect().await.map(Self).map_err(|error| damaged(&error))
    }

    /// Rows of each table, by name. Cost: O(rows).
    pub async fn counts(&mut self) -> Result<BTreeMap<String, i64>> {
        let mut counts = BTreeMap::new();
        for table in tables(&mut self.0).await? {
            let sql = format!("select count(*) from {}", quoted(&table));
            counts.insert(table, sqlx::query_scalar(&sql).fetch_one(&mut self.0).await?);
        }
        Ok(counts)
    }

    /// The number of its newest migration. Errors: [`Error::Startup`] when it isn't a database of ours.
    pub async fn migration(&mut self) -> Result<i64> {
        migration_of(&mut self.0).await
    }

    /// Errors: [`Error::Startup`] with what SQLite finds wrong, or [`Error::Startup`] for one that isn't ours.
    /// Cost: reads everything once.
    pub async fn check(&mut self) -> Result<()> {
        let found: Vec<String> = sqlx::query_scalar("pragma quick_check(3)")
            .fetch_all(&mut self.0)
            .await
            .map_err(|error| damaged(&error))?;
        if found != ["ok"] {
            return Err(Error::startup(format!("The copy of the database is damaged: {}", found.join("; "))));
        }
        self.migration().await.map(|_| ())
    }

    /// Digests of files that messages have, each with its size in bytes, in order, at most `most` from beyond `after`.
    /// Cost: 1 indexed query.
    pub async fn files(&mut self, after: &str, most: i64) -> Result<Vec<(String, i64)>> {
        Ok(sqlx::query_as(
            "select sha256, max(size) from attachments where sha256 > $1 group by sha256 order by sha256 limit $2",
        )
        .bind(after)
        .bind(most)
        .fetch_all(&mut self.0)
        .await?)
    }

    /// Names of people's pictures, likewise. Cost: 1 query, O(people).
    pub async fn pictures(&mut self, after: &str, most: i64) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("select distinct avatar from users where avatar > $1 order by avatar limit $2")
            .bind(after)
            .bind(most)
            .fetch_all(&mut self.0)
            .await?)
    }

    /// Bytes of all files that messages have, each once. Cost: 1 query, O(files).
    pub async fn upload_bytes(&mut self) -> Result<u64> {
        let sql = "select coalesce(sum(size), 0) from (select max(size) as size from attachments group by sha256)";
        let bytes: i64 = sqlx::query_scalar(sql).fetch_one(&mut self.0).await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// People who have a second factor on. Cost: 1 query.
    pub async fn people_with_second_factor(&mut self) -> Result<i64> {
        Ok(sqlx::query_scalar("select count(*) from users where totp_enabled").fetch_one(&mut self.0).await?)
    }

    /// Makes it a site to serve from: migrated to this program's schema, nothing half done that the site it was copied
    /// from has done since. Mails that waited there aren't sent a second time: staff find them as failed, with the reason,
    /// and send again what they want. How many these are. Cost: that of the migrations that are missing.
    pub async fn settle(&mut self, taken_at: &str, now: Timestamp) -> Result<i64> {
        migrations::sqlite_up_to(&mut self.0, migrations::newest()).await?;
        let conn = &mut self.0;
        let mails = sqlx::query(
            "update emails set status = 'failed', next_attempt_at = null, leased_until = null, last_error = $1
             where status = 'queued'",
        )
        .bind(format!(
            "It wasn't sent: it waited when the backup of {taken_at} was taken, and may have been sent since."
        ))
        .execute(&mut *conn)
        .await?;
        sqlx::query("update users set digested_at = $1 where digest <> 'never'").bind(now).execute(&mut *conn).await?;
        sqlx::query("update departures set leased_until = null").execute(&mut *conn).await?;
        let last: Option<i64> = sqlx::query_scalar("select seq from sqlite_sequence where name = 'sessions'")
            .fetch_optional(&mut *conn)
            .await?;
        set_sequence(conn, "sessions", last.unwrap_or(0) + NUMBERS_APART).await?;
        // The same revisions may mean other changes from here on: what nodes kept under the name of the site before
        // (`Db::site_name`) is another site's now.
        sqlx::query("update _sqlx_migrations set installed_on = $1").bind(now.to_string()).execute(conn).await?;
        Ok(i64::try_from(mails.rows_affected()).unwrap_or(i64::MAX))
    }

    /// Loads it into the PostgreSQL database at `url`, which is as before until [`Loaded::commit`]. Errors: see
    /// [`back::run`].
    pub async fn load(&mut self, url: &str, pooling: Pooling, replace: bool, progress: &Progress) -> Result<Loaded> {
        back::run(&mut self.0, postgres::alone(url, pooling).await?, replace, progress).await
    }

    /// Lets go of the file; it is whole.
    pub async fn close(self) -> Result<()> {
        Ok(self.0.close().await?)
    }

    async fn leave_out(&mut self) -> Result<()> {
        for table in tables(&mut self.0).await? {
            if LEFT_OUT.contains(&table.as_str()) {
                sqlx::query(&format!("delete from {}", quoted(&table))).execute(&mut self.0).await?;
            }
        }
        Ok(())
    }
}

async fn vacuum_into(url: &str, path: &Path, progress: &Progress) -> Result<()> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| Error::startup(format!("DATABASE_URL can't be read: {error}")))?
        .create_if_missing(false)
        .foreign_keys(false)
        // Only the server's own connection may move the log into the database (see `db/sqlite.rs`).
        .pragma("wal_autocheckpoint", "0");
    let from = options.get_filename().to_owned();
    if !from.exists() {
        return Err(Error::startup(format!("There is no database at {} yet.", from.display())));
    }
    let told = |error: sqlx::Error| Error::startup(format!("The database {} can't be read: {error}", from.display()));
    let mut conn = options.connect().await.map_err(told)?;
    migration_of(&mut conn).await?;
    let pages = "select page_count * page_size from pragma_page_count(), pragma_page_size()";
    let bytes: i64 = sqlx::query_scalar(pages).fetch_one(&mut conn).await.map_err(told)?;
    progress.begin("Copying the database", Length::Bytes(u64::try_from(bytes).unwrap_or(0)))?;
    has_room(path, u64::try_from(bytes).unwrap_or(0))?;
    let target = path.to_str().ok_or_else(|| Error::startup(format!("{} isn't UTF-8.", path.display())))?;
    {
        let vacuum = sqlx::query("vacuum into $1").bind(target).execute(&mut conn);
        tokio::pin!(vacuum);
        let mut every = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                done = &mut vacuum => break done.map(|_| ()).map_err(told)?,
                _ = every.tick() => {
                    progress.at(std::fs::metadata(path).map_or(0, |file| file.len()));
                    progress.go_on()?;
                }
            }
        }
    }
    Ok(conn.close().await?)
}

/// The number of the newest migration that this program knows.
pub fn newest_migration() -> i64 {
    migrations::newest()
}

/// Errors: [`Error::Startup`] when the database isn't ours or is newer than this program.
async fn migration_of(conn: &mut SqliteConnection) -> Result<i64> {
    let newest: Result<Option<i64>, _> =
        sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(conn).await;
    known(newest.ok().flatten())
}

/// The same for what the table of migrations says.
fn known(newest: Option<i64>) -> Result<i64> {
    match newest {
        Some(number) if number > migrations::newest() => Err(Error::startup(format!(
            "The database was made by a newer Switchboard: it has migration {number}, and this one knows {} at most.",
            migrations::newest()
        ))),
        Some(number) => Ok(number),
        None => Err(Error::startup("The database isn't one of Switchboard's: it has no migrations.")),
    }
}

/// Tables of the models and what belongs to them. The index of words isn't copied from engine to engine: triggers make it
/// as the messages come in.
async fn tables(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        r"select name from sqlite_master where type = 'table' and name not like 'sqlite\_%' escape '\'
            and name not like 'messages\_text%' escape '\' and name <> '_sqlx_migrations' order by name",
    )
    .fetch_all(conn)
    .await?)
}

/// The columns of `table` and their declared types.
async fn columns(conn: &mut SqliteConnection, table: &str) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as("select name, lower(type) from pragma_table_info($1) order by cid")
        .bind(table)
        .fetch_all(conn)
        .await?)
}

/// The id that was given last in `table`.
async fn set_sequence(conn: &mut SqliteConnection, table: &str, last: i64) -> Result<()> {
    sqlx::query("delete from sqlite_sequence where name = $1").bind(table).execute(&mut *conn).await?;
    sqlx::query("insert into sqlite_sequence (name, seq) values ($1, $2)").bind(table).bind(last).execute(conn).await?;
    Ok(())
}

/// As an identifier on either engine.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn damaged(error: &sqlx::Error) -> Error {
    Error::startup(format!("The copy of the database can't be read: {error}"))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::startup(format!("{} can't be written: {error}", path.display()))
}
