//! Bodies of requests: [`Body`], a JSON object read into a struct. What can't be read is 400, what isn't JSON 415, what is
//! too much 413, and a field of the wrong kind 422 at that field.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::problem::Problem;
use crate::app::App;
use crate::error::Error;

/// A body that has to be there.
pub struct Body<T>(pub T);

/// A body that may be left out: `T::default()` then.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = bytes(request, app).await?;
        if is_json { read(&bytes).map(Self) } else { Err(Error::UnsupportedType.into()) }
    }
}

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = bytes(request, app).await?;
        match bytes.is_empty() {
            true => Ok(Self(T::default())),
            false if is_json => read(&bytes).map(Self),
            false => Err(Error::UnsupportedType.into()),
        }
    }
}

/// `application/json`, `application/merge-patch+json` and the like.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

async fn bytes(request: Request, app: &App) -> Result<Bytes, Problem> {
    Bytes::from_request(request, app).await.map_err(|refusal| match refusal.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge.into(),
        _ => Error::Malformed("The body can't be read.".into()).into(),
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // All of it first: a field of the wrong kind in what isn't JSON isn't what is wrong with it.
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| unreadable(&error))?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(malformed("The body has to be a JSON object.".into()));
    }
    let mut body = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut body).map_err(|error| {
        if !error.inner().is_data() {
            return unreadable(error.inner());
        }
        let field = error.path().iter().next().map(ToString::to_string).unwrap_or_default();
        // The rest of what it says shows the value, which may be a password.
        let told = error.inner().to_string();
        let told = told.split(" at line ").next().unwrap_or_default();
        if let Some(twice) = told.strip_prefix("duplicate field ") {
            return malformed(format!("“{}” is in the body twice.", twice.trim_matches('`')));
        }
        let expected = told.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
        let message = format!("This is of the wrong kind: expected {}.", in_words(expected));
        if field.is_empty() || field == "?" { malformed(message) } else { Problem::field(field, message) }
    })
}

/// What a parser calls a kind, as people do.
fn in_words(kind: &str) -> &str {
    match kind {
        "i64" | "u64" | "i32" | "u32" | "usize" => "a whole number",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "a map" => "an object",
        kind if kind.starts_with("struct ") => "an object",
        kind => kind,
    }
}

fn malformed(why: String) -> Problem {
    Error::Malformed(why).into()
}

fn unreadable(error: &serde_json::Error) -> Problem {
    malformed(format!("This isn't JSON (line {}, column {}).", error.line(), error.column()))
}
