//! Who is told of a message: the members it names (`@name`), those who are here (`@here`), and whoever it answers. [`Named`]
//! is read from what the renderer marked; [`tell`] stores the notifications in the transaction of their message. Called by
//! `messages::post` and by the writer.

use std::collections::HashSet;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{MessageId, RoomId, UserId};
use crate::live::hub::Hub;
use crate::messages::markup;
use crate::notifications::{COLUMNS, Told};
use crate::on_db;
use crate::rooms::members;
use crate::text::fold;

/// People whom one message names.
const MOST_NAMED: usize = 50;
/// People whom `@here` tells.
const MOST_HERE: usize = 1000;
const HERE: &str = "here";

/// Whom a message names, as far as its text says.
#[derive(Default)]
pub struct Named {
    /// Folded, each once.
    names: Vec<String>,
    /// Who has a socket open, where it says `@here`.
    online: HashSet<UserId>,
}

impl Named {
    /// Whether a message with these names tells nobody.
    pub fn is_nobody(&self) -> bool {
        self.names.is_empty() && self.online.is_empty()
    }

    /// The names that rendered `html` marks, the first 50 of them. Cost: O(length), and for `@here` O(people online).
    pub fn of(html: &str, hub: &Hub) -> Self {
        let mut named = Self::default();
        for name in markup::names(html).map(fold) {
            if name == HERE {
                if named.online.is_empty() {
                    named.online = hub.online();
                }
            } else if named.names.len() < MOST_NAMED && !named.names.contains(&name) {
                named.names.push(name);
            }
        }
        named
    }
}

/// The message that people are told of.
pub struct Said {
    pub room: RoomId,
    pub id: MessageId,
    pub sender: UserId,
    pub reply_to: Option<MessageId>,
    pub in_direct: bool,
}

/// Stores a notification for each member who is named or answered, one for both; not for the sender, nor for who has muted
/// the room, blocks the sender or is disabled. Who isn't in the room isn't told, so that nothing of it leaks. The rows are
/// to be announced once they are committed. Cost: nothing where nobody is named or answered; else 1 statement, with
/// `@here` 1 more query, O(people told).
pub async fn tell(conn: &mut Conn, said: &Said, named: &Named, now: Timestamp) -> Result<Vec<Told>> {
    // In a chat of two, whoever is here sees the message anyway.
    let here = if named.online.is_empty() || said.in_direct { Vec::new() } else { here(conn, said, named).await? };
    if named.names.is_empty() && here.is_empty() && said.reply_to.is_none() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (6..6 + named.names.len()).map(|place| format!("${place}")).collect();
    let ids: Vec<String> = here.iter().map(UserId::to_string).collect();
    // Of two reasons the smaller word is told, which is the mention. An empty list is one that SQL can't have.
    let (names, ids) = (or_null(places), or_null(ids));
    let sql = format!(
        "insert into notifications (user_id, kind, message_id, room_id, actor_id, created_at)
         select m.user_id, min(t.kind), $2, $1, $3, $4
         from (select id, 'mention' as kind from users where username_folded in ({names})
               union all select id, 'mention' from users where id in ({ids})
               union all select sender_id, 'reply' from messages where id = $5) t
         join memberships m on m.room_id = $1 and m.user_id = t.id
         join users u on u.id = m.user_id
         where m.user_id <> $3 and not m.muted and u.is_active
           and not exists (select 1 from blocks b where b.user_id = m.user_id and b.blocked_id = $3)
         group by m.user_id order by m.user_id returning user_id, {COLUMNS}"
    );
    Ok(on_db!(conn, c => {
        let mut query = sqlx::query_as(&sql).persistent(false)
            .bind(said.room).bind(said.id).bind(said.sender).bind(now).bind(said.reply_to);
        for name in &named.names {
            query = query.bind(name);
        }
        query.fetch_all(c).await
    })?)
}

fn or_null(list: Vec<String>) -> String {
    if list.is_empty() { "null".to_owned() } else { list.join(", ") }
}

/// The room's members with a socket open, without the sender; the first 1000 by id.
async fn here(conn: &mut Conn, said: &Said, named: &Named) -> Result<Vec<UserId>> {
    let mut here = members::among(conn, said.room, &named.online).await?;
    here.retain(|user| *user != said.sender);
    here.truncate(MOST_HERE);
    Ok(here)
}
