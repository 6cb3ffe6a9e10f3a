//! Reactions to messages: the model `reactions`. Each change takes the room's next revision and shows everyone in the
//! room who reacts how. [`react`] and [`unreact`] are what people do; the parts are the admin's, too.

pub mod admin;
pub(crate) mod emoji;

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::rows;
use crate::error::{Error, Result, is_taken};
use crate::ids::{MessageId, ReactionId, UserId};
use crate::messages::change as messages;
use crate::messages::{DELETED, Message, acts};
use crate::on_db;
use crate::rooms::{NOT_JOINED, Room};
use crate::users::{Person, blocks};
use crate::work::Work;

/// Different emoji by one person under one message.
const MOST_BY_ONE: usize = 20;
/// People named beside one emoji.
const MOST_NAMED: usize = 20;

/// One emoji under a message, as the JSON API and the socket show it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Reaction {
    #[schema(example = "👍")]
    pub emoji: String,
    pub count: usize,
    /// Who, in the order in which they did.
    pub user_ids: Vec<UserId>,
}

/// What a select of reactions finds, as JSON, by the columns of [`ROW`]: an emoji, and who reacts with it.
pub(crate) type Row = (String, UserId, String);
pub(crate) const ROW: [&str; 3] = ["e.emoji", "e.user_id", "w.username"];

/// Reactions to one message in the order in which they were made, by emoji in the order of the first of each; and who is
/// who. Cost: O(reactions × different emoji).
pub(crate) fn grouped(rows: Vec<Row>) -> (Vec<Reaction>, Vec<(UserId, String)>) {
    let mut reactions: Vec<Reaction> = Vec::new();
    let mut names = Vec::with_capacity(rows.len());
    for (emoji, user, name) in rows {
        match reactions.iter_mut().find(|reaction| reaction.emoji == emoji) {
            Some(reaction) => {
                reaction.count += 1;
                reaction.user_ids.push(user);
            }
            None => reactions.push(Reaction { emoji, count: 1, user_ids: vec![user] }),
        }
        names.push((user, name));
    }
    (reactions, names)
}

/// One emoji under a message, with names, for pages.
pub struct Named {
    pub emoji: String,
    pub count: usize,
    /// The first of them in the order in which they did, the reader before others.
    pub names: Vec<String>,
    /// Whether the reader is one of them.
    pub own: bool,
}

impl Named {
    /// `ann, bob and 3 others`.
    pub fn who(&self) -> String {
        let names = self.names.join(&tr!("list" => ", "));
        match self.count.saturating_sub(self.names.len()) {
            0 => names,
            more => tr!("{names} and {n} other" | "{names} and {n} others" % more, names = names),
        }
    }
}

/// `reactions` by name; `reader` stands first among those who react. Who isn't among `names` isn't named.
pub fn named(reactions: &[Reaction], names: &HashMap<UserId, String>, reader: UserId) -> Vec<Named> {
    let named = |reaction: &Reaction| Named {
        emoji: reaction.emoji.clone(),
        count: reaction.count,
        own: reaction.user_ids.contains(&reader),
        names: first(reaction, reader).iter().filter_map(|user| names.get(user).cloned()).collect(),
    };
    reactions.iter().map(named).collect()
}

/// Whose names stand beside a reaction.
fn first(reaction: &Reaction, reader: UserId) -> Vec<UserId> {
    let mut users = reaction.user_ids.clone();
    users.sort_by_key(|user| *user != reader);
    users.truncate(MOST_NAMED);
    users
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
    let emoji = emoji::parse(&new.emoji)?;
    let message = messages::hold(work, new.message).await.map_err(|error| match error {
        Error::NotFound(_) => Error::field("message_id", tr!("There is no such message.")),
        error => error,
    })?;
    if message.deleted_at.is_some() {
        return Err(Error::field("message_id", tr!("This message is deleted.")));
    }
    let id = insert(work, new, emoji).await.map_err(|error| match is_taken(&error) {
        true => Error::Conflict(msgid!("This reaction is there already.")),
        false => error.into(),
    })?;
    let id = id.ok_or_else(|| Error::field("user_id", tr!("There is no such account.")))?;
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
    const NO_REACTION: Error = Error::NotFound(msgid!("There is no such reaction."));
    let message: Option<MessageId> = on_db!(work, c => sqlx::query_scalar(
        "select message_id from reactions where id = $1").bind(id).fetch_optional(c).await)?;
    let message = messages::hold(work, message.ok_or(NO_REACTION)?).await?;
    let gone = on_db!(work, c => sqlx::query("delete from reactions where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 {
        return Err(NO_REACTION);
    }
    show(work, message).await.map(|_| ())
}

/// Gives the message the room's next revision and shows who reacts how by now. Cost: 3 indexed statements.
async fn show(work: &mut Work, mut message: Message) -> Result<Vec<Reaction>> {
    messages::renumber(work, &mut message).await?;
    let from = "from reactions e join users w on w.id = e.user_id where e.message_id = $1 order by e.id";
    let sql = format!("select cast({} as text)", work.rows(&ROW, from));
    let found: String = on_db!(work, c => sqlx::query_scalar(&sql).bind(message.id).fetch_one(c).await)?;
    let (reactions, _) = grouped(rows::read(&found)?);
    let published = reactions.clone();
    work.then(move |app| app.hub.publish_reactions(&message, &published));
    Ok(reactions)
}

/// Reacts to a message in the name of `person`; a second time changes nothing. Who reacts how, then. Errors:
/// [`Error::NotFound`] for a message they can't see, [`Error::Forbidden`] outside the room and where a block stands,
/// [`Error::Invalid`] at `emoji`, [`Error::Conflict`] for a deleted message. Cost: 3 queries and 1 write transaction of
/// some 10 statements, O(reactions + sockets in the room).
pub async fn react(app: &App, person: &Person, message: MessageId, emoji: &str) -> Result<Vec<Reaction>> {
    may_react(&acts::with_room(&mut app.db.read().await?, person.id, message).await?)?;
    let emoji = emoji::parse(emoji)?;
    let mut work = Work::begin(app, Some(person)).await?;
    let found = acts::held(&mut work, person.id, message).await?;
    may_react(&found)?;
    blocks::may_write(&mut work, person.id, &found.0).await?;
    let (_, message) = found;
    let own = message.reactions.iter().filter(|reaction| reaction.user_ids.contains(&person.id));
    if own.clone().any(|reaction| reaction.emoji == emoji) {
        return Ok(message.reactions);
    }
    if own.count() >= MOST_BY_ONE {
        return Err(Error::field("emoji", tr!("At most {most} of yours under one message.", most = MOST_BY_ONE)));
    }
    let at = work.now();
    let new = New { id: None, message: message.id, user: person.id, emoji: emoji.to_owned(), at };
    insert(&mut work, &new, emoji).await?.ok_or(Error::SignedOut)?;
    work.only_talk_of(message.room_id);
    let reactions = show(&mut work, message).await?;
    work.commit().await?;
    Ok(reactions)
}

/// Takes `person`'s reaction away; where there is none nothing changes. Who reacts how, then. Errors: as [`react`], but
/// anything that isn't there may be taken away. Cost: as [`react`].
pub async fn unreact(app: &App, person: &Person, message: MessageId, emoji: &str) -> Result<Vec<Reaction>> {
    may_react(&acts::with_room(&mut app.db.read().await?, person.id, message).await?)?;
    let mut work = Work::begin(app, Some(person)).await?;
    let found = acts::held(&mut work, person.id, message).await?;
    may_react(&found)?;
    let (_, message) = found;
    // What is none can't be there.
    let Ok(emoji) = emoji::parse(emoji) else { return Ok(message.reactions) };
    let gone = on_db!(work, c => sqlx::query("delete from reactions where message_id = $1 and user_id = $2 and emoji = $3")
        .bind(message.id).bind(person.id).bind(emoji).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 {
        return Ok(message.reactions);
    }
    work.only_talk_of(message.room_id);
    let reactions = show(&mut work, message).await?;
    work.commit().await?;
    Ok(reactions)
}

fn may_react((room, message): &(Room, Message)) -> Result<()> {
    if !room.is_member() {
        return Err(NOT_JOINED);
    }
    if message.deleted_at.is_some() { Err(DELETED) } else { Ok(()) }
}
