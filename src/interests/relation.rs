//! How one person stands to others: who asked whom, whether they have a direct room, who has blocked whom. Called by the
//! page of people, which asks for all it shows at once.

use std::collections::HashMap;

use super::{PEACE, Status, change};
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{InterestId, RoomId, UserId};
use crate::messages::list;
use crate::on_db;
use crate::rooms::change::direct_key;
use crate::settings::DirectChat;
use crate::users::Person;
use crate::users::blocks::{self, Block};

/// How somebody stands to another.
#[derive(Clone, Debug, Default)]
pub struct Relation {
    /// They asked the other, who hasn't answered.
    pub asked: Option<InterestId>,
    /// The other asked them, and they haven't answered.
    pub was_asked: Option<InterestId>,
    pub is_accepted: bool,
    /// Their direct room.
    pub room: Option<RoomId>,
    pub block: Option<Block>,
    /// They were rejected, and can't ask again before this.
    pub again: Option<Timestamp>,
    /// The site, or their office, lets them open a direct room without asking.
    pub is_free: bool,
}

impl Relation {
    /// Whether they have a direct room with the other, or can open one.
    pub fn may_talk(&self) -> bool {
        self.room.is_some() || (self.block.is_none() && (self.is_free || self.is_accepted))
    }

    /// Whether there is anything to ask, and they can.
    pub fn may_ask(&self) -> bool {
        let is_open = self.asked.is_some() || self.was_asked.is_some() || self.is_accepted || self.room.is_some();
        !is_open && self.block.is_none() && self.again.is_none()
    }

    pub fn is_blocked(&self) -> bool {
        self.block == Some(Block::Mine)
    }
}

/// How `person` stands to each of `others`. Cost: 4 indexed queries, O(others + what `person` has sent).
pub async fn of(conn: &mut Conn, app: &App, person: &Person, others: &[UserId]) -> Result<HashMap<UserId, Relation>> {
    let is_free = app.settings().direct_chat == DirectChat::Anyone || person.is_staff();
    let mut all: HashMap<UserId, Relation> =
        others.iter().map(|other| (*other, Relation { is_free, ..Relation::default() })).collect();
    if others.is_empty() {
        return Ok(all);
    }
    for (id, sender, recipient, status) in open(conn, person.id, others).await? {
        let is_mine = sender == person.id;
        let Some(relation) = all.get_mut(if is_mine { &recipient } else { &sender }) else { continue };
        match (Status::try_from(status)?, is_mine) {
            (Status::Accepted, _) => relation.is_accepted = true,
            (_, true) => relation.asked = Some(id),
            (_, false) => relation.was_asked = Some(id),
        }
    }
    let now = app.clock.now();
    for (other, at) in change::rejected_at(conn, person.id, others).await? {
        let again = at.plus(PEACE);
        if let Some(relation) = all.get_mut(&other).filter(|_| now < again) {
            relation.again = Some(again);
        }
    }
    for (other, block) in blocks::among(conn, person.id, others).await? {
        all.entry(other).or_default().block = Some(block);
    }
    for (other, room) in rooms(conn, person.id, others).await? {
        all.entry(other).or_default().room = Some(room);
    }
    Ok(all)
}

/// What is pending or accepted between `person` and `others`: which, who asked whom, and how it stands.
async fn open(conn: &mut Conn, person: UserId, others: &[UserId]) -> Result<Vec<(InterestId, UserId, UserId, String)>> {
    let others = list(others);
    let sql = format!(
        "select id, sender_id, recipient_id, status from interests
         where sender_id = $1 and recipient_id in ({others}) and status in ('pending', 'accepted')
         union all select id, sender_id, recipient_id, status from interests
         where recipient_id = $1 and sender_id in ({others}) and status in ('pending', 'accepted')"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).persistent(false).bind(person).fetch_all(c).await)?)
}

/// The direct rooms that `person` has with `others`.
async fn rooms(conn: &mut Conn, person: UserId, others: &[UserId]) -> Result<Vec<(UserId, RoomId)>> {
    let by_key: HashMap<String, UserId> = others.iter().map(|other| (direct_key(person, *other), *other)).collect();
    // Two numbers and a colon, so there is nothing to escape.
    let keys: Vec<String> = by_key.keys().map(|key| format!("'{key}'")).collect();
    let sql = format!("select direct_key, id from rooms where direct_key in ({})", list(&keys));
    let found: Vec<(String, RoomId)> = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    Ok(found.into_iter().filter_map(|(key, room)| Some((*by_key.get(&key)?, room))).collect())
}
