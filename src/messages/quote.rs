//! The beginning of a message, as it stands above a message that answers it. Called by the pages.

use std::borrow::Cow;

use serde::Deserialize;

use super::excerpt;
use crate::db::{Conn, rows};
use crate::error::Result;
use crate::ids::{MessageId, RoomId};
use crate::on_db;

/// Characters of a quote.
const LONGEST: usize = 120;

/// Who said what, in a line.
#[derive(Clone, Debug, Deserialize)]
pub struct Quote {
    pub id: MessageId,
    pub seq: i64,
    pub username: Option<String>,
    content: String,
    #[serde(deserialize_with = "rows::truth")]
    is_deleted: bool,
}

/// The columns of [`Quote`], of [`FROM`].
pub(super) const ROW: [&str; 5] =
    ["q.id", "q.seq", "a.username", "substr(q.content, 1, 500)", "q.deleted_at is not null"];
pub(super) const FROM: &str = "from messages q left join users a on a.id = q.sender_id";

impl Quote {
    pub fn author(&self) -> Cow<'_, str> {
        self.username.as_deref().map_or_else(|| tr!("Deleted account"), Cow::from)
    }

    /// Its beginning as it was typed, in one line.
    pub fn beginning(&self) -> String {
        match self.content.as_str() {
            "" if self.is_deleted => tr!("This message was deleted.").into(),
            "" => tr!("a file").into(),
            content => excerpt::plain(content, LONGEST),
        }
    }
}

/// A message of `room` as a quote; `None` when it isn't one of its. Doesn't check who may see the room.
/// Cost: 1 indexed query.
pub async fn quote(conn: &mut Conn, room: RoomId, id: MessageId) -> Result<Option<Quote>> {
    let sql =
        format!("select cast({} as text)", conn.rows(&ROW, &format!("{FROM} where q.id = $1 and q.room_id = $2")));
    let found: String = on_db!(conn, c => sqlx::query_scalar(&sql).bind(id).bind(room).fetch_one(c).await)?;
    Ok(rows::read(&found)?.pop())
}
