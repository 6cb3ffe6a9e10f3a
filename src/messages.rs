//! Messages: the model `messages`. [`post`] is the only way in (page, socket, API); what is posted is numbered,
//! stored and published by `messages/writer.rs`, and read back by [`page`] and [`since`]. What changes one that stands
//! is in `messages/change.rs`.

pub mod admin;
pub mod change;
pub mod limit;
pub mod markup;
pub mod writer;

use std::collections::HashMap;

use serde::{Serialize, Serializer};
use sqlx::FromRow;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::on_db;
use crate::users::Person;

/// Characters in a message, after trimming.
pub const MOST_CHARACTERS: usize = 4000;
/// Changes that a resuming socket is sent; who missed more is told of a gap.
pub const MOST_REPLAYED: i64 = 500;
const MOST_CLIENT_ID: usize = 64;

/// A message as stored, with its sender's name.
#[derive(Clone, Debug, FromRow)]
pub struct Message {
    pub id: MessageId,
    pub room_id: RoomId,
    pub seq: i64,
    pub rev: i64,
    pub user_id: Option<UserId>,
    pub username: Option<String>,
    pub content: String,
    pub html: String,
    pub client_id: Option<String>,
    pub reply_to: Option<MessageId>,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

const COLUMNS: &str = "m.id, m.room_id, m.seq, m.rev, m.sender_id as user_id, u.username, m.content, m.html, \
     m.client_id, m.reply_to, m.edited_at, m.deleted_at, m.created_at";

impl utoipa::PartialSchema for Message {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::Object::new().into()
    }
}

impl utoipa::ToSchema for Message {}

/// The names and order of the JSON API and the socket.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            id: MessageId,
            room_id: RoomId,
            seq: i64,
            rev: i64,
            user_id: Option<UserId>,
            username: Option<&'a str>,
            content: &'a str,
            html: &'a str,
            client_id: Option<&'a str>,
            reply_to: Option<MessageId>,
            // Nothing can attach or react yet; the fields stand so that programs can be written for them.
            attachments: [(); 0],
            reactions: [(); 0],
            edited_at: Option<Timestamp>,
            deleted_at: Option<Timestamp>,
            timestamp: Timestamp,
        }
        Wire {
            id: self.id,
            room_id: self.room_id,
            seq: self.seq,
            rev: self.rev,
            user_id: self.user_id,
            username: self.username.as_deref(),
            content: &self.content,
            html: &self.html,
            client_id: self.client_id.as_deref(),
            reply_to: self.reply_to,
            attachments: [],
            reactions: [],
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
            timestamp: self.created_at,
        }
        .serialize(serializer)
    }
}

impl Message {
    /// Who wrote it, in words.
    pub fn author(&self) -> &str {
        self.username.as_deref().unwrap_or("Deleted account")
    }
}

/// A message that may be posted: trimmed, of a length that is allowed.
pub struct NewMessage {
    pub content: String,
    pub client_id: Option<String>,
    pub reply_to: Option<MessageId>,
}

impl NewMessage {
    /// Errors: [`Error::TooLong`], or [`Error::Invalid`] with a message for each bad field.
    /// Cost: O(length).
    pub fn parse(content: &str, client_id: Option<String>, reply_to: Option<MessageId>) -> Result<Self> {
        let content = content.trim();
        let length = content.chars().count();
        if length > MOST_CHARACTERS {
            return Err(Error::TooLong { limit: MOST_CHARACTERS, length });
        }
        let mut errors = FieldErrors::default();
        if length == 0 {
            errors.add("content", "Write something first: a message has 1 to 4000 characters.");
        }
        // PostgreSQL can't store it, so neither database does.
        if content.contains('\0') {
            errors.add("content", "A message can't hold the NUL character.");
        }
        let client_id = client_id.filter(|id| !id.is_empty());
        if client_id.as_ref().is_some_and(|id| id.chars().count() > MOST_CLIENT_ID || id.contains('\0')) {
            errors.add("client_id", format!("At most {MOST_CLIENT_ID} characters, none of them NUL."));
        }
        errors.or(Self { content: content.to_owned(), client_id, reply_to })
    }
}

/// What became of a post.
pub struct Posted {
    pub message: Message,
    /// False when this `client_id` was posted before: then `message` is the first one, and nobody is told again.
    pub new: bool,
}

/// Stores a message and publishes it to the room. Returns when it is on disk. Errors: [`Error::Throttled`],
/// [`Error::NotFound`] for a room `person` can't see, [`Error::Forbidden`] for a public one they haven't joined,
/// [`Error::Invalid`] for a `reply_to` outside the room, [`Error::Unavailable`] when nothing was stored or, the
/// connection to the database lost, nobody knows: posting again with the same `client_id` is safe.
/// Cost: 3 statements in a transaction shared with what else is waiting, O(length + sockets in the room).
pub async fn post(app: &App, person: &Person, room: RoomId, new: NewMessage) -> Result<Posted> {
    // First: who writes too fast costs nothing more.
    app.message_limit.check(person.id, room)?;
    let html = markup::render(&new.content);
    app.writer.post(person, room, new, html).await
}

/// Marks the room as read up to `seq`, never back and never past its last message. Returns at once; the mark is
/// written with the next messages. Cost: 1 statement in a shared transaction.
pub async fn read(app: &App, person: &Person, room: RoomId, seq: i64) -> Result<()> {
    if seq < 0 {
        return Err(Error::field("seq", "A message's number is 1 or more."));
    }
    app.writer.read(person, room, seq).await
}

/// Messages of `room` numbered below `before`, oldest first; at most `limit`, the newest of them. Doesn't check
/// membership. Cost: 1 indexed query, O(limit).
pub async fn page(conn: &mut Conn, room: RoomId, before: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = format!(
        "select {COLUMNS} from messages m left join users u on u.id = m.sender_id
         where m.room_id = $1 and m.seq < $2 order by m.seq desc limit $3"
    );
    let mut messages: Vec<Message> =
        on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(before).bind(limit).fetch_all(c).await)?;
    messages.reverse();
    Ok(messages)
}

/// The last message of each of `rooms` that has one. Doesn't check membership. Cost: 1 indexed query, O(rooms).
pub async fn latest(conn: &mut Conn, rooms: &[RoomId]) -> Result<HashMap<RoomId, Message>> {
    // Numbers, so there is nothing to escape; an empty list matches nothing. The last number's message may be gone for
    // good, so the last that is there is looked for.
    let list: Vec<String> = rooms.iter().map(RoomId::to_string).chain(["-1".into()]).collect();
    let sql = format!(
        "select {COLUMNS} from rooms r join messages m on m.room_id = r.id and m.seq =
            (select l.seq from messages l where l.room_id = r.id order by l.seq desc limit 1)
         left join users u on u.id = m.sender_id where r.id in ({})",
        list.join(", ")
    );
    let messages: Vec<Message> = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    Ok(messages.into_iter().map(|message| (message.room_id, message)).collect())
}

/// Messages of `room` that are new or were changed after revision `rev`, in `rev` order; at most `limit`. Doesn't
/// check membership. Cost: 1 indexed query, O(limit).
pub async fn since(conn: &mut Conn, room: RoomId, rev: i64, limit: i64) -> Result<Vec<Message>> {
    let sql = format!(
        "select {COLUMNS} from messages m left join users u on u.id = m.sender_id
         where m.room_id = $1 and m.rev > $2 order by m.rev limit $3"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(rev).bind(limit).fetch_all(c).await)?)
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
    let sql = format!(
        "select {COLUMNS} from messages m left join users u on u.id = m.sender_id where {} order by m.room_id, m.seq",
        places.iter().map(near).collect::<Vec<_>>().join(" or ")
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?)
}

/// The message that `sender` posted to `room` as `client_id`. Cost: 1 indexed query.
async fn by_client_id(conn: &mut Conn, room: RoomId, sender: UserId, client_id: &str) -> Result<Option<Message>> {
    let sql = format!(
        "select {COLUMNS} from messages m left join users u on u.id = m.sender_id
         where m.room_id = $1 and m.sender_id = $2 and m.client_id = $3"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(sender).bind(client_id).fetch_optional(c).await)?)
}
