//! Who is in a room: the model `memberships`. Joining, adding, leaving, removing, and how far each has read.
//! The parts that change it are in `members/change.rs`, what each is told of in `members/notify.rs`.

pub mod admin;
pub mod change;
pub mod joining;
pub mod notify;

use std::collections::HashSet;

use serde::Deserialize;
use sqlx::FromRow;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::postgres::answered;
use crate::db::{Conn, Engine};
use crate::error::{Error, Result};
use crate::ids::{MembershipId, RoomId, UserId};
use crate::rooms::Room;
use crate::text::{above, fold};
use crate::users::{Person, User, blocks};
use crate::work::Work;
use crate::{on_db, users};

/// People whom [`among`] looks up one by one; of more it reads all members.
const MOST_LOOKED_UP: usize = 1000;
/// Members of a room in which names are looked for one by one.
const MOST_READ: i64 = 1000;
/// Names offered to complete one.
pub const MOST_NAMES: usize = 8;
const NO_MEMBER: Error = Error::NotFound(msgid!("This person isn't in the room."));

/// Somebody in a room.
#[derive(Clone, Debug, FromRow)]
pub struct Member {
    pub user_id: UserId,
    pub username: String,
    pub first_name: String,
    pub last_name: String,
    pub avatar: Option<String>,
    pub role: String,
    pub joined_at: Timestamp,
}

impl Member {
    /// Their picture, if they have one.
    pub fn picture(&self) -> Option<String> {
        self.avatar.as_deref().map(users::avatar::file_url)
    }

    /// What `avatar_url` is in the JSON API. Cost: O(length).
    pub fn avatar_url(&self) -> String {
        let Self { user_id, username, first_name, last_name, avatar, .. } = self;
        users::avatar::url(*user_id, username, first_name, last_name, avatar.as_deref())
    }
}

/// The columns of [`Member`].
const MEMBER: &str = "select m.user_id, u.username, u.first_name, u.last_name, u.avatar, m.role, m.joined_at \
     from memberships m join users u on u.id = m.user_id";

/// Members by name, those after `after`; at most `limit`. Doesn't check who asks. Cost: 1 query, O(members).
pub async fn page(conn: &mut Conn, room: RoomId, after: &str, limit: i64) -> Result<Vec<Member>> {
    // PostgreSQL takes no text with a NUL, and no name has one.
    if after.contains('\0') {
        return Ok(Vec::new());
    }
    let sql = format!("{MEMBER} where m.room_id = $1 and u.username_folded > $2 order by u.username_folded limit $3");
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(fold(after)).bind(limit).fetch_all(c).await)?)
}

/// A member, and how far they have read; shown in rooms that are small enough.
#[derive(Clone, Debug, Deserialize)]
pub struct Reader {
    pub user_id: UserId,
    pub username: String,
    pub last_read_seq: i64,
}

/// The columns of [`Reader`], of [`READERS`]: the members of room `$4` by name.
pub(crate) const READER: [&str; 3] = ["m.user_id", "u.username", "m.last_read_seq"];
pub(crate) const READERS: &str =
    "from memberships m join users u on u.id = m.user_id where m.room_id = $4 order by u.username_folded";

/// One member. Doesn't check who asks. Errors: [`Error::NotFound`]. Cost: 1 indexed query.
pub async fn one(conn: &mut Conn, room: RoomId, user: UserId) -> Result<Member> {
    let sql = format!("{MEMBER} where m.room_id = $1 and m.user_id = $2");
    let found = on_db!(conn, c => sqlx::query_as(&sql).bind(room).bind(user).fetch_optional(c).await)?;
    found.ok_or(NO_MEMBER)
}

/// Those of `people` who are in `room`, by id. Doesn't check who asks. Cost: 1 indexed query, O(people), or O(members)
/// for more than 1000 people.
pub async fn among(conn: &mut Conn, room: RoomId, people: &HashSet<UserId>) -> Result<Vec<UserId>> {
    let sql = "select user_id from memberships where room_id = $1";
    let mut members: Vec<UserId> = if people.len() <= MOST_LOOKED_UP {
        // Numbers, so there is nothing to escape; an empty list matches nothing.
        let list: Vec<String> = people.iter().map(UserId::to_string).chain(["-1".into()]).collect();
        let sql = format!("{sql} and user_id in ({})", list.join(", "));
        on_db!(conn, c => sqlx::query_scalar(&sql).persistent(false).bind(room).fetch_all(c).await)?
    } else {
        on_db!(conn, c => sqlx::query_scalar(sql).bind(room).fetch_all(c).await)?
    };
    members.retain(|user| people.contains(user));
    members.sort_unstable();
    Ok(members)
}

/// Names of active members of `room` that begin with `q` in any case, at most eight, by name; without those that can't be
/// mentioned, since a full stop or a dash after a name ends it. Doesn't check who asks.
/// Cost: 1 indexed query. It reads the members of a small room; in a large one it goes along the names that begin so until
/// eight of them are in it.
pub async fn beginning(conn: &mut Conn, room: &Room, q: &str) -> Result<Vec<String>> {
    let from = fold(q);
    // PostgreSQL takes no text with a NUL, so nobody is called by one.
    if from.contains('\0') {
        return Ok(Vec::new());
    }
    let to = above(&from);
    // SQLite reads the tables of a cross join in the order in which they are named; PostgreSQL finds its own.
    let tables = match room.member_count <= MOST_READ {
        true => "memberships m cross join users u",
        false => "users u cross join memberships m",
    };
    let sql = format!(
        "select u.username from {tables} where m.room_id = $1 and m.user_id = u.id and u.username_folded >= $2
         and u.username_folded < $3 and u.is_active and substr(u.username, length(u.username), 1) not in ('.', '-')
         order by u.username_folded limit $4"
    );
    let limit = i64::try_from(MOST_NAMES).map_err(Error::internal)?;
    Ok(on_db!(conn, c => sqlx::query_scalar(&sql).bind(room.id).bind(from).bind(to).bind(limit).fetch_all(c).await)?)
}

/// Adds a row and counts it; `None` for a person who is in already and stays as they are. A newcomer has read everything
/// so far, and is told of all that is said in a direct room. Cost: 2 statements, 3 for who is in already.
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
        "insert into memberships (room_id, user_id, role, last_read_seq, notify_all, joined_at)
         select r.id, $2, $3, r.last_seq, r.kind = 'direct', $4 from rooms r where r.id = $1
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
        Some(id) => Err(Error::field("member_ids", tr!("There is no active account with the id {id}.", id = id))),
        None => Ok(()),
    }
}

/// Puts `person` into a public room; false when they were in it already, and nothing changes. Errors:
/// [`Error::NotFound`] for a room that isn't there or is private to others. Cost: 1 query, for a newcomer a share of 1 write
/// transaction.
pub async fn join(app: &App, person: &Person, room: RoomId) -> Result<bool> {
    // Most who ask are in: every socket on a room asks. They hold nobody up.
    if super::see(&mut app.db.read().await?, person.id, room).await?.is_member() {
        return Ok(false);
    }
    if joining::put_in(app, person, room).await? {
        return Ok(true);
    }
    let mut work = Work::begin(app, Some(person)).await?;
    let room = super::change::hold_open(&mut work, room).await?;
    let now = work.now();
    let added = insert(&mut work, room.id, person.id, "member", now).await?;
    work.commit().await?;
    Ok(added.is_some())
}

/// Whether `user` is in `room`. Cost: 1 indexed query.
pub async fn is_member(conn: &mut Conn, room: RoomId, user: UserId) -> Result<bool> {
    let row: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from memberships where room_id = $1 and user_id = $2")
        .bind(room).bind(user).fetch_optional(c).await)?;
    Ok(row.is_some())
}

/// Who is to be put into a room.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    Id(UserId),
    /// A user name or else an id, as somebody types it; for staff an address too.
    Typed(&'a str),
}

impl Whom<'_> {
    /// Errors: [`Error::Invalid`] at `user_id`. Cost: 1 or 2 indexed queries.
    async fn find(self, conn: &mut Conn, by: &Person) -> Result<User> {
        let found = match self {
            Self::Id(id) => users::by_id(conn, id).await?,
            Self::Typed(text) => users::by_typed(conn, text, by.is_staff()).await?,
        };
        found.filter(|user| user.is_active).ok_or_else(|| {
            let why = match self {
                Self::Id(_) => tr!("There is nobody with this id."),
                Self::Typed(_) => tr!("There is nobody with this name or id."),
            };
            Error::field("user_id", why)
        })
    }
}

/// Puts somebody into a room; says who, and whether they are new in it. Errors: [`Error::NotFound`] for a room that
/// isn't there or is private to others, [`Error::Forbidden`] for others than its owner and staff, [`Error::Invalid`] at
/// `user_id` when there is no such person, or they have blocked `person`. Cost: 1 write transaction.
pub async fn add(app: &App, person: &Person, room: RoomId, whom: Whom<'_>) -> Result<(UserId, bool)> {
    let mut work = Work::begin(app, Some(person)).await?;
    let room = super::change::hold_open(&mut work, room).await?;
    if !room.may_change(person) {
        return Err(room.refusal(msgid!("Only the owner and staff can add people to this room.")));
    }
    let user = whom.find(&mut work, person).await?;
    blocks::may_add(&mut work, person.id, &[user.id], "user_id").await?;
    let added = change::put_in(&mut work, &room, &user, "member").await?;
    work.commit().await?;
    Ok((user.id, added.is_some()))
}

/// Takes `user` out of a room: themselves (leaving), or another (its owner, staff). Their sockets on the room end.
/// When the last owner leaves, the member who has been there longest owns it. Errors: [`Error::Forbidden`],
/// [`Error::NotFound`], [`Error::Conflict`] for a direct room. Cost: 1 write transaction.
pub async fn remove(app: &App, person: &Person, room: RoomId, user: UserId) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    let room = super::change::hold_open(&mut work, room).await?;
    if user != person.id && !room.may_change(person) {
        return Err(room.refusal(msgid!("Only the owner and staff can remove people from this room.")));
    }
    change::take_out(&mut work, &room, user).await?;
    work.commit().await
}

/// Takes a person whose account goes out of every room, as a part of `work`: each counts one member less, and where
/// they alone were the owner, the member who has been there longest owns it. Cost: 3 statements, on PostgreSQL 4, and one for
/// each room that they alone owned.
pub async fn remove_everywhere(work: &mut Work, user: UserId) -> Result<()> {
    // Lowest id first, as the message writer takes them: an update takes them in any order, and two nodes could wait for each
    // other.
    if let Engine::Postgres(c) = work.engine() {
        answered(
            sqlx::query(
                "select id from rooms where id in (select room_id from memberships where user_id = $1)
             order by id for no key update",
            )
            .bind(user)
            .execute(c),
        )
        .await?;
    }
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

/// So few people are looked up one by one rather than among all members.
const FEW: usize = 16;

/// How far each member of `room` among `people` has read, and the room's last number.
/// Cost: 1 indexed query for each of up to 16 people, otherwise 1, O(members).
pub async fn unread_of(conn: &mut Conn, room: RoomId, people: &HashSet<UserId>) -> Result<Vec<(UserId, i64, i64)>> {
    if people.len() > FEW {
        let mut rows: Vec<(UserId, i64, i64)> = on_db!(conn, c => sqlx::query_as(
            "select m.user_id, m.last_read_seq, r.last_seq from memberships m join rooms r on r.id = m.room_id
             where m.room_id = $1").bind(room).fetch_all(c).await)?;
        rows.retain(|(user, ..)| people.contains(user));
        return Ok(rows);
    }
    let mut rows = Vec::new();
    for user in people {
        let row: Option<(UserId, i64, i64)> = on_db!(conn, c => sqlx::query_as(
            "select m.user_id, m.last_read_seq, r.last_seq from memberships m join rooms r on r.id = m.room_id
             where m.room_id = $1 and m.user_id = $2").bind(room).bind(user).fetch_optional(c).await)?;
        rows.extend(row);
    }
    Ok(rows)
}
