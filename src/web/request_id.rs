//! What a request is called in the log: `X-Request-Id`, the caller's own where it is one that a log can hold, else one of
//! ours. Every line that is written while the request is answered has it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rand::random;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 64;

/// The id of a request with these headers. Cost: O(1).
pub fn of(headers: &HeaderMap) -> HeaderValue {
    let mut given = headers.get_all(HEADER).iter();
    match (given.next(), given.next()) {
        (Some(id), None) if is_fit(id.as_bytes()) => id.clone(),
        // Hexadecimal digits.
        _ => HeaderValue::from_str(&format!("{:016x}", random::<u64>())).unwrap_or(HeaderValue::from_static("-")),
    }
}

/// Nobody writes lines of their own into the log by it.
fn is_fit(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}
