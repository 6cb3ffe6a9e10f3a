//! Changes to memberships, each a part of a [`Work`]: putting people in, taking them out, who owns a room. Called by the
//! acts in `rooms/members.rs`, by those on rooms, and by the admin, which have asked who may do it.

use sqlx::FromRow;

use super::super::{Room, change as rooms, tell_added};
use super::{NO_MEMBER, count, insert, keep_an_owner};
use crate::clock::Timestamp;
use crate::error::{Error, Result, is_taken};
use crate::ids::{MembershipId, RoomId, UserId};
use crate::notifications::{self, News};
use crate::users::User;
use crate::work::Work;
use crate::{on_db, revocations};

const GONE: Error = Error::Conflict(msgid!("The room or the account is gone."));

#[derive(Clone, Debug, FromRow)]
pub struct Membership {
    pub id: MembershipId,
    pub room_id: RoomId,
    pub user_id: UserId,
    pub role: String,
    pub muted: bool,
    pub notify_all: bool,
}

/// A membership and its room, which is held until the work ends. Cost: 4 indexed statements.
pub async fn hold(work: &mut Work, id: MembershipId) -> Result<(Room, Membership)> {
    let room: Option<RoomId> = on_db!(work, c => sqlx::query_scalar("select room_id from memberships where id = $1")
        .bind(id).fetch_optional(c).await)?;
    let room = rooms::hold(work, room.ok_or(NO_MEMBER)?).await?;
    let membership: Option<Membership> = on_db!(work, c => sqlx::query_as(
        "select id, room_id, user_id, role, muted, notify_all from memberships where id = $1").bind(id).fetch_optional(c).await)?;
    Ok((room, membership.ok_or(NO_MEMBER)?))
}

/// Puts `user` into a room and tells them; `None` when they are in it already. Errors: [`Error::Invalid`] at `user_id`
/// for an account that is disabled and at `role`, [`Error::Conflict`] for a direct room. Cost: 3 statements.
pub async fn put_in(work: &mut Work, room: &Room, user: &User, role: &str) -> Result<Option<MembershipId>> {
    if room.is_direct() {
        return Err(Error::Conflict(msgid!("A direct chat is between two: make a group for more.")));
    }
    check_role(role)?;
    if !user.is_active {
        return Err(Error::field("user_id", tr!("This account is disabled.")));
    }
    let now = work.now();
    let added = insert(work, room.id, user.id, role, now).await?;
    if added.is_some() {
        welcome(work, room.id, user.id).await?;
    }
    Ok(added)
}

fn check_role(role: &str) -> Result<()> {
    match role {
        "owner" | "member" => Ok(()),
        _ => Err(Error::field("role", tr!("One is an owner or a member of a room."))),
    }
}

/// Tells `member` that somebody has put them into `room`, by `room_added` and a notification. Cost: 1 statement.
pub async fn welcome(work: &mut Work, room: RoomId, member: UserId) -> Result<()> {
    tell(work, room, member);
    notify(work, room, member).await
}

/// The notification alone.
pub async fn notify(work: &mut Work, room: RoomId, member: UserId) -> Result<()> {
    notifications::tell(work, member, News { kind: notifications::Kind::Added, room: Some(room), message: None }).await
}

/// Tells `member`, once the work is committed, that they are in `room`.
pub fn tell(work: &mut Work, room: RoomId, member: UserId) {
    work.then(move |app| {
        let app = app.clone();
        tokio::spawn(async move { tell_added(&app, room, member).await });
    });
}

/// Takes `user` out of a room; their sockets on it end. When the last owner goes, the member who has been there longest
/// owns it. Errors: [`Error::NotFound`], [`Error::Conflict`] for a direct room. Cost: 4 statements.
pub async fn take_out(work: &mut Work, room: &Room, user: UserId) -> Result<()> {
    if room.is_direct() {
        return Err(Error::Conflict(msgid!("A direct chat stays with both.")));
    }
    let (id, now) = (room.id, work.now());
    // The room's row first, as the message writer takes them: the other way round the two could wait for each other.
    count(work, id, -1).await?;
    let gone = on_db!(work, c => sqlx::query("delete from memberships where room_id = $1 and user_id = $2")
        .bind(id).bind(user).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 {
        count(work, id, 1).await?;
        return Err(NO_MEMBER);
    }
    keep_an_owner(work, id).await?;
    revocations::end_membership(work, user, id, now).await?;
    work.then(move |app| app.hub.end_membership(user, id));
    Ok(())
}

/// Makes a member an owner, or an owner a member. Errors: [`Error::Invalid`] at `role` for the room's only owner.
/// Cost: 2 statements.
pub async fn set_role(work: &mut Work, membership: &Membership, role: &str) -> Result<()> {
    if role == membership.role {
        return Ok(());
    }
    check_role(role)?;
    let others: i64 = on_db!(work, c => sqlx::query_scalar(
        "select count(*) from memberships where room_id = $1 and role = 'owner' and id <> $2")
        .bind(membership.room_id).bind(membership.id).fetch_one(c).await)?;
    if role == "member" && others == 0 {
        return Err(Error::field("role", tr!("This is the room's only owner: make another member an owner first.")));
    }
    Ok(on_db!(work, c => sqlx::query("update memberships set role = $2 where id = $1")
        .bind(membership.id).bind(role).execute(c).await.map(|_| ()))?)
}

/// Whether a member is told of nothing in the room, and if not, whether of all that is said there; what is `None` stays.
/// Cost: 1 statement.
pub async fn set_notices(
    work: &mut Work,
    room: RoomId,
    user: UserId,
    muted: Option<bool>,
    all: Option<bool>,
) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query(
        "update memberships set muted = coalesce($3, muted), notify_all = coalesce($4, notify_all)
         where room_id = $1 and user_id = $2")
        .bind(room).bind(user).bind(muted).bind(all).execute(c).await.map(|_| ()))?)
}

/// A membership that was ended, as history has it.
pub struct Former {
    pub membership: Membership,
    pub last_read_seq: i64,
    pub joined_at: Timestamp,
}

/// Puts a person back into a room as they were in it, and tells them. Errors: [`Error::Conflict`] when the room or the
/// account is gone, when they are back already, and for a direct room. Cost: 6 statements.
pub async fn restore(work: &mut Work, former: &Former) -> Result<()> {
    let Membership { id, room_id, user_id, muted, notify_all, ref role } = former.membership;
    let room = rooms::hold(work, room_id).await.map_err(|error| match error {
        Error::NotFound(_) => GONE,
        error => error,
    })?;
    if room.is_direct() {
        return Err(Error::Conflict(msgid!("A direct chat stays with both.")));
    }
    let added = on_db!(work, c => sqlx::query(
        "insert into memberships (id, room_id, user_id, role, last_read_seq, muted, joined_at, notify_all)
         select $1, $2, u.id, $4, $5, $6, $7, $8 from users u where u.id = $3")
        .bind(id).bind(room_id).bind(user_id).bind(role).bind(former.last_read_seq.min(room.last_seq)).bind(muted)
        .bind(former.joined_at).bind(notify_all).execute(c).await.map(|done| done.rows_affected()))
    .map_err(|error| match is_taken(&error) {
        true => Error::Conflict(msgid!("They are in the room again already.")),
        false => error.into(),
    })?;
    if added == 0 {
        return Err(GONE);
    }
    count(work, room_id, 1).await?;
    tell(work, room_id, user_id);
    Ok(())
}
