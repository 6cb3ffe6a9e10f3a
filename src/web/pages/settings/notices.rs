//! The section Notifications: the digest by mail, and the browsers that are told when no page is open. Those are the page's
//! script's business: it posts what the browser's push service said.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::{Section, SettingsPage, done};
use crate::app::App;
use crate::error::Result;
use crate::notifications::digest::{self, Digest};
use crate::push::subscriptions::{self, NewSubscription};
use crate::users::Person;
use crate::web::extract::{Fields, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    digest: String,
}

/// As `PushSubscription` has them, the keys in base64url.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Browser {
    endpoint: String,
    p256dh: String,
    auth: String,
}

/// `POST /settings/digest`.
pub async fn digest(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(Choice { digest }): Fields<Choice>,
) -> Result<Response, PageError> {
    match choose(&app, &person, digest).await {
        Ok(()) => done(&app, &person, Section::Notices, Once::notice(tr!("Your choice is saved."))),
        Err(error) => SettingsPage::load(&app, &person).await?.refused(Section::Notices, error),
    }
}

async fn choose(app: &App, person: &Person, typed: String) -> Result<()> {
    digest::choose(app, person, Digest::try_from(typed)?).await
}

/// `POST /settings/push`: this browser is told from now on.
pub async fn subscribe(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(Browser { endpoint, p256dh, auth }): Fields<Browser>,
) -> Result<StatusCode, PageError> {
    let new = NewSubscription::parse(&app, &endpoint, &p256dh, &auth)?;
    subscriptions::add(&app, &person, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /settings/push/remove`: this browser isn't told any more.
pub async fn unsubscribe(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(Browser { endpoint, .. }): Fields<Browser>,
) -> Result<StatusCode, PageError> {
    subscriptions::remove(&app, &person, &endpoint).await?;
    Ok(StatusCode::NO_CONTENT)
}
