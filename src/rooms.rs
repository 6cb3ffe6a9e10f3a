//! Rooms: the model `rooms`, the acts on them, and who may see one. Membership (`rooms/members.rs`) is the access
//! rule: a public room is read by everyone signed in and written by its members, others are seen by members only.
//! The lists of rooms are in `rooms/list.rs`, what changes a room in `rooms/change.rs`.

pub mod admin;
pub mod change;
pub mod list;
pub mod members;
mod seen;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use seen::select;
pub use seen::{Rooms, open, see, see_with_others};

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::values::{NOWHERE, over, room_for};
use crate::db::{Conn, rows};
use crate::error::{Error, FieldErrors, Result};
use crate::i18n::{self, Language};
use crate::ids::{RoomId, UserId};
use crate::live::event::Event;
use crate::settings::DirectChat;
use crate::text::line;
use crate::users::Person;
use crate::users::blocks;
use crate::users::directory::{self, Look};
use crate::work::Work;
use crate::{interests, users};

/// People that can be put into a room when it is made.
const MOST_MEMBERS_AT_ONCE: usize = 100;
pub(crate) const NOT_JOINED: Error = Error::Forbidden(msgid!("Join the room to write in it."));
pub(crate) const NO_ROOM: Error = Error::NotFound(msgid!("There is no such room, or it is private to others."));

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RoomKind)]
pub enum Kind {
    Public,
    Group,
    Direct,
}

impl Kind {
    pub const CHOICES: &[(&str, &str)] =
        &[("public", msgid!("Public")), ("group", msgid!("Group")), ("direct", msgid!("Direct"))];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Group => "group",
            Self::Direct => "direct",
        }
    }
}

impl TryFrom<String> for Kind {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        match text.as_str() {
            "public" => Ok(Self::Public),
            "group" => Ok(Self::Group),
            "direct" => Ok(Self::Direct),
            _ => Err(Error::field("kind", tr!("A room is public, group or direct."))),
        }
    }
}

/// A room as one person sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Room {
    pub id: RoomId,
    pub kind: Kind,
    pub name: String,
    pub description: String,
    pub created_by: Option<UserId>,
    pub member_count: i64,
    pub last_seq: i64,
    pub last_rev: i64,
    pub last_message_at: Timestamp,
    pub created_at: Timestamp,
    /// `owner` or `member`; `None` for somebody who only looks in.
    pub role: Option<String>,
    pub last_read_seq: Option<i64>,
    #[serde(deserialize_with = "rows::maybe_truth")]
    pub muted: Option<bool>,
    #[serde(deserialize_with = "rows::maybe_truth")]
    pub notify_all: Option<bool>,
    /// In a direct room, the other one's name.
    pub peer: Option<String>,
}

impl Room {
    /// What its viewer calls it.
    pub fn title(&self) -> Cow<'_, str> {
        match self.kind {
            Kind::Direct => self.peer.as_deref().map_or_else(|| tr!("Deleted account"), Cow::from),
            Kind::Public | Kind::Group if self.name.is_empty() => tr!("Unnamed group"),
            Kind::Public | Kind::Group => Cow::from(&self.name),
        }
    }

    /// The same for what many read: in English.
    fn common_title(&self) -> String {
        i18n::said_in(Language::English, || self.title().into_owned())
    }

    pub fn is_member(&self) -> bool {
        self.role.is_some()
    }

    /// Whether its viewer may see it: this is the access rule, for staff too.
    fn is_open(&self) -> bool {
        self.is_public() || self.is_member()
    }

    pub fn is_direct(&self) -> bool {
        self.kind == Kind::Direct
    }

    pub fn is_public(&self) -> bool {
        self.kind == Kind::Public
    }

    pub fn unread(&self) -> i64 {
        self.last_read_seq.map_or(0, |read| (self.last_seq - read).max(0))
    }

    /// Renames, adds and removes people: its owner, and staff where they can see it.
    pub fn may_change(&self, person: &Person) -> bool {
        !self.is_direct() && (self.role.as_deref() == Some("owner") || person.is_staff())
    }

    pub fn may_delete(&self, person: &Person) -> bool {
        !self.is_direct() && (self.role.as_deref() == Some("owner") || person.is_admin())
    }

    /// To whoever may not change or delete it; `why` is for rooms that others may.
    fn refusal(&self, why: &'static str) -> Error {
        let direct = msgid!("A direct chat stays as it is: it belongs to both.");
        Error::Forbidden(if self.is_direct() { direct } else { why })
    }
}

/// What the form of a new room holds. Without `kind`, one other member and no name make a direct room, other members
/// a group, none a public room.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct RoomForm {
    pub kind: String,
    pub name: String,
    pub description: String,
    pub member_ids: Vec<UserId>,
}

/// A room that may be made: every field checked but whether its name is free.
pub struct NewRoom {
    kind: Kind,
    name: String,
    description: String,
    members: Vec<UserId>,
}

impl NewRoom {
    /// Errors: [`Error::Invalid`] with a message for each bad field.
    pub fn parse(person: &Person, form: &RoomForm) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let (name, description) = names(&mut errors, &form.name, &form.description);
        let mut members = form.member_ids.clone();
        members.retain(|id| *id != person.id);
        members.sort();
        members.dedup();
        if members.len() > MOST_MEMBERS_AT_ONCE {
            let most = MOST_MEMBERS_AT_ONCE;
            errors.add("member_ids", tr!("At most {most} people at once; add others later.", most = most));
        }
        let kind = match (form.kind.trim(), members.len()) {
            ("", 1) if name.is_empty() => Kind::Direct,
            ("", 0) => Kind::Public,
            ("", _) => Kind::Group,
            (kind, _) => Kind::try_from(kind.to_owned()).unwrap_or_else(|_| {
                errors.add("kind", tr!("A room is public, group or direct."));
                Kind::Public
            }),
        };
        if kind == Kind::Direct && members.len() != 1 {
            errors.add("member_ids", tr!("A direct room is with exactly one other person."));
        }
        if kind == Kind::Public && name.is_empty() {
            errors.add("name", tr!("A public room needs a name."));
        }
        errors.or(Self { kind, name, description, members })
    }
}

fn names(errors: &mut FieldErrors, name: &str, description: &str) -> (String, String) {
    (line(errors, "name", name, 80), line(errors, "description", description, 500))
}

/// Makes a room with `person` as its owner, or finds the direct room that the pair has; says whether it is new.
/// The others are told by `room_added` and a notification. Errors: [`Error::Forbidden`] by the site's settings and
/// for a direct room when one of the two has blocked the other, [`Error::Invalid`] for a name that is taken, for people
/// who aren't there and for those who have blocked `person`. Cost: 1 write transaction, O(members).
pub async fn create(app: &App, person: &Person, new: NewRoom) -> Result<(RoomId, bool)> {
    let mut work = Work::begin(app, Some(person)).await?;
    let made = match (new.kind, new.members.as_slice()) {
        (Kind::Direct, &[other]) => {
            if let Some(id) = change::find_direct(&mut work, person.id, other).await? {
                return Ok((id, false));
            }
            if let Some(block) = blocks::between(&mut work, person.id, other).await? {
                return Err(block.refusal());
            }
            accepted(&mut work, person, other).await?;
            let made = change::make_direct(&mut work, person.id, other).await?;
            if let (room, true) = made {
                members::change::notify(&mut work, room, other).await?;
            }
            made
        }
        (kind, members) => {
            // A group of two is a direct chat by another name.
            if let (Kind::Group, &[other]) = (kind, members) {
                accepted(&mut work, person, other).await?;
            }
            blocks::may_add(&mut work, person.id, &new.members, "member_ids").await?;
            (change::make(&mut work, person, &new).await?, true)
        }
    };
    work.commit().await?;
    Ok(made)
}

/// Errors: [`Error::Forbidden`] where the site wants an accepted interest before two talk by themselves, and they have none.
async fn accepted(work: &mut Work, person: &Person, other: UserId) -> Result<()> {
    if work.app.settings().direct_chat != DirectChat::AfterInterest || person.is_staff() {
        return Ok(());
    }
    match interests::change::open_between(work, person.id, other).await? {
        Some((_, interests::Status::Accepted)) => Ok(()),
        _ => Err(Error::Forbidden(msgid!("On this site a direct chat starts with an accepted interest."))),
    }
}

/// Changes name and description; what is `None` stays. Errors: [`Error::NotFound`], [`Error::Forbidden`] for others than
/// its owner and staff, [`Error::Invalid`] by field. Cost: 1 write transaction.
pub async fn rename(
    app: &App,
    person: &Person,
    id: RoomId,
    name: Option<&str>,
    description: Option<&str>,
) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    let room = change::hold_open(&mut work, id).await?;
    if !room.may_change(person) {
        return Err(room.refusal(msgid!("Only the owner and staff can change this room.")));
    }
    let (name, description) = (name.unwrap_or(&room.name), description.unwrap_or(&room.description));
    change::set_names(&mut work, &room, name, description).await?;
    work.commit().await
}

/// Deletes a room with all that is in it; everyone connected is told, and its feed ends. Errors: [`Error::NotFound`],
/// [`Error::Forbidden`] for others than its owner and administrators. Cost: 1 write transaction, O(messages).
pub async fn delete(app: &App, person: &Person, id: RoomId) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    let room = change::hold_open(&mut work, id).await?;
    if !room.may_delete(person) {
        return Err(room.refusal(msgid!("Only the owner and administrators can delete this room.")));
    }
    change::delete(&mut work, &room).await?;
    work.commit().await
}

/// How far those of `rooms` have come that are there: the last revision, and the number of the last message.
/// Cost: 1 indexed query a 256 rooms.
pub(crate) async fn progress(conn: &mut Conn, rooms: &[RoomId]) -> Result<Vec<(RoomId, i64, i64)>> {
    let mut found = Vec::with_capacity(rooms.len());
    for rooms in rooms.chunks(256) {
        let ids = rooms.iter().map(|room| [room.0.into()]).collect();
        let before = "select id, last_rev, last_seq from rooms where id in (values";
        let asked = over(before, ids, [NOWHERE.into()], room_for(rooms.len()), ")");
        found.extend(conn.run_one(asked).await?.read::<(RoomId, i64, i64)>()?);
    }
    Ok(found)
}

/// Tells `member`, on any socket, that they are in `room` now. What was done stands even if this fails.
pub(crate) async fn tell_added(app: &App, room: RoomId, member: UserId) {
    if !app.hub.is_online(member) {
        return;
    }
    let entry = async { list::entry(&mut app.db.read().await?, member, room).await };
    match entry.await {
        Ok(entry) => app.hub.tell(member, &Event::RoomAdded { room_id: room, room: &entry }.frame()),
        Err(error) => tracing::warn!(%error, %room, "a new member can't be told"),
    }
}

/// The people to choose from when a room is made: those `chosen` already, then those whose name begins with `q`.
/// Cost: 2 indexed queries, O(people found).
pub async fn candidates(conn: &mut Conn, person: &Person, q: &str, chosen: &[UserId]) -> Result<Vec<users::User>> {
    let mut people = users::active(conn, &chosen[..chosen.len().min(MOST_MEMBERS_AT_ONCE)]).await?;
    let mut found = directory::page(conn, Look { q, ..Look::default() }, 51).await?;
    found.retain(|user| !chosen.contains(&user.id));
    people.append(&mut found);
    people.retain(|user| user.id != person.id);
    Ok(people)
}
