//! Everything the backoffice changes: made, saved, deleted, acted on. Each reaches the model's own acts, inside one
//! [`Work`] with its entry in history, after the right to do it to this very row was asked.

use serde_json::Value as Json;

use super::input::Input;
use super::resource::{Act, Action, Column, Resource};
use super::value::{Key, Row, Value};
use super::wording::{CHANGED, NOT_KEPT};
use super::{form, label, permission, record};
use crate::audit::{self, Change, Changes, Entry};
use crate::error::{Error, Result};
use crate::users::Person;
use crate::work::Work;

/// What became of saving a form.
pub enum Saved {
    Yes,
    /// Nothing differed from what is stored.
    Unchanged,
    /// Somebody saved since the form was opened: the row as it stands now.
    Stale(Box<Row>),
}

/// Whoever a work is done by. Errors: [`Error::SignedOut`] where it is nobody.
fn by(work: &Work) -> Result<Person> {
    work.by.clone().ok_or(Error::SignedOut)
}

/// Makes a row. `token` is the form's: sent twice, it is made once, and the second time gives the first one's key.
/// Cost: the model's own, 3 statements.
pub async fn create(work: &mut Work, resource: &'static Resource, input: &Input, token: Option<&str>) -> Result<Key> {
    let person = by(work)?;
    permission::require(resource, &person, Act::Add)?;
    let create = resource.create.ok_or(Error::Forbidden(msgid!("These can't be added here.")))?;
    let key = create(work, input).await?;
    let after = record::find(work, resource, &key).await?;
    let changes = difference(resource, None, after.as_ref(), input);
    remember(work, resource, "create", &key, after.as_ref(), &changes, token).await?;
    Ok(key)
}

/// Saves what differs. With the `version` that the form was opened with, a row that was saved since is left alone.
/// Cost: the model's own, 5 statements.
pub async fn update(
    work: &mut Work,
    resource: &'static Resource,
    key: &Key,
    input: &Input,
    version: Option<&str>,
    action: &str,
) -> Result<Saved> {
    let person = by(work)?;
    let before = record::hold(work, resource, key).await?;
    permission::require_row(resource, &person, Act::Change, &before)?;
    let update = resource.update.ok_or(Error::Forbidden(msgid!("These can't be changed here.")))?;
    let mut input = input.clone();
    input.0.retain(|name, value| resource.column(name).is_none() || before.get(name) != value);
    if input.0.is_empty() {
        return Ok(Saved::Unchanged);
    }
    if version.is_some_and(|version| version != form::version(resource, &before)) {
        return Ok(Saved::Stale(Box::new(before)));
    }
    update(work, &before, &input).await?;
    let after = record::find(work, resource, key).await?;
    let changes = difference(resource, Some(&before), after.as_ref(), &input);
    if changes.is_empty() {
        // What was typed came to the same once its model had tidied it.
        return Ok(Saved::Unchanged);
    }
    remember(work, resource, action, key, after.as_ref(), &changes, None).await?;
    Ok(Saved::Yes)
}

/// Deletes a row as its model does. Cost: the model's own, 4 statements.
pub async fn delete(work: &mut Work, resource: &'static Resource, key: &Key) -> Result<()> {
    let delete = resource.delete.ok_or(Error::Forbidden(msgid!("These can't be deleted here.")))?;
    recorded(work, resource, key, Act::Delete, "delete", async |work: &mut Work, row: &Row| delete(work, row).await)
        .await
}

/// Does one of the model's actions to a row. Cost: the action's own, 4 statements.
pub async fn act(work: &mut Work, resource: &'static Resource, key: &Key, action: &Action) -> Result<()> {
    let person = by(work)?;
    if !may_act(resource, &person, action) {
        return Err(Error::Forbidden(msgid!("Your role can't do that.")));
    }
    let (run, id) = (action.run, key.id());
    recorded(work, resource, key, Act::View, action.name, async |work: &mut Work, _: &Row| run(work, id).await).await
}

/// Whether `person` may do this action at all.
pub fn may_act(resource: &Resource, person: &Person, action: &Action) -> bool {
    permission::may(resource, person, Act::View) && (person.is_admin() || action.moderators)
}

/// Does something to a row of any model and writes into history what differs then. For acts of one model that reach
/// another's rows too. Cost: the act's own, 4 statements.
pub async fn recorded(
    work: &mut Work,
    resource: &'static Resource,
    key: &Key,
    right: Act,
    action: &str,
    act: impl AsyncFnOnce(&mut Work, &Row) -> Result<()>,
) -> Result<()> {
    let person = by(work)?;
    let before = record::hold(work, resource, key).await?;
    permission::require_row(resource, &person, right, &before)?;
    // What is gone afterwards is called by what it referred to before.
    let name = label::stored(work, resource, &before).await?;
    act(work, &before).await?;
    let after = record::find(work, resource, key).await?;
    let changes = difference(resource, Some(&before), after.as_ref(), &Input::default());
    let entry = Entry {
        action,
        model: resource.slug,
        object_id: key.to_string(),
        object_label: &name,
        changes: &changes,
        form_token: None,
    };
    audit::record(work, &entry).await?;
    Ok(())
}

/// Writes history's entry of a row as it is called now.
pub(super) async fn remember(
    work: &mut Work,
    resource: &'static Resource,
    action: &str,
    key: &Key,
    row: Option<&Row>,
    changes: &Changes,
    form_token: Option<&str>,
) -> Result<()> {
    let mut name = format!("{} {key}", resource.singular);
    if let Some(row) = row {
        name = label::stored(work, resource, row).await?;
    }
    let model = resource.slug;
    let entry = Entry { action, model, object_id: key.to_string(), object_label: &name, changes, form_token };
    audit::record(work, &entry).await?;
    Ok(())
}

/// Each stored field that differs, before and after. Of passwords only that they were set.
pub(super) fn difference(resource: &Resource, before: Option<&Row>, after: Option<&Row>, input: &Input) -> Changes {
    let json = |row: Option<&Row>, column: &Column| {
        row.map_or(Json::Null, |row| serde_json::to_value(row.get(column.name)).unwrap_or(Json::Null))
    };
    let mut changes = Changes::new();
    for column in resource.stored() {
        let mut change = Change { before: json(before, column), after: json(after, column) };
        if change.before != change.after {
            if column.admins_only {
                // A link that opens an account would stand in history for good.
                let told = |value: &Json, word: &str| if value.is_null() { Json::Null } else { word.into() };
                change = Change { before: told(&change.before, NOT_KEPT), after: told(&change.after, CHANGED) };
            }
            changes.insert(column.name.to_owned(), change);
        }
    }
    for password in resource.passwords.iter().filter(|password| input.is_given(password.name)) {
        let set = matches!(input.0.get(password.name), Some(Value::Text(text)) if !text.is_empty());
        if set {
            changes.insert(password.name.to_owned(), Change { before: Json::Null, after: CHANGED.into() });
        }
    }
    changes
}
