//! Interests: the model `interests`, one person asking another to talk. Of a pair one may be pending or accepted in each
//! direction. Called by the admin.

pub mod admin;

use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::error::{Error, Result, is_taken};
use crate::ids::{InterestId, UserId};
use crate::on_db;
use crate::rooms::change as rooms;
use crate::work::Work;

const NO_INTEREST: Error = Error::NotFound("There is no such interest.");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Accepted,
    Rejected,
    Cancelled,
}

impl Status {
    pub const CHOICES: &[(&str, &str)] =
        &[("pending", "Pending"), ("accepted", "Accepted"), ("rejected", "Rejected"), ("cancelled", "Cancelled")];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

impl TryFrom<String> for Status {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        match text.as_str() {
            "pending" => Ok(Self::Pending),
            "accepted" => Ok(Self::Accepted),
            "rejected" => Ok(Self::Rejected),
            "cancelled" => Ok(Self::Cancelled),
            _ => Err(Error::field("status", "An interest is pending, accepted, rejected or cancelled.")),
        }
    }
}

#[derive(Clone, Debug, FromRow)]
pub struct Interest {
    pub id: InterestId,
    pub sender_id: UserId,
    pub recipient_id: UserId,
    pub note: String,
    #[sqlx(try_from = "String")]
    pub status: Status,
    pub created_at: Timestamp,
    pub decided_at: Option<Timestamp>,
}

/// The interest, held until the work ends. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn hold(work: &mut Work, id: InterestId) -> Result<Interest> {
    let found: Option<Interest> = on_db!(work, c => sqlx::query_as(
        "update interests set id = id where id = $1
         returning id, sender_id, recipient_id, note, status, created_at, decided_at")
        .bind(id).fetch_optional(c).await)?;
    found.ok_or(NO_INTEREST)
}

/// Decides an interest, or opens it again. Accepted, the two have a direct room from now on. Errors: [`Error::Invalid`]
/// at `status` when another one of the two is open, or one of them has no active account. Cost: 1 statement, 9 when
/// accepted.
pub async fn set_status(work: &mut Work, interest: &Interest, status: Status) -> Result<()> {
    if status == interest.status {
        return Ok(());
    }
    if status == Status::Accepted {
        let room = rooms::make_direct(work, interest.recipient_id, interest.sender_id).await;
        room.map_err(|error| match error {
            Error::Invalid(_) => Error::field("status", "One of the two has no active account."),
            error => error,
        })?;
    }
    let decided_at = (status != Status::Pending).then(|| work.now());
    on_db!(work, c => sqlx::query("update interests set status = $2, decided_at = $3 where id = $1")
        .bind(interest.id).bind(status.as_str()).bind(decided_at).execute(c).await.map(|_| ()))
    .map_err(|error| match is_taken(&error) {
        true => Error::field("status", "Another interest of the two is pending or accepted."),
        false => error.into(),
    })
}

/// Deletes an interest; a room that came of it stays. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: InterestId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from interests where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(NO_INTEREST) } else { Ok(()) }
}

/// Puts a deleted interest back. Errors: [`Error::Conflict`] when one of the two is gone, or another one of theirs is open
/// by now. Cost: 1 statement.
pub async fn restore(work: &mut Work, former: &Interest) -> Result<()> {
    let added = on_db!(work, c => sqlx::query(
        "insert into interests (id, sender_id, recipient_id, note, status, created_at, decided_at)
         select $1, s.id, r.id, $4, $5, $6, $7 from users s join users r on r.id = $3 where s.id = $2")
        .bind(former.id).bind(former.sender_id).bind(former.recipient_id).bind(&former.note)
        .bind(former.status.as_str()).bind(former.created_at).bind(former.decided_at)
        .execute(c).await.map(|done| done.rows_affected()))
    .map_err(|error| match is_taken(&error) {
        true => Error::Conflict("Another interest of the two is pending or accepted by now."),
        false => error.into(),
    })?;
    if added == 0 { Err(Error::Conflict("One of the two has no account any more.")) } else { Ok(()) }
}
