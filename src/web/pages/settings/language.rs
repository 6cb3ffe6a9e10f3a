//! The section Language: what the site speaks to the person.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::{Section, SettingsPage, done};
use crate::app::App;
use crate::error::{Error, Result};
use crate::i18n::{self, Language};
use crate::users::{Person, change as users};
use crate::web::extract::{Fields, SignedIn};
use crate::web::headers::asked_for;
use crate::web::once::Once;
use crate::web::render::PageError;
use crate::work::Work;

/// A language's code; empty: as the browser asks.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    language: String,
}

/// `POST /settings/language`.
pub async fn choose(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    headers: HeaderMap,
    Fields(Choice { language }): Fields<Choice>,
) -> Result<Response, PageError> {
    match set(&app, &person, &language).await {
        Ok(chosen) => {
            // What is said of it is said in it.
            i18n::speak(chosen.or_else(|| asked_for(&headers)).unwrap_or(app.config.site_language));
            done(&app, &person, Section::Language, Once::notice(tr!("Your language is saved.")))
        }
        Err(error) => SettingsPage::load(&app, &person).await?.refused(Section::Language, error),
    }
}

async fn set(app: &App, person: &Person, typed: &str) -> Result<Option<Language>> {
    if !Language::CHOICES.iter().any(|(code, _)| *code == typed) {
        return Err(Error::field("language", tr!("Choose one of the languages in the list.")));
    }
    let language = Language::of(typed);
    let mut work = Work::begin(app, Some(person)).await?;
    users::set_language(&mut work, person.id, language).await?;
    work.commit().await.map(|()| language)
}
