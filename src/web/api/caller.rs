//! Who calls: [`Caller`] and [`Anyone`], by `Authorization: Bearer`, else by the session cookie. A token that is there but
//! isn't good is refused even with a good cookie: its sender meant the token.

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::auth;
use super::problem::Problem;
use crate::app::App;
use crate::auth::token as tokens;
use crate::error::{Error, Result};
use crate::users::Person;
use crate::web::extract::Visitor;
use crate::web::request;

/// Somebody signed in. Errors: 401. Cost: 1 or 2 indexed queries.
pub struct Caller {
    pub person: Person,
    /// By a token, and not by a browser's cookie.
    pub by_token: bool,
}

/// Whoever calls; what a token that isn't good means is up to the handler. Cost: 0 to 2 indexed queries.
pub struct Anyone(pub Result<Option<Caller>>);

impl FromRequestParts<App> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(token) = bearer(&parts.headers) {
            let shown = tokens::person(app, token).await;
            return Ok(Self(shown.map(|person| {
                request::is_by(&person);
                Some(Caller { person, by_token: true })
            })));
        }
        let Visitor(person) = Visitor::from_request_parts(parts, app).await.map_err(|refusal| refusal.0)?;
        Ok(Self(Ok(person.map(|person| Caller { person, by_token: false }))))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Anyone(caller) = Anyone::from_request_parts(parts, app).await?;
        caller?.ok_or_else(|| Error::SignedOut.into())
    }
}

/// A call with a token is that and nothing else: its cookie is put away, and with it the reason to ask which site it comes
/// from, since no browser adds a token of its own accord. The same holds for a page of an origin that may call: it logs in
/// by a call, and never has the site's cookie. Stands around the cross-site check.
pub fn by_token_alone(app: &App, mut request: Request) -> Request {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let may_call = origin.is_some_and(|origin| app.config.cors_origins.iter().any(|listed| listed == origin));
    if may_call || bearer(request.headers()).is_some() {
        let headers = request.headers_mut();
        headers.remove(header::COOKIE);
        headers.remove(header::ORIGIN);
        headers.remove("sec-fetch-site");
    }
    request
}

/// Whether a call has no use for a session and the cross-site check: it shows a token, and isn't one that gives or takes
/// a cookie.
pub fn is_spared(request: &Request) -> bool {
    bearer(request.headers()).is_some() && !auth::is_at(request.uri().path())
}

/// The token that a request shows, perhaps an empty one; `None` without the header, or with one of another scheme, which
/// is for a proxy before us.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    // What can't be read is no token that is good.
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or("Bearer");
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
