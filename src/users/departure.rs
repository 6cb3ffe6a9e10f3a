//! People who delete their accounts: at once where what they wrote stays, else after all of it is erased, a batch at a
//! time. A row in `departures` tells what is still to be erased, so that a crash only delays it; [`run`] is a job, and
//! a lease keeps two nodes from doing one thing twice. Called by the page of settings.

use std::time::Duration;

use crate::app::App;
use crate::clock::Timestamp;
use crate::emails::letter::{self, Letter};
use crate::error::{Error, Result};
use crate::ids::{MessageId, UserId};
use crate::messages::change as messages;
use crate::on_db;
use crate::users::{User, change};
use crate::work::Work;

/// Messages that are emptied in one work: while it stands, nobody else can write.
const BATCH: i64 = 200;
/// How long one who erases may be silent before another goes on in its place.
pub const LEASE: Duration = Duration::from_secs(60);
/// How often what a crash left over is looked for; what begins here is done at once.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Deletes the account of `user`; what they wrote stays, as by a deleted account. Errors: [`Error::Conflict`] for the
/// last administrator. Cost: 9 statements, O(what refers to it).
pub async fn leave(work: &mut Work, user: &User) -> Result<()> {
    change::leave(work, user).await?;
    farewell(work, user, "What you wrote stays in its rooms, as by a deleted account.").await
}

/// Disables the account of `user` and ends their sessions and tokens; what they wrote and the account itself are erased
/// by [`run`]. Errors: [`Error::Conflict`] for the last administrator. Cost: 7 statements.
pub async fn begin_erasing(work: &mut Work, user: &User) -> Result<()> {
    change::may_leave(work, user).await?;
    let now = work.now();
    on_db!(work, c => sqlx::query("update users set is_active = $2, updated_at = $3 where id = $1")
        .bind(user.id).bind(false).bind(now).execute(c).await.map(|_| ()))?;
    on_db!(work, c => sqlx::query("update api_tokens set revoked_at = $2 where user_id = $1 and revoked_at is null")
        .bind(user.id).bind(now).execute(c).await.map(|_| ()))?;
    change::end_sessions(work, user).await?;
    on_db!(work, c => sqlx::query(
        "insert into departures (user_id, created_at) values ($1, $2) on conflict (user_id) do nothing")
        .bind(user.id).bind(now).execute(c).await.map(|_| ()))?;
    work.then(|app| app.departures.notify_one());
    Ok(())
}

async fn farewell(work: &mut Work, user: &User, what: &str) -> Result<()> {
    let site = work.app.settings().site_name.clone();
    let letter = Letter {
        subject: format!("Your account at {site} is deleted"),
        name: user.username.clone(),
        says: vec![format!("As you asked, your account “{}” at {site} is deleted.", user.username), what.to_owned()],
        ..Letter::default()
    };
    letter::send(work, &user.email, &letter).await.map(|_| ())
}

/// The job: erases what is to be erased.
pub async fn run(app: App) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = app.departures.notified() => {}
        }
        if let Err(error) = erase_all(&app).await {
            tracing::warn!(%error, "what somebody wrote can't be erased; it is tried again");
        }
    }
}

async fn erase_all(app: &App) -> Result<()> {
    while let Some(mut departure) = Departure::take(app).await? {
        while departure.batch(app).await? {}
    }
    Ok(())
}

/// Somebody about to go whom nobody else sees to.
struct Departure {
    user: UserId,
    leased_until: Timestamp,
    /// The last message that was seen to.
    after: (Timestamp, MessageId),
    /// Whether any was seen to since the beginning was looked at.
    is_first: bool,
}

const START: (Timestamp, MessageId) = (Timestamp(i64::MIN), MessageId(i64::MIN));

impl Departure {
    /// The one who has waited longest. Cost: 1 write transaction, or 1 query where there is none.
    async fn take(app: &App) -> Result<Option<Self>> {
        let now = app.clock.now();
        let leased_until = now.plus(LEASE);
        let waiting: Option<i64> = {
            let mut conn = app.db.read().await?;
            on_db!(conn, c => sqlx::query_scalar(
                "select user_id from departures where coalesce(leased_until, 0) <= $1 order by created_at limit 1")
                .bind(now).fetch_optional(c).await)?
        };
        let Some(waiting) = waiting else { return Ok(None) };
        let mut tx = app.db.write().await?;
        let taken = on_db!(tx, c => sqlx::query(
            "update departures set leased_until = $3 where user_id = $1 and coalesce(leased_until, 0) <= $2")
            .bind(waiting).bind(now).bind(leased_until).execute(c).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        let user = UserId(waiting);
        Ok((taken > 0).then_some(Self { user, leased_until, after: START, is_first: true }))
    }

    /// Empties the next messages, and after the last deletes the account; whether there is more to do. Whom staff have
    /// let in again meanwhile stays. Cost: 1 transaction of some 1,400 statements.
    async fn batch(&mut self, app: &App) -> Result<bool> {
        let mut work = Work::begin(app, None).await?;
        if !self.renew(&mut work).await? {
            return Ok(false);
        }
        let user = change::hold(&mut work, self.user).await?;
        let next = self.next(&mut work).await?;
        let more = if user.is_active {
            on_db!(work, c => sqlx::query("delete from departures where user_id = $1")
                .bind(user.id).execute(c).await.map(|_| ()))?;
            false
        } else if let Some(last) = next.last() {
            for (_, id) in &next {
                empty(&mut work, *id).await?;
            }
            (self.after, self.is_first) = (*last, false);
            true
        } else if self.is_first {
            change::leave(&mut work, &user).await?;
            farewell(&mut work, &user, "All that you wrote is erased.").await?;
            false
        } else {
            // A message may have been on its way when the account was disabled: once more from the beginning.
            (self.after, self.is_first) = (START, true);
            true
        };
        work.commit().await?;
        Ok(more)
    }

    /// Whether it is still ours.
    async fn renew(&mut self, work: &mut Work) -> Result<bool> {
        let until = work.now().plus(LEASE);
        let renewed = on_db!(work, c => sqlx::query(
            "update departures set leased_until = $3 where user_id = $1 and leased_until = $2")
            .bind(self.user).bind(self.leased_until).bind(until).execute(c).await.map(|done| done.rows_affected()))?;
        self.leased_until = until;
        Ok(renewed > 0)
    }

    async fn next(&self, work: &mut Work) -> Result<Vec<(Timestamp, MessageId)>> {
        Ok(on_db!(work, c => sqlx::query_as(
            "select created_at, id from messages where sender_id = $1 and (created_at, id) > ($2, $3)
             and deleted_at is null order by created_at, id limit $4")
            .bind(self.user).bind(self.after.0).bind(self.after.1).bind(BATCH).fetch_all(c).await)?)
    }
}

/// A message that somebody else deleted meanwhile is left at that.
async fn empty(work: &mut Work, id: MessageId) -> Result<()> {
    match messages::delete(work, id).await {
        Err(Error::NotFound(_) | Error::Conflict(_)) => Ok(()),
        done => done,
    }
}
