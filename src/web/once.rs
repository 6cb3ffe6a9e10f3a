//! What the next page says, once: it goes along with a 303 in a short-lived cookie that this site has sealed. Nobody
//! else can read it, and no other session can show it. Called by pages; the page that shows it removes it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower_sessions::cookie::{Cookie, SameSite, time};

use crate::app::App;
use crate::auth::keys::Purpose;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::SessionId;

const LASTS: Duration = Duration::from_secs(60);

/// What is said. It may hold secrets, so it is never logged.
#[derive(Clone, Default, Deserialize, Serialize)]
pub struct Once {
    /// What was done, in words.
    pub notice: String,
    /// A token just made: what it is and what it is called.
    pub token: Option<(String, String)>,
    /// Recovery codes just made.
    pub codes: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Sealed {
    /// The session that it is said to; `None`: whoever isn't signed in.
    session: Option<SessionId>,
    until: i64,
    said: Once,
}

impl Once {
    pub fn notice(notice: impl Into<String>) -> Self {
        Self { notice: notice.into(), ..Self::default() }
    }

    /// Sends it along with an answer, to be shown to `session` within a minute. Cost: O(length).
    pub fn along(self, app: &App, session: Option<SessionId>, answer: impl IntoResponse) -> Result<Response> {
        let until = app.clock.now().plus(LASTS).0;
        let text = serde_json::to_string(&Sealed { session, until, said: self }).map_err(Error::internal)?;
        let mut response = answer.into_response();
        set(app, &mut response, app.keys.seal(Purpose::Once, &text)?, LASTS)?;
        Ok(response)
    }

    /// What there is to say to `session`. Cost: O(length).
    pub fn of(app: &App, headers: &HeaderMap, session: Option<SessionId>) -> Result<Option<Self>> {
        let Some(text) = cookie(app, headers) else { return Ok(None) };
        let Some(text) = app.keys.open(Purpose::Once, &text)? else { return Ok(None) };
        let Ok(sealed) = serde_json::from_str::<Sealed>(&text) else { return Ok(None) };
        let fits = sealed.session == session && app.clock.now() < Timestamp(sealed.until);
        Ok(fits.then_some(sealed.said))
    }

    /// Takes the cookie away with the page that shows it.
    pub fn end(app: &App, response: &mut Response) -> Result<()> {
        set(app, response, String::new(), Duration::ZERO)
    }
}

fn name(app: &App) -> &'static str {
    if app.config.is_https() { "__Host-switchboard-once" } else { "switchboard-once" }
}

/// The cookie's value as a browser sent it; of several the first.
fn cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = sent.flat_map(Cookie::split_parse).flatten();
    cookies.find(|cookie| cookie.name() == name(app)).map(|cookie| cookie.value().to_owned())
}

fn set(app: &App, response: &mut Response, value: String, lasts: Duration) -> Result<()> {
    let cookie = Cookie::build((name(app), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.config.is_https())
        .max_age(time::Duration::seconds_f64(lasts.as_secs_f64()));
    let value = HeaderValue::from_str(&cookie.build().to_string()).map_err(Error::internal)?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}
