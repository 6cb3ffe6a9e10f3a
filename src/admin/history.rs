//! History and undo: an entry's fields as they were and as they are, and *revert*, which brings the earlier values back
//! by the same rules as any form.

use std::sync::Arc;

use serde_json::Value as Json;

use super::change::{self, Saved};
use super::input::Input;
use super::resource::{Act, Column, Kind, Resource};
use super::value::{Key, Row, Value};
use super::wording::{CHANGED, NOT_KEPT};
use super::{find, form, permission, record};
use crate::audit::{self, Change, Changes, Told};
use crate::error::{Error, Result};
use crate::i18n::gettext;
use crate::users::Person;
use crate::work::Work;

const GONE: Error = Error::Conflict(msgid!("It isn't there any more, so there is nothing to bring back into it."));
const FINAL: Error = Error::Conflict(msgid!("This can't be reverted."));

/// What a revert would be: of a creation the deletion, of a deletion the return, of anything else the earlier values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Revert {
    Delete,
    Restore,
    Values,
}

/// How `entry` can be reverted by `person`; `None` when it can't. Cost: no query.
pub fn revert_of(entry: &Told, person: &Person) -> Option<Revert> {
    let resource = find(&entry.model)?;
    let changes = entry.changes();
    let (was_there, is_there) = existence(resource, &entry.action, &changes);
    if !was_there {
        return permission::may(resource, person, Act::Delete).then_some(Revert::Delete);
    }
    if !is_there {
        let right = resource.admin.delete && permission::rights(resource, person.role).delete;
        return (right && resource.restore.is_some()).then_some(Revert::Restore);
    }
    let typed = |name: &String| resource.column(name).is_some_and(|column| form::takes(person, column, false));
    let possible = permission::may(resource, person, Act::Change) && changes.keys().any(typed);
    possible.then_some(Revert::Values)
}

/// Whether the row was there before an entry, and after it. What can't be empty was empty where there was no row: a
/// revert and an import make and delete rows too.
fn existence(resource: &Resource, action: &str, changes: &Changes) -> (bool, bool) {
    let marked = changes.get(MARK_OF_DELETION).filter(|_| resource.column(MARK_OF_DELETION).is_some());
    let always = |name: &String| resource.column(name).is_some_and(|column| !column.nullable);
    let mut stored = changes.iter().filter(|(name, _)| always(name)).map(|(_, change)| change);
    let missing_before = stored.clone().any(|change| change.before.is_null());
    let missing_after = stored.any(|change| change.after.is_null());
    let came_back = marked.is_some_and(|change| change.after.is_null() && !missing_after);
    let was_marked = marked.is_some_and(|change| change.before.is_null() && !missing_before);
    (action != "create" && !missing_before && !came_back, action != "delete" && !missing_after && !was_marked)
}

/// Rows that stay when they are deleted say when in a column of this name.
const MARK_OF_DELETION: &str = "deleted_at";

/// Whether a revert of `entry` changes what asks for the password again.
pub fn needs_sudo(entry: &Told) -> bool {
    let Some(resource) = find(&entry.model) else { return false };
    entry.changes().keys().filter_map(|name| resource.column(name)).any(|column| column.sudo)
}

/// Brings back what `entry` says was before. Errors: [`Error::Conflict`] when that can't be, or when its model's rules
/// refuse. Cost: as the form's save, deletion or making.
pub async fn revert(work: &mut Work, entry: &Told) -> Result<Key> {
    let person = work.by.clone().ok_or(Error::SignedOut)?;
    let resource = find(&entry.model).ok_or(FINAL)?;
    permission::require(resource, &person, Act::View)?;
    let key = resource.parse_key(&entry.object_id).ok_or(FINAL)?;
    match revert_of(entry, &person).ok_or(FINAL)? {
        Revert::Delete => change::delete(work, resource, &key).await?,
        Revert::Restore => restore(work, resource, &key, entry).await?,
        Revert::Values => values(work, resource, &key, entry).await?,
    }
    Ok(key)
}

async fn values(work: &mut Work, resource: &'static Resource, key: &Key, entry: &Told) -> Result<()> {
    let person = work.by.clone().ok_or(Error::SignedOut)?;
    if record::find(work, resource, key).await?.is_none() {
        return Err(GONE);
    }
    let mut input = Input::default();
    for (name, change) in entry.changes() {
        if let Some(column) = resource.column(&name).filter(|column| form::takes(&person, column, false)) {
            input.0.insert(column.name, stored(column, &change.before));
        }
    }
    match change::update(work, resource, key, &input, None, "revert").await? {
        Saved::Unchanged => Err(Error::Conflict(msgid!("It is already as it was before."))),
        Saved::Yes | Saved::Stale(_) => Ok(()),
    }
}

/// Puts a row back as it was before it was deleted.
async fn restore(work: &mut Work, resource: &'static Resource, key: &Key, entry: &Told) -> Result<()> {
    let person = work.by.clone().ok_or(Error::SignedOut)?;
    let restore = resource.restore.ok_or(FINAL)?;
    let standing = record::find(work, resource, key).await?;
    let row = before(resource, key, entry, standing.as_ref());
    permission::require_row(resource, &person, Act::View, &row)?;
    restore(work, &row).await?;
    let after = record::find(work, resource, key).await?;
    let changes = change::difference(resource, standing.as_ref(), after.as_ref(), &Input::default());
    change::remember(work, resource, "revert", key, after.as_ref(), &changes, None).await
}

/// The row as it was before `entry`: what stands, with the values that the entry changed.
fn before(resource: &'static Resource, key: &Key, entry: &Told, standing: Option<&Row>) -> Row {
    let columns: Vec<&'static Column> = resource.stored().collect();
    let changes = entry.changes();
    let value = |column: &&'static Column| match (changes.get(column.name), standing) {
        (Some(change), _) => stored(column, &change.before),
        (None, Some(row)) => row.get(column.name).clone(),
        (None, None) => Value::Null,
    };
    let values = columns.iter().map(value).collect();
    Row { key: key.clone(), columns: Arc::new(columns), values }
}

/// The value that history's JSON stands for in a column.
fn stored(column: &Column, json: &Json) -> Value {
    match (json, column.kind) {
        (Json::Bool(flag), _) => Value::Flag(*flag),
        (Json::Number(number), _) => number.as_i64().map_or(Value::Null, Value::Int),
        (Json::String(text), Kind::Time) => {
            super::query::span(text).map_or(Value::Null, |span| Value::Time(span.start))
        }
        (Json::String(text), _) => Value::Text(text.clone()),
        _ => Value::Null,
    }
}

/// One changed field, as people read it.
pub struct Line {
    pub title: String,
    pub before: String,
    pub after: String,
}

/// The changed fields of `entry` that `person` may see. Cost: O(fields).
pub fn lines(entry: &Told, person: &Person) -> Vec<Line> {
    lines_of(&entry.model, &entry.changes, person)
}

/// The same of an entry's own JSON.
pub fn lines_of(model: &str, changes: &str, person: &Person) -> Vec<Line> {
    let resource = find(model);
    let line = |(name, Change { before, after }): (String, Change)| {
        let column = resource.and_then(|resource| resource.column(&name));
        if column.is_some_and(|column| !permission::sees(person, column)) {
            return None;
        }
        let title = column.map_or_else(|| gettext(&name).into_owned(), Column::heading);
        // Of what isn't kept the words in its place are ours.
        let is_told = column.is_none_or(|column| column.admins_only);
        Some(Line { title, before: shown(&before, is_told), after: shown(&after, is_told) })
    };
    let changes: audit::Changes = serde_json::from_str(changes).unwrap_or_default();
    changes.into_iter().filter_map(line).collect()
}

fn shown(json: &Json, is_told: bool) -> String {
    match json {
        Json::Null => String::new(),
        Json::String(text) if is_told && [CHANGED, NOT_KEPT].contains(&text.as_str()) => gettext(text).into_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The entries of one row's history. Errors: [`Error::Forbidden`]. Cost: 1 indexed query.
pub async fn of(
    conn: &mut crate::db::Conn,
    resource: &Resource,
    key: &Key,
    before: i64,
    limit: i64,
) -> Result<Vec<Told>> {
    audit::of_object(conn, resource.slug, &key.to_string(), before, limit).await
}
