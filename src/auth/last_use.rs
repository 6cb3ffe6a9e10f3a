//! When sessions and tokens were used last, and people seen: written down in the background, once a minute for each, by one
//! transaction for all whose minute is over. After a restart thousands of sockets come back within seconds, and each of
//! them would wait for a flush of the disk.

use std::collections::HashSet;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::changes::Extent;
use crate::db::values::{MOST_ROWS, NOWHERE, over, room_for};
use crate::db::{Conn, Engine};
use crate::error::Result;
use crate::ids::UserId;
use crate::users::Via;

/// How exact it is: writing it on every request would cost a disk flush each.
const EVERY: Duration = Duration::from_secs(60);

/// Uses that are to be written down.
#[derive(Default)]
pub struct LastUses(Mutex<Uses>);

#[derive(Default)]
struct Uses {
    waiting: Vec<(Via, UserId)>,
    /// Those that wait, and those that are being written: while a row is held by somebody's long work, each is tried once.
    all: HashSet<Via>,
}

impl LastUses {
    fn lock(&self) -> MutexGuard<'_, Uses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for the first who waits.
    fn add(&self, via: Via, user: UserId) -> bool {
        let mut uses = self.lock();
        if !uses.all.insert(via) {
            return false;
        }
        uses.waiting.push((via, user));
        uses.waiting.len() == 1
    }
}

/// Somebody used what they came in by, which was used `before`. Cost: nothing to wait for; now and then a share of a small
/// write in the background.
pub(super) fn note(app: &App, via: Via, user: UserId, before: Option<Timestamp>) {
    let is_due = before.is_none_or(|before| before.plus(EVERY) < app.clock.now());
    if is_due && app.last_uses.add(via, user) {
        tokio::spawn(write(app.clone()));
    }
}

async fn write(app: App) {
    let begun = app.db.write().await;
    let uses = take(&mut app.last_uses.lock().waiting);
    let written = async {
        let (mut tx, now) = (begun?, app.clock.now());
        let sessions = uses.iter().filter_map(|(via, _)| via.columns().0);
        mark(&mut tx, "sessions", "last_seen_at", sessions, now).await?;
        let tokens = uses.iter().filter_map(|(via, _)| via.columns().1);
        mark(&mut tx, "api_tokens", "last_used_at", tokens, now).await?;
        mark(&mut tx, "users", "last_seen_at", uses.iter().map(|(_, user)| user.0), now).await?;
        // Sessions are read anew, one by one; nothing else that is kept shows it.
        tx.changes_only(Extent::Nothing);
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "last_seen_at can't be written");
    }
    for (via, _) in uses {
        if let Via::Session(id) = via {
            app.sessions.forget(id);
        }
        app.last_uses.lock().all.remove(&via);
    }
}

/// Sets `column` of these rows of `table` to `now`. On PostgreSQL a row that somebody holds is passed over: they change it,
/// and nobody waits for anybody. Cost: 1 statement for up to 64.
async fn mark(
    conn: &mut Conn,
    table: &str,
    column: &str,
    ids: impl Iterator<Item = i64>,
    now: Timestamp,
) -> Result<()> {
    let free = match conn.engine() {
        Engine::Sqlite(_) => "select id from used".to_owned(),
        Engine::Postgres(_) => {
            format!("select id from {table} where id in (select id from used) for no key update skip locked")
        }
    };
    let ids: Vec<_> = ids.map(|id| [id.into()]).collect();
    for ids in ids.chunks(MOST_ROWS) {
        let after = format!(") update {table} set {column} = ? where id in ({free})");
        let used = over("with used (id) as (values", ids.to_vec(), [NOWHERE.into()], room_for(ids.len()), &after);
        conn.run_one(used.and([now.into()])).await?;
    }
    Ok(())
}
