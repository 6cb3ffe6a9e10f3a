//! Refusals as `application/problem+json` (RFC 9457): every [`Error`], and what the router and the layers refuse.

use std::collections::BTreeMap;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::ROOT;
use crate::error::{Error, FieldErrors};
use crate::web::render;

const MEDIA_TYPE: &str = "application/problem+json";

/// One refusal.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// What is wrong with each field.
    errors: BTreeMap<String, Vec<String>>,
    /// Seconds.
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: &'a BTreeMap<String, Vec<String>>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: BTreeMap::new(), retry_after: None }
    }

    /// The same with what is wrong with one field.
    pub fn at(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.entry(field.into()).or_default().push(message.into());
        self
    }

    /// A body of the right form whose fields are wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message.clone()).at(field, message)
    }

    fn with(mut self, errors: &FieldErrors) -> Self {
        self.errors = errors.0.iter().map(|(field, messages)| ((*field).to_owned(), messages.clone())).collect();
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        render::log(&error);
        let status = render::status(&error);
        let problem = Self { retry_after: error.retry_after(), ..Self::new(status, error.to_string()) };
        match error {
            Error::Invalid(errors) => problem.with(&errors),
            Error::TooLong { .. } => Self::field("content", error.to_string()),
            Error::UnsupportedType => Self::new(status, "The body has to be JSON: send it as application/json."),
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            // What the status says is all there is to the kind of problem.
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let body = serde_json::to_string(&document).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An address under the API's that isn't there.
pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

/// An address that doesn't take this method; `Allow` says which it takes.
pub async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This address doesn't take this method.")
}

/// What the layers around the API refuse (a page of another site, a request that takes too long, a handler that
/// panicked), said as the API says it.
pub async fn around(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'));
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !is_api || !(status.is_client_error() || status.is_server_error()) || kind.starts_with(MEDIA_TYPE) {
        return response;
    }
    let problem = match status {
        StatusCode::FORBIDDEN => Problem::new(status, "This was sent from another site, so nothing was done."),
        StatusCode::SERVICE_UNAVAILABLE => Error::Unavailable.into(),
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge.into(),
        StatusCode::NOT_FOUND => Problem::new(status, "There is nothing at this address."),
        _ if status.is_server_error() => {
            Problem::new(status, "Something went wrong on our side. It has been written down.")
        }
        _ => Problem::new(status, "That can't be done."),
    };
    problem.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_come_back_later_is_told_when() {
        let after = |error: Error| {
            let response = Problem::from(error).into_response();
            (
                response.status().as_u16(),
                response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned()),
            )
        };
        assert_eq!(after(Error::Throttled { retry_after_ms: 1001 }), (429, Some("2".into())));
        assert_eq!(after(Error::TooMany { retry_after_ms: 1 }), (429, Some("1".into())));
        assert_eq!(after(Error::Unavailable), (503, Some("1".into())));
        assert_eq!(after(Error::SignedOut), (401, None));
    }
}
