//! The choices of the running site: the model `settings`, one row a key, read into [`Settings`] and kept for a
//! second at most by `jobs`. What a process needs before it can read a database is in `crate::config`.

use std::collections::HashMap;

use crate::db::Conn;
use crate::error::Result;
use crate::on_db;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    Open,
    Invite,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomCreation {
    Anyone,
    Admins,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectChat {
    Anyone,
    AfterInterest,
}

/// The choices that the program acts on.
#[derive(Clone, Debug)]
pub struct Settings {
    pub site_name: String,
    pub registration: Registration,
    pub room_creation: RoomCreation,
    pub direct_chat: DirectChat,
}

/// The choices as they stand. Cost: 1 query of a handful of rows.
pub async fn load(conn: &mut Conn) -> Result<Settings> {
    let rows: Vec<(String, String)> = on_db!(conn, c => sqlx::query_as("select key, value from settings")
        .fetch_all(c).await)?;
    let rows: HashMap<String, String> = rows.into_iter().collect();
    let value = |key: &str| rows.get(key).map_or("", String::as_str);
    Ok(Settings {
        site_name: Some(value("site_name")).filter(|name| !name.is_empty()).unwrap_or("Switchboard").to_owned(),
        // A value that isn't known is taken for the strictest.
        registration: match value("registration") {
            "open" => Registration::Open,
            "invite" => Registration::Invite,
            _ => Registration::Closed,
        },
        room_creation: match value("room_creation") {
            "anyone" => RoomCreation::Anyone,
            _ => RoomCreation::Admins,
        },
        direct_chat: match value("direct_chat") {
            "anyone" => DirectChat::Anyone,
            _ => DirectChat::AfterInterest,
        },
    })
}

/// Holds the site's lock until the transaction ends: rare acts that must be told apart on every node (the first
/// administrator, the last one) take it first. Cost: 1 row update.
pub async fn lock(conn: &mut Conn) -> Result<()> {
    on_db!(conn, c => sqlx::query("update settings set updated_at = updated_at where key = 'site_name'")
        .execute(c).await.map(|_| ()))?;
    Ok(())
}
