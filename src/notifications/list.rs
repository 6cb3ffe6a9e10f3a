//! What somebody was told of, in words: who did what, where it leads, and how the message begins, as far as they may still
//! see it. Called by the page of notifications.

use std::borrow::Cow;

use sqlx::FromRow;

use super::{Kind, Notification};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{NotificationId, RoomId, UserId};
use crate::messages::excerpt;
use crate::on_db;

/// Characters of a message that are shown.
const LONGEST: usize = 120;

/// One thing that somebody was told of, with what it takes to say it.
#[derive(Clone, Debug, FromRow)]
pub struct Item {
    #[sqlx(flatten)]
    pub told: Notification,
    pub actor: Option<String>,
    /// What they call the room, empty for one without a name; `None` when there is none any more that they may see.
    room: Option<String>,
    pub is_direct: bool,
    /// The message's number, where they may see it.
    seq: Option<i64>,
    html: Option<String>,
    /// The room of the message.
    message_room_id: Option<RoomId>,
    /// Of the interests between the two, before they were told: when the other last asked and what became of it, and
    /// when the other last said no.
    asked_at: Option<Timestamp>,
    settled_at: Option<Timestamp>,
    rejected_at: Option<Timestamp>,
}

/// The room is joined to its viewer's membership: what they can't see any more is left out.
const SELECT: &str = "select n.id, n.kind, n.room_id, n.message_id, n.actor_id, n.created_at, n.read_at, \
     a.username as actor, case when r.kind = 'public' or v.id is not null then case \
        when r.kind = 'direct' then coalesce((select u.username from memberships o join users u on u.id = o.user_id \
            where o.room_id = r.id and o.user_id <> $1 limit 1), '') \
        else r.name end end as room, \
     coalesce(r.kind = 'direct', false) as is_direct, \
     case when r.kind = 'public' or v.id is not null then m.seq end as seq, \
     case when r.kind = 'public' or v.id is not null then m.html end as html, m.room_id as message_room_id, \
     case when n.kind = 'interest' then (select max(i.created_at) from interests i where i.sender_id = n.actor_id \
        and i.recipient_id = $1 and i.created_at <= n.created_at) end as asked_at, \
     case when n.kind = 'interest' then (select i.decided_at from interests i where i.sender_id = n.actor_id \
        and i.recipient_id = $1 and i.created_at <= n.created_at \
        order by i.created_at desc, i.id desc limit 1) end as settled_at, \
     case when n.kind = 'interest' then (select max(i.decided_at) from interests i where i.sender_id = $1 \
        and i.recipient_id = n.actor_id and i.status = 'rejected' and i.decided_at <= n.created_at) end as rejected_at \
     from notifications n left join users a on a.id = n.actor_id left join messages m on m.id = n.message_id \
     left join rooms r on r.id = coalesce(m.room_id, n.room_id) \
     left join memberships v on v.room_id = r.id and v.user_id = $1";

/// What `user` was told of before `before`, newest first; at most `limit`. Cost: 1 query of indexed look-ups,
/// O(limit × interests of the pair's).
pub async fn of(conn: &mut Conn, user: UserId, before: Option<NotificationId>, limit: i64) -> Result<Vec<Item>> {
    let sql = format!("{SELECT} where n.user_id = $1 and n.id < $2 order by n.id desc limit $3");
    let before = before.unwrap_or(NotificationId(i64::MAX));
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(user).bind(before).bind(limit).fetch_all(c).await)?)
}

impl Item {
    pub fn is_read(&self) -> bool {
        self.told.read_at.is_some()
    }

    /// What happened, in one sentence. Cost: O(length of the names).
    pub fn words(&self) -> String {
        let who = self.actor.as_deref().map_or_else(|| tr!("Somebody whose account is gone"), Cow::from);
        match self.told.kind {
            Kind::Mention => self.mention(&who),
            Kind::Reply => self.reply(&who),
            Kind::Added => self.addition(&who),
            Kind::Interest => self.interest(&who),
        }
    }

    fn mention(&self, who: &str) -> String {
        match self.room.as_deref() {
            _ if self.is_direct => tr!("{who} mentioned you", who = who),
            Some("") => tr!("{who} mentioned you in an unnamed group", who = who),
            Some(room) => tr!("{who} mentioned you in {room}", who = who, room = room),
            None => tr!("{who} mentioned you in a room that you can't see any more", who = who),
        }
    }

    fn reply(&self, who: &str) -> String {
        match self.room.as_deref() {
            _ if self.is_direct => tr!("{who} answered you", who = who),
            Some("") => tr!("{who} answered you in an unnamed group", who = who),
            Some(room) => tr!("{who} answered you in {room}", who = who, room = room),
            None => tr!("{who} answered you in a room that you can't see any more", who = who),
        }
    }

    fn addition(&self, who: &str) -> String {
        match self.room.as_deref() {
            _ if self.is_direct => tr!("{who} started a direct chat with you", who = who),
            Some("") => tr!("{who} added you to an unnamed group", who = who),
            Some(room) => tr!("{who} added you to {room}", who = who, room = room),
            None => tr!("{who} added you to a room that you can't see any more", who = who),
        }
    }

    fn interest(&self, who: &str) -> String {
        if self.told.room_id.is_some() {
            return tr!("{who} and you can talk to each other now", who = who);
        }
        match (self.asked_at, self.rejected_at) {
            (asked, Some(rejected)) if asked.is_none_or(|asked| asked < rejected) => {
                tr!("{who} doesn't want to talk now", who = who)
            }
            (Some(_), _) => match self.settled_at {
                None => tr!("{who} asks to talk to you", who = who),
                Some(settled) if settled <= self.told.created_at => {
                    tr!("The site's staff answered {who}, who asked to talk to you", who = who)
                }
                Some(_) => tr!("{who} asked to talk to you", who = who),
            },
            (None, _) => tr!("{who} asked to talk, and nothing came of it", who = who),
        }
    }

    /// Where it leads, on this site. Cost: O(1).
    pub fn link(&self) -> Option<String> {
        match (self.told.kind, &self.room, self.message_room_id.or(self.told.room_id)) {
            (_, Some(_), Some(room)) => Some(match self.seq {
                Some(seq) => format!("/chat/rooms/{room}?at={seq}#m{seq}"),
                None => format!("/chat/rooms/{room}"),
            }),
            (Kind::Interest, ..) => Some("/people".into()),
            _ => None,
        }
    }

    /// How the message begins, as plain text on one line; empty for one that is deleted or can't be seen any more.
    /// Cost: O(length).
    pub fn beginning(&self) -> String {
        excerpt::of_html(self.html.as_deref().unwrap_or_default(), LONGEST)
    }
}
