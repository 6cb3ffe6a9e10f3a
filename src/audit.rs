//! History: the model `audit_entries`. What staff do in the backoffice is one entry each, written in the transaction of
//! what it tells of: both stand or neither does. Entries outlive what they tell of.

pub mod admin;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result, is_taken};
use crate::ids::UserId;
use crate::on_db;
use crate::work::Work;

/// One field before and after. A secret's values are never in here: `"changed"` stands in their place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub before: Json,
    pub after: Json,
}

pub type Changes = BTreeMap<String, Change>;

/// What is to be remembered of an act.
pub struct Entry<'a> {
    /// `create`, `change`, `delete`, `revert`, `import`, or an action's name.
    pub action: &'a str,
    /// The model's slug.
    pub model: &'a str,
    pub object_id: String,
    /// What the object was called then.
    pub object_label: &'a str,
    pub changes: &'a Changes,
    /// The token of the form that asked for it, so that sending it twice is told apart.
    pub form_token: Option<&'a str>,
}

/// Writes an entry in the name of whoever does the work. Errors: [`Error::Conflict`] when the form's token was used
/// before. Cost: 1 statement.
pub async fn record(work: &mut Work, entry: &Entry<'_>) -> Result<i64> {
    let actor = work.by.as_ref().map(|by| by.id);
    let (now, ip) = (work.now(), work.ip.clone());
    let changes = serde_json::to_string(entry.changes).map_err(Error::internal)?;
    on_db!(work, c => sqlx::query_scalar(
        "insert into audit_entries (actor_id, action, model, object_id, object_label, changes, ip, form_token, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id")
        .bind(actor).bind(entry.action).bind(entry.model).bind(&entry.object_id).bind(entry.object_label)
        .bind(changes).bind(ip).bind(entry.form_token).bind(now).fetch_one(c).await)
    .map_err(|e| if is_taken(&e) { Error::Conflict(msgid!("This form was sent before; it was done once.")) } else { e.into() })
}

/// An entry as history shows it.
#[derive(Clone, Debug, FromRow)]
pub struct Told {
    pub id: i64,
    pub actor_id: Option<UserId>,
    /// The actor's name; `None` for the command line and for accounts that are gone.
    pub actor: Option<String>,
    pub action: String,
    pub model: String,
    pub object_id: String,
    pub object_label: String,
    pub changes: String,
    pub ip: String,
    pub created_at: Timestamp,
}

const COLUMNS: &str = "a.id, a.actor_id, u.username as actor, a.action, a.model, a.object_id, a.object_label, a.changes, \
     a.ip, a.created_at";

impl Told {
    /// The fields that differ. An entry that can't be read has none.
    pub fn changes(&self) -> Changes {
        serde_json::from_str(&self.changes).unwrap_or_default()
    }
}

/// What was done to one object, newest first, before the entry `before`; at most `limit`. Cost: 1 indexed query.
pub async fn of_object(conn: &mut Conn, model: &str, object_id: &str, before: i64, limit: i64) -> Result<Vec<Told>> {
    let sql = format!(
        "select {COLUMNS} from audit_entries a left join users u on u.id = a.actor_id
         where a.model = $1 and a.object_id = $2 and a.id < $3 order by a.id desc limit $4"
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(model).bind(object_id).bind(before).bind(limit).fetch_all(c).await)?)
}

/// The newest entries of the models in `models`; at most `limit`. Cost: 1 indexed query.
pub async fn recent(conn: &mut Conn, models: &[&str], limit: i64) -> Result<Vec<Told>> {
    // Slugs are ours: letters and hyphens.
    let models: Vec<String> = models.iter().map(|model| format!("'{model}'")).collect();
    let sql = format!(
        "select {COLUMNS} from audit_entries a left join users u on u.id = a.actor_id
         where a.model in ({}) order by a.id desc limit $1",
        models.join(", ")
    );
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(limit).fetch_all(c).await)?)
}

/// One entry. Cost: 1 indexed query.
pub async fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Told>> {
    let sql = format!("select {COLUMNS} from audit_entries a left join users u on u.id = a.actor_id where a.id = $1");
    Ok(on_db!(conn, c => sqlx::query_as(&sql).bind(id).fetch_optional(c).await)?)
}

/// The object that this person's form with this token made, if it was sent before. Cost: 1 indexed query.
pub async fn made_by(conn: &mut Conn, actor: UserId, model: &str, form_token: &str) -> Result<Option<String>> {
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "select object_id from audit_entries where form_token = $1 and model = $2 and actor_id = $3")
        .bind(form_token).bind(model).bind(actor).fetch_optional(c).await)?)
}
