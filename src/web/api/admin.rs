//! `/api/v1/admin`: the backoffice for programs. Every model has the same five calls out of its declaration, the one that its
//! pages are made of too; what they may hold and answer is in `admin/shape.rs`, how a body is read in `admin/body.rs`.

mod acts;
mod body;
mod shape;
mod staff;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value as Object;
use url::form_urlencoded;

use super::auth::Answer;
use super::json::Body;
use super::list::{List, Paging};
use super::negotiation;
use super::operation::{Area, op};
use super::params::At;
use super::problem::Problem;
use crate::admin::change::{self, Saved};
use crate::admin::dashboard::{self, Stats};
use crate::admin::form::{self, needs_sudo};
use crate::admin::plan::Listing;
use crate::admin::query::{Cursor, Query, key_text};
use crate::admin::resource::{Act, Resource};
use crate::admin::value::{Key, Row, Value};
use crate::admin::{RESOURCES, condition, list, permission, record};
use crate::app::App;
use crate::auth;
use crate::error::{Error, Result};
use body::Fields;
use staff::Staff;

const STAFF_ONLY: &str = "For staff, and not for every role.";
const STALE: Error = Error::Conflict(msgid!("Somebody has changed it since you read it: read it again first."));
const AGAIN: Error = Error::Forbidden(msgid!(
    "This asks for your password again: do it in the backoffice, where you can say it, or call with a token."
));

/// The calls of every model, and the numbers.
pub fn area() -> Area {
    let about = "The backoffice. Rights, rules, history and what is secret are those of its pages.";
    let stats = op("The site in numbers").polled().answers::<Stats>(200, "The numbers.").refuses(403, STAFF_ONLY);
    let area = Area::new("Administration", about).add(Method::GET, "/admin/stats", numbers, stats);
    let area = RESOURCES.iter().fold(area, |area, resource| acts::add_to(AdminApi(resource).add_to(area), resource));
    area.add(Method::POST, "/admin/audit-entries/{id}/revert", acts::revert, acts::undo())
}

/// `GET /admin/stats`.
async fn numbers(State(app): State<App>, _: Staff) -> Answer<Json<Stats>> {
    Ok(Json(dashboard::stats(&app).await?))
}

/// The calls of one model.
#[derive(Clone, Copy)]
struct AdminApi(&'static Resource);

impl AdminApi {
    fn add_to(self, area: Area) -> Area {
        let Self(resource) = self;
        let (all, one) =
            (format!("/admin/{}", resource.slug), format!("/admin/{}/{{{}}}", resource.slug, resource.key));
        let list = move |app, staff, paging, query| self.list(app, staff, paging, query);
        let create = move |app, staff, body| self.create(app, staff, body);
        let read = move |app, staff, at| self.read(app, staff, at);
        let update = move |app, staff, at, headers, body| self.update(app, staff, at, headers, body);
        let delete = move |app, staff, at| self.delete(app, staff, at);
        area.add(Method::GET, all.clone(), list, shape::list(resource))
            .add(Method::POST, all, create, shape::create(resource))
            .add(Method::GET, one.clone(), read, shape::read(resource))
            .add(Method::PATCH, one.clone(), update, shape::update(resource))
            .add(Method::DELETE, one, delete, shape::delete(resource))
    }

    /// `GET /admin/{model}`: whole rows, as the list's address asks for them. Cost: 2 queries, O(limit); see `admin::plan`.
    async fn list(
        self,
        State(app): State<App>,
        staff: Staff,
        paging: Paging,
        RawQuery(query): RawQuery,
    ) -> Answer<Json<List<Object>>> {
        let (Self(resource), person) = (self, &staff.person);
        permission::require(resource, person, Act::View)?;
        let query = asked(resource, &staff, &query.unwrap_or_default())?;
        let after = paging.after::<Object>()?;
        let after = after.map(|key| cursor(resource, &staff, &query, &key)).transpose()?;
        let mut conn = app.db.read().await?;
        let conditions = condition::all(&mut conn, resource, person, &query);
        let listing = Listing::plan(&mut conn, resource, conditions, &query).await?;
        let columns = record::seen(resource, person);
        let limit = usize::try_from(paging.limit).unwrap_or(1);
        let (rows, last) = list::batch(&mut conn, &listing, &columns, after, limit).await?;
        // A key is JSON already.
        let next = last.and_then(|key| serde_json::from_str::<Object>(&key_text(&key)).ok());
        let items = rows.iter().map(|row| shape::record(resource, row)).collect();
        Ok(Json(List { items, next: next.map(|key| super::list::cursor(&key)) }))
    }

    /// `POST /admin/{model}`. Cost: the model's own, 3 statements.
    async fn create(self, State(app): State<App>, staff: Staff, Body(fields): Body<Fields>) -> Answer<Response> {
        let Self(resource) = self;
        permission::require(resource, &staff.person, Act::Add)?;
        let sent = fields.sent(resource, &staff.person, None)?;
        let mut conn = app.db.read().await?;
        let input = form::read(&mut conn, resource, &staff.person, None, &sent).await?;
        drop(conn);
        sure(&app, &staff, needs_sudo(resource, &input, true))?;
        let mut work = staff.work(&app).await?;
        let key = change::create(&mut work, resource, &input, None).await?;
        work.commit().await?;
        let row = record::read(&mut app.db.read().await?, resource, &staff.person, &key).await?;
        let place = format!("{}/admin/{}/{key}", super::ROOT, resource.slug);
        Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(shape::record(resource, &row))).into_response())
    }

    /// `GET /admin/{model}/{id}`. Cost: 1 query by the key.
    async fn read(self, State(app): State<App>, staff: Staff, At(key): At<String>) -> Answer<Json<Object>> {
        let Self(resource) = self;
        permission::require(resource, &staff.person, Act::View)?;
        let row = self.row(&app, &staff, &key).await?;
        Ok(Json(shape::record(resource, &row)))
    }

    /// `PATCH /admin/{model}/{id}`: what isn't given stays. Cost: the model's own, 7 statements.
    async fn update(
        self,
        State(app): State<App>,
        staff: Staff,
        At(key): At<String>,
        headers: HeaderMap,
        Body(fields): Body<Fields>,
    ) -> Answer<Json<Object>> {
        let (Self(resource), person) = (self, &staff.person);
        permission::require(resource, person, Act::Change)?;
        let row = self.row(&app, &staff, &key).await?;
        if let Some(tags) = headers.get(header::IF_MATCH) {
            let shown = serde_json::to_vec(&shape::record(resource, &row)).unwrap_or_default();
            if !negotiation::is_among(tags, &negotiation::tag(&shown)) {
                return Err(STALE.into());
            }
        }
        let sent = fields.sent(resource, person, Some(&row))?;
        let mut conn = app.db.read().await?;
        let full = record::find(&mut conn, resource, &row.key).await?.ok_or(record::NOT_THERE)?;
        let input = form::read(&mut conn, resource, person, Some(&full), &sent).await?;
        drop(conn);
        sure(&app, &staff, needs_sudo(resource, &input, false))?;
        let mut work = staff.work(&app).await?;
        // Whoever says what they have read is refused when somebody saves between here and there.
        let version = headers.contains_key(header::IF_MATCH).then(|| form::version(resource, &full));
        match change::update(&mut work, resource, &row.key, &input, version.as_deref(), "change").await? {
            Saved::Yes | Saved::Unchanged => work.commit().await?,
            Saved::Stale(_) => return Err(STALE.into()),
        }
        let row = self.row(&app, &staff, &key).await?;
        Ok(Json(shape::record(resource, &row)))
    }

    /// `DELETE /admin/{model}/{id}`. Cost: the model's own, 4 statements.
    async fn delete(self, State(app): State<App>, staff: Staff, At(key): At<String>) -> Answer<StatusCode> {
        let Self(resource) = self;
        permission::require(resource, &staff.person, Act::Delete)?;
        let key = parse(resource, &key)?;
        let mut work = staff.work(&app).await?;
        change::delete(&mut work, resource, &key).await?;
        work.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    }

    async fn row(self, app: &App, staff: &Staff, key: &str) -> Answer<Row> {
        let Self(resource) = self;
        let key = parse(resource, key)?;
        Ok(record::read(&mut app.db.read().await?, resource, &staff.person, &key).await?)
    }
}

/// Errors: 400 for what can't be an id, 404 for what can't be a name.
fn parse(resource: &Resource, key: &str) -> Result<Key> {
    if resource.key != "id" {
        return resource.parse_key(key).ok_or(record::NOT_THERE);
    }
    resource
        .parse_key(key)
        .ok_or_else(|| Error::Malformed(tr!("This address can't be read: an id is a whole number.").into()))
}

/// What the address asks of the list, without what belongs to the page. Errors: 400 for a field that isn't there, is secret
/// or can't be asked for, and for a value that can't be read: more would be shown than was meant.
fn asked(resource: &'static Resource, staff: &Staff, query: &str) -> Answer<Query> {
    let pages = ["limit", "cursor", "format"];
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !pages.contains(&name.as_ref()));
    let mut own = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if ["page", "per", "after", "before"].contains(&name.as_ref()) {
            return Err(Error::Malformed(tr!(
                "{models} have no field “{name}”.",
                models = resource.plural(),
                name = name
            ))
            .into());
        }
        own.append_pair(&name, &value);
    }
    let query = Query::parse(resource, &staff.person, &own.finish())?;
    match query.complaints.first() {
        Some(complaint) => Err(Error::Malformed(complaint.clone()).into()),
        None => Ok(query),
    }
}

/// The key that a cursor holds, of the types of the list's order.
fn cursor(resource: &'static Resource, staff: &Staff, query: &Query, key: &Object) -> Answer<Vec<Value>> {
    let mut pairs = form_urlencoded::Serializer::new(query.text());
    let query = Query::parse(resource, &staff.person, &pairs.append_pair("after", &key.to_string()).finish())?;
    match query.cursor {
        Some(Cursor::After(key)) => Ok(key),
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, tr!("This cursor is of another list."))),
    }
}

/// Errors: 403 in a browser that wasn't asked for the password lately, for what the backoffice asks it for.
fn sure(app: &App, staff: &Staff, is_asked: bool) -> Result<()> {
    let is_sure = staff.by_token || auth::is_confirmed(&staff.person, app.clock.now());
    if is_sure || !is_asked { Ok(()) } else { Err(AGAIN) }
}
