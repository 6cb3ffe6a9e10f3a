//! Where tower-sessions keeps what a cookie stands for: a table of its own, written through the one connection that
//! writes on SQLite. There, what was loaded is kept: a record changes only through this store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use quick_cache::sync::Cache;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, ExpiredDeletion};

use crate::db::SessionStores;

/// Records; about 300 bytes each.
const MOST: usize = 10_000;

/// Records as they were loaded.
#[derive(Clone, Debug)]
pub struct Records {
    kept: Arc<Cache<Id, Record>>,
    /// How often any was changed: what was loaded across a change isn't kept.
    changed: Arc<AtomicU64>,
}

impl Default for Records {
    fn default() -> Self {
        Self { kept: Arc::new(Cache::new(MOST)), changed: Arc::default() }
    }
}

impl Records {
    fn get(&self, id: &Id) -> Option<Record> {
        self.kept.get(id).filter(|record| record.expiry_date > OffsetDateTime::now_utc())
    }

    fn forget(&self, id: &Id) {
        self.changed.fetch_add(1, Ordering::AcqRel);
        self.kept.remove(id);
    }
}

#[async_trait]
impl SessionStore for SessionStores {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, dirty, .. } => {
                dirty.store(true, Ordering::Relaxed);
                change.create(record).await
            }
            Self::Postgres(store) => store.create(record).await,
        }
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, records, .. } => {
                records.forget(&record.id);
                let saved = change.save(record).await;
                records.forget(&record.id);
                saved
            }
            Self::Postgres(store) => store.save(record).await,
        }
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        match self {
            Self::Sqlite { load, records, .. } => {
                if let Some(kept) = records.get(id) {
                    return Ok(Some(kept));
                }
                let before = records.changed.load(Ordering::Acquire);
                let loaded = load.load(id).await?;
                if let Some(record) = &loaded {
                    records.kept.insert(*id, record.clone());
                }
                // Looked at after it was put there: whoever changed it meanwhile found nothing to take away.
                if records.changed.load(Ordering::Acquire) != before {
                    records.kept.remove(id);
                }
                Ok(loaded)
            }
            Self::Postgres(store) => store.load(id).await,
        }
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, records, .. } => {
                records.forget(id);
                let deleted = change.delete(id).await;
                records.forget(id);
                deleted
            }
            Self::Postgres(store) => store.delete(id).await,
        }
    }
}

#[async_trait]
impl ExpiredDeletion for SessionStores {
    async fn delete_expired(&self) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, .. } => change.delete_expired().await,
            Self::Postgres(store) => store.delete_expired().await,
        }
    }
}
