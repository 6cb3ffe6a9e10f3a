//! The section E-mail: the address, changed by whoever knows the password.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Section, SettingsPage, ask, done};
use crate::app::App;
use crate::error::Result;
use crate::users::address::{self, Change};
use crate::users::{Person, change as users};
use crate::web::extract::{Client, Fields, SignedIn};
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
    Client(device): Client,
    Fields(typed): Fields<Form>,
) -> Result<Response, PageError> {
    match change_to(&app, &person, &device.ip, &typed.email, typed.current_password).await {
        Ok(change) => done(&app, &person, Section::Email, Once::notice(said(change, &typed.email))),
        Err(error) => {
            let mut shown = SettingsPage::load(&app, &person).await?;
            shown.email = typed.email;
            shown.refused(Section::Email, error)
        }
    }
}

fn said(change: Change, email: &str) -> String {
    match change {
        Change::Same => tr!("This was your address already.").into(),
        Change::Done => tr!("Your address is changed.").into(),
        Change::Asked => {
            tr!("A letter is on its way to {email}: open its link, and it is your address.", email = email)
        }
    }
}

async fn change_to(app: &App, person: &Person, ip: &str, email: &str, password: String) -> Result<Change> {
    ask(app, person, "current_password", password).await?;
    address::admit(app, person.id, ip).await?;
    let mut work = Work::begin(app, Some(person)).await?;
    let user = users::hold(&mut work, person.id).await?;
    let change = address::change(&mut work, &user, email).await?;
    work.commit().await.map(|()| change)
}
