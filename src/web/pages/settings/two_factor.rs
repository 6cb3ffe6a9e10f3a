//! The section Two-factor: setting it up, confirming it with a first code, turning it off.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Section, SettingsPage, ask, done};
use crate::app::App;
use crate::auth::{self, two_factor};
use crate::error::Result;
use crate::users::{Person, change as users};
use crate::web::extract::{Fields, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;
use crate::work::Work;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Confirmation {
    code: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Password {
    password: String,
}

/// `POST /settings/two-factor`.
pub async fn begin(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(typed): Fields<Password>,
) -> Result<Response, PageError> {
    let begun = set_up(&app, &person, typed.password).await.map(|()| Once::default());
    answer(&app, &person, begun).await
}

/// `POST /settings/two-factor/confirm`: from now on it is asked for. Shows the recovery codes, once.
pub async fn confirm(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(typed): Fields<Confirmation>,
) -> Result<Response, PageError> {
    let confirmed = turn_on(&app, &person, &typed.code).await;
    let said = confirmed.map(|codes| Once { codes, ..Once::notice(tr!("Two-factor sign-in is on.")) });
    answer(&app, &person, said).await
}

/// `POST /settings/two-factor/disable`.
pub async fn disable(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(typed): Fields<Password>,
) -> Result<Response, PageError> {
    let off = turn_off(&app, &person, typed.password).await;
    answer(&app, &person, off.map(|()| Once::notice(tr!("Two-factor sign-in is off.")))).await
}

async fn answer(app: &App, person: &Person, said: Result<Once>) -> Result<Response, PageError> {
    match said {
        Ok(once) => done(app, person, Section::TwoFactor, once),
        Err(error) => SettingsPage::load(app, person).await?.refused(Section::TwoFactor, error),
    }
}

async fn set_up(app: &App, person: &Person, password: String) -> Result<()> {
    if !auth::is_fresh(person, app.clock.now()) {
        ask(app, person, "password", password).await?;
    }
    let mut work = Work::begin(app, Some(person)).await?;
    let user = users::hold(&mut work, person.id).await?;
    two_factor::begin(&mut work, &user).await?;
    work.commit().await
}

async fn turn_on(app: &App, person: &Person, code: &str) -> Result<Vec<String>> {
    let mut work = Work::begin(app, Some(person)).await?;
    let user = users::hold(&mut work, person.id).await?;
    let codes = two_factor::confirm(&mut work, &user, code).await?;
    work.commit().await?;
    Ok(codes.into())
}

async fn turn_off(app: &App, person: &Person, password: String) -> Result<()> {
    ask(app, person, "password", password).await?;
    let mut work = Work::begin(app, Some(person)).await?;
    let user = users::hold(&mut work, person.id).await?;
    two_factor::disable(&mut work, &user).await?;
    work.commit().await
}
