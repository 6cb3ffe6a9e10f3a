//! The same on PostgreSQL: tower-sessions' records in their table, read and written on connections of [`Db`], under its
//! limits. The project's own store there (tower-sessions-sqlx-store) asks the pool itself: a server that says nothing would
//! keep it for ever, and behind PgBouncer in transaction mode its statements get lost. The rows are the same.

use async_trait::async_trait;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error as Fault, ExpiredDeletion, Result};

use crate::db::Db;
use crate::{error, on_db};

/// Called by `auth/session/store.rs` for what isn't SQLite.
#[derive(Clone)]
pub struct Shared(Db);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    pub fn new(db: Db) -> Self {
        Self(db)
    }

    async fn store(&self, record: &Record) -> error::Result<bool> {
        let data = rmp_serde::to_vec(record).map_err(error::Error::internal)?;
        let mut tx = self.0.write().await?;
        let stored = on_db!(tx, c => sqlx::query(
            "insert into tower_sessions (id, data, expiry_date) values ($1, $2, $3) on conflict (id) do nothing")
            .bind(record.id.to_string()).bind(data).bind(record.expiry_date)
            .execute(c).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok(stored > 0)
    }

    async fn change(&self, record: &Record) -> error::Result<()> {
        let data = rmp_serde::to_vec(record).map_err(error::Error::internal)?;
        let mut tx = self.0.write().await?;
        on_db!(tx, c => sqlx::query(
            "insert into tower_sessions (id, data, expiry_date) values ($1, $2, $3)
             on conflict (id) do update set data = excluded.data, expiry_date = excluded.expiry_date")
            .bind(record.id.to_string()).bind(data).bind(record.expiry_date).execute(c).await.map(|_| ()))?;
        tx.commit().await
    }

    async fn find(&self, id: &Id) -> error::Result<Option<Vec<u8>>> {
        let mut conn = self.0.read().await?;
        Ok(on_db!(conn, c => sqlx::query_scalar("select data from tower_sessions where id = $1 and expiry_date > $2")
            .bind(id.to_string()).bind(OffsetDateTime::now_utc()).fetch_optional(c).await)?)
    }

    async fn end(&self, id: &Id) -> error::Result<()> {
        let mut tx = self.0.write().await?;
        on_db!(tx, c => sqlx::query("delete from tower_sessions where id = $1")
            .bind(id.to_string()).execute(c).await.map(|_| ()))?;
        tx.commit().await
    }

    async fn end_expired(&self) -> error::Result<()> {
        let mut tx = self.0.write().await?;
        on_db!(tx, c => sqlx::query("delete from tower_sessions where expiry_date < $1")
            .bind(OffsetDateTime::now_utc()).execute(c).await.map(|_| ()))?;
        tx.commit().await
    }
}

fn told(error: error::Error) -> Fault {
    Fault::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for Shared {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while !self.store(record).await.map_err(told)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.change(record).await.map_err(told)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let data = self.find(id).await.map_err(told)?;
        data.map(|data| rmp_serde::from_slice(&data).map_err(|e| Fault::Decode(e.to_string()))).transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.end(id).await.map_err(told)
    }
}

#[async_trait]
impl ExpiredDeletion for Shared {
    async fn delete_expired(&self) -> Result<()> {
        self.end_expired().await.map_err(told)
    }
}
