//! Interests with the names of the two: one, and lists of what somebody sent or was sent. Called by the acts in
//! `interests.rs` and by the API.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::{NO_INTEREST, Status};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{InterestId, UserId};
use crate::on_db;

/// One person's wish to talk to another, as the JSON API and the `interest` frame show it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = Interest)]
pub struct Entry {
    #[schema(example = 5)]
    pub id: InterestId,
    #[schema(example = 1)]
    pub sender_id: UserId,
    /// A user name.
    #[schema(example = "maria")]
    pub sender: String,
    #[schema(example = 2)]
    pub recipient_id: UserId,
    /// A user name.
    #[schema(example = "tomas")]
    pub recipient: String,
    #[schema(example = "Shall we talk about the garden?")]
    pub note: String,
    #[sqlx(try_from = "String")]
    pub status: Status,
    pub created_at: Timestamp,
    #[schema(required = true)]
    pub decided_at: Option<Timestamp>,
}

const ENTRY: &str = "select i.id, i.sender_id, s.username as sender, i.recipient_id, r.username as recipient, i.note, \
     i.status, i.created_at, i.decided_at from interests i \
     join users s on s.id = i.sender_id join users r on r.id = i.recipient_id";

/// One interest. Doesn't check who asks. Errors: `NotFound`. Cost: 1 indexed query.
pub async fn entry(conn: &mut Conn, id: InterestId) -> Result<Entry> {
    let sql = format!("{ENTRY} where i.id = $1");
    on_db!(conn, c => sqlx::query_as(&sql).bind(id).fetch_optional(c).await)?.ok_or(NO_INTEREST)
}

/// Which of somebody's interests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// What they were sent.
    In,
    /// What they sent.
    Out,
    Both,
}

/// What of them is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub folder: Folder,
    /// All of them with `None`.
    pub status: Option<Status>,
    /// Those sent before this one.
    pub before: Option<Place>,
}

/// An interest's place in the list: when it was sent, then its id.
pub type Place = (Timestamp, InterestId);

/// The interests of `person`, newest first; at most `limit`. Cost: 1 indexed query, O(limit), or O(the person's
/// interests) for those of one status or of both folders.
pub async fn of(conn: &mut Conn, person: UserId, look: Look, limit: i64) -> Result<Vec<Entry>> {
    let whose = match look.folder {
        Folder::In => "i.recipient_id = $1",
        Folder::Out => "i.sender_id = $1",
        Folder::Both => "(i.sender_id = $1 or i.recipient_id = $1)",
    };
    let (time, id) = look.before.unwrap_or((Timestamp(i64::MAX), InterestId(i64::MAX)));
    let sql = format!(
        "{ENTRY} where {whose} and (i.created_at, i.id) < ($2, $3) and ($4 = '' or i.status = $4)
         order by i.created_at desc, i.id desc limit $5"
    );
    let status = look.status.map_or("", Status::as_str);
    Ok(on_db!(conn, c => sqlx::query_as(&sql)
        .bind(person).bind(time).bind(id).bind(status).bind(limit).fetch_all(c).await)?)
}
