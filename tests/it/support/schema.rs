//! A database as an earlier release left it.

use std::borrow::Cow;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::{Connection, SqliteConnection};
use switchboard::db::{Db, Engine as Driver};

use crate::support::app::{Database, Engine};

/// The migrations of an engine up to this one.
pub async fn up_to(engine: Engine, version: i64) -> Migrator {
    let folder = if engine == Engine::Sqlite { "migrations/sqlite" } else { "migrations/postgres" };
    let all = Migrator::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).await.unwrap();
    let some = all.iter().filter(|migration| migration.version <= version).cloned().collect();
    Migrator { migrations: Cow::Owned(some), ..Migrator::DEFAULT }
}

/// Applies them to `db`, which is open.
pub async fn migrate(database: &Database, db: &Db, engine: Engine, version: i64) {
    let mut migrator = up_to(engine, version).await;
    migrator.set_locking(false);
    if engine == Engine::Sqlite {
        // Each of them is a transaction of the driver's, which knows nothing of ours.
        let mut conn = SqliteConnection::connect(&database.url).await.unwrap();
        migrator.run_direct(&mut conn).await.unwrap();
        return conn.close().await.unwrap();
    }
    let mut tx = db.write().await.unwrap();
    if let Driver::Postgres(c) = tx.engine() {
        migrator.run_direct(c).await.unwrap();
    }
    tx.commit().await.unwrap();
}
