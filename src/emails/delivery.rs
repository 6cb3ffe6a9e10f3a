//! Which mail is sent next and by whom, and what becomes of it: claims with a lease, the times of the next attempts, and
//! the outcome. Called by the job in `crate::mail`; what goes over the wire is its business.

use std::time::Duration;

use sqlx::FromRow;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::EmailId;
use crate::mail::message::Outgoing;
use crate::on_db;

/// Longer than an attempt may take and its outcome may wait to be written: whoever still holds a lease is at work.
const LEASE: Duration = Duration::from_secs(60);
/// From the first attempt to the last.
const TRIED_FOR: Duration = Duration::from_secs(2 * 24 * 3600);
/// Of the pauses between attempts; every one after these is twice the one before.
const FIRST_PAUSES: [u64; 3] = [10, 30, 120];

/// Why a mail past its time isn't sent.
pub const RUN_OUT: &str = "It wasn't sent: its link has run out.";

/// A mail that nobody else sends before `leased_until`.
#[derive(Clone, Debug, FromRow)]
pub struct Claimed {
    pub id: EmailId,
    to: String,
    subject: String,
    text: String,
    html: String,
    /// With this one.
    pub attempts: i64,
    pub created_at: Timestamp,
    expires_at: Option<Timestamp>,
    leased_until: Timestamp,
}

impl Claimed {
    pub fn message(&self) -> Outgoing<'_> {
        Outgoing { to: &self.to, subject: &self.subject, text: &self.text, html: &self.html }
    }

    /// Whether it is past its time.
    pub fn has_run_out(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// When it is tried again, should this attempt fail; `None` for never.
    pub fn next_attempt(&self, now: Timestamp) -> Option<Timestamp> {
        if self.has_run_out(now) { None } else { pause_after(self.attempts).map(|pause| now.plus(pause)) }
    }
}

/// The pause after so many failed attempts; `None` when that was the last. The last one is cut short, so that it ends two
/// days after the first attempt.
fn pause_after(attempts: i64) -> Option<Duration> {
    let (mut before, mut pause) = (Duration::ZERO, Duration::ZERO);
    for attempt in 0..usize::try_from(attempts).unwrap_or(0) {
        before += pause;
        if before >= TRIED_FOR {
            return None;
        }
        pause = FIRST_PAUSES.get(attempt).map_or(pause * 2, |seconds| Duration::from_secs(*seconds));
        pause = pause.min(TRIED_FOR - before);
    }
    Some(pause)
}

/// Takes the mail that is due first, or says when the next will be. Of two who ask at once one gets it, on either engine:
/// PostgreSQL asks the outer conditions again once the row is free. The lease is the next attempt too, so that a mail
/// whose sender died comes up by itself. Cost: 1 indexed query; with something due 1 write transaction.
pub async fn claim(app: &App) -> Result<Result<Claimed, Option<Timestamp>>> {
    let now = app.clock.now();
    let due = next_due(&mut app.db.read().await?).await?;
    if due.is_none_or(|due| due > now) {
        return Ok(Err(due));
    }
    let mut tx = app.db.write().await?;
    let claimed: Option<Claimed> = on_db!(tx, c => sqlx::query_as(
        "update emails set attempts = attempts + 1, leased_until = $2, next_attempt_at = $2
         where id = (select id from emails where status = 'queued' and next_attempt_at <= $1
                     order by next_attempt_at, id limit 1)
           and status = 'queued' and next_attempt_at <= $1
         returning id, \"to\", subject, text, html, attempts, created_at, expires_at, leased_until")
        .bind(now).bind(now.plus(LEASE)).fetch_optional(c).await)?;
    tx.commit().await?;
    // Somebody else was quicker with this one; there may be others.
    Ok(claimed.ok_or(Some(now)))
}

async fn next_due(conn: &mut Conn) -> Result<Option<Timestamp>> {
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "select min(next_attempt_at) from emails where status = 'queued' and next_attempt_at is not null")
        .fetch_one(c).await)?)
}

/// Writes down what became of an attempt, unless the lease was lost meanwhile. A mail with a link that works for a time
/// only loses it, once it is sent or has run out: whoever reads the outbox finds none that works.
/// Cost: 1 write transaction.
pub async fn settle(app: &App, mail: &Claimed, outcome: &Result<(), String>) -> Result<()> {
    let now = app.clock.now();
    let next = mail.next_attempt(now);
    let status = match outcome {
        Ok(()) => "sent",
        Err(_) if next.is_none() => "failed",
        Err(_) => "queued",
    };
    let sent_at = outcome.is_ok().then_some(now);
    let is_over = mail.expires_at.is_some() && (outcome.is_ok() || mail.has_run_out(now));
    let kept = |text: &str| if is_over { without_links(text) } else { text.to_owned() };
    let mut tx = app.db.write().await?;
    on_db!(tx, c => sqlx::query(
        "update emails set status = $3, last_error = $4, next_attempt_at = $5, sent_at = $6, text = $7, html = $8,
                           leased_until = null
         where id = $1 and leased_until = $2")
        .bind(mail.id).bind(mail.leased_until).bind(status).bind(outcome.as_ref().err())
        .bind(next.filter(|_| status == "queued")).bind(sent_at).bind(kept(&mail.text)).bind(kept(&mail.html))
        .execute(c).await.map(|_| ()))?;
    tx.commit().await
}

/// `text` with `token=…` in the place of every secret of a link. Cost: O(length).
pub fn without_links(text: &str) -> String {
    const MARK: &str = "token=";
    let mut parts = text.split(MARK);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_-.~%".contains(c));
        kept.push_str(MARK);
        kept.push_str(if rest.len() < part.len() { "…" } else { "" });
        kept.push_str(rest);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_the_contracts_then_double_and_end_two_days_after_the_first_attempt() {
        let pauses: Vec<u64> = (1..).map_while(pause_after).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses[..6], [10, 30, 120, 240, 480, 960]);
        assert_eq!(pauses.iter().sum::<u64>(), TRIED_FOR.as_secs());
        assert_eq!(pause_after(1000), None);
    }

    #[test]
    fn every_secret_goes_and_all_else_stays() {
        let text = "At https://a.example/x?token=00ff&y=1 or token=abc. <a href=\"/x?token=0a\">token=</a>";
        assert_eq!(
            without_links(text),
            "At https://a.example/x?token=…&y=1 or token=… <a href=\"/x?token=…\">token=</a>"
        );
        assert_eq!(without_links("nothing"), "nothing");
    }
}
