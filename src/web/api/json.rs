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
        _ => Error::Malformed(tr!("The body can't be read.").into()).into(),
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // All of it first: a field of the wrong kind in what isn't JSON isn't what is wrong with it.
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| unreadable(&error))?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(malformed(tr!("The body has to be a JSON object.").into()));
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
            return malformed(tr!("“{}” is in the body twice.", twice.trim_matches('`')));
        }
        let expected = told.rsplit_once(", expected ").map_or("something else", |(_, expected)| expected);
        let message = wrong_kind(expected);
        if field.is_empty() || field == "?" { malformed(message) } else { Problem::field(field, message) }
    })
}

/// That a value isn't what a parser calls `kind`, as people say it.
pub fn wrong_kind(kind: &str) -> String {
    match kind {
        "i64" | "u64" | "i32" | "u32" | "usize" => tr!("This is of the wrong kind: expected a whole number.").into(),
        "a string" => tr!("This is of the wrong kind: expected a string.").into(),
        "a sequence" => tr!("This is of the wrong kind: expected a list.").into(),
        "a boolean" => tr!("This is of the wrong kind: expected true or false.").into(),
        "a map" | "an object" => tr!("This is of the wrong kind: expected an object.").into(),
        kind if kind.starts_with("struct ") => tr!("This is of the wrong kind: expected an object.").into(),
        "something else" => tr!("This is of the wrong kind: expected something else.").into(),
        kind => tr!("This is of the wrong kind: expected {}.", kind),
    }
}

fn malformed(why: String) -> Problem {
    Error::Malformed(why).into()
}

fn unreadable(error: &serde_json::Error) -> Problem {
    malformed(tr!("This isn't JSON (line {line}, column {column}).", line = error.line(), column = error.column()))
}
