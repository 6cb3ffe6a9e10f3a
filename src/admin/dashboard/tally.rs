//! What is too much to count on every view: totals, the last 30 days, sizes. It is counted once and kept in the
//! process; who looks later than a minute after gets what is kept, and it is counted anew in the background. What was
//! written since the count is added to it on each view, from one end of an index.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Day;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Conn, Db};
use crate::error::Result;
use crate::on_db;

/// Days shown.
pub const DAYS: i64 = 30;
const MICROS_A_DAY: i64 = 86_400_000_000;
/// How long a count is kept at least.
const KEPT: Duration = Duration::from_secs(60);
/// A count that took long is kept this many times as long: counting never takes more of the machine than that part.
const SHARE: u32 = 200;
/// A count so old isn't shown while a new one is made.
const OLD: Duration = Duration::from_secs(600);

/// What was counted last, and the turn of whoever counts.
#[derive(Default)]
pub struct Tallies {
    kept: Mutex<Option<Arc<Tally>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// One count of everything.
#[derive(Clone, Debug)]
pub struct Tally {
    pub counted_at: Timestamp,
    pub messages: Rows,
    pub people: Rows,
    pub rooms: i64,
    pub database_bytes: i64,
    pub upload_bytes: i64,
    pub disks: Vec<Disk>,
    took: Duration,
}

/// How many rows a table has, and how many came on each of the last days.
#[derive(Clone, Debug)]
pub struct Rows {
    table: &'static str,
    pub total: i64,
    by_day: BTreeMap<i64, i64>,
}

/// What a file system holds of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Database,
    Uploads,
}

/// A file system that the site writes to.
#[derive(Clone, Debug)]
pub struct Disk {
    pub what: Holds,
    pub free_bytes: u64,
    pub total_bytes: u64,
    id: u64,
}

impl Tallies {
    fn kept(&self) -> Option<Arc<Tally>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, tally: Arc<Tally>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(tally);
    }
}

/// The count that is kept; the first one is waited for. Cost: nothing, or [`count`]'s.
pub async fn now(app: &App) -> Result<Arc<Tally>> {
    let age = |tally: &Tally| Duration::from_micros(app.clock.now().0.abs_diff(tally.counted_at.0));
    if let Some(tally) = app.tallies.kept().filter(|tally| age(tally) < OLD.max(tally.took * SHARE)) {
        if age(&tally) >= KEPT.max(tally.took * SHARE)
            && let Ok(turn) = app.tallies.turn.clone().try_lock_owned()
        {
            let app = app.clone();
            tokio::spawn(async move {
                match count(&app).await {
                    Ok(tally) => app.tallies.keep(Arc::new(tally)),
                    Err(error) => tracing::warn!(%error, "the site's numbers can't be counted"),
                }
                drop(turn);
            });
        }
        return Ok(tally);
    }
    let _turn = app.tallies.turn.lock().await;
    // Whoever had the turn before has perhaps just counted.
    if let Some(tally) = app.tallies.kept().filter(|tally| age(tally) < KEPT) {
        return Ok(tally);
    }
    let tally = Arc::new(count(app).await?);
    app.tallies.keep(tally.clone());
    Ok(tally)
}

/// Counts everything. Cost: 6 queries, O(rows) of index entries of `messages`, `users`, `rooms` and `attachments`.
pub async fn count(app: &App) -> Result<Tally> {
    let (began, counted_at) = (Instant::now(), app.clock.now());
    let database_bytes = app.db.bytes().await?;
    let mut conn = app.db.read().await?;
    let messages = Rows::count(&mut conn, "messages", counted_at).await?;
    let people = Rows::count(&mut conn, "users", counted_at).await?;
    let (rooms, upload_bytes) = on_db!(conn, c => sqlx::query_as(
        "select (select count(*) from rooms), (select cast(coalesce(sum(size), 0) as bigint) from attachments)")
        .fetch_one(c).await)?;
    drop(conn);
    let database = Db::file(app.config.database_url.reveal()).filter(|_| app.db.engine_name() == "SQLite");
    let uploads = app.config.upload_dir.clone();
    // A file system that hangs holds up no other request.
    let disks = tokio::task::spawn_blocking(move || disks(database.as_deref(), &uploads)).await.unwrap_or_default();
    let took = began.elapsed();
    Ok(Tally { counted_at, messages, people, rooms, database_bytes, upload_bytes, disks, took })
}

fn day_of(time: Timestamp) -> i64 {
    time.0.div_euclid(MICROS_A_DAY)
}

impl Rows {
    async fn count(conn: &mut Conn, table: &'static str, now: Timestamp) -> Result<Self> {
        let today = day_of(now);
        let from = Timestamp((today - DAYS + 1) * MICROS_A_DAY);
        let sql = format!("select count(*) from {table} where created_at < $1");
        let total = on_db!(conn, c => sqlx::query_scalar(&sql).bind(now).fetch_one(c).await)?;
        let by_day = by_day(conn, table, from, now).await?;
        Ok(Self { table, total, by_day })
    }

    /// With the rows that came between `counted_at` and `now`. Cost: 1 query, O(those rows).
    pub async fn since(&self, conn: &mut Conn, counted_at: Timestamp, now: Timestamp) -> Result<Self> {
        let mut rows = self.clone();
        // Their clock is this one, or another node's.
        let later = Timestamp(now.0.saturating_add(MICROS_A_DAY));
        for (day, count) in by_day(conn, self.table, counted_at, later).await? {
            rows.total += count;
            *rows.by_day.entry(day).or_default() += count;
        }
        Ok(rows)
    }

    /// The last [`DAYS`] days, today last.
    pub fn days(&self, now: Timestamp) -> Vec<Day> {
        let today = day_of(now);
        let day = |day: i64| Day {
            day: Timestamp(day * MICROS_A_DAY).day(),
            count: self.by_day.get(&day).copied().unwrap_or(0),
        };
        (today - DAYS + 1..=today).map(day).collect()
    }
}

/// Rows of each day in a span of time: a walk along a part of the index each, which is quicker than to group the whole.
async fn by_day(conn: &mut Conn, table: &str, from: Timestamp, to: Timestamp) -> Result<BTreeMap<i64, i64>> {
    let sql = format!(
        "with recursive days (day) as
            (select cast($1 as bigint) union all select day + 1 from days where day < cast($2 as bigint))
         select day, (select count(*) from {table}
             where created_at >= case when day * {MICROS_A_DAY} < $3 then $3 else day * {MICROS_A_DAY} end
               and created_at < case when (day + 1) * {MICROS_A_DAY} < $4 then (day + 1) * {MICROS_A_DAY} else $4 end)
         from days"
    );
    let rows: Vec<(i64, i64)> = on_db!(conn, c => sqlx::query_as(&sql)
        .bind(day_of(from)).bind(day_of(to)).bind(from.0).bind(to.0).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// The file systems of the database, where it is a file here, and of the uploads; one that is both once.
fn disks(database: Option<&Path>, uploads: &Path) -> Vec<Disk> {
    let places = database.map(|file| (Holds::Database, file)).into_iter().chain([(Holds::Uploads, uploads)]);
    let mut disks: Vec<Disk> = places.filter_map(|(what, path)| Disk::of(what, path)).collect();
    if let [database, uploads] = disks.as_slice()
        && database.id == uploads.id
    {
        disks.truncate(1);
    }
    disks
}

impl Disk {
    /// The file system of `path`, or of the folder that it will be made in. `None` when that can't be said.
    fn of(what: Holds, path: &Path) -> Option<Self> {
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        let is = rustix::fs::statvfs(there).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(is.f_frsize);
        Some(Self { what, free_bytes: bytes(is.f_bavail), total_bytes: bytes(is.f_blocks), id: is.f_fsid })
    }

    /// Whether less than a tenth of it or less than 1 GiB is left.
    pub fn is_nearly_full(&self) -> bool {
        self.free_bytes < (1 << 30) || self.free_bytes < self.total_bytes / 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_disk_is_nearly_full_with_less_than_a_tenth_or_a_gibibyte_left() {
        let disk = |free_bytes, total_bytes| Disk { what: Holds::Database, free_bytes, total_bytes, id: 1 };
        assert!(disk(GIB - 1, 2 * GIB).is_nearly_full());
        assert!(disk(9 * GIB, 100 * GIB).is_nearly_full());
        assert!(!disk(10 * GIB, 100 * GIB).is_nearly_full());
        assert!(!disk(GIB, 2 * GIB).is_nearly_full());
    }

    #[test]
    fn the_file_system_of_a_folder_yet_to_be_made_is_its_parents() {
        let disks = disks(None, Path::new("target/nowhere/yet"));
        assert_eq!((disks.len(), disks[0].what), (1, Holds::Uploads));
        assert!(disks[0].total_bytes >= disks[0].free_bytes && disks[0].total_bytes > 0);
    }
}
