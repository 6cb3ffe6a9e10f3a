//! The section API tokens: what the person's programs sign in with.

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::sessions::moment;
use super::{Section, SettingsPage, ask, done};
use crate::app::App;
use crate::auth::{self, api_tokens};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::ApiTokenId;
use crate::users::Person;
use crate::web::extract::{Fields, Id, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;
use crate::work::Work;

/// How many days a new one may last.
const LASTS: [(&str, &str); 4] = [
    ("30", msgid!("30 days")),
    ("90", msgid!("90 days")),
    ("365", msgid!("A year")),
    ("never", msgid!("Until revoked")),
];

#[derive(Deserialize)]
#[serde(default)]
pub struct Form {
    pub name: String,
    /// Days, or `never`.
    pub expires: String,
    /// Asked for when one signed in long ago.
    pub password: String,
}

impl Default for Form {
    fn default() -> Self {
        Self { name: String::new(), expires: "90".into(), password: String::new() }
    }
}

impl Form {
    pub fn choices(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>, bool)> {
        LASTS.into_iter().map(|(value, label)| (value, i18n::gettext(label), self.expires == value))
    }

    /// When it ends. Errors: [`Error::Invalid`] at `expires`.
    fn ends(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        if !LASTS.iter().any(|(value, _)| *value == self.expires) {
            let why = tr!("Choose how long it works: 30, 90 or 365 days, or never.");
            return Err(Error::field("expires", why));
        }
        let days: Option<u64> = self.expires.parse().ok();
        Ok(days.map(|days| now.plus(Duration::from_secs(days * 24 * 3600))))
    }
}

pub struct Line {
    pub id: ApiTokenId,
    pub name: String,
    pub made: String,
    pub used: Option<String>,
    pub ends: Option<String>,
    pub has_ended: bool,
}

/// The tokens of `person`, newest first. Cost: 1 indexed query, O(tokens).
pub async fn lines(conn: &mut Conn, person: &Person, now: Timestamp) -> Result<Vec<Line>> {
    let own = api_tokens::list(conn, person.id).await?;
    Ok(own
        .into_iter()
        .map(|token| Line {
            id: token.id,
            name: token.name,
            made: i18n::date(token.created_at),
            used: token.last_used_at.map(moment),
            ends: token.expires_at.map(i18n::date),
            has_ended: token.expires_at.is_some_and(|at| at <= now),
        })
        .collect())
}

/// `POST /settings/api-tokens`: makes one and shows it, once.
pub async fn make(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Fields(typed): Fields<Form>,
) -> Result<Response, PageError> {
    match make_one(&app, &person, &typed).await {
        Ok(token) => {
            let once = Once { token: Some((typed.name.trim().to_owned(), token)), ..Once::default() };
            done(&app, &person, Section::ApiTokens, once)
        }
        Err(error) => {
            let mut shown = SettingsPage::load(&app, &person).await?;
            shown.new_token = typed;
            shown.refused(Section::ApiTokens, error)
        }
    }
}

async fn make_one(app: &App, person: &Person, typed: &Form) -> Result<String> {
    let ends = typed.ends(app.clock.now())?;
    if !auth::is_fresh(person, app.clock.now()) {
        ask(app, person, "password", typed.password.clone()).await?;
    }
    let mut work = Work::begin(app, Some(person)).await?;
    let (_, token) = api_tokens::make(&mut work, person.id, &typed.name, ends).await?;
    work.commit().await?;
    Ok(token)
}

/// `POST /settings/api-tokens/{id}/revoke`. Somebody else's isn't there (404).
pub async fn revoke(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(Id(id)): Path<Id>,
) -> Result<Response, PageError> {
    let mut work = Work::begin(&app, Some(&person)).await?;
    api_tokens::revoke_own(&mut work, person.id, ApiTokenId(id)).await?;
    work.commit().await?;
    done(&app, &person, Section::ApiTokens, Once::notice(tr!("The token is revoked.")))
}
