//! The section Profile: what people say of themselves.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Section, SettingsPage, done};
use crate::app::App;
use crate::error::Result;
use crate::users::{Description, Person, User, change};
use crate::web::extract::{Fields, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;
use crate::work::Work;

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Form {
    pub first_name: String,
    pub last_name: String,
    pub bio: String,
}

impl Form {
    pub fn of(user: &User) -> Self {
        Self { first_name: user.first_name.clone(), last_name: user.last_name.clone(), bio: user.bio.clone() }
    }
}

/// What was sent; what wasn't stays as it is.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    first_name: Option<String>,
    last_name: Option<String>,
    bio: Option<String>,
}

/// `POST /settings`.
pub async fn save(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(sent): Fields<Sent>,
) -> Result<Response, PageError> {
    let new = Description { first_name: sent.first_name, last_name: sent.last_name, bio: sent.bio };
    match describe(&app, &person, &new).await {
        Ok(()) => done(&app, &person, Section::Profile, Once::notice(tr!("Your profile is saved."))),
        Err(error) => {
            let mut shown = SettingsPage::load(&app, &person).await?;
            let own = &mut shown.profile;
            for (field, typed) in
                [(&mut own.first_name, new.first_name), (&mut own.last_name, new.last_name), (&mut own.bio, new.bio)]
            {
                typed.into_iter().for_each(|typed| *field = typed);
            }
            shown.refused(Section::Profile, error)
        }
    }
}

async fn describe(app: &App, person: &Person, new: &Description) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    change::describe(&mut work, person.id, new).await?;
    work.commit().await
}
