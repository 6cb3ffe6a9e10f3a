//! A room as one person sees it, looked up: [`see`] is the access rule. Where thousands open their sockets at once,
//! [`see_with_others`].

use super::{NO_ROOM, Room};
use crate::app::App;
use crate::db::loader::{Load, Loader};
use crate::db::rows::Text;
use crate::db::statement::Value;
use crate::db::values::{NOWHERE, Placed, in_place, over, room_for};
use crate::db::{Conn, Db, rows};
use crate::error::{Error, Result};
use crate::ids::{RoomId, UserId};

/// The columns of [`Room`], of `rooms r` left joined with the viewer's own membership `m`.
pub(super) const COLUMNS: [&str; 15] = [
    "r.id",
    "r.kind",
    "r.name",
    "r.description",
    "r.created_by",
    "r.member_count",
    "r.last_seq",
    "r.last_rev",
    "r.last_message_at",
    "r.created_at",
    "m.role",
    "m.last_read_seq",
    "m.muted",
    "m.notify_all",
    "case when r.kind = 'direct' then (select u.username from memberships o join users u on u.id = o.user_id \
     where o.room_id = r.id and o.user_id is distinct from m.user_id limit 1) end",
];

/// A select of rooms as `$1` sees them, for [`rows::read`]; `rest` begins with `from`.
pub(crate) fn select(conn: &Conn, rest: &str) -> String {
    format!("select cast({} as text)", conn.rows(&COLUMNS, rest))
}

/// The room, when `person` may see it. Errors: [`Error::NotFound`] when it isn't there or is private to others: the
/// two look the same. Cost: 1 indexed query.
pub async fn see(conn: &mut Conn, person: UserId, id: RoomId) -> Result<Room> {
    open(find(conn, person, id).await?)
}

/// A room that was looked up for somebody, if they may see it. Errors: as [`see`].
pub fn open(room: Option<Room>) -> Result<Room> {
    room.filter(Room::is_open).ok_or(NO_ROOM)
}

/// As [`see`], where thousands may ask at once: see `db/loader.rs`. Cost: 1 indexed query, or a share of one.
pub async fn see_with_others(app: &App, person: UserId, id: RoomId) -> Result<Room> {
    open(app.rooms.get(&app.db, (person, id)).await?)
}

/// Rooms that are asked for at once.
pub type Rooms = Loader<Room>;

impl Load for Room {
    /// The viewer, and the room.
    type Key = (UserId, RoomId);
    type Source = Db;

    async fn load(db: &Db, keys: &[(UserId, RoomId)]) -> Result<Vec<Option<Self>>> {
        find_all(&mut db.read().await?, keys).await
    }
}

/// The room as `viewer` sees it, or would if they may: that isn't asked. Cost: 1 indexed query.
pub(super) async fn find(conn: &mut Conn, viewer: UserId, id: RoomId) -> Result<Option<Room>> {
    Ok(find_all(conn, &[(viewer, id)]).await?.pop().flatten())
}

/// The same for several who ask, at most 64, in the order of `keys`. Cost: 1 indexed query.
async fn find_all(conn: &mut Conn, keys: &[(UserId, RoomId)]) -> Result<Vec<Option<Room>>> {
    static AFTER: Text = Text::new();
    let after = AFTER.of(conn, || {
        let seen =
            "from rooms r left join memberships m on m.room_id = r.id and m.user_id = a.viewer where r.id = a.room";
        let asked = ["a.place", &conn.rows(&COLUMNS, seen)];
        format!(") select cast({} as text)", conn.rows(&asked, "from a where a.place >= 0"))
    });
    let row = |(place, (viewer, room)): (usize, &(UserId, RoomId))| [place as i64, viewer.0, room.0].map(Value::from);
    let rows = keys.iter().enumerate().map(row).collect();
    let before = "with a (place, viewer, room) as (values";
    let asked = over(before, rows, [NOWHERE; 3].map(Value::from), room_for(keys.len()), after);
    let found: Vec<(String,)> = conn.run_one(asked).await?.read()?;
    let found: Vec<(i64, Vec<Room>)> = rows::read(&found.first().ok_or_else(|| Error::internal("no rows"))?.0)?;
    let placed = found.into_iter().filter_map(|(place, mut rooms)| Some(Placed { place, row: rooms.pop()? }));
    Ok(in_place(placed, keys.len()))
}
