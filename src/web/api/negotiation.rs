//! What a caller takes and has: [`accepts`] refuses who takes no JSON (406), [`conditional`] spares who has the answer
//! already (304; RFC 9110, 12.5.1 and 13). Both stand around single routes; see [`super::operation`].

use std::hash::{DefaultHasher, Hasher};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// Refuses a caller whose `Accept` has no place for JSON.
pub async fn accepts(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let says_nothing = headers.get_all(header::ACCEPT).iter().all(|value| value.as_bytes().trim_ascii().is_empty());
    if says_nothing || liking(headers, "application/json").0 > 0.0 {
        return next.run(request).await;
    }
    Problem::new(StatusCode::NOT_ACCEPTABLE, tr!("This answers application/json, which your Accept leaves out."))
        .into_response()
}

/// Whether `Accept` has one of these; who says nothing takes all.
pub fn takes(headers: &HeaderMap, kinds: &[&str]) -> bool {
    let mut all = headers.get_all(header::ACCEPT).iter().peekable();
    if all.peek().is_none() {
        return true;
    }
    all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let is_none = parts.find_map(weight) == Some(0.0);
        !is_none && kinds.iter().any(|taken| taken.eq_ignore_ascii_case(kind))
    })
}

/// Whether HTML is liked better than JSON, or just as well and named more closely, as in a browser's list; who takes
/// anything gets JSON.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    liking(headers, "text/html") > liking(headers, "application/json")
}

/// How well `kind` is liked, 0 to 1, by the range that names it most closely (RFC 9110, 12.5.1), and how closely that is.
fn liking(headers: &HeaderMap, kind: &str) -> (f32, u8) {
    let family = kind.split('/').next().unwrap_or_default();
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let weighed = ranges.flat_map(|value| value.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next()?.to_ascii_lowercase();
        let closeness = match named.strip_suffix("/*") {
            Some("*") => 0,
            Some(whole) if whole == family => 1,
            None if named == kind => 2,
            _ => return None,
        };
        Some((parts.find_map(weight).unwrap_or(1.0), closeness))
    });
    weighed.max_by_key(|(_, closeness)| *closeness).unwrap_or_default()
}

/// `q=0.8`; what can't be read counts as no wish.
fn weight(part: &str) -> Option<f32> {
    let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))?;
    Some(weight.parse().unwrap_or(1.0))
}

/// Marks the answer with its `ETag`, and sends it only to who hasn't got it. The mark is of the answer's own bytes: it is
/// right whatever changed, and it costs the work of making them, but not that of sending and reading them.
/// Cost: O(length).
pub async fn conditional(request: Request, next: Next) -> Response {
    let has = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let response = next.run(request).await;
    if !is_read || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Made in memory, by us.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = tag(&bytes);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    parts.headers.append(header::VARY, HeaderValue::from_static("authorization, cookie"));
    if has.iter().any(|value| is_among(value, &tag)) {
        parts.status = StatusCode::NOT_MODIFIED;
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
            parts.headers.remove::<HeaderName>(name);
        }
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// The `ETag` of an answer with these bytes. Weak: what is sent may be compressed on its way.
pub fn tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// Whether `tag` is among those of an `If-None-Match` or `If-Match`, compared weakly.
pub fn is_among(value: &HeaderValue, tag: &str) -> bool {
    let value = value.to_str().unwrap_or_default();
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    value.trim() == "*" || value.split(',').any(|one| bare(one) == bare(tag))
}
