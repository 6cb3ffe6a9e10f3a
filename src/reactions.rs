//! Reactions to messages: the model `reactions`. Each change takes the room's next revision and shows everyone in the
//! room who reacts how. Called by the admin.

pub mod admin;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result, is_taken};
use crate::ids::{MessageId, ReactionId, UserId};
use crate::messages::Message;
use crate::messages::change as messages;
use crate::on_db;
use crate::text::line;
use crate::work::Work;

const MOST_CHARACTERS: usize = 16;

/// One emoji under a message, as the JSON API and the socket show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reaction {
    pub emoji: String,
    pub count: usize,
    pub user_ids: Vec<UserId>,
}

/// Who reacts how to a message, in the order of the first of each. Cost: 1 indexed query, O(reactions).
pub async fn of(conn: &mut Conn, message: MessageId) -> Result<Vec<Reaction>> {
    let rows: Vec<(String, UserId)> = on_db!(conn, c => sqlx::query_as(
        "select emoji, user_id from reactions where message_id = $1 order by id").bind(message).fetch_all(c).await)?;
    let mut reactions: Vec<Reaction> = Vec::new();
    for (emoji, user) in rows {
        match reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
            Some(reaction) => {
                reaction.count += 1;
                reaction.user_ids.push(user);
            }
            None => reactions.push(Reaction { emoji, count: 1, user_ids: vec![user] }),
        }
    }
    Ok(reactions)
}

/// A reaction that is to be stored; with an id when it is put back.
pub struct New {
    pub id: Option<ReactionId>,
    pub message: MessageId,
    pub user: UserId,
    pub emoji: String,
    pub at: Timestamp,
}

/// Stores a reaction and shows it. Errors: [`Error::Invalid`] by field, [`Error::Conflict`] when it is there already.
/// Cost: 8 indexed statements, O(reactions + sockets in the room).
pub async fn add(work: &mut Work, new: &New) -> Result<ReactionId> {
    let mut errors = FieldErrors::default();
    let emoji = line(&mut errors, "emoji", &new.emoji, MOST_CHARACTERS);
    if emoji.is_empty() {
        errors.add("emoji", "Choose an emoji.");
    }
    errors.or(())?;
    let message = messages::hold(work, new.message).await.map_err(|error| match error {
        Error::NotFound(_) => Error::field("message_id", "There is no such message."),
        error => error,
    })?;
    if message.deleted_at.is_some() {
        return Err(Error::field("message_id", "This message is deleted."));
    }
    let id = insert(work, new, &emoji).await.map_err(|error| match is_taken(&error) {
        true => Error::Conflict("This reaction is there already."),
        false => error.into(),
    })?;
    let id = id.ok_or_else(|| Error::field("user_id", "There is no such account."))?;
    show(work, message).await?;
    Ok(id)
}

/// `None` when the account is gone.
async fn insert(work: &mut Work, new: &New, emoji: &str) -> Result<Option<ReactionId>, sqlx::Error> {
    let New { message, user, at, .. } = *new;
    match new.id {
        None => on_db!(work, c => sqlx::query_scalar(
            "insert into reactions (message_id, user_id, emoji, created_at)
             select $1, u.id, $3, $4 from users u where u.id = $2 returning id")
            .bind(message).bind(user).bind(emoji).bind(at).fetch_optional(c).await),
        Some(id) => on_db!(work, c => sqlx::query_scalar(
            "insert into reactions (id, message_id, user_id, emoji, created_at)
             select $5, $1, u.id, $3, $4 from users u where u.id = $2 returning id")
            .bind(message).bind(user).bind(emoji).bind(at).bind(id).fetch_optional(c).await),
    }
}

/// Takes a reaction away and shows that. Errors: [`Error::NotFound`]. Cost: 8 indexed statements, O(reactions + sockets
/// in the room).
pub async fn remove(work: &mut Work, id: ReactionId) -> Result<()> {
    const NO_REACTION: Error = Error::NotFound("There is no such reaction.");
    let message: Option<MessageId> = on_db!(work, c => sqlx::query_scalar(
        "select message_id from reactions where id = $1").bind(id).fetch_optional(c).await)?;
    let message = messages::hold(work, message.ok_or(NO_REACTION)?).await?;
    let gone = on_db!(work, c => sqlx::query("delete from reactions where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 {
        return Err(NO_REACTION);
    }
    show(work, message).await
}

async fn show(work: &mut Work, mut message: Message) -> Result<()> {
    messages::renumber(work, &mut message).await?;
    let reactions = of(work, message.id).await?;
    work.then(move |app| app.hub.publish_reactions(&message, &reactions));
    Ok(())
}
