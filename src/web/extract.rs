//! What handlers are given: who asks ([`Visitor`], [`SignedIn`]), from where ([`Client`]), and what they typed
//! ([`Fields`]).

use std::convert::Infallible;
use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use tower_sessions::Session;
use url::form_urlencoded;

use super::cookies;
use super::render::PageError;
use super::request;
use crate::app::App;
use crate::auth::session::{self, Device};
use crate::error::Error;
use crate::users::Person;
use crate::web::transport::Peer;

/// Whoever asks, signed in or not. Cost: nothing without a cookie, else 2 indexed queries.
pub struct Visitor(pub Option<Person>);

impl FromRequestParts<App> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let session = parts.extensions.get::<Session>().cloned();
        match session {
            Some(session) => {
                let person = session::person(app, &session).await.map_err(PageError)?;
                Ok(Self(person.inspect(request::is_by)))
            }
            None => Ok(Self(None)),
        }
    }
}

/// Somebody signed in; others are sent to log in and come back. Cost: 2 indexed queries.
pub struct SignedIn(pub Person);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match Visitor::from_request_parts(parts, app).await.map_err(IntoResponse::into_response)? {
            Visitor(Some(person)) => Ok(Self(person)),
            Visitor(None) => Err(log_in_first(parts).into_response()),
        }
    }
}

fn log_in_first(parts: &Parts) -> Redirect {
    // A form's address may have no page of its own to come back to.
    let back = if matches!(parts.method, Method::GET | Method::HEAD) {
        parts.uri.path_and_query().map_or("/chat", |path| path.as_str())
    } else {
        "/chat"
    };
    let next: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    Redirect::to(&format!("/login?next={next}"))
}

/// `next`, if it is a path on this site; `/chat` otherwise. A browser reads `//host` and `/\host` as other sites.
pub fn local_path(next: &str) -> &str {
    let local =
        next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.chars().any(char::is_control);
    if local { next } else { "/chat" }
}

/// Where a request comes from.
pub struct Client(pub Device);

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.address.ip());
        let ip = peer.map_or_else(String::new, |peer| {
            client_address(peer, &parts.headers, &app.config.trusted_proxies).to_string()
        });
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
        let token = cookies::device_token(&parts.headers, &app.config);
        Ok(Self(Device { ip, user_agent: user_agent.chars().take(300).collect(), token }))
    }
}

/// The last address in `X-Forwarded-For` that none of our proxies wrote; the peer's own without trusted proxies. What
/// stands before something that is no address is not believed.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    // On a socket for both kinds, an IPv4 address comes as `::ffff:192.0.2.1`.
    let peer = peer.to_canonical();
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    if !is_trusted(&peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
    let mut nearest = peer;
    for hop in hops.iter().rev() {
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        let ip = ip.to_canonical();
        nearest = ip;
        if !is_trusted(&ip) {
            break;
        }
    }
    nearest
}

/// The number in an address. What isn't one is answered 404: there is nothing of that name.
pub struct Id(pub i64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // No row has the id -1.
        Ok(Self(text.parse().unwrap_or(-1)))
    }
}

/// What the address asks after its `?`. Errors: 400 in words.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, PageError> {
        let asked = serde_html_form::from_str(parts.uri.query().unwrap_or_default());
        asked
            .map(Self)
            .map_err(|error| PageError(Error::Malformed(tr!("This address can't be read: {why}.", why = error))))
    }
}

/// A form's fields, sent as `application/x-www-form-urlencoded` or multipart. A field may come more than once.
/// Errors: 400 for what can't be read or isn't UTF-8, 413 for too much, 415 for other types.
pub struct Fields<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Fields<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let body = match kind.as_str() {
            "multipart/form-data" => multipart(request, app).await?,
            "application/x-www-form-urlencoded" | "" => urlencoded(request, app).await?,
            _ => return Err(PageError(Error::UnsupportedType)),
        };
        serde_html_form::from_str(&body).map(Self).map_err(|error| unreadable(&error.to_string()))
    }
}

fn unreadable(why: &str) -> PageError {
    PageError(Error::Malformed(tr!("This form can't be read: {why}.", why = why)))
}

fn refused(status: StatusCode, why: &str) -> PageError {
    if status == StatusCode::PAYLOAD_TOO_LARGE { PageError(Error::TooLarge) } else { unreadable(why) }
}

async fn urlencoded(request: Request, app: &App) -> Result<String, PageError> {
    let body = Bytes::from_request(request, app).await.map_err(|e| refused(e.status(), &e.body_text()))?;
    let body = String::from_utf8(body.into()).map_err(|_| unreadable(&tr!("it isn't UTF-8")))?;
    // The parser would put � for bytes that aren't text; nobody typed that.
    percent_encoding::percent_decode_str(&body).decode_utf8().map_err(|_| unreadable(&tr!("it isn't UTF-8")))?;
    Ok(body)
}

async fn multipart(request: Request, app: &App) -> Result<String, PageError> {
    let mut parts = Multipart::from_request(request, app).await.map_err(|error| unreadable(&error.body_text()))?;
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|e| refused(e.status(), &e.body_text()))? {
        let name = part.name().unwrap_or_default().to_owned();
        let value = part.bytes().await.map_err(|e| refused(e.status(), &e.body_text()))?;
        let value = std::str::from_utf8(&value).map_err(|_| unreadable(&tr!("it isn't UTF-8")))?;
        fields.push((name, value.to_owned()));
    }
    Ok(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_followed_back() {
        assert_eq!(local_path("/chat/rooms/3?before=9"), "/chat/rooms/3?before=9");
        for foreign in ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "", "chat"] {
            assert_eq!(local_path(foreign), "/chat", "{foreign}");
        }
    }

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.0.0.2".parse().unwrap());
        let (proxy, stranger): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "8.8.8.8".parse().unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(client_address(proxy, &headers, &trusted), "9.9.9.9".parse::<IpAddr>().unwrap());
        assert_eq!(client_address(stranger, &headers, &trusted), stranger);
        headers.insert("x-forwarded-for", "6.6.6.6, not-an-address, 10.0.0.2".parse().unwrap());
        assert_eq!(client_address(proxy, &headers, &trusted), "10.0.0.2".parse::<IpAddr>().unwrap());
        assert_eq!(client_address(proxy, &headers, &[]), proxy);
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(client_address(mapped, &headers, &trusted), "10.0.0.2".parse::<IpAddr>().unwrap());
    }
}
