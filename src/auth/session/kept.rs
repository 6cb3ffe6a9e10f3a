//! Sessions kept in memory, so that a request needn't ask the database who it is from: exactly as long as nothing was
//! changed that could end them (`db/changes.rs`). What time ends is looked at each time.

use quick_cache::sync::Cache;

use super::{Standing, by_id};
use crate::clock::Timestamp;
use crate::db::Db;
use crate::db::changes::Moment;
use crate::error::Result;
use crate::ids::SessionId;

/// Sessions; about 300 bytes each.
const MOST: usize = 10_000;

pub struct Sessions(Cache<SessionId, (Moment, Standing)>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Sessions {
    /// The session, if it stands and its account is active. Cost: 1 indexed query, none where it is kept.
    pub(super) async fn standing(&self, db: &Db, id: SessionId, now: Timestamp) -> Result<Option<Standing>> {
        let moment = db.moment().await;
        if let (Some(_), Some((since, kept))) = (moment, self.0.get(&id))
            && db.holds(since, Some(&[]), false)
            && kept.lasts(now)
        {
            return Ok(Some(kept));
        }
        let found = by_id(&mut db.read().await?, id, now).await?;
        match (moment, &found) {
            (Some(moment), Some(found)) => self.0.insert(id, (moment, found.clone())),
            _ => self.forget(id),
        }
        Ok(found)
    }

    /// It is read anew next time.
    pub(super) fn forget(&self, id: SessionId) {
        self.0.remove(&id);
    }
}
