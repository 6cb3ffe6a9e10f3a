//! Changes to rooms, each a part of a [`Work`]: making, naming, deleting, putting back. Called by the acts in `rooms.rs`
//! and by the admin, which have asked who may do it.

use super::members::{self, change as membership};
use super::seen::find;
use super::{Kind, NO_ROOM, NewRoom, Room, names};
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result, is_taken};
use crate::ids::{RoomId, UserId};
use crate::live::event::Event;
use crate::settings::RoomCreation;
use crate::text::fold;
use crate::users::Person;
use crate::work::Work;
use crate::{attachments, on_db};

/// The room as whoever does the work sees it, held until the work ends. Whether they may see it isn't asked.
/// Cost: 2 indexed statements.
pub async fn hold(work: &mut Work, id: RoomId) -> Result<Room> {
    on_db!(work, c => sqlx::query("update rooms set id = id where id = $1").bind(id).execute(c).await.map(|_| ()))?;
    let viewer = work.by.as_ref().map_or(UserId(-1), |by| by.id);
    find(work, viewer, id).await?.ok_or(NO_ROOM)
}

/// The same, when whoever does the work may see it. Errors: [`Error::NotFound`], as [`super::see`].
pub(super) async fn hold_open(work: &mut Work, id: RoomId) -> Result<Room> {
    let room = hold(work, id).await?;
    if room.is_open() { Ok(room) } else { Err(NO_ROOM) }
}

/// Makes a public room or a group with `owner`; the others are told. Errors: [`Error::Forbidden`] by
/// the site's settings, [`Error::Invalid`] for a name that is taken or people who aren't there. Cost: O(members).
pub async fn make(work: &mut Work, owner: &Person, new: &NewRoom) -> Result<RoomId> {
    if work.app.settings().room_creation == RoomCreation::Admins && !owner.is_admin() {
        return Err(Error::Forbidden(msgid!("Only administrators make rooms on this site.")));
    }
    members::require_active(work, &new.members).await?;
    let id = insert(work, new, owner.id, None).await?.ok_or(Error::Unavailable)?;
    let now = work.now();
    members::insert(work, id, owner.id, "owner", now).await?;
    for member in &new.members {
        members::insert(work, id, *member, "member", now).await?;
        membership::welcome(work, id, *member).await?;
    }
    Ok(id)
}

/// Makes the direct room of a pair, or finds it; says whether it is new. Who of them doesn't do the work is told. Errors:
/// [`Error::Invalid`] at `member_ids` when one of them has no active account. Cost: 1 query, 7 statements when new.
pub async fn make_direct(work: &mut Work, first: UserId, second: UserId) -> Result<(RoomId, bool)> {
    if let Some(id) = find_direct(work, first, second).await? {
        return Ok((id, false));
    }
    members::require_active(work, &[first, second]).await?;
    let new =
        NewRoom { kind: Kind::Direct, name: String::new(), description: String::new(), members: Vec::from([second]) };
    let Some(id) = insert(work, &new, first, Some(direct_key(first, second))).await? else {
        // Another node made it since we looked.
        let id = find_direct(work, first, second).await?;
        return id.map(|id| (id, false)).ok_or(Error::Unavailable);
    };
    let now = work.now();
    for (person, role) in [(first, "owner"), (second, "member")] {
        members::insert(work, id, person, role, now).await?;
        if work.by.as_ref().is_none_or(|by| by.id != person) {
            membership::tell(work, id, person);
        }
    }
    Ok((id, true))
}

pub(crate) fn direct_key(a: UserId, b: UserId) -> String {
    format!("{}:{}", a.min(b), a.max(b))
}

/// The direct room of a pair. Cost: 1 indexed query.
pub async fn find_direct(work: &mut Work, a: UserId, b: UserId) -> Result<Option<RoomId>> {
    Ok(on_db!(work, c => sqlx::query_scalar("select id from rooms where direct_key = $1")
        .bind(direct_key(a, b)).fetch_optional(c).await)?)
}

/// `None` when the pair's direct room is already there.
async fn insert(work: &mut Work, new: &NewRoom, owner: UserId, direct_key: Option<String>) -> Result<Option<RoomId>> {
    let now = work.now();
    on_db!(work, c => sqlx::query_scalar(
        "insert into rooms (kind, name, name_folded, description, created_by, direct_key,
                            last_message_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7, $7) on conflict (direct_key) do nothing returning id")
        .bind(new.kind.as_str()).bind(&new.name).bind(fold(&new.name)).bind(&new.description).bind(owner)
        .bind(direct_key).bind(now).fetch_optional(c).await)
    .map_err(name_taken)
}

fn name_taken(error: sqlx::Error) -> Error {
    if is_taken(&error) { Error::field("name", tr!("There is a public room with this name.")) } else { error.into() }
}

/// Changes name and description. Errors: [`Error::Invalid`] by field, [`Error::Conflict`] for a direct room.
/// Cost: 1 statement.
pub async fn set_names(work: &mut Work, room: &Room, name: &str, description: &str) -> Result<()> {
    if room.is_direct() {
        return Err(Error::Conflict(msgid!("A direct chat has no name of its own.")));
    }
    let (name, description) = checked_names(room.kind, name, description)?;
    let now = work.now();
    on_db!(work, c => sqlx::query(
        "update rooms set name = $2, name_folded = $3, description = $4, updated_at = $5 where id = $1")
        .bind(room.id).bind(&name).bind(fold(&name)).bind(&description).bind(now)
        .execute(c).await.map(|_| ()))
    .map_err(name_taken)
}

fn checked_names(kind: Kind, name: &str, description: &str) -> Result<(String, String)> {
    let mut errors = FieldErrors::default();
    let names = names(&mut errors, name, description);
    if kind == Kind::Public && names.0.is_empty() {
        errors.add("name", tr!("A public room needs a name."));
    }
    errors.or(names)
}

/// Deletes a room with all that is in it; everyone connected is told, and its feed ends. Cost: 3 statements,
/// O(messages).
pub async fn delete(work: &mut Work, room: &Room) -> Result<()> {
    let id = room.id;
    let online = work.app.hub.elsewhere(id);
    let elsewhere = members::unread_of(work, id, &online).await?;
    attachments::let_go_of_room(work, id).await?;
    on_db!(work, c => sqlx::query("delete from rooms where id = $1").bind(id).execute(c).await.map(|_| ()))?;
    let message = match room.kind {
        Kind::Direct => "This direct chat was deleted.".to_owned(),
        _ => format!("The room {} was deleted.", room.common_title()),
    };
    work.then(move |app| {
        let frame = Event::RoomDeleted { room_id: id, message: &message }.frame();
        for (member, ..) in elsewhere {
            app.hub.tell_elsewhere(member, id, &frame);
        }
        app.hub.end_room(id, frame);
    });
    Ok(())
}

/// A room that was deleted, as history has it.
pub struct Former {
    pub id: RoomId,
    pub kind: Kind,
    pub name: String,
    pub description: String,
    pub created_by: Option<UserId>,
    pub last_seq: i64,
    pub last_rev: i64,
    pub created_at: Timestamp,
}

/// Puts a deleted room back under its old id, without its messages and members: who made it owns it again, if they are
/// still there, and its numbers go on where they were. Errors: [`Error::Conflict`] for a direct room and for a name that
/// was taken meanwhile. Cost: 4 statements.
pub async fn restore(work: &mut Work, former: &Former) -> Result<()> {
    let Former { id, kind, created_by, .. } = *former;
    if kind == Kind::Direct {
        return Err(Error::Conflict(msgid!("A direct chat isn't put back: the two begin a new one.")));
    }
    let (name, description) = checked_names(kind, &former.name, &former.description)?;
    let owner: Option<UserId> = on_db!(work, c => sqlx::query_scalar("select id from users where id = $1")
        .bind(created_by).fetch_optional(c).await)?;
    let now = work.now();
    on_db!(work, c => sqlx::query(
        "insert into rooms (id, kind, name, name_folded, description, created_by, last_seq, last_rev, last_message_at,
                            created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)")
        .bind(id).bind(kind.as_str()).bind(&name).bind(fold(&name)).bind(&description).bind(owner)
        .bind(former.last_seq).bind(former.last_rev).bind(former.created_at).bind(now).execute(c).await.map(|_| ()))
    .map_err(|error| match is_taken(&error) {
        true => Error::Conflict(msgid!("This room is there again, or another public room has its name by now.")),
        false => error.into(),
    })?;
    if let Some(owner) = owner {
        members::insert(work, id, owner, "owner", now).await?;
        membership::tell(work, id, owner);
    }
    Ok(())
}
