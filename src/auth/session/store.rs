//! Where tower-sessions keeps what a cookie stands for: its records in a table of their own, read and written through
//! [`Db`], under its limits. The project's own stores (tower-sessions-sqlx-store) ask a pool of the driver's: PostgreSQL that
//! says nothing would keep them for ever, behind PgBouncer in transaction mode their statements get lost, and SQLite's one
//! connection that writes isn't in such a pool. The rows are the same as theirs.
//!
//! On SQLite what was loaded is kept: a record changes only through this store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use quick_cache::sync::Cache;
use sqlx::FromRow;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error as Fault, Result};

use crate::db::changes::Extent;
use crate::db::loader::{Load, Loader};
use crate::db::values::{NOWHERE, in_place, over, room_for};
use crate::db::{Db, Tx};
use crate::{error, on_db};

/// Records; about 300 bytes each.
const MOST: usize = 10_000;

/// Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    kept: Option<Arc<Kept>>,
    asked: Loader<Stored>,
}

/// A record as it is stored.
#[derive(FromRow)]
struct Stored {
    data: Vec<u8>,
}

impl Load for Stored {
    type Key = Id;
    type Source = Db;

    async fn load(db: &Db, ids: &[Id]) -> error::Result<Vec<Option<Self>>> {
        let rows = ids.iter().enumerate().map(|(place, id)| [(place as i64).into(), id.to_string().into()]).collect();
        let before = "with a (place, id) as (values";
        let after = ") select a.place, t.data from a join tower_sessions t on t.id = a.id";
        let asked = over(before, rows, [NOWHERE.into(), "".into()], room_for(ids.len()), after);
        Ok(in_place(db.read().await?.run_one(asked).await?.read()?, ids.len()))
    }
}

fn lasts(record: &Record) -> bool {
    record.expiry_date > OffsetDateTime::now_utc()
}

/// Records as they were loaded.
struct Kept {
    records: Cache<Id, Record>,
    /// How often any was changed: what was loaded across a change isn't kept.
    changed: AtomicU64,
}

impl Kept {
    fn get(&self, id: &Id) -> Option<Record> {
        self.records.get(id).filter(lasts)
    }

    fn forget(&self, id: &Id) {
        self.changed.fetch_add(1, Ordering::AcqRel);
        self.records.remove(id);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    pub fn new(db: Db) -> Self {
        let kept = Kept { records: Cache::new(MOST), changed: AtomicU64::new(0) };
        let kept = (!db.has_other_writers()).then(|| Arc::new(kept));
        Self { db, kept, asked: Loader::default() }
    }

    async fn store(&self, record: &Record) -> error::Result<bool> {
        let data = rmp_serde::to_vec(record).map_err(error::Error::internal)?;
        let mut tx = write(&self.db).await?;
        let stored = on_db!(tx, c => sqlx::query(
            "insert into tower_sessions (id, data, expiry_date) values ($1, $2, $3) on conflict (id) do nothing")
            .bind(record.id.to_string()).bind(data).bind(record.expiry_date)
            .execute(c).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok(stored > 0)
    }

    async fn change(&self, record: &Record) -> error::Result<()> {
        let data = rmp_serde::to_vec(record).map_err(error::Error::internal)?;
        let mut tx = write(&self.db).await?;
        on_db!(tx, c => sqlx::query(
            "insert into tower_sessions (id, data, expiry_date) values ($1, $2, $3)
             on conflict (id) do update set data = excluded.data, expiry_date = excluded.expiry_date")
            .bind(record.id.to_string()).bind(data).bind(record.expiry_date).execute(c).await.map(|_| ()))?;
        tx.commit().await
    }

    async fn load_anew(&self, id: &Id) -> Result<Option<Record>> {
        let Some(Stored { data }) = self.asked.get(&self.db, *id).await.map_err(told)? else { return Ok(None) };
        let record: Record = rmp_serde::from_slice(&data).map_err(|e| Fault::Decode(e.to_string()))?;
        Ok(Some(record).filter(lasts))
    }

    async fn end(&self, id: &Id) -> error::Result<()> {
        let mut tx = write(&self.db).await?;
        on_db!(tx, c => sqlx::query("delete from tower_sessions where id = $1")
            .bind(id.to_string()).execute(c).await.map(|_| ()))?;
        tx.commit().await
    }

    /// Does what changes a record, which isn't kept before it nor after.
    async fn changing(&self, id: &Id, change: impl Future<Output = error::Result<()>>) -> Result<()> {
        let forget = || self.kept.iter().for_each(|kept| kept.forget(id));
        forget();
        let changed = change.await;
        forget();
        changed.map_err(told)
    }
}

fn told(error: error::Error) -> Fault {
    Fault::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while !self.store(record).await.map_err(told)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.changing(&record.id, self.change(record)).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(kept) = &self.kept else { return self.load_anew(id).await };
        if let Some(kept) = kept.get(id) {
            return Ok(Some(kept));
        }
        let before = kept.changed.load(Ordering::Acquire);
        let loaded = self.load_anew(id).await?;
        if let Some(record) = &loaded {
            kept.records.insert(*id, record.clone());
        }
        // Looked at after it was put there: whoever changed it meanwhile found nothing to take away.
        if kept.changed.load(Ordering::Acquire) != before {
            kept.records.remove(id);
        }
        Ok(loaded)
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.changing(id, self.end(id)).await
    }
}

/// Deletes the records that time has ended; who keeps one looks at the time as well. Cost: 1 write transaction.
pub async fn delete_expired(db: &Db) -> error::Result<()> {
    let mut tx = write(db).await?;
    on_db!(tx, c => sqlx::query("delete from tower_sessions where expiry_date < $1")
        .bind(OffsetDateTime::now_utc()).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

/// Nothing else that is kept hangs on these records.
async fn write(db: &Db) -> error::Result<Tx> {
    let mut tx = db.write().await?;
    tx.changes_only(Extent::Nothing);
    Ok(tx)
}
