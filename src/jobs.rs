//! What goes on beside the requests: talk with other nodes, sockets told of what ended elsewhere, settings kept fresh,
//! old rows swept, a backup taken each night, unread counts, mails and pushes delivered, what people who go left to be erased, what a crash left half uploaded. [`start`]
//! is called once by `serve`.
//!
//! Of several nodes on one database each sends its own sockets what ended elsewhere; the rest is done once. Mails and accounts
//! to be erased are claimed row by row; sweeps and digests are one node's at a time ([`lease`]); a push is the node's where
//! the message was posted.

pub mod lease;

use std::collections::HashSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, interval_at, timeout};

use crate::app::App;
use crate::archive::nightly;
use crate::attachments::disk;
use crate::auth::session::store::delete_expired;
use crate::auth::{self, api_tokens, devices, reset_tokens, session};
use crate::clock::Timestamp;
use crate::db::changes::Extent;
use crate::error::{Error, Result};
use crate::invitations;
use crate::live::bus::talk;
use crate::live::{catch_up, unread};
use crate::messages::retention;
use crate::notifications::digest;
use crate::revocations::{self, OVERLAP, Revocation};
use crate::rooms::members;
use crate::users::{Via, address, departure};
use crate::{emails, mail, push};
use lease::{Holder, Lease};

/// Twice as often as the second within which a socket must end.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// How long the database may take to say what has ended.
const POLL_MAY_TAKE: Duration = Duration::from_secs(5);
/// Twice as often as the minute within which messages past their time must go.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Over before the next sweep: a node that dies holds up none.
const SWEEP_LASTS: Duration = Duration::from_secs(25);
/// How often files are looked for that a crash left half uploaded, and rows that nobody has asked for in months.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
const TIDY_LASTS: Duration = Duration::from_secs(3000);

/// The jobs end when what this returns is dropped.
pub fn start(app: &App) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(talk::run(app.clone()));
    jobs.spawn(catch_up::run(app.clone()));
    jobs.spawn(unread::run(app.clone()));
    jobs.spawn(poll(app.clone()));
    jobs.spawn(sweep(app.clone()));
    jobs.spawn(departure::run(app.clone()));
    jobs.spawn(mail::run(app.clone()));
    jobs.spawn(digest::run(app.clone()));
    jobs.spawn(push::run(app.clone()));
    jobs.spawn(push::delivery::run(app.clone()));
    jobs.spawn(sweep_leftovers(app.clone()));
    jobs.spawn(tidy(app.clone()));
    jobs.spawn(nightly::run(app.clone()));
    jobs
}

/// Each node looks for itself: the folder may be its own.
async fn sweep_leftovers(app: App) {
    let mut every = interval(TIDY_EVERY);
    loop {
        every.tick().await;
        let config = app.config.clone();
        let swept = tokio::task::spawn_blocking(move || disk::sweep(&config)).await;
        if let Err(error) = swept.map_err(Error::internal).and_then(|swept| swept.map_err(Error::internal)) {
            tracing::warn!(%error, "files that a crash left half uploaded can't be swept");
        }
    }
}

async fn tidy(app: App) {
    let (mut every, holder) = (interval_at(Instant::now() + TIDY_EVERY, TIDY_EVERY), Holder::default());
    loop {
        every.tick().await;
        if let Err(error) = tidy_as(&app, &holder).await {
            tracing::warn!(%error, "old mails and invitations can't be swept");
        }
    }
}

/// Deletes what the admin has shown for long enough, unless another node does; whether it did. Once an hour. Cost: 2 write
/// transactions, and 1 for each 500 rows.
pub async fn tidy_as(app: &App, holder: &Holder) -> Result<bool> {
    let Some(mut lease) = Lease::take(app, holder, "tidy", TIDY_LASTS).await? else { return Ok(false) };
    let mut deleted = 1;
    while deleted > 0 && lease.keep(app).await? {
        let mut tx = app.db.write().await?;
        tx.changes_only(Extent::Nothing);
        deleted = invitations::sweep(&mut tx, app.clock.now()).await? + emails::sweep(&mut tx, app.clock.now()).await?;
        tx.commit().await?;
    }
    Ok(true)
}

/// Ends here what was ended by another process or node, and reads the site's settings.
async fn poll(app: App) {
    let mut handled = Handled { since: app.clock.now(), ids: HashSet::new() };
    let mut every = interval(POLL_EVERY);
    loop {
        every.tick().await;
        let polled = async {
            app.refresh_settings().await?;
            handled.catch_up(&app).await
        };
        let polled = timeout(POLL_MAY_TAKE, polled).await.unwrap_or(Err(Error::Unavailable));
        if let Err(error) = polled {
            tracing::warn!(%error, "the database can't be asked what has ended");
        }
    }
}

/// Which revocations were acted on. On PostgreSQL a lower id may be committed after a higher one, so each poll
/// overlaps the last.
struct Handled {
    since: Timestamp,
    ids: HashSet<i64>,
}

impl Handled {
    async fn catch_up(&mut self, app: &App) -> Result<()> {
        let now = app.clock.now();
        let rows = revocations::since(&mut app.db.read().await?, self.since.minus(OVERLAP)).await?;
        let ids = rows.iter().map(|row| row.id).collect();
        for row in rows.iter().filter(|row| !self.ids.contains(&row.id)) {
            end(app, row).await?;
        }
        // Nobody does anything when a personal token runs out, so nothing is written then.
        let from = self.since.minus(OVERLAP);
        for (user, token) in api_tokens::run_out(&mut app.db.read().await?, from, now).await? {
            app.hub.end(user, Via::Token(token));
        }
        *self = Self { since: now, ids };
        Ok(())
    }
}

/// Closes what is over by now. Who is back since (joined again, logged in again) is left alone.
async fn end(app: &App, row: &Revocation) -> Result<()> {
    if !app.hub.is_online(row.user_id) {
        return Ok(());
    }
    let mut conn = app.db.read().await?;
    match (row.session_id, row.api_token_id, row.room_id) {
        (Some(session), _, _) => app.hub.end(row.user_id, Via::Session(session)),
        (_, Some(token), _) => app.hub.end(row.user_id, Via::Token(token)),
        (_, _, Some(room)) => {
            if !members::is_member(&mut conn, room, row.user_id).await? {
                app.hub.end_membership(row.user_id, room);
            }
        }
        _ => app.hub.end_user(row.user_id, &auth::standing(&mut conn, row.user_id, app.clock.now()).await?),
    }
    Ok(())
}

async fn sweep(app: App) {
    let (mut every, holder) = (interval(SWEEP_EVERY), Holder::default());
    loop {
        every.tick().await;
        app.message_limit.sweep();
        app.throttle.sweep();
        if let Err(error) = sweep_as(&app, &holder).await {
            tracing::warn!(%error, "old rows can't be swept");
        }
    }
}

/// Sweeps, unless another node does; whether it did. Twice a minute. Cost: 1 write transaction, and those of [`sweep_once`].
pub async fn sweep_as(app: &App, holder: &Holder) -> Result<bool> {
    let Some(mut lease) = Lease::take(app, holder, "sweep", SWEEP_LASTS).await? else { return Ok(false) };
    sweep_rows(app).await?;
    // Last: a backlog takes its time.
    retention::sweep(app, Some(&mut lease)).await?;
    Ok(true)
}

/// The same whoever else does it. Tests, whose clock leaps, call it. Cost: 2 write transactions, and those of
/// [`retention::sweep`].
pub async fn sweep_once(app: &App) -> Result<()> {
    sweep_rows(app).await?;
    retention::sweep(app, None).await
}

/// Deletes what has run out, and closes the sockets that it kept open, on whatever node.
async fn sweep_rows(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    revocations::sweep(&mut tx, now).await?;
    reset_tokens::sweep(&mut tx, now).await?;
    address::sweep(&mut tx, now).await?;
    devices::sweep(&mut tx, now).await?;
    let ended = session::sweep(&mut tx, now).await?;
    if ended.is_empty() {
        // Nothing of the rest is part of what is kept.
        tx.changes_only(Extent::Nothing);
    }
    tx.commit().await?;
    for (user, session) in ended {
        app.hub.end(user, Via::Session(session));
    }
    delete_expired(&app.db).await
}
