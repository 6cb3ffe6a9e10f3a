//! Who is in a room: the model `memberships`. Joining, adding, leaving, removing, and how far each has read.
//! The parts that change it are in `members/change.rs`.

pub mod admin;
pub mod change;

use std::collections::HashSet;

use sqlx::FromRow;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{MembershipId, RoomId, UserId};
use crate::users::Person;
use crate::work::Work;
use crate::{on_db, users};

/// One row of a room's members page.
#[derive(Clone, Debug, FromRow)]
pub struct Member {
    pub user_id: UserId,
    pub username: String,
    pub avatar: Option<String>,
    pub role: String,
    pub joined_at: Timestamp,
}

impl Member {
    /// Their picture, if they have one.
    pub fn picture(&self) -> Option<String> {
        self.avatar.as_deref().map(users::avatar::file_url)
    }
}

/// Members by name, those after `after`; at most `limit`. Doesn't check who asks. Cost: 1 query, O(members).
pub async fn page(conn: &mut Conn, room: RoomId, after: &str, limit: i64) -> Result<Vec<Member>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select m.user_id, u.username, u.avatar, m.role, m.joined_at from memberships m join users u on u.id = m.user_id
         where m.room_id = $1 and u.username_folded > $2 order by u.username_folded limit $3")
        .bind(room).bind(crate::text::fold(after)).bind(limit).fetch_all(c).await)?)
}

/// Adds a row and counts it; `None` for a person who is in already and stays as they are. A newcomer has read everything
/// so far. Cost: 2 statements, 3 for who is in already.
pub(super) async fn insert(
    conn: &mut Conn,
    room: RoomId,
    user: UserId,
    role: &str,
    now: Timestamp,
) -> Result<Option<MembershipId>> {
    // The room's row first, as everywhere: two acts then can't wait for each other.
    count(conn, room, 1).await?;
    let added: Option<MembershipId> = on_db!(conn, c => sqlx::query_scalar(
        "insert into memberships (room_id, user_id, role, last_read_seq, joined_at)
         select r.id, $2, $3, r.last_seq, $4 from rooms r where r.id = $1
         on conflict (room_id, user_id) do nothing returning id")
        .bind(room).bind(user).bind(role).bind(now).fetch_optional(c).await)?;
    if added.is_none() {
        count(conn, room, -1).await?;
    }
    Ok(added)
}

/// Raises or lowers the number of members that a room keeps. Cost: 1 statement.
async fn count(conn: &mut Conn, room: RoomId, by: i64) -> Result<()> {
    Ok(on_db!(conn, c => sqlx::query("update rooms set member_count = member_count + $2 where id = $1")
        .bind(room).bind(by).execute(c).await.map(|_| ()))?)
}

/// Errors: [`Error::Invalid`] at `member_ids` when one of `ids` is no active account. Cost: 1 query, O(ids).
pub(super) async fn require_active(conn: &mut Conn, ids: &[UserId]) -> Result<()> {
    let active: HashSet<UserId> = users::active(conn, ids).await?.into_iter().map(|user| user.id).collect();
    match ids.iter().find(|id| !active.contains(id)) {
        Some(id) => Err(Error::field("member_ids", format!("There is no active account with the id {id}."))),
        None => Ok(()),
    }
}

/// Puts `person` into a public room; in it already, nothing changes. Errors: [`Error::NotFound`] for a room that
/// isn't there or is private to others. Cost: 1 query, 1 write transaction.
pub async fn join(app: &App, person: &Person, room: RoomId) -> Result<()> {
    let seen = super::see(&mut app.db.read().await?, person.id, room).await?;
    if seen.is_member() {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    insert(&mut tx, room, person.id, "member", app.clock.now()).await?;
    tx.commit().await
}

/// Whether `user` is in `room`. Cost: 1 indexed query.
pub async fn is_member(conn: &mut Conn, room: RoomId, user: UserId) -> Result<bool> {
    let row: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from memberships where room_id = $1 and user_id = $2")
        .bind(room).bind(user).fetch_optional(c).await)?;
    Ok(row.is_some())
}

/// Puts the person called `name` into a room. Errors: [`Error::Forbidden`] for others than its owner and staff,
/// [`Error::Invalid`] at `user_id` when there is no such person. Cost: 3 queries, 1 write transaction.
pub async fn add(app: &App, person: &Person, room: RoomId, name: &str) -> Result<()> {
    let mut conn = app.db.read().await?;
    let seen = super::see(&mut conn, person.id, room).await?;
    if !seen.may_change(person) {
        return Err(Error::Forbidden("Only the owner and staff can add people to this room."));
    }
    // A name may be all digits, so names come before ids.
    let user = match (users::find(&mut conn, name).await?, name.trim().parse()) {
        (None, Ok(id)) => users::by_id(&mut conn, UserId(id)).await?,
        (found, _) => found,
    };
    let user = user.filter(|user| user.is_active);
    let user = user.ok_or_else(|| Error::field("user_id", "There is nobody with this name or id."))?;
    drop(conn);
    let mut work = Work::begin(app, Some(person)).await?;
    change::put_in(&mut work, &seen, &user, "member").await?;
    work.commit().await
}

/// Takes `user` out of a room: themselves (leaving), or another (its owner, staff). Their sockets on the room end.
/// When the last owner leaves, the member who has been there longest owns it. Errors: [`Error::Forbidden`],
/// [`Error::NotFound`], [`Error::Conflict`] for a direct room. Cost: 1 query, 1 write transaction.
pub async fn remove(app: &App, person: &Person, room: RoomId, user: UserId) -> Result<()> {
    let seen = super::see(&mut app.db.read().await?, person.id, room).await?;
    if user != person.id && !seen.may_change(person) {
        return Err(Error::Forbidden("Only the owner and staff can remove people from this room."));
    }
    let mut work = Work::begin(app, Some(person)).await?;
    change::take_out(&mut work, &seen, user).await?;
    work.commit().await
}

/// Takes a person whose account goes out of every room, as a part of `work`: each counts one member less, and where
/// they alone were the owner, the member who has been there longest owns it. Cost: 3 statements and one for each room
/// that they alone owned.
pub async fn remove_everywhere(work: &mut Work, user: UserId) -> Result<()> {
    on_db!(work, c => sqlx::query(
        "update rooms set member_count = member_count - 1
         where id in (select room_id from memberships where user_id = $1)").bind(user).execute(c).await.map(|_| ()))?;
    let owned = users::change::owned_alone(work, user).await?;
    on_db!(work, c => sqlx::query("delete from memberships where user_id = $1").bind(user).execute(c).await.map(|_| ()))?;
    for room in owned {
        keep_an_owner(work, room).await?;
    }
    Ok(())
}

/// Where nobody owns `room`, the member who has been there longest does from now on. Cost: 1 statement.
pub(super) async fn keep_an_owner(conn: &mut Conn, room: RoomId) -> Result<()> {
    Ok(on_db!(conn, c => sqlx::query(
        "update memberships set role = 'owner'
         where id = (select id from memberships where room_id = $1 order by joined_at, id limit 1)
           and not exists (select 1 from memberships where room_id = $1 and role = 'owner')")
        .bind(room).execute(c).await.map(|_| ()))?)
}

/// How far each member of `room` among `people` has read, and the room's last number.
/// Cost: 1 indexed query, O(members).
pub async fn unread_of(conn: &mut Conn, room: RoomId, people: &HashSet<UserId>) -> Result<Vec<(UserId, i64, i64)>> {
    let mut rows: Vec<(UserId, i64, i64)> = on_db!(conn, c => sqlx::query_as(
        "select m.user_id, m.last_read_seq, r.last_seq from memberships m join rooms r on r.id = m.room_id
         where m.room_id = $1").bind(room).fetch_all(c).await)?;
    rows.retain(|(user, ..)| people.contains(user));
    Ok(rows)
}
