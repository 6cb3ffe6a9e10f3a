//! Messages that a room keeps at hand: the model `pins`. Its owners pin, and staff who are in it; in a direct room both.
//! [`pin`] and [`unpin`] are what people do. A pin isn't a change of its message: it takes no revision, and who follows
//! the room is told to ask again. It goes with its message's text ([`drop_of`], called by `messages/change.rs`).

pub mod admin;

use super::{DELETED, Message, acts, stored};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{MessageId, PinId, RoomId};
use crate::on_db;
use crate::rooms::Room;
use crate::users::{Person, blocks};
use crate::work::Work;

/// Pins in one room.
pub const MOST: i64 = 50;

/// The pinned messages of `room`, the newest pin first; at most 50. Doesn't check who asks. Cost: 2 to 4 indexed queries.
pub async fn of(conn: &mut Conn, room: RoomId) -> Result<Vec<Message>> {
    let ids: Vec<MessageId> = on_db!(conn, c => sqlx::query_scalar(
        "select message_id from pins where room_id = $1 order by created_at desc, id desc limit $2")
        .bind(room).bind(MOST).fetch_all(c).await)?;
    let mut messages = stored::by_ids(conn, &ids).await?;
    messages.sort_by_key(|message| ids.iter().position(|id| *id == message.id));
    Ok(messages)
}

/// Whether a message is pinned. Doesn't check who asks. Cost: 1 indexed query.
pub async fn is_pinned(conn: &mut Conn, message: MessageId) -> Result<bool> {
    let pin: Option<PinId> = on_db!(conn, c => sqlx::query_scalar("select id from pins where message_id = $1")
        .bind(message).fetch_optional(c).await)?;
    Ok(pin.is_some())
}

/// Whether `person`, as whom `room` was looked up, pins there.
pub fn may_pin(room: &Room, person: &Person) -> bool {
    room.is_member() && (room.is_direct() || room.role.as_deref() == Some("owner") || person.is_staff())
}

fn allowed(person: &Person, (room, message): &(Room, Message)) -> Result<()> {
    if !may_pin(room, person) {
        return Err(Error::Forbidden(msgid!("Only the room's owners, and staff who are in it, pin messages.")));
    }
    if message.deleted_at.is_some() { Err(DELETED) } else { Ok(()) }
}

/// Pins a message; a second time changes nothing. Errors: [`Error::NotFound`] for a message they can't see,
/// [`Error::Forbidden`] for who may not pin there, [`Error::Conflict`] for a deleted message and where 50 are pinned
/// already. Cost: 2 queries and 1 write transaction of some 8 statements, O(sockets in the room).
pub async fn pin(app: &App, person: &Person, id: MessageId) -> Result<()> {
    allowed(person, &acts::with_room(&mut app.db.read().await?, person.id, id).await?)?;
    let mut work = Work::begin(app, Some(person)).await?;
    // The room is held: nobody else counts its pins meanwhile.
    let found = acts::held(&mut work, person.id, id).await?;
    allowed(person, &found)?;
    blocks::may_write(&mut work, person.id, &found.0).await?;
    let room = found.0.id;
    if is_pinned(&mut work, id).await? {
        return Ok(());
    }
    let pinned: i64 = on_db!(work, c => sqlx::query_scalar("select count(*) from pins where room_id = $1")
        .bind(room).fetch_one(c).await)?;
    if pinned >= MOST {
        return Err(Error::Conflict(msgid!("A room has at most 50 pinned messages. Unpin one first.")));
    }
    let now = work.now();
    on_db!(work, c => sqlx::query(
        "insert into pins (message_id, room_id, pinned_by, created_at) values ($1, $2, $3, $4)")
        .bind(id).bind(room).bind(person.id).bind(now).execute(c).await.map(|_| ()))?;
    work.then(move |app| app.hub.publish_pins(room));
    work.only_talk_of(room);
    work.commit().await
}

/// Takes a message's pin away; where there is none nothing changes. Errors: as [`pin`]. Cost: as [`pin`].
pub async fn unpin(app: &App, person: &Person, id: MessageId) -> Result<()> {
    allowed(person, &acts::with_room(&mut app.db.read().await?, person.id, id).await?)?;
    let mut work = Work::begin(app, Some(person)).await?;
    let found = acts::held(&mut work, person.id, id).await?;
    allowed(person, &found)?;
    blocks::may_write(&mut work, person.id, &found.0).await?;
    if drop_of(&mut work, id).await? {
        let room = found.0.id;
        work.then(move |app| app.hub.publish_pins(room));
        work.only_talk_of(room);
    }
    work.commit().await
}

/// Takes a message's pin away without telling anybody; whether there was one. Cost: 1 indexed statement.
pub(super) async fn drop_of(work: &mut Work, message: MessageId) -> Result<bool> {
    let gone = on_db!(work, c => sqlx::query("delete from pins where message_id = $1")
        .bind(message).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(gone > 0)
}

/// Takes a pin away, as staff do in the admin. Errors: [`Error::NotFound`]. Cost: 1 indexed statement, O(sockets in the
/// room).
pub async fn delete(work: &mut Work, id: PinId) -> Result<()> {
    let room: Option<RoomId> = on_db!(work, c => sqlx::query_scalar("delete from pins where id = $1 returning room_id")
        .bind(id).fetch_optional(c).await)?;
    let room = room.ok_or(Error::NotFound(msgid!("There is no such pin.")))?;
    work.then(move |app| app.hub.publish_pins(room));
    Ok(())
}
