//! The lists of rooms, newest talk first: one's own and the public ones to join, as the chat page has them, and both in
//! one with their last messages, as the API has it.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::seen::{COLUMNS, select};
use super::{Kind, NO_ROOM, Room};
use crate::clock::Timestamp;
use crate::db::rows::{Dialect, Text};
use crate::db::{Conn, rows};
use crate::error::Result;
use crate::ids::{RoomId, UserId};
use crate::messages::{self, Message};
use crate::notifications;
use crate::on_db;

const OWN: &str = "from memberships m join rooms r on r.id = m.room_id where m.user_id = $1
     order by r.last_message_at desc, r.id desc";
const TO_JOIN: &str = "from rooms r left join memberships m on m.room_id = r.id and m.user_id = $1
     where r.kind = 'public' and m.id is null order by r.last_message_at desc, r.id desc";

/// One's own rooms, newest talk first; at most `limit`. Cost: 1 query, O(the person's rooms).
pub async fn own(conn: &mut Conn, person: UserId, limit: i64) -> Result<Vec<Room>> {
    let sql = select(conn, &format!("{OWN} limit $2"));
    let found: String = on_db!(conn, c => sqlx::query_scalar(&sql).bind(person).bind(limit).fetch_one(c).await)?;
    rows::read(&found)
}

/// What a chat page has at its side: one's own rooms and the public ones that one isn't in, newest talk first, at most
/// `own` and `to_join`; how many notifications aren't read; and `room`, if it is there, whoever may see it.
pub struct Side {
    pub own: Vec<Room>,
    pub to_join: Vec<Room>,
    pub notices: i64,
    pub room: Option<Room>,
}

/// Cost: 1 query, O(rooms shown + the person's public rooms).
pub async fn side(conn: &mut Conn, person: UserId, own: i64, to_join: i64, room: Option<RoomId>) -> Result<Side> {
    static SIDE: Text = Text::new();
    let sql = SIDE.of(conn, || format!("select {}", side_columns(conn.dialect())));
    let found: FoundSide = on_db!(conn, c => sqlx::query_as(sql)
        .bind(person).bind(own).bind(to_join).bind(room).fetch_one(c).await)?;
    found.read()
}

/// What [`FoundSide`] is read from, for a statement that asks for more: `$1` is the person, `$2` and `$3` how many rooms, `$4`
/// the room.
pub(crate) fn side_columns(dialect: Dialect) -> String {
    format!(
        "cast({} as text) as own, cast({} as text) as to_join, {} as notices, cast({} as text) as room",
        dialect.rows(&COLUMNS, &format!("{OWN} limit $2")),
        dialect.rows(&COLUMNS, &format!("{TO_JOIN} limit $3")),
        notifications::UNREAD,
        dialect.rows(
            &COLUMNS,
            "from rooms r left join memberships m on m.room_id = r.id and m.user_id = $1 where r.id = $4"
        ),
    )
}

#[derive(FromRow)]
pub(crate) struct FoundSide {
    pub own: String,
    pub to_join: String,
    pub notices: i64,
    pub room: String,
}

impl FoundSide {
    pub fn read(self) -> Result<Side> {
        let Self { own, to_join, notices, room } = self;
        Ok(Side { own: rows::read(&own)?, to_join: rows::read(&to_join)?, notices, room: rows::read(&room)?.pop() })
    }
}

/// Those of `rooms` that `person` may see, as they see them. Cost: no query without rooms, else 1 indexed one, O(rooms).
pub async fn seen(conn: &mut Conn, person: UserId, rooms: &[RoomId]) -> Result<Vec<Room>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let which = format!(
        "from rooms r left join memberships m on m.room_id = r.id and m.user_id = $1
         where r.id in ({}) and (r.kind = 'public' or m.id is not null)",
        messages::list(rooms)
    );
    let sql = select(conn, &which);
    let found: String = on_db!(conn, c => sqlx::query_scalar(&sql).persistent(false).bind(person).fetch_one(c).await)?;
    rows::read(&found)
}

/// A room's place in the list: the time of its newest talk, then its id.
pub type Place = (Timestamp, RoomId);

/// The rooms that `person` may see, their own and the public ones, newest talk first: those behind `after`, at most
/// `limit`. A room in which somebody writes meanwhile moves to the front. Cost: 2 queries, O(limit + the person's own
/// rooms), however many public ones there are.
pub async fn page(conn: &mut Conn, person: UserId, after: Option<Place>, limit: i64) -> Result<Vec<Room>> {
    let public = "rooms r left join memberships m on m.room_id = r.id and m.user_id = $1 where r.kind = 'public'";
    let private = "memberships m join rooms r on r.id = m.room_id where m.user_id = $1 and r.kind <> 'public'";
    let (time, id) = after.unwrap_or((Timestamp(i64::MAX), RoomId(i64::MAX)));
    let mut rooms: Vec<Room> = Vec::new();
    for which in [public, private] {
        let which = format!(
            "from {which} and (r.last_message_at, r.id) < ($2, $3)
             order by r.last_message_at desc, r.id desc limit $4"
        );
        let sql = select(conn, &which);
        let found: String = on_db!(conn, c => sqlx::query_scalar(&sql)
            .bind(person).bind(time).bind(id).bind(limit).fetch_one(c).await)?;
        rooms.extend(rows::read::<Room>(&found)?);
    }
    rooms.sort_unstable_by_key(|room| std::cmp::Reverse(room.place()));
    rooms.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(rooms)
}

impl Room {
    /// Where it stands in [`page`].
    pub fn place(&self) -> Place {
        (self.last_message_at, self.id)
    }
}

/// A room, as the JSON API and the `room_added` frame show it to one person.
#[derive(Serialize, ToSchema)]
#[schema(as = Room)]
pub struct Entry {
    #[schema(example = 7)]
    pub id: RoomId,
    pub kind: Kind,
    /// A direct room is called by the other person's name.
    #[schema(example = "General")]
    pub name: String,
    #[schema(example = "What everyone should know")]
    pub description: String,
    #[schema(example = 12)]
    pub member_count: i64,
    /// 0 in a public room that one isn't in.
    #[schema(example = 3)]
    pub unread_count: i64,
    #[schema(required = true)]
    pub last_message: Option<Message>,
    /// Null once the account is gone.
    #[schema(required = true, example = 1)]
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
}

impl Entry {
    fn new(room: Room, last_message: Option<Message>) -> Self {
        Self {
            id: room.id,
            kind: room.kind,
            unread_count: room.unread(),
            name: room.common_title(),
            description: room.description,
            member_count: room.member_count,
            last_message,
            created_by: room.created_by,
            created_at: room.created_at,
        }
    }
}

/// Rooms with their last messages. Doesn't check who asks. Cost: 1 to 3 indexed queries, O(rooms).
pub async fn entries(conn: &mut Conn, rooms: Vec<Room>) -> Result<Vec<Entry>> {
    let ids: Vec<RoomId> = rooms.iter().map(|room| room.id).collect();
    let mut last = messages::latest(conn, &ids).await?;
    Ok(rooms.into_iter().map(|room| (last.remove(&room.id), room)).map(|(last, room)| Entry::new(room, last)).collect())
}

/// One room of their own as `person` sees it in a list. Errors: `NotFound`. Cost: 2 to 4 indexed queries.
pub async fn entry(conn: &mut Conn, person: UserId, id: RoomId) -> Result<Entry> {
    let room = super::see(conn, person, id).await?;
    if !room.is_member() {
        return Err(NO_ROOM);
    }
    with_last_message(conn, room).await
}

/// A room with its last message. Doesn't check who asks. Cost: 1 to 3 indexed queries.
pub async fn with_last_message(conn: &mut Conn, room: Room) -> Result<Entry> {
    let last = messages::latest(conn, &[room.id]).await?.remove(&room.id);
    Ok(Entry::new(room, last))
}
