//! `/api/v1/admin`: what staff do to a record besides saving it, the actions that its model declares, and history's undo.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::super::auth::Answer;
use super::super::operation::{Area, Call, op};
use super::super::params::At;
use super::staff::Staff;
use super::{STAFF_ONLY, parse, shape, sure};
use crate::admin::history::{self, Revert};
use crate::admin::resource::{Act, Action, Resource};
use crate::admin::{change, find, permission, record};
use crate::app::App;
use crate::audit;
use crate::error::Error;
use crate::text::capital;

/// Adds the calls of the model's own actions.
pub fn add_to(area: Area, resource: &'static Resource) -> Area {
    resource.actions.iter().fold(area, |area, action| {
        let path = format!("/admin/{}/{{{}}}/actions/{}", resource.slug, resource.key, action.name);
        let run = move |app, staff, at| act(resource, action, app, staff, at);
        area.add(Method::POST, path, run, described(resource, action))
    })
}

fn described(resource: &'static Resource, action: &Action) -> Call {
    shape::at(op(format!("{}: {}", capital(resource.singular), action.label)), resource)
        .about(action.confirm)
        .answers_like(200, "The record as it is now.", &shape::record_name(resource), shape::row(resource))
        .answers_nothing(204, "It is done, and the record is gone.")
        .refuses(403, STAFF_ONLY)
        .refuses(409, "It isn't in a state for this.")
}

/// `POST /admin/{model}/{id}/actions/{name}`. Cost: the action's own, 5 statements.
async fn act(
    resource: &'static Resource,
    action: &'static Action,
    State(app): State<App>,
    staff: Staff,
    At(key): At<String>,
) -> Answer<Response> {
    if !change::may_act(resource, &staff.person, action) {
        return Err(Error::Forbidden(msgid!("Your role can't do that.")).into());
    }
    let key = parse(resource, &key)?;
    sure(&app, &staff, action.sudo)?;
    let mut work = staff.work(&app).await?;
    change::act(&mut work, resource, &key, action).await?;
    work.commit().await?;
    Ok(match record::look(&mut app.db.read().await?, resource, &staff.person, &key).await? {
        Some(row) => Json(shape::record(resource, &row)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// What the document says of [`revert`].
pub fn undo() -> Call {
    op("Undo what an entry of history tells of")
        .about("Brings back the values before a change and the record before a deletion; what was added is deleted.")
        .id("id", "The entry's id.")
        .answers_nothing(204, "It is undone, and history has an entry more.")
        .refuses(403, STAFF_ONLY)
        .refuses(409, "This can't be undone, or not any more.")
}

/// `POST /admin/audit-entries/{id}/revert`. Cost: as the form's save, deletion or making.
pub async fn revert(State(app): State<App>, staff: Staff, At(id): At<i64>) -> Answer<StatusCode> {
    let entry = audit::by_id(&mut app.db.read().await?, id).await?;
    let entry = entry.ok_or(Error::NotFound(msgid!("History has no such entry.")))?;
    let resource = find(&entry.model).ok_or(Error::NotFound(msgid!("There is no such model.")))?;
    permission::require(resource, &staff.person, Act::View)?;
    let is_deletion = history::revert_of(&entry, &staff.person) == Some(Revert::Delete);
    sure(&app, &staff, !is_deletion && history::needs_sudo(&entry))?;
    let mut work = staff.work(&app).await?;
    history::revert(&mut work, &entry).await?;
    work.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
