//! The request that a task answers: what it is called in the log, `X-Request-Id`, and who asks. Every line that is written
//! while it is answered has its name (`log/line.rs`). A value of the task rather than a span: that took twice the time, and
//! nothing else is said of it.

use std::cell::Cell;
use std::future::Future;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rand::random;

use crate::i18n;
use crate::ids::UserId;
use crate::users::Person;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 64;

tokio::task_local! {
    static REQUEST: Request;
}

struct Request {
    id: HeaderValue,
    asker: Cell<Option<UserId>>,
}

/// `work`, which answers the request of this id. Cost: nothing but what the work does.
pub async fn within<T>(id: HeaderValue, work: impl Future<Output = T>) -> T {
    REQUEST.scope(Request { id, asker: Cell::new(None) }, work).await
}

/// What `use_id` makes of the id of the request that this task answers, if it answers one.
pub fn with_id<T>(use_id: impl FnOnce(&str) -> T) -> Option<T> {
    REQUEST.try_with(|request| use_id(request.id.to_str().unwrap_or_default())).ok()
}

/// `person` asks, and is answered in their language. Elsewhere than [`within`] nobody hears of it.
pub fn is_by(person: &Person) {
    person.language.into_iter().for_each(i18n::speak);
    let _ = REQUEST.try_with(|request| request.asker.set(Some(person.id)));
}

/// Who asks, as far as that is known.
pub fn asker() -> Option<UserId> {
    REQUEST.try_with(|request| request.asker.get()).ok().flatten()
}

/// The id of a request with these headers: the caller's own where it is one that a log can hold, else one of ours.
/// Cost: O(1).
pub fn id_of(headers: &HeaderMap) -> HeaderValue {
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
