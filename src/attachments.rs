//! Files that go with messages: the model `attachments`. What comes in is in `attachments/intake.rs`, what lies on disk in
//! `attachments/disk.rs`, what kind of file it is in `attachments/kind.rs`, small pictures of large ones in
//! `attachments/thumbnail.rs`. Rows are stored by the writer of messages, in
//! the transaction of their message.

pub mod admin;
pub mod disk;
pub mod intake;
pub mod kind;
mod name;
pub mod thumbnail;

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::admin::dashboard::warning::bytes;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{AttachmentId, MessageId, RoomId, UserId};
use crate::messages::{change as messages, list};
use crate::work::Work;
use crate::{on_db, picture};
pub(crate) use name::clean as clean_name;

const NO_FILE: Error = Error::NotFound(msgid!("There is no such attachment, or it is private to others."));

/// A file of a message, as the JSON API and the socket show it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub struct Attachment {
    pub id: AttachmentId,
    #[schema(example = "plan.png")]
    pub filename: String,
    /// What it is by its content.
    #[schema(example = "image/png")]
    pub content_type: String,
    /// Bytes.
    pub size: i64,
    /// Pixels, of an image whose size is known.
    #[schema(required = true)]
    pub width: Option<i64>,
    #[schema(required = true)]
    pub height: Option<i64>,
    /// Where it is; a path on this site.
    #[sqlx(skip)]
    #[schema(example = "/api/v1/chat/attachments/7")]
    pub url: String,
    #[serde(skip)]
    pub message_id: MessageId,
    #[serde(skip)]
    pub sha256: String,
}

impl Attachment {
    /// `1.5 MiB, 640 × 480`, for pages.
    pub fn facts(&self) -> String {
        let size = bytes(u64::try_from(self.size).unwrap_or(0));
        match self.width.zip(self.height) {
            Some((width, height)) => format!("{size}, {width} × {height}"),
            None => size,
        }
    }

    /// Whether there may be a thumbnail of it: a picture of a kind and a size that we decode. One that is broken has none
    /// all the same.
    pub fn is_pictured(&self) -> bool {
        self.pixels().is_some()
    }

    /// Width and height of its thumbnail, so that a page keeps the place; zeros where there is none.
    pub fn thumbnail_size(&self) -> (i64, i64) {
        self.pixels().map_or((0, 0), |(width, height)| thumbnail::size(width, height))
    }

    fn pixels(&self) -> Option<(i64, i64)> {
        let is_picture = thumbnail::TYPES.contains(&self.content_type.as_str()) && self.size <= thumbnail::MOST_BYTES;
        let (width, height) = self.width.zip(self.height).filter(|_| is_picture)?;
        let fits = picture::fits(u64::try_from(width).ok()?, u64::try_from(height).ok()?);
        (fits && width > 0 && height > 0).then_some((width, height))
    }
}

const COLUMNS: &str = "id, filename, content_type, size, width, height, message_id, sha256";

/// What a select of files finds, as JSON, by the columns of [`ROW`].
pub(crate) type Row = (AttachmentId, String, String, i64, Option<i64>, Option<i64>, String);
pub(crate) const ROW: [&str; 7] = ["a.id", "a.filename", "a.content_type", "a.size", "a.width", "a.height", "a.sha256"];

/// The file of a message as a row says it.
pub(crate) fn of_row(message_id: MessageId, row: Row) -> Attachment {
    let (id, filename, content_type, size, width, height, sha256) = row;
    Attachment { id, filename, content_type, size, width, height, url: url(id), message_id, sha256 }
}

/// A file that is on disk and isn't stored with a message yet.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub filename: String,
    pub content_type: &'static str,
    pub size: i64,
    pub sha256: String,
    pub width: Option<i64>,
    pub height: Option<i64>,
}

/// Where the file with this digest lies; `None` for what is no digest. Whether anything is there isn't asked.
pub fn path(config: &Config, sha256: &str) -> Option<PathBuf> {
    is_digest(sha256).then(|| disk::folder(config).join(sha256))
}

/// Whether this is the name of a file: a SHA-256 in hexadecimal digits, small ones as they are written. Cost: O(1).
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Where programs get it.
fn url(id: AttachmentId) -> String {
    format!("/api/v1/chat/attachments/{id}")
}

/// The files of each of `messages`, in the order they were added. Doesn't check who may see them. Cost: no query without
/// messages, else 1 indexed query, O(files).
pub async fn of(conn: &mut Conn, messages: &[MessageId]) -> Result<HashMap<MessageId, Vec<Attachment>>> {
    let mut all: HashMap<MessageId, Vec<Attachment>> = HashMap::new();
    if messages.is_empty() {
        return Ok(all);
    }
    let sql = format!("select {COLUMNS} from attachments where message_id in ({}) order by id", list(messages));
    let rows: Vec<Attachment> = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    for file in rows {
        let file = Attachment { url: url(file.id), ..file };
        all.entry(file.message_id).or_default().push(file);
    }
    Ok(all)
}

/// The file, when `person` may see its message. Errors: [`Error::NotFound`] when it isn't there or in a room that is
/// private to others. Cost: 1 indexed query.
pub async fn see(conn: &mut Conn, person: UserId, id: AttachmentId) -> Result<Attachment> {
    let found: Option<Attachment> = on_db!(conn, c => sqlx::query_as(
        "select a.id, a.filename, a.content_type, a.size, a.width, a.height, a.message_id, a.sha256
         from attachments a join messages m on m.id = a.message_id join rooms r on r.id = m.room_id
         where a.id = $1 and (r.kind = 'public'
            or exists (select 1 from memberships o where o.room_id = r.id and o.user_id = $2))")
        .bind(id).bind(person).fetch_optional(c).await)?;
    found.map(|file| Attachment { url: url(file.id), ..file }).ok_or(NO_FILE)
}

/// Stores the rows of a message's files. Cost: 1 statement a file.
pub(crate) async fn insert(
    conn: &mut Conn,
    message: MessageId,
    uploader: UserId,
    files: &[NewFile],
    now: Timestamp,
) -> Result<Vec<Attachment>> {
    let mut stored = Vec::with_capacity(files.len());
    for file in files.iter().cloned() {
        let NewFile { filename, content_type, size, sha256, width, height } = file;
        let id: AttachmentId = on_db!(conn, c => sqlx::query_scalar(
            "insert into attachments (message_id, uploader_id, filename, content_type, size, sha256, width, height,
                                      created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id")
            .bind(message).bind(uploader).bind(&filename).bind(content_type).bind(size).bind(&sha256).bind(width)
            .bind(height).bind(now).fetch_one(c).await)?;
        let (url, content_type) = (url(id), content_type.to_owned());
        stored.push(Attachment { id, filename, content_type, size, width, height, url, message_id: message, sha256 });
    }
    Ok(stored)
}

/// Takes a file off its message; everyone in the room sees the message without it. One that was nothing else is
/// deleted. Errors: [`Error::NotFound`]. Cost: 7 to 9 indexed statements, O(sockets in the room).
pub async fn delete(work: &mut Work, id: AttachmentId) -> Result<()> {
    let message: Option<MessageId> = on_db!(work, c => sqlx::query_scalar(
        "select message_id from attachments where id = $1").bind(id).fetch_optional(c).await)?;
    let mut message = messages::hold(work, message.ok_or(NO_FILE)?).await?;
    let place = message.attachments.iter().position(|file| file.id == id).ok_or(NO_FILE)?;
    if message.content.is_empty() && message.attachments.len() == 1 {
        // Nothing would be left of it.
        return messages::delete(work, message.id).await;
    }
    on_db!(work, c => sqlx::query("delete from attachments where id = $1").bind(id).execute(c).await.map(|_| ()))?;
    let gone = message.attachments.remove(place);
    let_go(work, &[gone]);
    messages::renumber(work, &mut message).await?;
    work.then(move |app| app.hub.publish_edited(&message));
    Ok(())
}

/// Sees to it that files whose rows this work has deleted go from the disk once it is committed, unless other rows have
/// them too.
pub(crate) fn let_go(work: &mut Work, files: &[Attachment]) {
    release(work, files.iter().map(|file| file.sha256.clone()).collect());
}

/// The same for all files in `room`, which this work is about to delete. Cost: 1 query, O(the room's files).
pub(crate) async fn let_go_of_room(work: &mut Work, room: RoomId) -> Result<()> {
    let digests = on_db!(work, c => sqlx::query_scalar(
        "select distinct a.sha256 from attachments a join messages m on m.id = a.message_id where m.room_id = $1")
        .bind(room).fetch_all(c).await)?;
    release(work, digests);
    Ok(())
}

fn release(work: &mut Work, digests: Vec<String>) {
    if !digests.is_empty() {
        work.then(move |app| disk::discard(app, digests));
    }
}
