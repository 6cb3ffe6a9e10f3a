//! The migrations of both engines, inside the binary, and how they are applied. Called at each start and by
//! `switchboard migrate`.
//!
//! A node of the release before goes on with the schema of this one while the others are restarted, so a migration only
//! adds: tables, indexes, columns that may be null or have a default. `tests/it/migrations.rs` holds every one to that.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, SqliteConnection};

use super::{Db, Engine};
use crate::error::{Error, Result};
use crate::on_db;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// However long they take, and one node after the other: the key is this schema's own.
const ALONE: &str = "set local statement_timeout = 0; set local lock_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    select pg_advisory_xact_lock(hashtext('switchboard migrates ' || current_schema()))";

impl Db {
    /// Applies the migrations that are missing: on PostgreSQL all of them or none. Errors: a database made by a newer
    /// version, or one that was altered.
    pub async fn migrate(&self) -> Result<()> {
        let done = match self {
            Self::Sqlite { writer, .. } => SQLITE.run(&mut *writer.lend().await?).await,
            Self::Postgres(_) => return self.migrate_postgres().await,
        };
        done.map_err(explain)
    }

    /// In one transaction, under a lock that ends with it: behind PgBouncer a lock of sqlx's own would stay with a
    /// connection that is somebody else's by then.
    async fn migrate_postgres(&self) -> Result<()> {
        let mut tx = self.write().await?;
        if let Engine::Postgres(conn) = tx.engine() {
            postgres_alone(conn).await?;
        }
        tx.commit().await
    }

    /// How many migrations the database still lacks. Changes nothing.
    pub async fn pending_migrations(&self) -> Result<usize> {
        let mut conn = self.read().await?;
        let known = if matches!(self, Self::Sqlite { .. }) { &SQLITE } else { &POSTGRES };
        let applied: Result<Vec<i64>, sqlx::Error> = on_db!(conn, c => sqlx::query_scalar("select version from _sqlx_migrations")
            .fetch_all(c).await);
        // A database without the table has had none.
        let applied = applied.unwrap_or_default();
        Ok(known.iter().filter(|migration| !applied.contains(&migration.version)).count())
    }
}

/// The number of the newest migration that this program knows; both engines have the same.
pub(super) fn newest() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Applies what is missing in the transaction that `conn` is in: none beside it does, nor starts, until that ends.
/// Errors: as [`Db::migrate`].
pub(super) async fn postgres_alone(conn: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(ALONE).execute(&mut *conn).await?;
    let mut migrator = Migrator { migrations: Cow::Borrowed(&POSTGRES.migrations), ..Migrator::DEFAULT };
    migrator.set_locking(false);
    migrator.run_direct(conn).await.map_err(explain)
}

/// Brings a SQLite file that nobody else has to migration `up_to`; one that is beyond it stays as it is. Errors: as
/// [`Db::migrate`].
pub(super) async fn sqlite_up_to(conn: &mut SqliteConnection, up_to: i64) -> Result<()> {
    let migrations = SQLITE.iter().filter(|migration| migration.version <= up_to).cloned().collect();
    let migrator = Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT };
    migrator.run_direct(conn).await.map_err(explain)
}

fn explain(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(n) => Error::startup(format!(
            "The database was made by a newer Switchboard (it has migration {n}, this version doesn't). \
             Start that version, or restore a backup made before the upgrade."
        )),
        MigrateError::VersionMismatch(n) => {
            Error::startup(format!("Migration {n} in the database differs from this version's: was it altered?"))
        }
        e => Error::startup(format!("The database can't be migrated: {e}")),
    }
}
