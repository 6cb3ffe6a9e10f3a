//! Changes to interests, each a part of a [`Work`]: deciding, deleting, putting back. Called by the acts in
//! `interests.rs` and by the admin, which have asked who may do it.

use super::{Interest, NO_INTEREST, Status};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result, is_taken};
use crate::i18n::gettext;
use crate::ids::{InterestId, RoomId, UserId};
use crate::messages::list;
use crate::on_db;
use crate::rooms::change as rooms;
use crate::work::Work;

const ANOTHER: &str = msgid!("Another interest of the two is pending or accepted.");
const ANOTHER_BY_NOW: Error = Error::Conflict(msgid!("Another interest of the two is pending or accepted by now."));

/// The interest, held until the work ends. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn hold(work: &mut Work, id: InterestId) -> Result<Interest> {
    let found: Option<Interest> = on_db!(work, c => sqlx::query_as(
        "update interests set id = id where id = $1
         returning id, sender_id, recipient_id, note, status, created_at, decided_at")
        .bind(id).fetch_optional(c).await)?;
    found.ok_or(NO_INTEREST)
}

/// Who asked in the interest of a pair that is open, whoever of them that was, and whether it is accepted.
/// Cost: 1 indexed query.
pub async fn open_between(work: &mut Work, a: UserId, b: UserId) -> Result<Option<(UserId, Status)>> {
    let open: Option<(UserId, String)> = on_db!(work, c => sqlx::query_as(
        "select sender_id, status from interests
         where sender_id = $1 and recipient_id = $2 and status in ('pending', 'accepted')
         union all select sender_id, status from interests
         where sender_id = $2 and recipient_id = $1 and status in ('pending', 'accepted')
         order by status limit 1").bind(a).bind(b).fetch_optional(c).await)?;
    open.map(|(sender, status)| Ok((sender, Status::try_from(status)?))).transpose()
}

/// The interest that is pending between a pair, and who asked. Cost: 1 indexed query.
pub async fn pending_between(work: &mut Work, a: UserId, b: UserId) -> Result<Option<(InterestId, UserId)>> {
    // Both conditions on the status: the first is the index's own.
    Ok(on_db!(work, c => sqlx::query_as(
        "select id, sender_id from interests
         where sender_id = $1 and recipient_id = $2 and status in ('pending', 'accepted') and status = 'pending'
         union all select id, sender_id from interests
         where sender_id = $2 and recipient_id = $1 and status in ('pending', 'accepted') and status = 'pending'")
        .bind(a).bind(b).fetch_optional(c).await)?)
}

/// When each of `others` last rejected `person`, if they ever did. Cost: 1 indexed query, O(what `person` has sent).
pub async fn rejected_at(conn: &mut Conn, person: UserId, others: &[UserId]) -> Result<Vec<(UserId, Timestamp)>> {
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select recipient_id, max(decided_at) from interests
         where sender_id = $1 and recipient_id in ({}) and status = 'rejected' and decided_at is not null
         group by recipient_id",
        list(others)
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).persistent(false).bind(person).fetch_all(c).await)?)
}

/// Decides an interest, or opens it again. Accepted, the two have a direct room from now on, which it gives. Errors:
/// [`Error::Invalid`] at `status` when another one of the two is open, or one of them has no active account.
/// Cost: 1 statement, 2 when it was closed, 10 when accepted.
pub async fn set_status(work: &mut Work, interest: &Interest, status: Status) -> Result<Option<RoomId>> {
    if status == interest.status {
        return Ok(None);
    }
    if status.is_open()
        && !interest.status.is_open()
        && open_between(work, interest.sender_id, interest.recipient_id).await?.is_some()
    {
        return Err(Error::field("status", gettext(ANOTHER)));
    }
    let room = match status {
        Status::Accepted => Some(open_room(work, interest).await?),
        Status::Pending | Status::Rejected | Status::Cancelled => None,
    };
    let decided_at = (status != Status::Pending).then(|| work.now());
    on_db!(work, c => sqlx::query("update interests set status = $2, decided_at = $3 where id = $1")
        .bind(interest.id).bind(status.as_str()).bind(decided_at).execute(c).await.map(|_| ()))
    .map_err(|error| match is_taken(&error) {
        true => Error::field("status", gettext(ANOTHER)),
        false => error.into(),
    })?;
    Ok(room)
}

async fn open_room(work: &mut Work, interest: &Interest) -> Result<RoomId> {
    let made = rooms::make_direct(work, interest.recipient_id, interest.sender_id).await;
    made.map(|(room, _)| room).map_err(|error| match error {
        Error::Invalid(_) => Error::field("status", tr!("One of the two has no active account.")),
        error => error,
    })
}

/// Deletes an interest; a room that came of it stays. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: InterestId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from interests where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(NO_INTEREST) } else { Ok(()) }
}

/// Puts a deleted interest back. Errors: [`Error::Conflict`] when one of the two is gone, or another one of theirs is open
/// by now. Cost: 2 statements.
pub async fn restore(work: &mut Work, former: &Interest) -> Result<()> {
    if former.status.is_open() && open_between(work, former.sender_id, former.recipient_id).await?.is_some() {
        return Err(ANOTHER_BY_NOW);
    }
    let added = on_db!(work, c => sqlx::query(
        "insert into interests (id, sender_id, recipient_id, note, status, created_at, decided_at)
         select $1, s.id, r.id, $4, $5, $6, $7 from users s join users r on r.id = $3 where s.id = $2")
        .bind(former.id).bind(former.sender_id).bind(former.recipient_id).bind(&former.note)
        .bind(former.status.as_str()).bind(former.created_at).bind(former.decided_at)
        .execute(c).await.map(|done| done.rows_affected()))
    .map_err(|error| match is_taken(&error) {
        true => ANOTHER_BY_NOW,
        false => error.into(),
    })?;
    if added == 0 { Err(Error::Conflict(msgid!("One of the two has no account any more."))) } else { Ok(()) }
}
