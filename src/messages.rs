//! Messages: the model `messages`. [`post`] is the only way in (page, socket, API); what is posted is numbered,
//! stored and published by `messages/writer.rs`. Readers are in `messages/stored.rs`, what asks for a stretch of a room's
//! talk in `messages/history.rs` (what Redis keeps of it in `messages/recent.rs`), what a page shows of it in `messages/talk.rs`, and for words in `messages/search.rs`; who is told of a message in
//! `messages/mentions.rs`, what becomes of old ones in `messages/retention.rs`. What people do to messages that stand is in
//! `messages/acts.rs`; the parts it is made of, which the admin uses too, in `messages/change.rs`. What a message said before
//! is in `messages/edits.rs`, which of them a room keeps at hand in `messages/pins.rs`.

pub(crate) mod acts;
pub mod admin;
pub mod change;
pub mod edits;
pub mod excerpt;
pub mod history;
pub mod limit;
pub mod markup;
mod mentions;
pub mod pins;
pub mod quote;
pub mod recent;
pub mod retention;
pub mod search;
mod stored;
pub mod talk;
pub mod writer;

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::attachments::{Attachment, NewFile};
use crate::clock::Timestamp;
use crate::db::values::NOWHERE;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::reactions::Reaction;
use crate::rooms::{self, NO_ROOM, NOT_JOINED};
use crate::users::Person;

pub use acts::{edit, remove, see};
pub(crate) use stored::list;
pub use stored::{after, around, is_in, latest, page, since};

/// Characters in a message, after trimming.
pub const MOST_CHARACTERS: usize = 4000;
/// Changes that a resuming socket is sent; who missed more is told of a gap.
pub const MOST_REPLAYED: i64 = 500;
const MOST_CLIENT_ID: usize = 64;
pub(crate) const NO_MESSAGE: Error = Error::NotFound(msgid!("There is no such message, or it is private to others."));
pub(crate) const DELETED: Error = Error::Conflict(msgid!("This message is deleted."));

/// A message as stored, with its sender's name, its files and who reacts to it: as the JSON API and the socket show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Message {
    pub id: MessageId,
    pub room_id: RoomId,
    /// Its number in the room: 1, 2, 3 …
    pub seq: i64,
    /// The room's revision at which it came to stand as it does.
    pub rev: i64,
    /// Who sent it; null for an account that is gone.
    #[schema(required = true)]
    pub user_id: Option<UserId>,
    #[schema(required = true, example = "maria")]
    pub username: Option<String>,
    /// As it was typed, Markdown-light; empty when it is deleted.
    #[schema(example = "See you at **ten**")]
    pub content: String,
    /// The same as safe HTML.
    #[schema(example = "<p>See you at <strong>ten</strong></p>")]
    pub html: String,
    #[schema(required = true)]
    pub client_id: Option<String>,
    /// The id of the message that this one answers.
    #[schema(required = true)]
    pub reply_to: Option<MessageId>,
    pub attachments: Vec<Attachment>,
    pub reactions: Vec<Reaction>,
    #[schema(required = true)]
    pub edited_at: Option<Timestamp>,
    #[schema(required = true)]
    pub deleted_at: Option<Timestamp>,
    #[serde(rename = "timestamp")]
    pub created_at: Timestamp,
}

impl Message {
    /// Where it is in its room's talk; a path on this site.
    pub fn address(&self) -> String {
        format!("/chat/rooms/{}?at={}#m{}", self.room_id, self.seq, self.seq)
    }

    /// Who wrote it, in words.
    pub fn author(&self) -> Cow<'_, str> {
        self.username.as_deref().map_or_else(|| tr!("Deleted account"), Cow::from)
    }
}

/// A message that may be posted: trimmed, of a length that is allowed.
pub struct NewMessage {
    pub content: String,
    pub client_id: Option<String>,
    pub reply_to: Option<MessageId>,
    /// Files that are on disk already.
    pub files: Vec<NewFile>,
}

impl NewMessage {
    /// Errors: [`Error::TooLong`], or [`Error::Invalid`] with a message for each bad field.
    /// Cost: O(length).
    pub fn parse(content: &str, client_id: Option<String>, reply_to: Option<MessageId>) -> Result<Self> {
        Self::with(content, client_id, reply_to, Vec::new())
    }

    /// The same with files; then it may say nothing else.
    pub fn with(
        content: &str,
        client_id: Option<String>,
        reply_to: Option<MessageId>,
        files: Vec<NewFile>,
    ) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let content = content_of(&mut errors, content, !files.is_empty())?;
        let client_id = client_id.filter(|id| !id.is_empty());
        if client_id.as_ref().is_some_and(|id| id.chars().count() > MOST_CLIENT_ID || id.contains('\0')) {
            errors.add("client_id", tr!("At most {most} characters, none of them NUL.", most = MOST_CLIENT_ID));
        }
        errors.or(Self { content, client_id, reply_to, files })
    }
}

/// `content` as it may be stored; empty only beside files. Errors: [`Error::TooLong`].
fn content_of(errors: &mut FieldErrors, content: &str, has_files: bool) -> Result<String> {
    let content = content.trim();
    let length = content.chars().count();
    if length > MOST_CHARACTERS {
        return Err(Error::TooLong { limit: MOST_CHARACTERS, length });
    }
    if length == 0 && !has_files {
        errors.add("content", tr!("Write something first: a message has 1 to 4000 characters."));
    }
    // PostgreSQL can't store it, so neither database does.
    if content.contains('\0') {
        errors.add("content", tr!("A message can't hold the NUL character."));
    }
    Ok(content.to_owned())
}

/// What became of a post.
pub struct Posted {
    pub message: Message,
    /// False when this `client_id` was posted before: then `message` is the first one, and nobody is told again.
    pub new: bool,
}

/// Stores a message and publishes it to the room. Returns when it is on disk. Errors: [`Error::Throttled`], but not for
/// a `client_id` that was posted before, [`Error::SignedOut`] for who was signed out meanwhile, [`Error::NotFound`] for
/// a room `person` can't see, [`Error::Forbidden`] for a public one they haven't joined and a direct one where a block
/// stands, [`Error::Invalid`] for a `reply_to` outside the room, [`Error::Unavailable`] when nothing was stored or, the
/// connection to the database lost, nobody knows: posting again with the same `client_id` is safe; too much that waits
/// already is another reason. Cost: 4 statements in a transaction, both shared with what else is waiting, 1 more where
/// somebody is named or answered, O(length + sockets in the room).
pub async fn post(app: &App, person: &Person, room: RoomId, new: NewMessage) -> Result<Posted> {
    // The writer fills its statements up with this number: posted to, it would spoil the batch of everybody else.
    if room.0 == NOWHERE {
        return Err(NO_ROOM);
    }
    if let Err(throttled) = app.message_limit.check(person.id, room) {
        // Whoever lost the answer asks at once, and is told.
        return posted_before(app, person, room, &new).await?.ok_or(throttled);
    }
    let html = markup::render(&new.content);
    let named = mentions::Named::of(&html, &app.hub);
    app.writer.post(person, room, new, html, named).await
}

/// What became of the message with the same `client_id`, if there is one. Cost: 2 indexed queries.
async fn posted_before(app: &App, person: &Person, room: RoomId, new: &NewMessage) -> Result<Option<Posted>> {
    let Some(client_id) = &new.client_id else { return Ok(None) };
    let mut conn = app.db.read().await?;
    rooms::see(&mut conn, person.id, room).await?;
    let first = stored::by_client_id(&mut conn, room, person.id, client_id).await?;
    Ok(first.map(|message| Posted { message, new: false }))
}

/// Marks the room as read up to `seq`, never back and never past its last message. Returns at once; the mark is
/// written with the next messages. Errors: [`Error::Invalid`] at `seq`, [`Error::Unavailable`] when too much waits. Cost: 2
/// statements in a transaction, both shared.
pub async fn read(app: &App, person: &Person, room: RoomId, seq: i64) -> Result<()> {
    if seq < 0 {
        return Err(Error::field("seq", tr!("A message's number is 1 or more.")));
    }
    app.writer.read(person, room, seq).await
}

/// The same for who hasn't looked at the room yet; returns when the mark is stored. Errors: [`Error::NotFound`],
/// [`Error::Forbidden`] for a public room they haven't joined, [`Error::Invalid`] at `seq`. Cost: 1 query, 1 statement in a
/// shared transaction.
pub async fn mark_read(app: &App, person: &Person, room: RoomId, seq: i64) -> Result<()> {
    let seen = rooms::see(&mut app.db.read().await?, person.id, room).await?;
    if !seen.is_member() {
        return Err(NOT_JOINED);
    }
    read(app, person, room, seq).await?;
    app.writer.flush().await
}
