//! The state of the site in numbers: [`Stats`], what of it needs somebody ([`warning`]), and what is counted now and
//! then rather than on every view ([`tally`]). The dashboard's page and the API's `/admin/stats` show it.

pub mod tally;
pub mod warning;

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use self::tally::Disk;
use crate::app::App;
use crate::archive::nightly;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::on_db;

/// Rows of a queue that are counted before a count says "and more".
pub const MOST_COUNTED: i64 = 10_000;
/// A mail that should have been tried so long ago is stuck: nobody sends.
const STUCK_AFTER: Duration = Duration::from_secs(3600);
/// A report that nobody settled for so long is overdue.
const OVERDUE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The site in numbers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Stats {
    pub people_online: usize,
    pub open_sockets: usize,
    pub users: i64,
    pub rooms: i64,
    pub messages: i64,
    /// The last 30 days, UTC; today is the last of them.
    pub messages_by_day: Vec<Day>,
    pub signups_by_day: Vec<Day>,
    pub storage: Storage,
    pub queues: Queues,
    /// When totals and storage were counted; messages and sign-ups since are in them.
    pub counted_at: Timestamp,
    #[serde(skip)]
    pub disks: Vec<Disk>,
    /// What is wrong with the nightly backups.
    #[serde(skip)]
    pub backups: Option<String>,
    /// When the newest of them was taken, and its size in bytes.
    #[serde(skip)]
    pub last_backup: Option<(Timestamp, u64)>,
}

/// How many there were on a day, `2026-01-31`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Day {
    pub day: String,
    pub count: i64,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Storage {
    pub database_bytes: i64,
    pub upload_bytes: i64,
}

/// How long the queues are; each up to [`MOST_COUNTED`] and one.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, ToSchema)]
pub struct Queues {
    pub mails_queued: i64,
    /// Of those, the ones that should have gone more than an hour ago.
    pub mails_stuck: i64,
    pub mails_failed: i64,
    pub reports_open: i64,
    /// Of those, the ones older than a day.
    pub reports_overdue: i64,
}

/// The numbers as they are. Cost: 3 indexed queries (4 with nightly backups), O(10,000 + what was written since the last count); the first
/// view counts first (see [`tally`]).
pub async fn stats(app: &App) -> Result<Stats> {
    let tally = tally::now(app).await?;
    let queues = queues(app).await?;
    let backups = nightly::overdue(app).await?;
    let last_backup = nightly::latest(app).await;
    let mut conn = app.db.read().await?;
    let now = app.clock.now();
    let messages = tally.messages.since(&mut conn, tally.counted_at, now).await?;
    let signups = tally.people.since(&mut conn, tally.counted_at, now).await?;
    Ok(Stats {
        people_online: app.hub.people_online(),
        open_sockets: app.hub.open_sockets(),
        users: signups.total,
        rooms: tally.rooms,
        messages: messages.total,
        messages_by_day: messages.days(now),
        signups_by_day: signups.days(now),
        storage: Storage { database_bytes: tally.database_bytes, upload_bytes: tally.upload_bytes },
        queues,
        counted_at: tally.counted_at,
        disks: tally.disks.clone(),
        backups,
        last_backup,
    })
}

/// How long the queues are. Cost: 1 query of bounded counts.
pub async fn queues(app: &App) -> Result<Queues> {
    let now = app.clock.now();
    let limit = MOST_COUNTED + 1;
    let count = |of: &str| format!("(select count(*) from (select 1 from {of} limit {limit}) as counted)");
    let sql = format!(
        "select {} as mails_queued, {} as mails_stuck, {} as mails_failed, {} as reports_open, {} as reports_overdue",
        count("emails where status = 'queued'"),
        count("emails where status = 'queued' and next_attempt_at < $1"),
        count("emails where status = 'failed'"),
        count("reports where status = 'open'"),
        count("reports where status = 'open' and created_at < $2"),
    );
    let mut conn = app.db.read().await?;
    Ok(on_db!(conn, c => sqlx::query_as(&sql)
        .bind(now.minus(STUCK_AFTER)).bind(now.minus(OVERDUE_AFTER)).fetch_one(c).await)?)
}
