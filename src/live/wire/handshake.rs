//! The opening handshake (RFC 6455, section 4.2), and what is agreed on with it (RFC 7692, section 7.1). Used by the
//! handlers of `live/socket.rs`, as an extractor that refuses nothing before they have said who may come in.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade;
use ring::digest;
use tokio::net::TcpStream;

use crate::web::transport::{Peer, Transport};

/// Section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const PACKS: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const PACKS_WIDELY: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15";

/// A request to open a socket, or why it is none.
pub struct Handshake(Result<Asked, Refusal>);

struct Asked {
    accept: HeaderValue,
    /// What is answered to the offer to pack messages.
    packs: Option<&'static str>,
    upgrade: OnUpgrade,
    peer: Option<Peer>,
}

/// Why no socket can be opened here.
struct Refusal(StatusCode, &'static str);

/// An agreed upgrade, until the connection is handed over.
pub struct Opening {
    packs: bool,
    upgrade: OnUpgrade,
}

/// A connection that is a socket from now on.
pub struct Taken {
    pub stream: TcpStream,
    /// The answer to the handshake, to be written before everything else.
    pub answer: Bytes,
    /// What came with the handshake.
    pub already: Bytes,
    /// Whether `permessage-deflate` was agreed on.
    pub packs: bool,
}

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(asked(parts)))
    }
}

fn asked(parts: &mut Parts) -> Result<Asked, Refusal> {
    let headers = &parts.headers;
    let bad = |why| Refusal(StatusCode::BAD_REQUEST, why);
    if parts.method != Method::GET || parts.version > Version::HTTP_11 {
        return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "A socket is opened with GET over HTTP/1.1.\n"));
    }
    if !lists(headers, &header::CONNECTION, "upgrade") {
        return Err(bad("A socket is opened with the header \"Connection: Upgrade\".\n"));
    }
    if !lists(headers, &header::UPGRADE, "websocket") {
        return Err(bad("A socket is opened with the header \"Upgrade: websocket\".\n"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(bad("Only version 13 of the WebSocket protocol is spoken here.\n"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(bad("The header Sec-WebSocket-Key is missing.\n"))?;
    let accept = accept(key.as_bytes()).ok_or(bad("The header Sec-WebSocket-Key can't be read.\n"))?;
    let offers = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|offers| offers.to_str().ok());
    let packs = offers.flat_map(|offers| offers.split(',')).find_map(answer);
    let upgrade = parts
        .extensions
        .remove::<OnUpgrade>()
        .ok_or(Refusal(StatusCode::UPGRADE_REQUIRED, "This connection can't become a socket.\n"))?;
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
    Ok(Asked { accept, packs, upgrade, peer })
}

/// Whether a header that lists words has `word`, in any case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// `None` for what isn't 16 bytes in base64 (RFC 6455, section 4.2.1).
fn accept(key: &[u8]) -> Option<HeaderValue> {
    BASE64_STANDARD.decode(key).ok().filter(|key| key.len() == 16)?;
    let mut sha1 = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    sha1.update(key);
    sha1.update(GUID);
    HeaderValue::from_str(&BASE64_STANDARD.encode(sha1.finish())).ok()
}

/// What is answered to one offer of an extension; `None` for one that isn't known or can't be kept to. Messages are
/// packed once for all, over the widest window: who wants a narrower one is sent them plain.
fn answer(offer: &str) -> Option<&'static str> {
    let mut parts = offer.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut seen = Vec::new();
    let mut answer = PACKS;
    for part in parts {
        let (name, value) =
            part.split_once('=').map_or((part, None), |(name, value)| (name.trim(), Some(value.trim())));
        let bits = value.map(|value| value.trim_matches('"').parse::<u8>().ok().filter(|bits| (8..=15).contains(bits)));
        match (name, bits) {
            _ if seen.contains(&name) => return None,
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            ("client_max_window_bits", None | Some(Some(_))) => {}
            ("server_max_window_bits", Some(Some(15))) => answer = PACKS_WIDELY,
            _ => return None,
        }
        seen.push(name);
    }
    Some(answer)
}

impl Handshake {
    /// The answer to give, and the connection to come once it is given; `None` when the answer says why there is none.
    pub fn agree(self) -> (Response, Option<Opening>) {
        let Asked { accept, packs, upgrade, peer } = match self.0 {
            Ok(asked) => asked,
            Err(refusal) => return (refusal.into_response(), None),
        };
        peer.inspect(Peer::switch);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        if let Some(packs) = packs {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(packs));
        }
        (response, Some(Opening { packs: packs.is_some(), upgrade }))
    }
}

impl Opening {
    /// The connection; `None` when it went away meanwhile. Waits until the answer is made.
    pub async fn taken(self) -> Option<Taken> {
        let upgraded = self.upgrade.await.ok()?;
        match upgrade::downcast::<TokioIo<Transport>>(upgraded) {
            Ok(parts) => {
                let (stream, answer) = parts.io.into_inner().take();
                Some(Taken { stream, answer, already: parts.read_buf, packs: self.packs })
            }
            Err(_) => {
                tracing::error!("a socket was opened on something that is no TCP connection");
                None
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // What is spoken here (section 4.4); a 426 has to name it.
        let spoken = [(header::SEC_WEBSOCKET_VERSION, "13"), (header::UPGRADE, "websocket")];
        (self.0, spoken, self.1).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_in_the_standard() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ==").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn offers_to_pack_are_taken_only_if_they_can_be_kept() {
        for (offer, taken) in [
            ("permessage-deflate", Some(PACKS)),
            ("permessage-deflate; client_max_window_bits", Some(PACKS)),
            (" permessage-deflate ; client_max_window_bits=10; server_no_context_takeover ", Some(PACKS)),
            ("permessage-deflate; server_max_window_bits=15", Some(PACKS_WIDELY)),
            ("permessage-deflate; server_max_window_bits=\"15\"", Some(PACKS_WIDELY)),
            ("permessage-deflate; server_max_window_bits=10", None),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; client_max_window_bits=7", None),
            ("permessage-deflate; client_max_window_bits=16", None),
            ("permessage-deflate; server_no_context_takeover=1", None),
            ("permessage-deflate; client_max_window_bits; client_max_window_bits", None),
            ("permessage-deflate; something_else", None),
            ("x-webkit-deflate-frame", None),
            ("", None),
        ] {
            assert_eq!(answer(offer), taken, "{offer}");
        }
    }
}
