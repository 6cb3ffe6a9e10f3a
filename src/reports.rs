//! Reports of messages: the model `reports`. Who reports sees to it that staff look; staff resolve, dismiss, or hide what
//! was reported. [`report`] is what people do; the parts are the admin's, too.

pub mod admin;
pub mod queue;

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result, is_taken};
use crate::ids::{MessageId, ReportId, UserId};
use crate::messages::change as messages;
use crate::messages::{DELETED, acts, see};
use crate::on_db;
use crate::text::paragraphs;
use crate::users::Person;
use crate::work::Work;

const LONGEST_REASON: usize = 1000;
const NO_REPORT: Error = Error::NotFound(msgid!("There is no such report."));

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReportStatus)]
pub enum Status {
    Open,
    Resolved,
    Dismissed,
}

impl Status {
    pub const CHOICES: &[(&str, &str)] =
        &[("open", msgid!("Open")), ("resolved", msgid!("Resolved")), ("dismissed", msgid!("Dismissed"))];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Dismissed => "dismissed",
        }
    }
}

impl TryFrom<String> for Status {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        match text.as_str() {
            "open" => Ok(Self::Open),
            "resolved" => Ok(Self::Resolved),
            "dismissed" => Ok(Self::Dismissed),
            _ => Err(Error::field("status", tr!("A report is open, resolved or dismissed."))),
        }
    }
}

/// A report as who made it sees it, and the JSON API shows it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub struct Report {
    pub id: ReportId,
    pub message_id: MessageId,
    #[schema(required = true)]
    pub reporter_id: Option<UserId>,
    #[schema(example = "Insults me.")]
    pub reason: String,
    #[sqlx(try_from = "String")]
    pub status: Status,
    /// Who of the staff settled it.
    #[schema(required = true)]
    pub handled_by: Option<UserId>,
    pub created_at: Timestamp,
}

/// Reports a message in the name of `person`. Errors: [`Error::NotFound`] for one they can't see, [`Error::Invalid`] at
/// `reason`, [`Error::Conflict`] for a deleted message and while staff haven't seen to their last report of it.
/// Cost: 2 queries and 1 write transaction of some 8 statements.
pub async fn report(app: &App, person: &Person, message: MessageId, reason: &str) -> Result<Report> {
    see(&mut app.db.read().await?, person.id, message).await?;
    let mut work = Work::begin(app, Some(person)).await?;
    let (_, found) = acts::held(&mut work, person.id, message).await?;
    if found.deleted_at.is_some() {
        return Err(DELETED);
    }
    if is_open(&mut work, message, person.id).await? {
        return Err(Error::Conflict(msgid!("You reported this message already; the staff will look at it.")));
    }
    let id = add(&mut work, message, reason).await?;
    let report = on_db!(work, c => sqlx::query_as(
        "select id, message_id, reporter_id, reason, status, handled_by, created_at from reports where id = $1")
        .bind(id).fetch_one(c).await)?;
    work.commit().await?;
    Ok(report)
}

/// Whether a report of `message` by `reporter` waits for staff. Cost: 1 indexed query, O(reports of the message).
async fn is_open(conn: &mut Conn, message: MessageId, reporter: UserId) -> Result<bool> {
    let open: Option<ReportId> = on_db!(conn, c => sqlx::query_scalar(
        "select id from reports where message_id = $1 and reporter_id = $2 and status = 'open' limit 1")
        .bind(message).bind(reporter).fetch_optional(c).await)?;
    Ok(open.is_some())
}

/// Reports a message in the name of whoever does the work. Errors: [`Error::Invalid`] by field. Cost: 1 statement.
pub async fn add(work: &mut Work, message: MessageId, reason: &str) -> Result<ReportId> {
    let mut errors = FieldErrors::default();
    let reason = paragraphs(&mut errors, "reason", reason, LONGEST_REASON);
    if reason.is_empty() {
        errors.add("reason", tr!("Say what is wrong with it."));
    }
    errors.or(())?;
    let (by, now) = (work.by.as_ref().map(|by| by.id), work.now());
    let id: Option<ReportId> = on_db!(work, c => sqlx::query_scalar(
        "insert into reports (message_id, reporter_id, reason, created_at)
         select m.id, $2, $3, $4 from messages m where m.id = $1 returning id")
        .bind(message).bind(by).bind(reason).bind(now).fetch_optional(c).await)?;
    id.ok_or_else(|| Error::field("message_id", tr!("There is no such message.")))
}

/// Says what became of a report; whoever does the work has handled it, and nobody when it is open again. Errors:
/// [`Error::NotFound`]. Cost: 1 statement.
pub async fn set_status(work: &mut Work, id: ReportId, status: Status) -> Result<()> {
    let by = work.by.as_ref().map(|by| by.id).filter(|_| status != Status::Open);
    let set = on_db!(work, c => sqlx::query("update reports set status = $2, handled_by = $3 where id = $1")
        .bind(id).bind(status.as_str()).bind(by).execute(c).await.map(|done| done.rows_affected()))?;
    if set == 0 { Err(NO_REPORT) } else { Ok(()) }
}

/// Deletes the reported message, if it stands, and resolves this and every other open report of it. Errors:
/// [`Error::NotFound`]. Cost: 9 indexed statements, O(reports of the message + sockets in the room).
pub async fn hide(work: &mut Work, id: ReportId) -> Result<()> {
    let message: Option<MessageId> = on_db!(work, c => sqlx::query_scalar("select message_id from reports where id = $1")
        .bind(id).fetch_optional(c).await)?;
    let message = messages::hold(work, message.ok_or(NO_REPORT)?).await?;
    if message.deleted_at.is_none() {
        messages::delete(work, message.id).await?;
    }
    let by = work.by.as_ref().map(|by| by.id);
    Ok(on_db!(work, c => sqlx::query(
        "update reports set status = 'resolved', handled_by = $3 where message_id = $1 and (status = 'open' or id = $2)")
        .bind(message.id).bind(id).bind(by).execute(c).await.map(|_| ()))?)
}

/// Deletes a report; the message stays as it is. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: ReportId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from reports where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(NO_REPORT) } else { Ok(()) }
}

/// A report that was deleted, as history has it.
pub struct Former {
    pub id: ReportId,
    pub message: MessageId,
    pub reporter: Option<UserId>,
    pub reason: String,
    pub status: Status,
    pub handled_by: Option<UserId>,
    pub created_at: Timestamp,
}

/// Puts a deleted report back. Errors: [`Error::Conflict`] when its message is gone for good. Cost: 1 statement.
pub async fn restore(work: &mut Work, former: &Former) -> Result<()> {
    let added = on_db!(work, c => sqlx::query(
        "insert into reports (id, message_id, reporter_id, reason, status, handled_by, created_at)
         select $1, m.id, (select id from users where id = $3), $4, $5, (select id from users where id = $6), $7
         from messages m where m.id = $2")
        .bind(former.id).bind(former.message).bind(former.reporter).bind(&former.reason).bind(former.status.as_str())
        .bind(former.handled_by).bind(former.created_at).execute(c).await.map(|done| done.rows_affected()))
    .map_err(|error| match is_taken(&error) {
        true => Error::Conflict(msgid!("This report is there again already.")),
        false => error.into(),
    })?;
    if added == 0 { Err(Error::Conflict(msgid!("The reported message is gone for good."))) } else { Ok(()) }
}
