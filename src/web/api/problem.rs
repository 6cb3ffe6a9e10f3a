//! Refusals as `application/problem+json` (RFC 9457): every [`Error`], and what the router and the layers refuse.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Content;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response as Described, ResponseBuilder};
use utoipa::openapi::{ObjectBuilder, Ref, Type};

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

/// A refusal, after RFC 9457.
#[derive(Serialize, ToSchema)]
pub struct Document<'a> {
    #[schema(example = "about:blank")]
    r#type: &'a str,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    title: &'a str,
    #[schema(example = 422, minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, for people.
    #[schema(example = "This name is already taken.")]
    detail: &'a str,
    /// What is wrong with each field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, example = json!({"username": ["This name is already taken."]}))]
    errors: &'a BTreeMap<String, Vec<String>>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: BTreeMap::new(), retry_after: None }
    }

    /// What is asked after the `?` is wrong somewhere.
    pub fn address() -> Self {
        Self::new(StatusCode::BAD_REQUEST, tr!("This address can't be read."))
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
            Error::UnsupportedType => Self::new(status, tr!("The body has to be JSON: send it as application/json.")),
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            // What the status says is all there is to the kind of problem.
            r#type: "about:blank",
            title: &title(self.status),
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

/// The status in words, which RFC 9457 lets be in the reader's language (4.2.1).
fn title(status: StatusCode) -> Cow<'static, str> {
    match status {
        StatusCode::BAD_REQUEST => tr!("Bad Request"),
        StatusCode::UNAUTHORIZED => tr!("Unauthorized"),
        StatusCode::FORBIDDEN => tr!("Forbidden"),
        StatusCode::NOT_FOUND => tr!("Not Found"),
        StatusCode::METHOD_NOT_ALLOWED => tr!("Method Not Allowed"),
        StatusCode::NOT_ACCEPTABLE => tr!("Not Acceptable"),
        StatusCode::CONFLICT => tr!("Conflict"),
        StatusCode::PAYLOAD_TOO_LARGE => tr!("Payload Too Large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => tr!("Unsupported Media Type"),
        StatusCode::RANGE_NOT_SATISFIABLE => tr!("Range Not Satisfiable"),
        StatusCode::UNPROCESSABLE_ENTITY => tr!("Unprocessable Entity"),
        StatusCode::TOO_MANY_REQUESTS => tr!("Too Many Requests"),
        StatusCode::INTERNAL_SERVER_ERROR => tr!("Internal Server Error"),
        StatusCode::SERVICE_UNAVAILABLE => tr!("Service Unavailable"),
        other => other.canonical_reason().unwrap_or("Error").into(),
    }
}

/// An address under the API's that isn't there.
pub async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, tr!("There is nothing at this address."))
}

/// An address that doesn't take this method; `Allow` says which it takes.
pub async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, tr!("This address doesn't take this method."))
}

/// What the layers around the API refuse (a page of another site, a request that takes too long, a handler that
/// panicked), said as the API says it.
pub fn said(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !(status.is_client_error() || status.is_server_error()) || kind.starts_with(MEDIA_TYPE) {
        return response;
    }
    let problem = match status {
        StatusCode::FORBIDDEN => Problem::new(status, tr!("This was sent from another site, so nothing was done.")),
        StatusCode::SERVICE_UNAVAILABLE => Error::Unavailable.into(),
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge.into(),
        StatusCode::NOT_FOUND => Problem::new(status, tr!("There is nothing at this address.")),
        _ if status.is_server_error() => {
            Problem::new(status, tr!("Something went wrong on our side. It has been written down."))
        }
        _ => Problem::new(status, tr!("That can't be done.")),
    };
    problem.into_response()
}

/// The refusals that go without saying, as the document names them: status, name, and what each means.
const COMMON: [(&str, &str, &str); 9] = [
    ("304", "NotModified", "What `If-None-Match` names is still what there is."),
    ("400", "Malformed", "The address or the body can't be read."),
    ("401", "SignedOut", "Nobody is signed in, or not by a token that is good."),
    ("404", "NotFound", "Not there, or private to others."),
    ("406", "NotAcceptable", "`Accept` leaves out application/json."),
    ("413", "TooLarge", "The body is too large."),
    ("415", "UnsupportedType", "The body is of a type that isn't taken here."),
    ("422", "Invalid", "Fields are wrong; `errors` says what is wrong with each."),
    ("503", "Unavailable", "The server can't do that for the moment; `Retry-After` says when to ask again."),
];

/// The document's name of the common answer with this status.
pub fn name_of(status: &str) -> &'static str {
    COMMON.iter().find(|(common, ..)| *common == status).map_or("", |(_, name, _)| name)
}

/// What the document says of a refusal.
pub fn response(about: &str) -> Described {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(about).content(MEDIA_TYPE, content).build()
}

/// The answers that many calls have, for the document.
pub fn common() -> impl Iterator<Item = (&'static str, Described)> {
    COMMON.into_iter().map(|(status, name, about)| {
        let response = match status {
            "304" => ResponseBuilder::new().description(about).build(),
            "503" => {
                let seconds = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Integer)));
                let header = seconds.description(Some("Seconds.")).build();
                ResponseBuilder::from(response(about)).header("Retry-After", header).build()
            }
            _ => response(about),
        };
        (name, response)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_english_titles_are_those_of_the_statuses() {
        for status in (400..600).filter_map(|status| StatusCode::from_u16(status).ok()) {
            assert_eq!(title(status), status.canonical_reason().unwrap_or("Error"));
        }
    }

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
