//! The outbox: the model `emails`. A mail is queued in the transaction of what it tells of, and sent by the job in
//! `crate::mail` later, which asks [`delivery`] for what is due. Called by the admin and by [`letter`].

pub mod admin;
pub mod delivery;
pub mod letter;

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::EmailId;
use crate::on_db;
use crate::text::{line, paragraphs};
use crate::work::Work;

const LONGEST_SUBJECT: usize = 200;
const LONGEST_TEXT: usize = 100_000;
const NO_MAIL: Error = Error::NotFound(msgid!("There is no such mail."));

/// A mail that may be queued: every field checked.
pub struct NewEmail {
    to: String,
    subject: String,
    text: String,
    /// Empty for a mail of plain text.
    html: String,
}

impl NewEmail {
    /// A mail of plain text. Errors: [`Error::Invalid`] with a message for each bad field. Cost: O(length).
    pub fn parse(to: &str, subject: &str, text: &str) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let to = line(&mut errors, "to", to, 254);
        if to.parse::<lettre::Address>().is_err() {
            errors.add("to", tr!("This is not an e-mail address."));
        }
        let subject = line(&mut errors, "subject", subject, LONGEST_SUBJECT);
        if subject.is_empty() {
            errors.add("subject", tr!("A mail needs a subject."));
        }
        let text = paragraphs(&mut errors, "text", text, LONGEST_TEXT);
        if text.is_empty() {
            errors.add("text", tr!("Write something first."));
        }
        errors.or(Self { to, subject, text, html: String::new() })
    }

    /// The same with a second part for programs that show HTML.
    pub fn with_html(self, html: String) -> Self {
        Self { html, ..self }
    }
}

/// Queues a mail, due at once; not sent any more after `until`. Cost: 1 statement.
pub async fn queue(work: &mut Work, new: &NewEmail, until: Option<Timestamp>) -> Result<EmailId> {
    let now = work.now();
    work.then(|app| app.mail.wake());
    Ok(on_db!(work, c => sqlx::query_scalar(
        "insert into emails (\"to\", subject, text, html, next_attempt_at, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $5, $6) returning id")
        .bind(&new.to).bind(&new.subject).bind(&new.text).bind(&new.html).bind(now).bind(until)
        .fetch_one(c).await)?)
}

/// Queues a mail that was sent or has failed once more, due at once, with all its attempts before it. Errors:
/// [`Error::NotFound`], [`Error::Conflict`] for one that waits already, and for one whose link is gone or has run out.
/// Cost: 1 statement, 2 when refused.
pub async fn resend(work: &mut Work, id: EmailId) -> Result<()> {
    let now = work.now();
    let queued = on_db!(work, c => sqlx::query(
        "update emails set status = 'queued', attempts = 0, last_error = null, sent_at = null, next_attempt_at = $2,
                           leased_until = null
         where id = $1 and (status = 'sent' and expires_at is null
                            or status = 'failed' and (expires_at is null or expires_at > $2))")
        .bind(id).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    if queued > 0 {
        work.then(|app| app.mail.wake());
        return Ok(());
    }
    Err(match state(work, id).await? {
        None => NO_MAIL,
        Some((status, _)) if status == "queued" => Error::Conflict(msgid!("This mail waits to be sent already.")),
        Some(_) => {
            Error::Conflict(msgid!("This mail's link isn't kept or has run out: whoever needs it asks for a new one."))
        }
    })
}

/// A mail that waits isn't sent any more. Errors: [`Error::NotFound`], [`Error::Conflict`] for one that doesn't wait, or
/// that is being sent at this moment. Cost: 1 statement, 2 when refused.
pub async fn cancel(work: &mut Work, id: EmailId) -> Result<()> {
    let now = work.now();
    let by = work.by.as_ref().map_or("the command line", |by| by.username.as_str());
    let why = format!("Cancelled by {by}.");
    let cancelled = on_db!(work, c => sqlx::query(
        "update emails set status = 'failed', last_error = $3, next_attempt_at = null, leased_until = null
         where id = $1 and status = 'queued' and (leased_until is null or leased_until <= $2)")
        .bind(id).bind(now).bind(why).execute(c).await.map(|done| done.rows_affected()))?;
    if cancelled > 0 {
        return Ok(());
    }
    Err(match state(work, id).await? {
        None => NO_MAIL,
        Some((status, Some(leased_until))) if status == "queued" && leased_until > now => {
            Error::Conflict(msgid!("This mail is being sent at this moment."))
        }
        Some(_) => Error::Conflict(msgid!("This mail doesn't wait to be sent.")),
    })
}

async fn state(work: &mut Work, id: EmailId) -> Result<Option<(String, Option<Timestamp>)>> {
    Ok(on_db!(work, c => sqlx::query_as("select status, leased_until from emails where id = $1")
        .bind(id).fetch_optional(c).await)?)
}

/// Deletes a mail; one that waits is never sent. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: EmailId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from emails where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(NO_MAIL) } else { Ok(()) }
}

/// Deletes mails of ninety days ago and earlier that don't wait any more, at most 500, and says how many: until then the
/// admin shows them. Cost: 1 indexed statement.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<u64> {
    const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
    Ok(on_db!(conn, c => sqlx::query(
        "delete from emails where id in (
             select id from emails where created_at < $1 and status <> 'queued' order by created_at, id limit 500)")
        .bind(now.minus(KEPT)).execute(c).await.map(|done| done.rows_affected()))?)
}
