//! Whose turn it is: of all nodes one does a job that has to be done once, for as long as it says that it is at work. What
//! has a row of its own for each piece of work (mails, accounts to be erased) is leased by that row instead. Called by
//! `jobs`, and by jobs that go on for long.
//!
//! A lease saves work and noise; it isn't what keeps anything from being done twice. Clocks differ, and a node may freeze and
//! come back: so what is done under a lease is such that two may do it at the same time, each piece in a transaction that
//! finds it still to be done.
//!
//! Times are those of the nodes' clocks. A lease that is to last for longer than any is one of a clock that was wrong, and
//! counts for nothing.

use std::time::Duration;

use crate::app::App;
use crate::auth::random_token;
use crate::clock::Timestamp;
use crate::db::changes::Extent;
use crate::error::Result;
use crate::on_db;

/// By so much may nodes' clocks differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// One node, under a name that nobody else has.
#[derive(Clone)]
pub struct Holder(String);

impl Default for Holder {
    fn default() -> Self {
        Self(random_token())
    }
}

/// Until when `job` is or was held last; `None` for one that nobody ever held. Cost: 1 indexed query.
pub async fn held_until(app: &App, job: &str) -> Result<Option<Timestamp>> {
    let mut conn = app.db.read().await?;
    Ok(on_db!(conn, c => sqlx::query_scalar("select until from leases where job = $1")
        .bind(job).fetch_optional(c).await)?)
}

/// Whether somebody holds `job`, who can't hold it for longer than `at_most`. Cost: 1 indexed query.
pub async fn is_held(app: &App, job: &str, at_most: Duration) -> Result<bool> {
    let now = app.clock.now();
    let most = now.plus(at_most).plus(CLOCKS_DIFFER);
    Ok(held_until(app, job).await?.is_some_and(|until| now < until && until <= most))
}

/// A job that is ours until it runs out, or until it is taken again.
pub struct Lease {
    job: &'static str,
    holder: Holder,
    lasts: Duration,
    until: Timestamp,
}

impl Lease {
    /// Takes `job` for so long, if no other node has it; `None` otherwise. Who has it already takes it anew. Cost: 1 write
    /// transaction of 1 statement.
    pub async fn take(app: &App, holder: &Holder, job: &'static str, lasts: Duration) -> Result<Option<Self>> {
        let mut lease = Self { job, holder: holder.clone(), lasts, until: Timestamp(0) };
        Ok(lease.renew(app).await?.then_some(lease))
    }

    /// Says that it is still at work, where half of the time is over: called between pieces of it. False when another node
    /// has taken it meanwhile, and goes on. Cost: nothing, or as [`Self::take`].
    pub async fn keep(&mut self, app: &App) -> Result<bool> {
        if app.clock.now().plus(self.lasts / 2) < self.until {
            return Ok(true);
        }
        self.renew(app).await
    }

    /// The same for a job that may be done without one.
    pub async fn holds(lease: Option<&mut Self>, app: &App) -> Result<bool> {
        match lease {
            Some(lease) => lease.keep(app).await,
            None => Ok(true),
        }
    }

    async fn renew(&mut self, app: &App) -> Result<bool> {
        let now = app.clock.now();
        let until = now.plus(self.lasts);
        let mut tx = app.db.write().await?;
        tx.changes_only(Extent::Nothing);
        let taken = on_db!(tx, c => sqlx::query(
            "insert into leases (job, holder, until) values ($1, $2, $3)
             on conflict (job) do update set holder = excluded.holder, until = excluded.until
             where leases.holder = excluded.holder or leases.until <= $4 or leases.until > $5")
            .bind(self.job).bind(&self.holder.0).bind(until).bind(now).bind(until.plus(CLOCKS_DIFFER))
            .execute(c).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        self.until = until;
        Ok(taken > 0)
    }

    /// Lets another node take it at once. Cost: 1 write transaction of 1 statement.
    pub async fn give_up(self, app: &App) -> Result<()> {
        let mut tx = app.db.write().await?;
        tx.changes_only(Extent::Nothing);
        on_db!(tx, c => sqlx::query("delete from leases where job = $1 and holder = $2")
            .bind(self.job).bind(&self.holder.0).execute(c).await.map(|_| ()))?;
        tx.commit().await
    }
}
