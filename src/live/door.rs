//! Who is at a socket's door: a program by its token, or a page of the site's own by its cookie. Nothing here is logged:
//! an address may hold a token.

use std::borrow::Cow;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use crate::app::App;
use crate::auth::token;
use crate::db::changes::Moment;
use crate::error::{Error, Result};
use crate::users::Person;
use crate::web::api::caller;
use crate::web::extract::Visitor;
use crate::web::render::Plain;
use crate::web::request;

/// Somebody who may open a socket. By `Authorization: Bearer` or `?token=`, whatever else comes along; else by the cookie,
/// and then `Origin` has to be the site's own. With the moment from which on that is known, where it can be. Errors: 401,
/// 403. Cost: 1 or 2 indexed queries.
pub struct Guest(pub Person, pub Option<Moment>);

impl FromRequestParts<App> for Guest {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let since = app.db.moment().await;
        let person = enter(parts, app).await.map_err(|error| Plain(error).into_response())?;
        request::is_by(&person);
        Ok(Self(person, since))
    }
}

async fn enter(parts: &mut Parts, app: &App) -> Result<Person> {
    if let Some(token) = shown(&parts.headers, &parts.uri) {
        return token::person(app, &token).await;
    }
    let Visitor(person) = Visitor::from_request_parts(parts, app).await.map_err(|refusal| refusal.0)?;
    let person = person.ok_or(Error::SignedOut)?;
    if is_own_page(app, &parts.headers) {
        Ok(person)
    } else {
        Err(Error::Forbidden(msgid!("A socket is opened from the site's own pages only.")))
    }
}

/// The token that comes along.
fn shown<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<Cow<'a, str>> {
    let asked = || form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    caller::bearer(headers).map(Cow::from).or_else(|| asked().find(|(name, _)| name == "token").map(|(_, token)| token))
}

/// Whether a handshake has no use for a session: a token comes along.
pub fn is_spared(request: &Request) -> bool {
    shown(request.headers(), request.uri()).is_some()
}

/// Whether the site's own page asks. With a cookie, a page of another site must not open a socket in its reader's name;
/// browsers send no cross-site cookie warning here, only `Origin`.
fn is_own_page(app: &App, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).unwrap_or_default();
    let (scheme, host) = origin.split_once("://").unwrap_or_default();
    // The site may be reached by more names than BASE_URL (localhost, say); a browser can't forge either header.
    let same_host = scheme == app.config.base_url.scheme() && Some(host) == text(header::HOST);
    origin == app.config.origin() || same_host
}
