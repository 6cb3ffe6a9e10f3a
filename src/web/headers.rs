//! What holds for every answer: the headers that keep a browser from doing what no page of ours asks for, the line
//! in the access log, and refusals made by layers turned into pages.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tracing::Instrument;

use super::extract::client_address;
use super::render::error_page;
use super::{compression, cookies, request};
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::i18n::{self, Language};
use crate::telemetry;
use crate::web::transport::Peer;

/// No inline script or style, nothing from elsewhere, in nobody's frame.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What an answer has that doesn't say otherwise itself. Most show personal data: nobody's cache keeps them, not even the
/// browser's own, whose back button would show them after the log-out. The newest page of a room is kept by the reader's
/// browser, which asks each time; logging out clears that (`web/pieces.rs`).
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// A request that takes so long is worth a warning.
const SLOW: Duration = Duration::from_secs(1);

type Refusal = fn(ProtectionError) -> Response;

/// Refuses what other sites post in a reader's name (403): `Sec-Fetch-Site`, and `Origin` where that is missing.
pub fn cross_site(config: &Config) -> Result<CsrfLayer<Refusal>> {
    fn refuse(_: ProtectionError) -> Response {
        error_page(StatusCode::FORBIDDEN, tr!("This was sent from another site, so nothing was done.").into())
    }
    let layer = CsrfLayer::new().add_trusted_origin(config.origin()).map_err(|e| Error::startup(e.to_string()))?;
    Ok(layer.with_rejection_response(refuse as Refusal))
}

/// Names the request, adds the headers and writes the access log. Neither shows a query string: it may hold a token.
pub async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request::id_of(request.headers());
    let language = asked_for(request.headers()).unwrap_or(app.config.site_language);
    let mut response = request::within(id.clone(), i18n::within(language, counted(&app, request, next))).await;
    response.headers_mut().insert(request::HEADER, id);
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    cookies::write(&mut response, &app.config);
    if app.config.is_https() {
        let value = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// The answer, measured and written into the access log.
async fn counted(app: &App, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.address.ip());
    let ip = peer.map(|peer| client_address(peer, request.headers(), &app.config.trusted_proxies));
    let traced = telemetry::request(&method, route.as_ref().map(MatchedPath::as_str), &path, request.headers());
    let is_scripts = request.headers().contains_key("x-js");
    let accepted = compression::accepted(request.headers());
    let response = next.run(request).instrument(traced.clone()).await;
    let response = if is_scripts { for_scripts(response) } else { response };
    let response = compression::compressed(response, accepted).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    app.metrics.answered(method_label(&method), route.as_ref().map_or("none", MatchedPath::as_str), status, took);
    let tenths = (took.as_micros() + 50) / 100;
    let ip = ip.map(|ip| ip.to_string()).unwrap_or_default();
    if took >= SLOW {
        tracing::warn!(%method, %path, status, ms = %took.as_millis(), "a slow request");
    }
    let user = request::asker().map(|id| id.0);
    telemetry::answered(&traced, status, user);
    tracing::info!(target: "access", %method, %path, status, ms = format_args!("{}.{}", tenths / 10, tenths % 10), %ip, user, "request");
    response
}

/// The language that a browser asks for, if it is one of ours.
pub fn asked_for(headers: &HeaderMap) -> Option<Language> {
    Language::asked(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?)
}

/// The method, if it is one that a page takes: anybody can send any word.
fn method_label(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "other",
    }
}

/// What a form's 303 is to a script, which would follow it without knowing where it leads: done (204), or log in first (401).
fn for_scripts(response: Response) -> Response {
    if response.status() != StatusCode::SEE_OTHER {
        return response;
    }
    let place = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    if place.is_some_and(|place| place.starts_with("/login")) {
        return error_page(
            StatusCode::UNAUTHORIZED,
            tr!("You are logged out. What you wrote is kept; log in again.").into(),
        );
    }
    let mut done = StatusCode::NO_CONTENT.into_response();
    // Cookies go along.
    done.headers_mut().extend(response.headers().clone());
    done.headers_mut().remove(header::LOCATION);
    done.headers_mut().remove(header::CONTENT_LENGTH);
    done
}

/// A panic in a handler is one answer lost, not the process.
pub fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let cause = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
    tracing::error!(cause = cause.unwrap_or("unknown"), "a handler panicked");
    error_page(
        StatusCode::INTERNAL_SERVER_ERROR,
        tr!("Something went wrong on our side. It has been written down.").into(),
    )
}

/// An address that isn't there.
pub async fn not_found() -> Response {
    error_page(StatusCode::NOT_FOUND, tr!("There is no such page.").into())
}

/// A page that doesn't take this method.
pub async fn wrong_method() -> Response {
    error_page(StatusCode::METHOD_NOT_ALLOWED, tr!("This page can't be used that way.").into())
}
