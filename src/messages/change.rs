//! Changes to messages that stand, each a part of a [`Work`]: editing, deleting, erasing, putting back. Each takes the
//! room's next revision, stores it on the message, and is published after the commit in the order of the revisions.
//! Called by `messages/acts.rs`, by the admin and by what hides a reported message; who may do it was asked there.

use super::{DELETED, Message, NO_MESSAGE, content_of, edits, markup, pins, stored};
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{MessageId, RoomId};
use crate::work::Work;
use crate::{attachments, notifications, on_db};

/// The message, its room held until the work ends, so that nobody else numbers a change there meanwhile.
/// Cost: 3 to 5 indexed statements.
pub async fn hold(work: &mut Work, id: MessageId) -> Result<Message> {
    let room: Option<RoomId> = on_db!(work, c => sqlx::query_scalar("select room_id from messages where id = $1")
        .bind(id).fetch_optional(c).await)?;
    on_db!(work, c => sqlx::query("update rooms set id = id where id = $1").bind(room).execute(c).await.map(|_| ()))?;
    stored::by_id(work, id).await?.ok_or(NO_MESSAGE)
}

/// The room's next revision, taken. Cost: 1 indexed statement.
async fn next_rev(work: &mut Work, room: RoomId) -> Result<i64> {
    let rev = on_db!(work, c => sqlx::query_scalar(
        "update rooms set last_rev = last_rev + 1 where id = $1 returning last_rev").bind(room).fetch_one(c).await)?;
    work.touches(room);
    Ok(rev)
}

/// Gives a held message the room's next revision, for what changes it from beside: reactions, attachments. Whoever calls
/// publishes it. Cost: 2 indexed statements.
pub(crate) async fn renumber(work: &mut Work, message: &mut Message) -> Result<()> {
    message.rev = next_rev(work, message.room_id).await?;
    Ok(on_db!(work, c => sqlx::query("update messages set rev = $2 where id = $1")
        .bind(message.id).bind(message.rev).execute(c).await.map(|_| ()))?)
}

/// Gives a message another text. Errors: [`Error::Invalid`] at `content`, [`Error::NotFound`], [`Error::Conflict`] for a
/// deleted one. Cost: 5 to 7 indexed statements, O(length + sockets in the room).
pub async fn edit(work: &mut Work, id: MessageId, content: &str) -> Result<()> {
    let message = hold(work, id).await?;
    edit_held(work, message, content).await.map(|_| ())
}

/// The same for a message that is held; as it stands then. Cost: 3 indexed statements.
pub(super) async fn edit_held(work: &mut Work, mut message: Message, content: &str) -> Result<Message> {
    let content = checked(content, &message)?;
    if message.deleted_at.is_some() {
        return Err(DELETED);
    }
    if message.content == content {
        return Ok(message);
    }
    message.edited_at = Some(work.now());
    write(work, message, content).await
}

/// Gives a deleted message its text back. Errors: [`Error::Invalid`] at `content`, [`Error::NotFound`] for an erased one,
/// [`Error::Conflict`] for one that stands. Cost: 5 indexed statements, O(length + sockets in the room).
pub async fn restore(work: &mut Work, id: MessageId, content: &str) -> Result<()> {
    let mut message = hold(work, id).await?;
    if message.deleted_at.is_none() {
        return Err(Error::Conflict(msgid!("This message stands already.")));
    }
    // It may have said nothing beside its files, and those are gone.
    let content = if content.is_empty() { String::new() } else { checked(content, &message)? };
    message.deleted_at = None;
    write(work, message, content).await.map(|_| ())
}

fn checked(content: &str, message: &Message) -> Result<String> {
    let mut errors = FieldErrors::default();
    match content_of(&mut errors, content, !message.attachments.is_empty()) {
        Ok(content) => errors.or(content),
        Err(error @ Error::TooLong { .. }) => Err(Error::field("content", error.to_string())),
        Err(error) => Err(error),
    }
}

async fn write(work: &mut Work, mut message: Message, content: String) -> Result<Message> {
    edits::keep(work, &message).await?;
    message.rev = next_rev(work, message.room_id).await?;
    message.html = markup::render(&content);
    message.content = content;
    on_db!(work, c => sqlx::query(
        "update messages set rev = $2, content = $3, html = $4, edited_at = $5, deleted_at = $6 where id = $1")
        .bind(message.id).bind(message.rev).bind(&message.content).bind(&message.html).bind(message.edited_at)
        .bind(message.deleted_at).execute(c).await.map(|_| ()))?;
    let published = message.clone();
    work.then(move |app| app.hub.publish_edited(&published));
    Ok(message)
}

/// Empties a message: its text, attachments, reactions and pin go, its place in the room stays, and staff keep its
/// text. Errors: [`Error::NotFound`], [`Error::Conflict`] for a deleted one. Cost: 10 to 12 indexed statements, O(files
/// + sockets in the room).
pub async fn delete(work: &mut Work, id: MessageId) -> Result<()> {
    let message = hold(work, id).await?;
    delete_held(work, message).await
}

/// The same for a message that is held. Cost: 7 indexed statements.
pub(super) async fn delete_held(work: &mut Work, mut message: Message) -> Result<()> {
    if message.deleted_at.is_some() {
        return Err(Error::Conflict(msgid!("This message is deleted already.")));
    }
    edits::keep(work, &message).await?;
    message.rev = next_rev(work, message.room_id).await?;
    let (id, now) = (message.id, work.now());
    on_db!(work, c => sqlx::query(
        "update messages set rev = $2, content = '', html = '', deleted_at = $3 where id = $1")
        .bind(id).bind(message.rev).bind(now).execute(c).await.map(|_| ()))?;
    on_db!(work, c => sqlx::query("delete from reactions where message_id = $1").bind(id).execute(c).await.map(|_| ()))?;
    on_db!(work, c => sqlx::query("delete from attachments where message_id = $1")
        .bind(id).execute(c).await.map(|_| ()))?;
    let was_pinned = pins::drop_of(work, id).await?;
    notifications::withdraw_message(work, id).await?;
    attachments::let_go(work, &message.attachments);
    tell_deleted(work, message, was_pinned);
    Ok(())
}

/// Once it is committed: the message first, then that a pin went with it.
fn tell_deleted(work: &mut Work, message: Message, was_pinned: bool) {
    work.then(move |app| {
        app.hub.publish_deleted(&message);
        if was_pinned {
            app.hub.publish_pins(message.room_id);
        }
    });
}

/// Takes a message's row out for good, and its earlier texts with it. Its number isn't used again, and the revision of
/// this stays a hole in what can be read: who is connected is told that the message is deleted, who comes back later
/// isn't told of it at all. Errors: [`Error::NotFound`]. Cost: 6 to 8 indexed statements, O(what refers to it + sockets
/// in the room).
pub async fn erase(work: &mut Work, id: MessageId) -> Result<()> {
    let mut message = hold(work, id).await?;
    message.rev = next_rev(work, message.room_id).await?;
    let was_pinned = pins::drop_of(work, id).await?;
    on_db!(work, c => sqlx::query("delete from messages where id = $1").bind(id).execute(c).await.map(|_| ()))?;
    attachments::let_go(work, &message.attachments);
    tell_deleted(work, message, was_pinned);
    Ok(())
}
