//! The section E-mail: the address, changed by whoever knows the password.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Section, SettingsPage, ask, done};
use crate::app::App;
use crate::error::Result;
use crate::users::{Person, address, change as users};
use crate::web::extract::{Fields, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;
use crate::work::Work;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Form {
    email: String,
    current_password: String,
}

/// `POST /settings/email`.
pub async fn change(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(typed): Fields<Form>,
) -> Result<Response, PageError> {
    match change_to(&app, &person, &typed.email, typed.current_password).await {
        Ok(()) => done(&app, &person, Section::Email, Once::notice("Your address is changed.")),
        Err(error) => {
            let mut shown = SettingsPage::load(&app, &person).await?;
            shown.email = typed.email;
            shown.refused(Section::Email, error)
        }
    }
}

async fn change_to(app: &App, person: &Person, email: &str, password: String) -> Result<()> {
    ask(app, person, "current_password", password).await?;
    let mut work = Work::begin(app, Some(person)).await?;
    let user = users::hold(&mut work, person.id).await?;
    address::change(&mut work, &user, email).await?;
    work.commit().await
}
