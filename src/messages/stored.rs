//! Messages as they are read: whole, with their files and reactions. One query finds them and says of each whether it has
//! any; only then those are asked for, for all of them together. Called by whatever shows messages.

use std::collections::HashMap;

use sqlx::FromRow;

use super::Message;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{MessageId, RoomId, UserId};
use crate::{attachments, on_db, reactions};

/// A message, and whether there is more to load of it.
#[derive(FromRow)]
struct Found {
    #[sqlx(flatten)]
    message: Message,
    has_files: bool,
    has_reactions: bool,
}

/// `limit 1` keeps PostgreSQL from reading the other tables whole to answer for all rows at once.
const SELECT: &str = "select m.id, m.room_id, m.seq, m.rev, m.sender_id as user_id, u.username, m.content, m.html, \
     m.client_id, m.reply_to, m.edited_at, m.deleted_at, m.created_at, \
     (select a.id from attachments a where a.message_id = m.id limit 1) is not null as has_files, \
     (select r.id from reactions r where r.message_id = m.id limit 1) is not null as has_reactions \
     from messages m left join users u on u.id = m.sender_id";

/// Messages of `room` numbered below `before`, oldest first; at most `limit`, the newest of them. Doesn't check
/// membership. Cost: 1 to 3 indexed queries, O(limit).
pub async fn page(conn: &mut Conn, room: RoomId, before: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = format!("{SELECT} where m.room_id = $1 and m.seq < $2 order by m.seq desc limit $3");
    let mut found: Vec<Found> =
        on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(before).bind(limit).fetch_all(c).await)?;
    found.reverse();
    whole(conn, found).await
}

/// Messages of `room` numbered above `after`, oldest first; at most `limit`. Doesn't check membership.
/// Cost: 1 to 3 indexed queries, O(limit).
pub async fn after(conn: &mut Conn, room: RoomId, after: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = format!("{SELECT} where m.room_id = $1 and m.seq > $2 order by m.seq limit $3");
    let found = on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(after).bind(limit).fetch_all(c).await)?;
    whole(conn, found).await
}

/// Messages of `room` that are new or were changed after revision `rev`, in `rev` order; at most `limit`. Doesn't
/// check membership. Cost: 1 to 3 indexed queries, O(limit).
pub async fn since(conn: &mut Conn, room: RoomId, rev: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = format!("{SELECT} where m.room_id = $1 and m.rev > $2 order by m.rev limit $3");
    let found = on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(rev).bind(limit).fetch_all(c).await)?;
    whole(conn, found).await
}

/// The messages around each of `places` (a room and a number): it, and those up to `reach` numbers before and after, by
/// room and number. Doesn't check membership. Cost: 1 to 3 indexed queries, O(places × reach).
pub async fn around(conn: &mut Conn, places: &[(RoomId, i64)], reach: i64) -> Result<Vec<Message>> {
    // Numbers of ours.
    let near = |(room, seq): &(RoomId, i64)| {
        format!("(m.room_id = {room} and m.seq between {} and {})", seq - reach, seq + reach)
    };
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let near = places.iter().map(near).collect::<Vec<_>>().join(" or ");
    let sql = format!("{SELECT} where {near} order by m.room_id, m.seq");
    let found = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    whole(conn, found).await
}

/// The newest message of each of `rooms`; nothing for a room without any. Doesn't check membership.
/// Cost: 1 to 3 indexed queries, O(rooms).
pub async fn latest(conn: &mut Conn, rooms: &[RoomId]) -> Result<HashMap<RoomId, Message>> {
    if rooms.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "{SELECT} where m.id in (select (select n.id from messages n where n.room_id = o.id order by n.seq desc limit 1)
         from rooms o where o.id in ({}))",
        list(rooms)
    );
    let found = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    Ok(whole(conn, found).await?.into_iter().map(|message| (message.room_id, message)).collect())
}

/// Those of `ids` that are there, in no order. Doesn't check who may see them. Cost: 1 to 3 indexed queries, O(ids).
pub(super) async fn by_ids(conn: &mut Conn, ids: &[MessageId]) -> Result<Vec<Message>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{SELECT} where m.id in ({})", list(ids));
    let found = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    whole(conn, found).await
}

/// Whether this message is one of `room`'s. Cost: 1 indexed query.
pub async fn is_in(conn: &mut Conn, room: RoomId, id: MessageId) -> Result<bool> {
    let found: Option<i64> = on_db!(conn, c => sqlx::query_scalar("select seq from messages where id = $1 and room_id = $2")
        .bind(id).bind(room).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// One message. Doesn't check who may see it. Cost: 1 to 3 indexed queries.
pub(super) async fn by_id(conn: &mut Conn, id: MessageId) -> Result<Option<Message>> {
    let sql = format!("{SELECT} where m.id = $1");
    let found = on_db!(conn, c => sqlx::query_as(&sql).bind(id).fetch_all(c).await)?;
    Ok(whole(conn, found).await?.pop())
}

/// The message that `sender` posted to `room` as `client_id`. Cost: 1 to 3 indexed queries.
pub(super) async fn by_client_id(
    conn: &mut Conn,
    room: RoomId,
    sender: UserId,
    client_id: &str,
) -> Result<Option<Message>> {
    let sql = format!("{SELECT} where m.room_id = $1 and m.sender_id = $2 and m.client_id = $3");
    let found = on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(sender).bind(client_id).fetch_all(c).await)?;
    Ok(whole(conn, found).await?.pop())
}

/// Ids for an `in (…)`: numbers of ours.
pub(crate) fn list(ids: &[impl ToString]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The messages found, each with what else belongs to it. Cost: 0 to 2 indexed queries.
async fn whole(conn: &mut Conn, found: Vec<Found>) -> Result<Vec<Message>> {
    let ids = |has: fn(&Found) -> bool| found.iter().filter(|one| has(one)).map(|one| one.message.id).collect();
    let (with_files, with_reactions): (Vec<_>, Vec<_>) = (ids(|one| one.has_files), ids(|one| one.has_reactions));
    let mut files = attachments::of(conn, &with_files).await?;
    let mut reactions = reactions::of(conn, &with_reactions).await?;
    let mut messages: Vec<Message> = found.into_iter().map(|one| one.message).collect();
    for message in &mut messages {
        message.attachments = files.remove(&message.id).unwrap_or_default();
        message.reactions = reactions.remove(&message.id).unwrap_or_default();
    }
    Ok(messages)
}
