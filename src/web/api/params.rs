//! What an address says: [`At`], its path, and [`Params`], what it asks after the `?`. What can't be read is 400.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::app::App;
use crate::error::Error;

/// The parameters of the path: one, or a tuple of them.
pub struct At<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, app).await;
        let unreadable = || tr!("This address can't be read: an id in it is no whole number, or a name no text.");
        path.map(|Path(at)| Self(at)).map_err(|_| Error::Malformed(unreadable().into()).into())
    }
}

/// What is asked, read into a struct; names that it doesn't have are passed over.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let asked = serde_path_to_error::deserialize(serde_html_form::Deserializer::from_bytes(query.as_bytes()));
        asked.map(Self).map_err(|error| {
            let field = error.path().iter().next().map(ToString::to_string).unwrap_or_default();
            let problem = Problem::address();
            let why = in_words(&error.inner().to_string());
            if field.is_empty() || field == "?" { problem } else { problem.at(field, why) }
        })
    }
}

/// What a parser says is wrong with a value, as people say it.
fn in_words(told: &str) -> String {
    match told.split_once(", expected ") {
        Some((_, words)) if told.starts_with("unknown variant") => {
            // It quotes each: `a` or `b`; one of `a`, `b`, `c`.
            let choices: Vec<_> = words.split('`').skip(1).step_by(2).collect();
            match choices[..] {
                [one, other] => tr!("Accepted: {one} or {other}.", one = one, other = other),
                _ => tr!("Accepted: one of {choices}.", choices = choices.join(", ")),
            }
        }
        _ if told.contains("digit") || told.contains("number") => tr!("This is no whole number.").into(),
        _ => tr!("This can't be read.").into(),
    }
}
