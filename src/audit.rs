//! History: the model `audit_entries`. What staff do in the backoffice is one entry each, written in the transaction of
//! what it tells of: both stand or neither does. Entries outlive what they tell of.

pub mod admin;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::error::{Error, Result, is_taken};
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
    .map_err(|e| if is_taken(&e) { Error::Conflict("This form was sent before; it was done once.") } else { e.into() })
}
