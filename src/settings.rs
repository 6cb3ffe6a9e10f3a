//! The choices of the running site: the model `settings`, one row a key, read into [`Settings`] and kept for a
//! second at most by `jobs`. What a process needs before it can read a database is in `crate::config`.
//! Changed by the admin through [`set`].

pub mod admin;

use std::collections::HashMap;

use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result};
use crate::on_db;
use crate::text::line;
use crate::work::Work;

const LONGEST_NAME: usize = 80;
const MOST_DAYS: u32 = 1_000_000;

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
    /// Staff have their rights only with two-factor (`staff_two_factor`).
    pub staff_need_two_factor: bool,
    /// What files may be (`upload_types`): `*`, or types such as `image/*`.
    pub upload_types: Vec<String>,
    /// Messages older than so many days are deleted for good; `None`: they are kept for ever.
    pub retention_days: Option<u32>,
}

impl Settings {
    /// Whether files of this type may be posted. Cost: O(types).
    pub fn takes(&self, content_type: &str) -> bool {
        let kind = content_type.split_once('/').map_or("", |(kind, _)| kind);
        let fits = |name: &String| match name.strip_suffix("/*") {
            Some(any) => any == kind,
            None => name == "*" || name == content_type,
        };
        self.upload_types.iter().any(fits)
    }
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
        staff_need_two_factor: value("staff_two_factor") != "optional",
        // Nothing is deleted by a value that can't be read.
        retention_days: value("retention_days").parse().ok().filter(|days| *days > 0),
        upload_types: value("upload_types").split(',').map(|name| name.trim().to_owned()).collect(),
    })
}

/// Stores a choice; the site goes by it as soon as the work is committed, other nodes within a second. Errors:
/// [`Error::Invalid`] at `value` when the key doesn't take it, [`Error::NotFound`] for a key that isn't there.
/// Cost: 2 statements.
pub async fn set(work: &mut Work, key: &str, value: &str) -> Result<()> {
    let value = check(key, value)?;
    let now = work.now();
    let set = on_db!(work, c => sqlx::query("update settings set value = $2, updated_at = $3 where key = $1")
        .bind(key).bind(value).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    if set == 0 {
        return Err(NO_SETTING);
    }
    let settings = load(work).await?;
    work.then(move |app| app.hold_settings(settings));
    Ok(())
}

const NO_SETTING: Error = Error::NotFound(msgid!("There is no such setting."));

/// The value as it is to be stored. Errors: [`Error::Invalid`] at `value`, which says what is accepted.
/// Cost: O(length).
pub fn check(key: &str, value: &str) -> Result<String> {
    let value = value.trim();
    match key {
        "site_name" => site_name(value),
        "registration" => one_of(value, &["open", "invite", "closed"]),
        "room_creation" => one_of(value, &["anyone", "admins"]),
        "direct_chat" => one_of(value, &["anyone", "after_interest"]),
        "staff_two_factor" => one_of(value, &["optional", "required"]),
        "retention_days" => days(value),
        "upload_types" => types(value),
        _ => Err(NO_SETTING),
    }
}

fn site_name(value: &str) -> Result<String> {
    let mut errors = FieldErrors::default();
    let name = line(&mut errors, "value", value, LONGEST_NAME);
    if name.is_empty() {
        errors.add("value", tr!("A site needs a name: 1 to {longest} characters.", longest = LONGEST_NAME));
    }
    errors.or(name)
}

fn one_of(value: &str, choices: &[&str]) -> Result<String> {
    let accepted = || Error::field("value", tr!("Accepted: {choices}.", choices = choices.join(", ")));
    choices.contains(&value).then(|| value.to_owned()).ok_or_else(accepted)
}

fn days(value: &str) -> Result<String> {
    match value.parse::<u32>() {
        _ if value.is_empty() => Ok(String::new()),
        Ok(days) if (1..=MOST_DAYS).contains(&days) => Ok(days.to_string()),
        _ => {
            let why = tr!("Accepted: nothing (kept for ever), or days from 1 to {most}.", most = MOST_DAYS);
            Err(Error::field("value", why))
        }
    }
}

fn types(value: &str) -> Result<String> {
    if value == "*" {
        return Ok(value.to_owned());
    }
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let is_type =
        |name: &String| name.split_once('/').is_some_and(|(kind, sub)| part(kind) && (part(sub) || sub == "*"));
    let types: Vec<String> = value.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    match types.iter().find(|name| !is_type(name)) {
        None => Ok(types.join(", ")),
        Some(_) => {
            Err(Error::field("value", tr!("Accepted: *, or MIME types by commas, such as image/*, application/pdf.")))
        }
    }
}

/// Holds the site's lock until the transaction ends: rare acts that must be told apart on every node (the first
/// administrator, the last one) take it first. Cost: 1 row update.
pub async fn lock(conn: &mut Conn) -> Result<()> {
    on_db!(conn, c => sqlx::query("update settings set updated_at = updated_at where key = 'site_name'")
        .execute(c).await.map(|_| ()))?;
    Ok(())
}
