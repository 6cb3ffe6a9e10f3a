//! What a person does to a message that stands: editing and removing it. Pages, API and socket call these; each asks who
//! may before it takes a turn at writing, and again inside it. Staff who aren't in a private room have no more rights here
//! than anybody: the backoffice is their door.

use super::{Message, NO_MESSAGE, admin, change, stored};
use crate::admin::change as backoffice;
use crate::admin::value::Key;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{MessageId, UserId};
use crate::rooms::{self, NOT_JOINED, Room};
use crate::users::{Person, blocks};
use crate::work::Work;

/// The message, when `person` may see it. Errors: [`Error::NotFound`] when it isn't there or in a room that is private to
/// others. Cost: 2 to 4 indexed queries.
pub async fn see(conn: &mut Conn, person: UserId, id: MessageId) -> Result<Message> {
    with_room(conn, person, id).await.map(|(_, message)| message)
}

/// The same with its room as `person` sees it.
pub(crate) async fn with_room(conn: &mut Conn, person: UserId, id: MessageId) -> Result<(Room, Message)> {
    let message = stored::by_id(conn, id).await?.ok_or(NO_MESSAGE)?;
    let room = seen(rooms::see(conn, person, message.room_id).await)?;
    Ok((room, message))
}

/// The same inside a work, the room held until it ends. Cost: 4 to 6 indexed statements.
pub(crate) async fn held(work: &mut Work, person: UserId, id: MessageId) -> Result<(Room, Message)> {
    let message = seen(change::hold(work, id).await)?;
    let room = seen(rooms::see(work, person, message.room_id).await)?;
    Ok((room, message))
}

/// That a room is hidden is told as that there is no such message.
fn seen<T>(found: Result<T>) -> Result<T> {
    found.map_err(|error| if let Error::NotFound(_) = error { NO_MESSAGE } else { error })
}

/// Gives one's own message another text; as it stands then. Errors: [`Error::NotFound`], [`Error::Forbidden`] for
/// another's for who has left the room and where a block stands, [`Error::Throttled`] as for a new message,
/// [`Error::Invalid`] at `content`, [`Error::Conflict`] for a deleted one. Cost: 3 queries and 1 write transaction of
/// some 8 statements, O(length + sockets in the room).
pub async fn edit(app: &App, person: &Person, id: MessageId, content: &str) -> Result<Message> {
    let found = with_room(&mut app.db.read().await?, person.id, id).await?;
    may_edit(person, &found)?;
    app.message_limit.check(person.id, found.0.id)?;
    let mut work = Work::begin(app, Some(person)).await?;
    let found = held(&mut work, person.id, id).await?;
    may_edit(person, &found)?;
    blocks::may_write(&mut work, person.id, &found.0).await?;
    let message = change::edit_held(&mut work, found.1, content).await?;
    work.only_talk_of(message.room_id);
    work.commit().await?;
    Ok(message)
}

fn may_edit(person: &Person, (room, message): &(Room, Message)) -> Result<()> {
    match message.user_id == Some(person.id) {
        true if room.is_member() => Ok(()),
        true => Err(NOT_JOINED),
        false => Err(Error::Forbidden(msgid!("Only who wrote a message can edit it."))),
    }
}

/// Empties a message: one's own, or, by staff, another's, which is an entry in history with `ip`. Errors:
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Conflict`] for a deleted one. Cost: 3 queries and 1 write transaction
/// of some 10 statements, O(files + sockets in the room).
pub async fn remove(app: &App, person: &Person, ip: &str, id: MessageId) -> Result<()> {
    let (_, message) = with_room(&mut app.db.read().await?, person.id, id).await?;
    may_remove(person, &message)?;
    let mut work = Work::begin(app, Some(person)).await?;
    let (_, message) = held(&mut work, person.id, id).await?;
    if message.user_id == Some(person.id) {
        change::delete_held(&mut work, message).await?;
    } else {
        may_remove(person, &message)?;
        ip.clone_into(&mut work.ip);
        let hide = admin::RESOURCE.action("hide").ok_or(NO_MESSAGE)?;
        backoffice::act(&mut work, &admin::RESOURCE, &Key::Id(id.0), hide).await?;
    }
    work.commit().await
}

fn may_remove(person: &Person, message: &Message) -> Result<()> {
    let may = message.user_id == Some(person.id) || person.is_staff();
    if may { Ok(()) } else { Err(Error::Forbidden(msgid!("Only who wrote a message and staff can delete it."))) }
}
