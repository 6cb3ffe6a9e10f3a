//! `POST /settings/delete`: a person's account, deleted by themselves.

use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;

use super::{Section, SettingsPage, ask};
use crate::app::App;
use crate::error::{Error, Result};
use crate::i18n;
use crate::users::{Person, change as users, departure};
use crate::web::extract::{Fields, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;
use crate::work::Work;

#[derive(Deserialize)]
#[serde(default)]
pub struct Form {
    password: String,
    /// `keep` or `erase`.
    messages: String,
}

impl Default for Form {
    fn default() -> Self {
        Self { password: String::new(), messages: "keep".into() }
    }
}

const KEPT: &str = msgid!("Your account is deleted.");
const ERASED: &str = msgid!("Your account is closed, and what you wrote is being erased. That may take a few minutes.");

/// `POST /settings/delete`.
pub async fn delete(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    session: Session,
    Fields(typed): Fields<Form>,
) -> Result<Response, PageError> {
    match leave(&app, &person, &typed.messages, typed.password).await {
        Ok(notice) => {
            session.flush().await.map_err(Error::internal)?;
            Ok(Once::notice(i18n::gettext(notice)).along(&app, None, Redirect::to("/login"))?)
        }
        Err(error) => {
            let mut shown = SettingsPage::load(&app, &person).await?;
            shown.messages = typed.messages;
            shown.refused(Section::YourData, error)
        }
    }
}

/// What to tell whoever has left.
async fn leave(app: &App, person: &Person, messages: &str, password: String) -> Result<&'static str> {
    if !["keep", "erase"].contains(&messages) {
        return Err(Error::field("messages", tr!("Choose whether your messages are kept or erased.")));
    }
    ask(app, person, "password", password).await?;
    let mut work = Work::begin(app, Some(person)).await?;
    let user = users::hold(&mut work, person.id).await?;
    let notice = if messages == "erase" {
        departure::begin_erasing(&mut work, &user).await?;
        ERASED
    } else {
        departure::leave(&mut work, &user).await?;
        KEPT
    };
    work.commit().await?;
    Ok(notice)
}
