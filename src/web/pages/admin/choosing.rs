//! Looking up the row that a reference is to name: as a page, which needs no script, and as JSON for the script.

use askama::Template;
use axum::Json;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::frame::{Frame, framed};
use super::grant::{Grant, View};
use crate::admin::form::Sent;
use crate::admin::resource::{Column, Kind, Resource};
use crate::admin::{find, lookup, permission};
use crate::app::App;
use crate::error::{Error, Result};
use crate::users::Person;
use crate::web::extract::Asked;
use crate::web::render::PageError;

#[derive(Template)]
#[template(path = "admin/lookup.html")]
struct LookupPage {
    chrome: Frame,
    target: &'static Resource,
    /// Where the choice goes, and how.
    action: String,
    method: &'static str,
    /// The field that is chosen, and the one that is searched by.
    field: &'static str,
    searched: &'static str,
    q: String,
    kept: Vec<(String, String)>,
    found: Vec<(i64, String)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    q: String,
}

#[derive(Serialize)]
struct Offer {
    id: i64,
    label: String,
}

/// `GET /admin/{slug}/lookup?q=…`: at most 25 rows with their names, as JSON.
pub async fn offers(grant: Grant<View>, Asked(Typed { q }): Asked<Typed>) -> Result<Response, PageError> {
    let mut conn = grant.app.db.read().await?;
    let found = lookup::search(&mut conn, grant.resource, &grant.person, &q).await?;
    let offers: Vec<Offer> = found.into_iter().map(|(id, label)| Offer { id, label }).collect();
    Ok(Json(offers).into_response())
}

fn target_of(person: &Person, column: &Column) -> Result<&'static Resource> {
    let Kind::Reference(slug) = column.kind else {
        return Err(Error::Malformed(tr!("“{}” refers to nothing.", column.name)));
    };
    let target = find(slug).ok_or(Error::NotFound(msgid!("There is no such model.")))?;
    permission::require(target, person, crate::admin::resource::Act::View)?;
    Ok(target)
}

/// The page that a form asks for before it goes on: everything typed comes back with the choice, but passwords.
/// Cost: a list's first page.
pub async fn for_form(
    app: &App,
    person: &Person,
    resource: &'static Resource,
    column: &'static Column,
    path: &str,
    sent: &Sent,
) -> Result<Response> {
    let target = target_of(person, column)?;
    let q = sent.get("_q").or(sent.get(column.name)).unwrap_or_default().to_owned();
    let found = lookup::search(&mut app.db.read().await?, target, person, &q).await?;
    let own = |name: &str| {
        ["_lookup", "_q", "_chosen", super::sudo::FIELD].contains(&name)
            || name == column.name
            || resource.passwords.iter().any(|password| password.name == name)
    };
    let page = LookupPage {
        chrome: Frame::new(app, person, tr!("Look up {}", target.singular())).at(resource.slug),
        target,
        action: path.to_owned(),
        method: "post",
        field: column.name,
        searched: "_lookup",
        q,
        kept: sent.0.iter().filter(|(name, _)| !own(name)).cloned().collect(),
        found,
    };
    Ok(framed(StatusCode::OK, &page))
}

/// `GET /admin/{slug}/choose?_field=…&_q=…`: narrows the list by a reference. One that fits is taken at once.
pub async fn for_list(grant: Grant<View>, RawQuery(query): RawQuery) -> Result<Response, PageError> {
    let sent = Sent(url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect());
    let Grant { app, person, resource, .. } = &grant;
    let column = permission::column(resource, person, sent.get("_field").unwrap_or_default())?;
    let target = target_of(person, column)?;
    let q = sent.get("_q").unwrap_or_default().to_owned();
    let found = lookup::search(&mut app.db.read().await?, target, person, &q).await?;
    let kept: Vec<(String, String)> =
        sent.0.iter().filter(|(name, _)| !name.starts_with('_') && name != column.name).cloned().collect();
    if let [(id, _)] = found.as_slice() {
        let mut to = url::form_urlencoded::Serializer::new(String::new());
        to.extend_pairs(&kept).append_pair(column.name, &id.to_string());
        return Ok(Redirect::to(&format!("/admin/{}/?{}", resource.slug, to.finish())).into_response());
    }
    let page = LookupPage {
        chrome: Frame::new(app, person, tr!("Look up {}", target.singular())).at(resource.slug),
        target,
        action: format!("/admin/{}/", resource.slug),
        method: "get",
        field: column.name,
        searched: "_field",
        q,
        kept,
        found,
    };
    Ok(framed(StatusCode::OK, &page))
}
