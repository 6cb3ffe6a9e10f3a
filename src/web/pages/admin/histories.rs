//! What was done to a row, and undoing it. `/admin/{slug}/{id}/history`, which is there even when the row isn't.

use std::borrow::Cow;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::frame::{Frame, framed};
use super::grant::{Grant, Staff, View};
use super::sudo;
use crate::admin::form::Sent;
use crate::admin::history::{self, Line, Revert};
use crate::admin::resource::{Act, Resource};
use crate::admin::{find, permission, record};
use crate::audit::{self, Told};
use crate::error::{Error, Result};
use crate::i18n::gettext;
use crate::users::Person;
use crate::web::extract::{Asked, Fields, Id};
use crate::web::render::PageError;
use crate::work::Work;

const SHOWN: usize = 50;

/// An entry with what can be done about it.
struct Shown {
    entry: Told,
    /// What was done, in a word.
    action: String,
    lines: Vec<Line>,
    /// What a revert would do, in words; empty when it can't be reverted.
    revert: Cow<'static, str>,
}

impl Shown {
    fn actor(&self) -> i64 {
        self.entry.actor_id.map_or(-1, |actor| actor.0)
    }
}

#[derive(Template)]
#[template(path = "admin/history.html")]
struct HistoryPage {
    chrome: Frame,
    resource: &'static Resource,
    key: String,
    entries: Vec<Shown>,
    is_there: bool,
    older: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Before {
    before: Option<i64>,
    /// The code of what was just done.
    done: String,
}

/// `GET /admin/{slug}/{id}/history`, newest first. Cost: 2 indexed queries.
pub async fn show(
    grant: Grant<View>,
    Path((_, id)): Path<(String, String)>,
    Asked(Before { before, done }): Asked<Before>,
) -> Result<Response, PageError> {
    let Grant { app, person, resource, .. } = &grant;
    let key = resource.parse_key(&id).ok_or(record::NOT_THERE)?;
    let mut conn = app.db.read().await?;
    let mut entries = history::of(&mut conn, resource, &key, before.unwrap_or(i64::MAX), SHOWN as i64 + 1).await?;
    let is_there = record::look(&mut conn, resource, person, &key).await?.is_some();
    drop(conn);
    if entries.is_empty() && !is_there {
        return Err(record::NOT_THERE)?;
    }
    let older = (entries.len() > SHOWN).then(|| entries[SHOWN - 1].id);
    entries.truncate(SHOWN);
    let name =
        entries.first().map_or_else(|| format!("{} {key}", resource.singular()), |entry| entry.object_label.clone());
    let page = HistoryPage {
        chrome: Frame::new(app, person, tr!("History of {}", name)).at(resource.slug).saying(&done),
        resource,
        key: key.to_string(),
        entries: entries.into_iter().map(|entry| shown(entry, person)).collect(),
        is_there,
        older,
    };
    Ok(framed(StatusCode::OK, &page))
}

fn shown(entry: Told, person: &Person) -> Shown {
    let revert = match history::revert_of(&entry, person) {
        None => Cow::Borrowed(""),
        Some(Revert::Delete) => tr!("Undo: delete it…"),
        Some(Revert::Restore) => tr!("Undo: bring it back"),
        Some(Revert::Values) => tr!("Undo: bring back the earlier values"),
    };
    Shown { action: gettext(&entry.action).into_owned(), lines: history::lines(&entry, person), revert, entry }
}

/// `POST /admin/revert/{entry}`: brings back what was before, as the person who asks may.
pub async fn revert(
    staff: Staff,
    Path(Id(id)): Path<Id>,
    Fields(pairs): Fields<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let Staff { app, person, ip } = &staff;
    let entry = audit::by_id(&mut app.db.read().await?, id).await?;
    let entry = entry.ok_or(Error::NotFound(msgid!("History has no such entry.")))?;
    let resource = find(&entry.model).ok_or(Error::NotFound(msgid!("There is no such model.")))?;
    permission::require(resource, person, Act::View)?;
    if history::revert_of(&entry, person) == Some(Revert::Delete) {
        // The page that says what goes with it, and asks.
        let to = format!("/admin/{}/{}/delete", resource.slug, entry.object_id);
        return Ok(Redirect::to(&to).into_response());
    }
    if history::needs_sudo(&entry) {
        let (path, why) =
            (format!("/admin/revert/{id}"), tr!("This changes what an account may do, or how the site works."));
        if let Some(page) = sudo::ask(app, person, &Sent(pairs), &path, &why, &[]).await? {
            return Ok(page);
        }
    }
    let mut work = Work::begin(app, Some(person)).await?;
    work.ip.clone_from(ip);
    let key = history::revert(&mut work, &entry).await?;
    work.commit().await?;
    Ok(Redirect::to(&format!("/admin/{}/{key}/history?done=reverted", resource.slug)).into_response())
}
