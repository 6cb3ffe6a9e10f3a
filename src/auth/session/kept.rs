//! Sessions kept in memory, so that a request needn't ask the database who it is from: exactly as long as nothing was
//! changed that could end them (`db/changes.rs`). What time ends is looked at each time.

use quick_cache::sync::Cache;

use super::Standing;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::db::changes::Moment;
use crate::db::loader::Loader;
use crate::error::Result;
use crate::ids::SessionId;

/// Sessions; about 300 bytes each.
const MOST: usize = 10_000;

pub struct Sessions {
    kept: Cache<SessionId, (Moment, Standing)>,
    asked: Loader<Standing>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { kept: Cache::new(MOST), asked: Loader::default() }
    }
}

impl Sessions {
    /// The session, if it stands and its account is active. Cost: 1 indexed query or a share of one,
    /// none where it is kept.
    pub(super) async fn standing(&self, db: &Db, id: SessionId, now: Timestamp) -> Result<Option<Standing>> {
        let moment = db.moment().await;
        if let (Some(_), Some((since, kept))) = (moment, self.kept.get(&id))
            && db.holds(since, Some(&[]), false)
            && kept.lasts(now)
        {
            return Ok(Some(kept));
        }
        let found = self.asked.get(db, id).await?.filter(|found| found.lasts(now));
        match (moment, &found) {
            (Some(moment), Some(found)) => self.kept.insert(id, (moment, found.clone())),
            _ => self.forget(id),
        }
        Ok(found)
    }

    /// It is read anew next time.
    pub(in crate::auth) fn forget(&self, id: SessionId) {
        self.kept.remove(&id);
    }
}
