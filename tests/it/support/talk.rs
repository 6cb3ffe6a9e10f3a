//! Rooms and what is said in them, for tests of the API that aren't about making rooms.

use serde_json::{Value, json};

use super::app::{Engine, Site};
use super::program::Program;

/// A room of this kind with these people, the first of them its owner.
pub async fn room(site: &Site, kind: &str, members: &[i64]) -> i64 {
    let id = 1 + site.number("select coalesce(max(id), 0) from rooms").await;
    site.sql(&format!(
        "insert into rooms (id, kind, name, name_folded, created_by, member_count, last_message_at, created_at, updated_at)
         values ({id}, '{kind}', 'Room {id}', 'room {id}', {}, {}, 1, 1, 1)",
        members[0],
        members.len()
    ))
    .await;
    for (place, member) in members.iter().enumerate() {
        let role = if place == 0 { "owner" } else { "member" };
        site.sql(&format!(
            "insert into memberships (room_id, user_id, role, joined_at) values ({id}, {member}, '{role}', 1)"
        ))
        .await;
    }
    id
}

/// Says something; the message.
pub async fn said(who: &Program, room: i64, content: &str) -> Value {
    who.post(&format!("/chat/rooms/{room}/messages"), json!({"content": content})).await.is(201).json()
}

/// The numbers of a page's messages.
pub fn seqs(page: &Value) -> Vec<i64> {
    page["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_i64().unwrap()).collect()
}

/// From now on the database refuses the message "spoil".
pub async fn spoil(site: &Site, engine: Engine) {
    site.sql(match engine {
        Engine::Sqlite => {
            "create trigger spoil before insert on messages when new.content = 'spoil'
             begin select raise(abort, 'spoilt'); end"
        }
        Engine::Postgres => "alter table messages add constraint spoil check (content <> 'spoil')",
    })
    .await;
}
