//! The lists of rooms: one's own with unread counts and the newest talk first, and the public ones to join.

use serde::Serialize;

use super::{COLUMNS, Kind, NO_ROOM, Room};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{RoomId, UserId};
use crate::messages::{self, Message};
use crate::on_db;

/// One's own rooms, newest talk first; at most `limit`. Cost: 1 query, O(the person's rooms).
pub async fn own(conn: &mut Conn, person: UserId, limit: i64) -> Result<Vec<Room>> {
    let sql = format!(
        "select {COLUMNS} from memberships m join rooms r on r.id = m.room_id where m.user_id = $1
         order by r.last_message_at desc, r.id desc limit $2"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(person).bind(limit).fetch_all(c).await)?)
}

/// Public rooms that `person` isn't in, newest talk first; at most `limit`.
/// Cost: 1 query, O(limit + the person's public rooms).
pub async fn to_join(conn: &mut Conn, person: UserId, limit: i64) -> Result<Vec<Room>> {
    let sql = format!(
        "select {COLUMNS} from rooms r left join memberships m on m.room_id = r.id and m.user_id = $1
         where r.kind = 'public' and m.id is null order by r.last_message_at desc, r.id desc limit $2"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(person).bind(limit).fetch_all(c).await)?)
}

/// A room as the JSON API and the `room_added` frame show it.
#[derive(Serialize)]
pub struct Entry {
    pub id: RoomId,
    pub kind: Kind,
    pub name: String,
    pub description: String,
    pub member_count: i64,
    pub unread_count: i64,
    pub last_message: Option<Message>,
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
}

/// One room as `person` sees it in a list. Errors: `NotFound`. Cost: 2 indexed queries.
pub async fn entry(conn: &mut Conn, person: UserId, id: RoomId) -> Result<Entry> {
    let room = super::see(conn, person, id).await?;
    if !room.is_member() {
        return Err(NO_ROOM);
    }
    let last_message = messages::page(conn, id, i64::MAX, 1).await?.pop();
    Ok(Entry {
        id,
        kind: room.kind,
        unread_count: room.unread(),
        name: room.title().to_owned(),
        description: room.description,
        member_count: room.member_count,
        last_message,
        created_by: room.created_by,
        created_at: room.created_at,
    })
}
