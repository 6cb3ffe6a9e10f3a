//! Messages as they are read: whole, with their files and reactions, in one query. Called by whatever shows messages; what
//! a page of a room shows of its talk besides is in `messages/talk.rs`.

use std::collections::HashMap;

use serde::Deserialize;

use super::Message;
use super::quote::{self, Quote};
use crate::clock::Timestamp;
use crate::db::rows::Dialect;
use crate::db::{Conn, rows};
use crate::error::Result;
use crate::ids::{MessageId, RoomId, UserId};
use crate::{attachments, on_db, reactions};

/// A message as [`columns`] find it.
#[derive(Deserialize)]
pub(super) struct Found {
    id: MessageId,
    room_id: RoomId,
    seq: i64,
    rev: i64,
    user_id: Option<UserId>,
    username: Option<String>,
    content: String,
    html: String,
    client_id: Option<String>,
    reply_to: Option<MessageId>,
    edited_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    created_at: Timestamp,
    files: Option<Vec<attachments::Row>>,
    reactions: Option<Vec<reactions::Row>>,
    /// What it answers, where that was asked for.
    pub(super) quote: Option<Vec<Quote>>,
}

/// Where [`columns`] are taken from.
pub(super) const FROM: &str = "from messages m left join users u on u.id = m.sender_id";

/// The columns of [`Found`], of [`FROM`]. Files and reactions are looked for only where there are any: SQLite asks its index
/// for that, once opened for all rows; `limit 1` keeps PostgreSQL from reading those tables whole to answer for all at once.
pub(super) fn columns(dialect: Dialect, with_quotes: bool) -> Vec<String> {
    let some = |table: &str, rows: String| match dialect {
        Dialect::Sqlite => format!("case when m.id in (select o.message_id from {table} o) then {rows} end"),
        Dialect::Postgres => format!(
            "case when (select o.id from {table} o where o.message_id = m.id limit 1) is not null then {rows} end"
        ),
    };
    let own = ["id", "room_id", "seq", "rev", "sender_id"].map(|column| format!("m.{column}"));
    let text = ["content", "html", "client_id", "reply_to", "edited_at", "deleted_at", "created_at"];
    let files = dialect.rows(&attachments::ROW, "from attachments a where a.message_id = m.id order by a.id");
    let reactions = dialect.rows(
        &reactions::ROW,
        "from reactions e join users w on w.id = e.user_id where e.message_id = m.id order by e.id",
    );
    let quote = dialect.rows(&quote::ROW, &format!("{} where q.id = m.reply_to", quote::FROM));
    let mut columns: Vec<String> = own.into();
    columns.push("u.username".into());
    columns.extend(text.map(|column| format!("m.{column}")));
    columns.push(some("attachments", files));
    columns.push(some("reactions", reactions));
    columns.push(if with_quotes {
        format!("case when m.reply_to is not null then {quote} end")
    } else {
        "null".into()
    });
    columns
}

impl Found {
    /// The message; and the names of who reacts to it.
    pub(super) fn split(self) -> (Message, Vec<(UserId, String)>) {
        let (reactions, names) = reactions::grouped(self.reactions.unwrap_or_default());
        let files = self.files.unwrap_or_default().into_iter();
        let message = Message {
            id: self.id,
            room_id: self.room_id,
            seq: self.seq,
            rev: self.rev,
            user_id: self.user_id,
            username: self.username,
            content: self.content,
            html: self.html,
            client_id: self.client_id,
            reply_to: self.reply_to,
            attachments: files.map(|row| attachments::of_row(self.id, row)).collect(),
            reactions,
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
            created_at: self.created_at,
        };
        (message, names)
    }
}

/// A select of whole messages, for [`read`]; `rest` follows [`FROM`].
fn select(conn: &Conn, rest: &str) -> String {
    format!("select cast({} as text)", conn.rows(&columns(conn.dialect(), false), &format!("{FROM} {rest}")))
}

/// The newest messages of `room`, at most `limit`, as a text for [`of_text`]. Doesn't check membership.
/// Cost: 1 indexed query, O(limit).
pub(super) async fn newest_text(conn: &mut Conn, room: RoomId, limit: i64) -> Result<String> {
    let sql = select(conn, "where m.room_id = $1 and m.seq < $2 order by m.seq desc limit $3");
    Ok(on_db!(conn, c => sqlx::query_scalar(&sql).bind(room).bind(i64::MAX).bind(limit).fetch_one(c).await)?)
}

/// The messages of such a text, oldest first. Errors: a text of another version.
pub(super) fn of_text(text: &str) -> Result<Vec<Message>> {
    let mut messages = read(text)?;
    messages.reverse();
    Ok(messages)
}

fn read(json: &str) -> Result<Vec<Message>> {
    Ok(rows::read::<Found>(json)?.into_iter().map(|found| found.split().0).collect())
}

/// Messages of `room` numbered below `before`, oldest first; at most `limit`, the newest of them. Doesn't check
/// membership. Cost: 1 indexed query, O(limit).
pub async fn page(conn: &mut Conn, room: RoomId, before: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = select(conn, "where m.room_id = $1 and m.seq < $2 order by m.seq desc limit $3");
    let found: String =
        on_db!(conn, c => sqlx::query_scalar(&sql).bind(room).bind(before).bind(limit).fetch_one(c).await)?;
    let mut messages = read(&found)?;
    messages.reverse();
    Ok(messages)
}

/// Messages of `room` numbered above `after`, oldest first; at most `limit`. Doesn't check membership.
/// Cost: 1 indexed query, O(limit).
pub async fn after(conn: &mut Conn, room: RoomId, after: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = select(conn, "where m.room_id = $1 and m.seq > $2 order by m.seq limit $3");
    let found: String =
        on_db!(conn, c => sqlx::query_scalar(&sql).bind(room).bind(after).bind(limit).fetch_one(c).await)?;
    read(&found)
}

/// Messages of `room` that are new or were changed after revision `rev`, in `rev` order; at most `limit`. Doesn't
/// check membership. Cost: 1 indexed query, O(limit).
pub async fn since(conn: &mut Conn, room: RoomId, rev: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = select(conn, "where m.room_id = $1 and m.rev > $2 order by m.rev limit $3");
    let found: String =
        on_db!(conn, c => sqlx::query_scalar(&sql).bind(room).bind(rev).bind(limit).fetch_one(c).await)?;
    read(&found)
}

/// The messages around each of `places` (a room and a number): it, and those up to `reach` numbers before and after, by
/// room and number. Doesn't check membership. Cost: 1 indexed query, O(places × reach).
pub async fn around(conn: &mut Conn, places: &[(RoomId, i64)], reach: i64) -> Result<Vec<Message>> {
    // Numbers of ours.
    let near = |(room, seq): &(RoomId, i64)| {
        format!("(m.room_id = {room} and m.seq between {} and {})", seq - reach, seq + reach)
    };
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let near = places.iter().map(near).collect::<Vec<_>>().join(" or ");
    listed(conn, &format!("where {near} order by m.room_id, m.seq")).await
}

/// The newest message of each of `rooms`; nothing for a room without any. Doesn't check membership.
/// Cost: 1 indexed query, O(rooms).
pub async fn latest(conn: &mut Conn, rooms: &[RoomId]) -> Result<HashMap<RoomId, Message>> {
    if rooms.is_empty() {
        return Ok(HashMap::new());
    }
    let which = format!(
        "where m.id in (select (select n.id from messages n where n.room_id = o.id order by n.seq desc limit 1)
         from rooms o where o.id in ({}))",
        list(rooms)
    );
    Ok(listed(conn, &which).await?.into_iter().map(|message| (message.room_id, message)).collect())
}

/// Those of `ids` that are there, in no order. Doesn't check who may see them. Cost: 1 indexed query, O(ids).
pub(super) async fn by_ids(conn: &mut Conn, ids: &[MessageId]) -> Result<Vec<Message>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    listed(conn, &format!("where m.id in ({})", list(ids))).await
}

/// What a text of its own asks for: such a text isn't kept by the connection.
async fn listed(conn: &mut Conn, rest: &str) -> Result<Vec<Message>> {
    let sql = select(conn, rest);
    let found: String = on_db!(conn, c => sqlx::query_scalar(&sql).persistent(false).fetch_one(c).await)?;
    read(&found)
}

/// Whether this message is one of `room`'s. Cost: 1 indexed query.
pub async fn is_in(conn: &mut Conn, room: RoomId, id: MessageId) -> Result<bool> {
    let found: Option<i64> = on_db!(conn, c => sqlx::query_scalar("select seq from messages where id = $1 and room_id = $2")
        .bind(id).bind(room).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// One message. Doesn't check who may see it. Cost: 1 indexed query.
pub(super) async fn by_id(conn: &mut Conn, id: MessageId) -> Result<Option<Message>> {
    let sql = select(conn, "where m.id = $1");
    let found: String = on_db!(conn, c => sqlx::query_scalar(&sql).bind(id).fetch_one(c).await)?;
    Ok(read(&found)?.pop())
}

/// The message that `sender` posted to `room` as `client_id`. Cost: 1 indexed query.
pub(super) async fn by_client_id(
    conn: &mut Conn,
    room: RoomId,
    sender: UserId,
    client_id: &str,
) -> Result<Option<Message>> {
    let sql = select(conn, "where m.room_id = $1 and m.sender_id = $2 and m.client_id = $3");
    let found: String =
        on_db!(conn, c => sqlx::query_scalar(&sql).bind(room).bind(sender).bind(client_id).fetch_one(c).await)?;
    Ok(read(&found)?.pop())
}

/// Ids for an `in (…)`: numbers of ours.
pub(crate) fn list(ids: &[impl ToString]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
