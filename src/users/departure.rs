//! People who delete their accounts: at once where what they wrote stays, else after all of it is erased, a batch at a
//! time. A row in `departures` tells what is still to be erased, so that a crash only delays it; [`run`] is a job, and
//! a lease keeps two nodes from doing one thing twice. Called by the page of settings.

use std::time::Duration;

use crate::app::App;
use crate::clock::Timestamp;
use crate::emails::letter::{self, Letter};
use crate::error::{Error, Result};
use crate::i18n::{self, gettext};
use crate::ids::{MessageId, UserId};
use crate::messages::{change as messages, edits};
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
    farewell(work, user, msgid!("What you wrote stays in its rooms, as by a deleted account.")).await
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

async fn farewell(work: &mut Work, user: &User, what: &'static str) -> Result<()> {
    let site = work.app.settings().site_name.clone();
    let letter = i18n::said_in(letter::language(work, user), || Letter {
        subject: tr!("Your account at {site} is deleted", site = site),
        name: user.username.clone(),
        says: vec![
            tr!("As you asked, your account “{name}” at {site} is deleted.", name = user.username, site = site),
            gettext(what).into(),
        ],
        ..Letter::default()
    });
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
}

impl Departure {
    /// The one who has waited longest. Cost: 1 query, and where there is one 1 write transaction.
    async fn take(app: &App) -> Result<Option<Self>> {
        let now = app.clock.now();
        let leased_until = now.plus(LEASE);
        let waiting: Option<UserId> = {
            let mut conn = app.db.read().await?;
            on_db!(conn, c => sqlx::query_scalar(
                "select user_id from departures where coalesce(leased_until, 0) <= $1 order by created_at limit 1")
                .bind(now).fetch_optional(c).await)?
        };
        let Some(user) = waiting else { return Ok(None) };
        let mut tx = app.db.write().await?;
        let taken = on_db!(tx, c => sqlx::query(
            "update departures set leased_until = $3 where user_id = $1 and coalesce(leased_until, 0) <= $2")
            .bind(user).bind(now).bind(leased_until).execute(c).await.map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok((taken > 0).then_some(Self { user, leased_until }))
    }

    /// Empties the next messages, and after the last deletes the account; whether there is more to do. Whom staff have
    /// let in again meanwhile stays. Cost: 1 transaction of some 1,400 statements.
    async fn batch(&mut self, app: &App) -> Result<bool> {
        let mut work = Work::begin(app, None).await?;
        if !self.renew(&mut work).await? {
            return Ok(false);
        }
        let user = change::hold(&mut work, self.user).await?;
        let next = if user.is_active { Vec::new() } else { next(&mut work, user.id).await? };
        if user.is_active {
            on_db!(work, c => sqlx::query("delete from departures where user_id = $1")
                .bind(user.id).execute(c).await.map(|_| ()))?;
        } else if next.is_empty() {
            change::leave(&mut work, &user).await?;
            farewell(&mut work, &user, msgid!("All that you wrote is erased.")).await?;
        } else {
            empty(&mut work, &next).await?;
        }
        work.commit().await?;
        Ok(!next.is_empty())
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
}

/// The first messages that are still theirs.
async fn next(work: &mut Work, user: UserId) -> Result<Vec<MessageId>> {
    Ok(on_db!(work, c => sqlx::query_scalar(
        "select id from messages where sender_id = $1 order by created_at, id limit $2")
        .bind(user).bind(BATCH).fetch_all(c).await)?)
}

/// Empties messages, earlier texts and all, and makes them nobody's: deleting the account then has little left to do.
/// One that was deleted before is left at that.
async fn empty(work: &mut Work, ids: &[MessageId]) -> Result<()> {
    for id in ids {
        match messages::delete(work, *id).await {
            Ok(()) | Err(Error::NotFound(_) | Error::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    // Staff would keep what is emptied here, and what was deleted before.
    edits::forget(work, ids).await?;
    // Numbers of ours.
    let list: Vec<String> = ids.iter().map(MessageId::to_string).collect();
    let sql = format!("update messages set sender_id = null where id in ({})", list.join(", "));
    Ok(on_db!(work, c => sqlx::query(&sql).persistent(false).execute(c).await.map(|_| ()))?)
}
