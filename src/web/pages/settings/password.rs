//! The section Password.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tower_sessions::Session;

use super::{Section, SettingsPage, ask, done};
use crate::app::App;
use crate::error::{Error, Result};
use crate::users::{Person, change as users};
use crate::web::extract::{Client, Fields, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Form {
    current_password: String,
    new_password: String,
}

/// `POST /settings/password`. Whoever knew the old one is out: every other session ends, and a copy of this browser's
/// cookie is worth nothing.
pub async fn change(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Client(device): Client,
    session: Session,
    Fields(typed): Fields<Form>,
) -> Result<Response, PageError> {
    match change_to(&app, &person, &device.ip, typed).await {
        Ok(()) => {
            session.cycle_id().await.map_err(Error::internal)?;
            let notice = tr!("Your password is changed, and you are logged out everywhere else.");
            done(&app, &person, Section::Password, Once::notice(notice))
        }
        Err(error) => SettingsPage::load(&app, &person).await?.refused(Section::Password, error),
    }
}

async fn change_to(app: &App, person: &Person, ip: &str, typed: Form) -> Result<()> {
    ask(app, person, "current_password", typed.current_password.clone()).await?;
    users::set_own_password(app, person, ip, &typed.current_password, typed.new_password).await
}
