//! Deleting one row: what goes with it, and why not if it can't. `/admin/{slug}/{id}/delete`.

use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::cell::counted;
use super::forms::find;
use super::frame::{Frame, framed};
use super::grant::{Delete, Grant};
use crate::admin::cascade::{self, Referring};
use crate::admin::form::Sent;
use crate::admin::label::Labels;
use crate::admin::resource::{Act, Resource};
use crate::admin::value::Row;
use crate::admin::{change, permission, record};
use crate::app::App;
use crate::error::{Error, Result};
use crate::users::Person;
use crate::web::extract::Fields;
use crate::web::render::PageError;
use crate::work::Work;

#[derive(Template)]
#[template(path = "admin/delete.html")]
struct DeletePage {
    chrome: Frame,
    resource: &'static Resource,
    key: String,
    name: String,
    list: String,
    /// Why it can't be deleted; empty when it can.
    refusal: String,
    referring: Vec<Referring>,
}

impl DeletePage {
    async fn load(app: &App, person: &Person, resource: &'static Resource, row: &Row, list: String) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let labels = Labels::of(&mut conn, std::slice::from_ref(row)).await?;
        let referring = match resource.keeps_place {
            true => Vec::new(),
            false => cascade::of(&mut conn, resource, person, &row.key).await?,
        };
        drop(conn);
        let name = labels.name(resource, row);
        let title = tr!("Delete {}?", name);
        Ok(Self {
            chrome: Frame::new(app, person, title).at(resource.slug),
            resource,
            key: row.key.to_string(),
            name,
            list,
            refusal: refusal(app, person, resource, row).await?.map(|error| error.to_string()).unwrap_or_default(),
            referring,
        })
    }

    fn said(&self, referring: &Referring) -> String {
        counted(referring.resource, referring.total)
    }

    /// What goes along with those in turn, by commas.
    fn with(&self, referring: &Referring) -> String {
        referring.with.iter().map(|resource| resource.plural()).collect::<Vec<_>>().join(", ")
    }
}

/// Why `person` can't delete this row, if so: asked of its model in a work that is dropped.
async fn refusal(app: &App, person: &Person, resource: &'static Resource, row: &Row) -> Result<Option<Error>> {
    if let Err(error) = permission::require_row(resource, person, Act::Delete, row) {
        return Ok(Some(error));
    }
    let Some(protected) = resource.protected else { return Ok(None) };
    let mut work = Work::begin(app, Some(person)).await?;
    match protected(&mut work, row).await {
        Ok(()) => Ok(None),
        Err(error @ (Error::Conflict(_) | Error::Forbidden(_))) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// `GET /admin/{slug}/{id}/delete`.
pub async fn ask(
    grant: Grant<Delete>,
    Path((_, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let Grant { app, person, resource, .. } = &grant;
    let sent = Sent(url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect());
    let row = find(app, person, resource, &id).await?;
    let list = sent.list();
    let page = DeletePage::load(app, person, resource, &row, list).await?;
    Ok(framed(if page.refusal.is_empty() { StatusCode::OK } else { StatusCode::CONFLICT }, &page))
}

/// `POST /admin/{slug}/{id}/delete`.
pub async fn delete(
    grant: Grant<Delete>,
    Path((_, id)): Path<(String, String)>,
    Fields(pairs): Fields<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let Grant { app, person, ip, resource, .. } = &grant;
    let sent = Sent(pairs);
    let list = sent.list();
    let key = resource.parse_key(&id).ok_or(record::NOT_THERE)?;
    let mut work = Work::begin(app, Some(person)).await?;
    work.ip.clone_from(ip);
    let deleted = match change::delete(&mut work, resource, &key).await {
        Ok(()) => work.commit().await,
        Err(error) => {
            drop(work);
            Err(error)
        }
    };
    match deleted {
        Ok(()) => Ok(Redirect::to(&format!("/admin/{}/?{list}&done=deleted", resource.slug)).into_response()),
        Err(error @ (Error::Conflict(_) | Error::Forbidden(_))) => {
            let row = find(app, person, resource, &id).await?;
            let mut page = DeletePage::load(app, person, resource, &row, list).await?;
            page.refusal = error.to_string();
            Ok(framed(StatusCode::from_u16(error.status()).unwrap_or(StatusCode::CONFLICT), &page))
        }
        Err(error) => Err(error.into()),
    }
}
