//! What Campfire's tables hold, as far as it is taken in. Called by `transfer::campfire`. Rails keeps times as texts in UTC.

use std::path::Path;

use sqlx::FromRow;
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::on_db;
use crate::transfer::bundle::mark_of;

/// Rows read at once.
const PAGE: i64 = 500;
/// Without these it is another program's.
const TABLES: [&str; 8] = [
    "users",
    "rooms",
    "memberships",
    "messages",
    "boosts",
    "action_text_rich_texts",
    "active_storage_attachments",
    "active_storage_blobs",
];

/// Errors: [`Error::Startup`] for a database that isn't Campfire's. Cost: 8 queries.
pub async fn require(conn: &mut Conn, file: &Path) -> Result<()> {
    for table in TABLES {
        if columns(conn, table).await?.is_empty() {
            return Err(Error::startup(format!(
                "{} isn't Campfire's database: it has no table {table}.",
                file.display()
            )));
        }
    }
    Ok(())
}

async fn columns(conn: &mut Conn, table: &str) -> Result<Vec<String>> {
    let sql = format!("select name from pragma_table_info('{table}')");
    Ok(on_db!(conn, c => sqlx::query_scalar(&sql).fetch_all(c).await)?)
}

/// What tells this site from others: when its first account was made, to the microsecond, and by what address.
pub async fn site(conn: &mut Conn) -> Result<String> {
    let first: Option<(String, Option<String>)> = on_db!(conn, c => sqlx::query_as(
        "select cast(created_at as text), name from users order by id limit 1").fetch_optional(c).await)?;
    Ok(mark_of(format!("{first:?}").as_bytes()))
}

/// Messages and boosts.
pub async fn count(conn: &mut Conn) -> Result<u64> {
    let count: i64 = on_db!(conn, c => sqlx::query_scalar(
        "select (select count(*) from messages) + (select count(*) from boosts)").fetch_one(c).await)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

#[derive(FromRow)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub email: Option<String>,
    pub bio: Option<String>,
    pub is_active: bool,
    pub is_bot: bool,
    pub created_at: String,
}

/// Everybody: there are some hundred of them.
pub async fn users(conn: &mut Conn) -> Result<Vec<User>> {
    let known = columns(conn, "users").await?;
    let has = |name: &str| known.iter().any(|column| column == name);
    // Earlier versions say whether somebody is active, later ones what else they are.
    let is_active = match (has("status"), has("active")) {
        (true, _) => "cast(status as text) in ('0', 'active')",
        (_, true) => "active = 1",
        _ => "1 = 1",
    };
    let bio = if has("bio") { "bio" } else { "null" };
    let sql = format!(
        "select id, name, email_address as email, {bio} as bio, coalesce({is_active}, 0) as is_active,
             cast(role as text) in ('2', 'bot') as is_bot, cast(created_at as text) as created_at from users order by id"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).fetch_all(c).await)?)
}

#[derive(FromRow)]
pub struct Room {
    pub id: i64,
    pub name: Option<String>,
    /// The class of Rails' that it is of.
    pub kind: String,
    pub creator_id: Option<i64>,
    pub created_at: String,
}

pub async fn rooms(conn: &mut Conn) -> Result<Vec<Room>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, name, type as kind, creator_id, cast(created_at as text) as created_at from rooms order by id")
        .fetch_all(c).await)?)
}

#[derive(FromRow)]
pub struct Membership {
    pub user_id: i64,
    pub involvement: Option<String>,
}

pub async fn memberships(conn: &mut Conn, room: i64) -> Result<Vec<Membership>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select user_id, cast(involvement as text) as involvement from memberships where room_id = $1
             and user_id in (select id from users) order by user_id")
        .bind(room).fetch_all(c).await)?)
}

#[derive(FromRow)]
pub struct Said {
    pub id: i64,
    pub room_id: i64,
    pub creator_id: Option<i64>,
    pub created_at: String,
    /// HTML as the editor wrote it.
    pub body: Option<String>,
    pub body_made_at: Option<String>,
    pub body_changed_at: Option<String>,
    /// What the file is called in its folder, and what it was called.
    pub key: Option<String>,
    pub filename: Option<String>,
}

/// Messages behind `after`, each with the file that it may have.
pub async fn messages(conn: &mut Conn, after: i64) -> Result<Vec<Said>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select m.id, m.room_id, m.creator_id, cast(m.created_at as text) as created_at, t.body,
             cast(t.created_at as text) as body_made_at, cast(t.updated_at as text) as body_changed_at, b.key, b.filename
         from messages m
         left join action_text_rich_texts t on t.record_type = 'Message' and t.record_id = m.id and t.name = 'body'
         left join active_storage_attachments a on a.record_type = 'Message' and a.record_id = m.id and a.name = 'attachment'
         left join active_storage_blobs b on b.id = a.blob_id
         where m.id > $1 group by m.id order by m.id limit $2")
        .bind(after).bind(PAGE).fetch_all(c).await)?)
}

#[derive(FromRow)]
pub struct Boost {
    pub id: i64,
    pub message_id: i64,
    pub booster_id: i64,
    pub content: String,
    pub created_at: String,
}

pub async fn boosts(conn: &mut Conn, after: i64) -> Result<Vec<Boost>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, message_id, booster_id, content, cast(created_at as text) as created_at from boosts
         where id > $1 order by id limit $2")
        .bind(after).bind(PAGE).fetch_all(c).await)?)
}

/// `2024-01-31 10:30:00.123456`, with fewer digits or none behind the seconds.
pub fn time_of(text: &str) -> Option<Timestamp> {
    let (whole, digits) = text.trim_end_matches(" UTC").trim_end_matches('Z').split_once('.').unwrap_or((text, "0"));
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let whole = PrimitiveDateTime::parse(whole.trim_end_matches(" UTC"), format).ok()?.assume_utc();
    let micros: String = digits.chars().chain("000000".chars()).take(6).collect();
    Some(Timestamp(Timestamp::of(whole).0 + micros.parse::<i64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::time_of;
    use crate::clock::Timestamp;

    #[test]
    fn times_are_read_as_rails_writes_them() {
        for (text, micros) in [
            ("2001-09-09 01:46:40", 1_000_000_000_000_000),
            ("2001-09-09 01:46:40.5", 1_000_000_000_500_000),
            ("2001-09-09 01:46:40.123456", 1_000_000_000_123_456),
            ("2001-09-09 01:46:40 UTC", 1_000_000_000_000_000),
        ] {
            assert_eq!(time_of(text), Some(Timestamp(micros)), "{text}");
        }
        assert_eq!(time_of("yesterday"), None);
    }
}
