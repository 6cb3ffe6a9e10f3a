//! The outbox: the model `emails`. A mail is queued in the transaction of what it tells of, and sent by a job later.
//! Called by the admin.

pub mod admin;
pub mod letter;

use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::EmailId;
use crate::on_db;
use crate::text::{line, paragraphs};
use crate::work::Work;

const LONGEST_SUBJECT: usize = 200;
const LONGEST_TEXT: usize = 100_000;

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
            errors.add("to", "This is not an e-mail address.");
        }
        let subject = line(&mut errors, "subject", subject, LONGEST_SUBJECT);
        if subject.is_empty() {
            errors.add("subject", "A mail needs a subject.");
        }
        let text = paragraphs(&mut errors, "text", text, LONGEST_TEXT);
        if text.is_empty() {
            errors.add("text", "Write something first.");
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
    Ok(on_db!(work, c => sqlx::query_scalar(
        "insert into emails (\"to\", subject, text, html, next_attempt_at, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $5, $6) returning id")
        .bind(&new.to).bind(&new.subject).bind(&new.text).bind(&new.html).bind(now).bind(until)
        .fetch_one(c).await)?)
}

/// Queues a mail that was sent or has failed once more, due at once, with all its attempts before it. Errors:
/// [`Error::NotFound`], [`Error::Conflict`] for one that waits already. Cost: 1 statement, 2 when refused.
pub async fn resend(work: &mut Work, id: EmailId) -> Result<()> {
    let now = work.now();
    let queued = on_db!(work, c => sqlx::query(
        "update emails set status = 'queued', attempts = 0, last_error = null, sent_at = null, next_attempt_at = $2
         where id = $1 and status <> 'queued'").bind(id).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    if queued > 0 {
        return Ok(());
    }
    let found: Option<i64> = on_db!(work, c => sqlx::query_scalar("select id from emails where id = $1")
        .bind(id).fetch_optional(c).await)?;
    Err(match found {
        Some(_) => Error::Conflict("This mail waits to be sent already."),
        None => Error::NotFound("There is no such mail."),
    })
}

/// Deletes a mail; one that waits is never sent. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: EmailId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from emails where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(Error::NotFound("There is no such mail.")) } else { Ok(()) }
}
