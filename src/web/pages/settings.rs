//! `/settings`: what people may change about their own account, on one page of sections. Each section's form posts to
//! an address of its own (`settings/…`) and comes back to the section, or shows the page again with what is wrong.

mod address;
mod api_tokens;
mod avatar;
mod language;
mod leaving;
mod my_data;
mod notices;
mod password;
mod profile;
mod sessions;
mod two_factor;

use std::borrow::Cow;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::auth;
use crate::auth::two_factor::State as TwoFactor;
use crate::error::{Error, FieldErrors, Result};
use crate::i18n::Language;
use crate::notifications::digest::{self, Digest};
use crate::users::address as addresses;
use crate::users::{self, Person, User};
use crate::web::extract::SignedIn;
use crate::web::once::Once;
use crate::web::render::{Chrome, PageError, page};

/// Every route of these pages.
pub fn routes() -> Router<App> {
    let upload = post(avatar::upload).layer(DefaultBodyLimit::max(avatar::MOST_READ));
    Router::new()
        .route("/settings", get(shown).post(profile::save))
        .route("/settings/avatar", upload)
        .route("/settings/avatar/remove", post(avatar::remove))
        .route("/settings/email", post(address::change))
        .route("/settings/password", post(password::change))
        .route("/settings/two-factor", post(two_factor::begin))
        .route("/settings/two-factor/confirm", post(two_factor::confirm))
        .route("/settings/two-factor/disable", post(two_factor::disable))
        .route("/settings/sessions/end", post(sessions::end_others))
        .route("/settings/sessions/{id}/end", post(sessions::end))
        .route("/settings/api-tokens", post(api_tokens::make))
        .route("/settings/api-tokens/{id}/revoke", post(api_tokens::revoke))
        .route("/settings/digest", post(notices::digest))
        .route("/settings/language", post(language::choose))
        .route("/settings/push", post(notices::subscribe))
        .route("/settings/push/remove", post(notices::unsubscribe))
        .route("/settings/export", get(my_data::export))
        .route("/settings/delete", post(leaving::delete))
}

/// A part of the page; its name is its anchor.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    Profile,
    Email,
    Notices,
    Language,
    Password,
    TwoFactor,
    Sessions,
    ApiTokens,
    YourData,
}

impl Section {
    const ALL: [Self; 9] = [
        Self::Profile,
        Self::Email,
        Self::Notices,
        Self::Language,
        Self::Password,
        Self::TwoFactor,
        Self::Sessions,
        Self::ApiTokens,
        Self::YourData,
    ];

    fn anchor(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Email => "email",
            Self::Notices => "notices",
            Self::Language => "language",
            Self::Password => "password",
            Self::TwoFactor => "two-factor",
            Self::Sessions => "sessions",
            Self::ApiTokens => "api-tokens",
            Self::YourData => "your-data",
        }
    }

    fn title(self) -> Cow<'static, str> {
        match self {
            Self::Profile => tr!("Profile"),
            Self::Email => tr!("E-mail"),
            Self::Notices => tr!("Notifications"),
            Self::Language => tr!("Language"),
            Self::Password => tr!("Password"),
            Self::TwoFactor => tr!("Two-factor"),
            Self::Sessions => tr!("Sessions"),
            Self::ApiTokens => tr!("API tokens"),
            Self::YourData => tr!("Your data"),
        }
    }
}

#[derive(Template)]
#[template(path = "pages/settings.html")]
struct SettingsPage {
    chrome: Chrome,
    user: User,
    /// Said once: what was done, and secrets just made.
    once: Once,
    wrong: Option<(Section, FieldErrors)>,
    profile: profile::Form,
    email: String,
    /// An address that waits to be confirmed.
    waiting: Option<String>,
    digest: Digest,
    /// What the page's script subscribes this browser to.
    push_key: String,
    two_factor: TwoFactor,
    /// Whether they signed in, or said their password again, lately.
    is_fresh: bool,
    sessions: Vec<sessions::Line>,
    tokens: Vec<api_tokens::Line>,
    new_token: api_tokens::Form,
    /// What should become of their messages: `keep` or `erase`.
    messages: String,
}

impl SettingsPage {
    /// Cost: 6 indexed queries, O(sessions and tokens of the person).
    async fn load(app: &App, person: &Person) -> Result<Self> {
        let (mut conn, now) = (app.db.read().await?, app.clock.now());
        let user = users::by_id(&mut conn, person.id).await?.ok_or(Error::SignedOut)?;
        Ok(Self {
            digest: digest::chosen(&mut conn, person.id).await?,
            push_key: app.push.public_key().to_owned(),
            two_factor: auth::two_factor::state(&mut conn, app, &user).await?,
            sessions: sessions::lines(&mut conn, person, now).await?,
            tokens: api_tokens::lines(&mut conn, person, now).await?,
            chrome: Chrome::new(app, Some(person.clone())),
            once: Once::default(),
            wrong: None,
            profile: profile::Form::of(&user),
            email: String::new(),
            waiting: addresses::of_user(&mut conn, person.id, now).await?,
            is_fresh: auth::is_fresh(person, now),
            new_token: api_tokens::Form::default(),
            messages: "keep".into(),
            user,
        })
    }

    /// What is wrong at a field of a section; with an empty name, with the section.
    fn error(&self, section: &str, field: &str) -> String {
        match &self.wrong {
            Some((wrong, errors)) if wrong.anchor() == section => errors.of(field),
            _ => String::new(),
        }
    }

    /// The page with what is wrong in a section. Errors: what isn't about what was typed.
    fn refused(mut self, section: Section, error: Error) -> Result<Response, PageError> {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        let errors = match error {
            Error::Invalid(errors) => errors,
            Error::Conflict(_) | Error::TooMany { .. } => FieldErrors::one("", error.to_string()),
            error => return Err(error.into()),
        };
        self.wrong = Some((section, errors));
        Ok(page(status, &self))
    }
}

/// `GET /settings`.
async fn shown(State(app): State<App>, SignedIn(person): SignedIn, headers: HeaderMap) -> Result<Response, PageError> {
    let mut shown = SettingsPage::load(&app, &person).await?;
    let Some(once) = Once::of(&app, &headers, person.session())? else {
        return Ok(page(StatusCode::OK, &shown));
    };
    shown.once = once;
    let mut response = page(StatusCode::OK, &shown);
    Once::end(&app, &mut response)?;
    Ok(response)
}

/// Back to a section, which says what was done.
fn done(app: &App, person: &Person, section: Section, once: Once) -> Result<Response, PageError> {
    let back = Redirect::to(&format!("/settings#{}", section.anchor()));
    Ok(once.along(app, person.session(), back)?)
}

/// Asks for the password of `person` again. Errors: [`Error::Invalid`] at `field`; [`Error::Forbidden`] for the fifth
/// wrong one, which ends the session.
async fn ask(app: &App, person: &Person, field: &'static str, password: String) -> Result<()> {
    let fits = auth::ask_again(app, person, password).await?;
    if fits { Ok(()) } else { Err(Error::field(field, tr!("This isn't your password."))) }
}
