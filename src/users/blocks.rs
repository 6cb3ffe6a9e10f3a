//! Who doesn't want to hear from whom: the model `blocks`. While one of two has blocked the other, neither asks the other
//! to talk nor writes in their direct room, and who is blocked puts the other into no room. What was said stays to be
//! read. Called by pages and API, and asked by what interests, rooms and messages do.

pub mod admin;

use sqlx::FromRow;

use super::{COLUMNS, Person, User, change, directory};
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{BlockId, RoomId, UserId};
use crate::messages::list;
use crate::rooms::Room;
use crate::work::Work;
use crate::{interests, on_db};

const MINE: Error = Error::Forbidden(msgid!("You have blocked this person: unblock them first."));
const THEIRS: Error = Error::Forbidden(msgid!("You can't write to this person."));

/// What keeps `a.sender` from writing in the room `r` as far as blocks go, for the statement that asks it of many at once:
/// 1 for a block of their own, 2 for one of the other's, else 0. Of rooms that aren't direct nothing else is asked.
pub(crate) const BLOCK_OF: &str = "case when r.kind <> 'direct' then 0
        when exists (select 1 from memberships o join blocks b on b.user_id = a.sender and b.blocked_id = o.user_id
                     where o.room_id = r.id and o.user_id <> a.sender) then 1
        when exists (select 1 from memberships o join blocks b on b.user_id = o.user_id and b.blocked_id = a.sender
                     where o.room_id = r.id and o.user_id <> a.sender) then 2
        else 0 end";

/// Who of two has blocked the other, as one of them asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Whoever asks; the other perhaps, too.
    Mine,
    Theirs,
}

impl Block {
    /// What [`BLOCK_OF`] says.
    pub(crate) fn of_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Mine),
            2 => Some(Self::Theirs),
            _ => None,
        }
    }

    /// Why whoever asks can't write. It tells them no more than they need.
    pub(crate) fn refusal(self) -> Error {
        match self {
            Self::Mine => MINE,
            Self::Theirs => THEIRS,
        }
    }
}

/// Somebody who is blocked.
#[derive(Clone, Debug, FromRow)]
pub struct Blocked {
    #[sqlx(flatten)]
    pub user: User,
    pub block_id: BlockId,
    pub blocked_at: Timestamp,
}

impl Blocked {
    /// Where it stands in [`of`].
    pub fn place(&self) -> Place {
        (self.blocked_at, self.block_id)
    }
}

/// A block's place in the list: when it was made, then its id.
pub type Place = (Timestamp, BlockId);

/// Blocks somebody, who isn't told; an interest that is pending between the two is taken back or rejected. A second time
/// it changes nothing. Errors: [`Error::Malformed`] for oneself, [`Error::NotFound`] when there is no such person.
/// Cost: 1 write transaction of some 6 statements, 20 with an interest.
pub async fn block(app: &App, person: &Person, whom: UserId) -> Result<()> {
    if whom == person.id {
        return Err(Error::Malformed(tr!("You can't block yourself.").into()));
    }
    let mut work = Work::begin(app, Some(person)).await?;
    directory::see(&mut work, person, whom).await?;
    // Both, in one order, as who asks somebody holds them: no interest comes in between.
    for id in [person.id.min(whom), person.id.max(whom)] {
        change::hold(&mut work, id).await?;
    }
    interests::turn_down(&mut work, person, whom).await?;
    let now = work.now();
    on_db!(work, c => sqlx::query(
        "insert into blocks (user_id, blocked_id, created_at) values ($1, $2, $3)
         on conflict (user_id, blocked_id) do nothing")
        .bind(person.id).bind(whom).bind(now).execute(c).await.map(|_| ()))?;
    work.commit().await
}

/// Lets somebody write again; who isn't blocked may be unblocked, too. Errors: [`Error::NotFound`] when there is no such
/// person. Cost: 1 write transaction of 2 statements.
pub async fn unblock(app: &App, person: &Person, whom: UserId) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    let gone = on_db!(work, c => sqlx::query("delete from blocks where user_id = $1 and blocked_id = $2")
        .bind(person.id).bind(whom).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 {
        directory::see(&mut work, person, whom).await?;
    }
    work.commit().await
}

/// Whom `person` has blocked, the last one first, those behind `after`; at most `limit`. Cost: 1 indexed query, O(limit).
pub async fn of(conn: &mut Conn, person: UserId, after: Option<Place>, limit: i64) -> Result<Vec<Blocked>> {
    let (time, id) = after.unwrap_or((Timestamp(i64::MAX), BlockId(i64::MAX)));
    let sql = format!(
        "select {COLUMNS}, block_id, blocked_at from users join
             (select b.id as block_id, b.created_at as blocked_at, b.blocked_id from blocks b
              where b.user_id = $1 and (b.created_at, b.id) < ($2, $3) order by b.created_at desc, b.id desc limit $4
             ) as blocked on blocked.blocked_id = users.id order by blocked_at desc, block_id desc"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(person).bind(time).bind(id).bind(limit).fetch_all(c).await)?)
}

/// Who of the two has blocked the other. Cost: 1 indexed query.
pub async fn between(conn: &mut Conn, person: UserId, other: UserId) -> Result<Option<Block>> {
    Ok(among(conn, person, &[other]).await?.first().map(|(_, block)| *block))
}

/// Those of `others` whom `person` has blocked or who have blocked `person`. Cost: 1 indexed query, O(others).
pub async fn among(conn: &mut Conn, person: UserId, others: &[UserId]) -> Result<Vec<(UserId, Block)>> {
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let others = list(others);
    let sql = format!(
        "select blocked_id, cast(1 as bigint) as mine from blocks where user_id = $1 and blocked_id in ({others})
         union all select user_id, cast(0 as bigint) as mine from blocks where blocked_id = $1 and user_id in ({others})
         order by mine desc"
    );
    let rows: Vec<(UserId, i64)> =
        on_db!(conn, c => sqlx::query_as(&sql).persistent(false).bind(person).fetch_all(c).await)?;
    let mut found: Vec<(UserId, Block)> = Vec::with_capacity(rows.len());
    for (other, mine) in rows {
        if found.iter().all(|(known, _)| *known != other) {
            found.push((other, if mine == 1 { Block::Mine } else { Block::Theirs }));
        }
    }
    Ok(found)
}

/// The block that keeps `person` from writing in a room: only in a direct one there can be any. Cost: 2 indexed queries.
pub(crate) async fn in_room(conn: &mut Conn, person: UserId, room: RoomId) -> Result<Option<Block>> {
    let peer: Option<UserId> = on_db!(conn, c => sqlx::query_scalar(
        "select o.user_id from rooms r join memberships o on o.room_id = r.id and o.user_id <> $2
         where r.id = $1 and r.kind = 'direct' limit 1").bind(room).bind(person).fetch_optional(c).await)?;
    match peer {
        Some(peer) => between(conn, person, peer).await,
        None => Ok(None),
    }
}

/// Errors: [`Error::Forbidden`] where a block keeps `person` from changing anything in `room`. Cost: no query but in a
/// direct room, there 2.
pub(crate) async fn may_write(conn: &mut Conn, person: UserId, room: &Room) -> Result<()> {
    if !room.is_direct() {
        return Ok(());
    }
    in_room(conn, person, room.id).await?.map_or(Ok(()), |block| Err(block.refusal()))
}

/// Errors: [`Error::Invalid`] at `field` when one of `people` has blocked `person`, who wants to put them into a room.
/// Cost: 1 indexed query, O(people).
pub(crate) async fn may_add(conn: &mut Conn, person: UserId, people: &[UserId], field: &'static str) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "select u.username from blocks b join users u on u.id = b.user_id
         where b.blocked_id = $1 and b.user_id in ({}) order by u.username_folded",
        list(people)
    );
    let names: Vec<String> =
        on_db!(conn, c => sqlx::query_scalar(&sql).persistent(false).bind(person).fetch_all(c).await)?;
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(&tr!("list" => ", "));
    Err(Error::field(field, tr!("{names} can't be added.", names = names)))
}

/// Deletes a block as a part of `work`. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: BlockId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from blocks where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(Error::NotFound(msgid!("There is no such block."))) } else { Ok(()) }
}

/// Puts a deleted block back. Errors: [`Error::Conflict`] when one of the two is gone, or it is there again by now.
/// Cost: 1 statement.
pub async fn restore(work: &mut Work, id: BlockId, user: UserId, blocked: UserId, at: Timestamp) -> Result<()> {
    let added = on_db!(work, c => sqlx::query(
        "insert into blocks (id, user_id, blocked_id, created_at)
         select $1, u.id, o.id, $4 from users u join users o on o.id = $3 where u.id = $2 on conflict do nothing")
        .bind(id).bind(user).bind(blocked).bind(at).execute(c).await.map(|done| done.rows_affected()))?;
    if added == 0 { Err(Error::Conflict(msgid!("One of the two is gone, or blocked again by now."))) } else { Ok(()) }
}
