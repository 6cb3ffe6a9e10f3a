//! What letters lead to: a new password, and a new address confirmed. A link by itself changes nothing, since programs
//! that look through mail open links; the button on its page does.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::account::Token;
use crate::app::App;
use crate::auth::reset_tokens;
use crate::error::{Error, FieldErrors};
use crate::users::address;
use crate::web::extract::{Asked, Client, Fields, Visitor};
use crate::web::once::Once;
use crate::web::render::{Chrome, PageError, page, refused};
use crate::work::Work;

pub struct MailedPages;

#[derive(Template)]
#[template(path = "pages/password_reset.html")]
struct ResetPage {
    chrome: Chrome,
    sent: bool,
    email: String,
    errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "pages/new_password.html")]
struct NewPasswordPage {
    chrome: Chrome,
    token: String,
    username: String,
    errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "pages/confirm_address.html")]
struct AddressPage {
    chrome: Chrome,
    token: String,
    email: String,
    errors: FieldErrors,
}

/// A link that doesn't work, and what to do then.
#[derive(Template)]
#[template(path = "pages/worthless_link.html")]
struct WorthlessPage {
    chrome: Chrome,
    message: String,
    again: &'static str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    sent: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    email: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewPassword {
    token: String,
    password: String,
}

impl MailedPages {
    /// `GET /password-reset`.
    pub async fn form(State(app): State<App>, Asked(Sent { sent }): Asked<Sent>) -> Response {
        let shown = ResetPage {
            chrome: Chrome::new(&app, None),
            sent: !sent.is_empty(),
            email: String::new(),
            errors: FieldErrors::default(),
        };
        page(StatusCode::OK, &shown)
    }

    /// `POST /password-reset`: the same answer whoever asks for whom.
    pub async fn request(
        State(app): State<App>,
        Client(device): Client,
        Fields(Wish { email }): Fields<Wish>,
    ) -> Result<Response, PageError> {
        if !email.contains('@') {
            let wrong = Error::field("email", tr!("Type the e-mail address of your account."));
            let chrome = Chrome::new(&app, None);
            return refused(wrong, "email", |errors| ResetPage { chrome, sent: false, email, errors });
        }
        reset_tokens::request(&app, &email, &device).await;
        Ok(Redirect::to("/password-reset?sent=1").into_response())
    }

    /// `GET /password-reset/confirm?token=…`. Cost: 2 queries.
    pub async fn new_password(
        State(app): State<App>,
        Asked(Token { token }): Asked<Token>,
    ) -> Result<Response, PageError> {
        match reset_tokens::owner(&mut app.db.read().await?, &token, app.clock.now()).await {
            Ok(user) => {
                let (chrome, errors) = (Chrome::new(&app, None), FieldErrors::default());
                Ok(page(StatusCode::OK, &NewPasswordPage { chrome, token, username: user.username, errors }))
            }
            Err(error) => worthless(&app, error, "/password-reset"),
        }
    }

    /// `POST /password-reset/confirm`.
    pub async fn set_password(
        State(app): State<App>,
        Client(device): Client,
        Fields(NewPassword { token, password }): Fields<NewPassword>,
    ) -> Result<Response, PageError> {
        match reset_tokens::redeem(&app, &token, password, &device).await {
            Ok(_) => {
                let notice = Once::notice(tr!("Your new password is set. Log in with it."));
                Ok(notice.along(&app, None, Redirect::to("/login"))?)
            }
            Err(error @ Error::Invalid(_)) => {
                let chrome = Chrome::new(&app, None);
                let again = |errors| NewPasswordPage { chrome, token, username: String::new(), errors };
                refused(error, "password", again)
            }
            Err(error) => worthless(&app, error, "/password-reset"),
        }
    }

    /// `GET /settings/email/confirm?token=…`. Cost: 1 query.
    pub async fn address(State(app): State<App>, Asked(Token { token }): Asked<Token>) -> Result<Response, PageError> {
        match address::waiting(&mut app.db.read().await?, &token, app.clock.now()).await {
            Ok((_, email)) => {
                let (chrome, errors) = (Chrome::new(&app, None), FieldErrors::default());
                Ok(page(StatusCode::OK, &AddressPage { chrome, token, email, errors }))
            }
            Err(error) => worthless(&app, error, "/settings#email"),
        }
    }

    /// `POST /settings/email/confirm`.
    pub async fn confirm_address(
        State(app): State<App>,
        Visitor(person): Visitor,
        Fields(Token { token }): Fields<Token>,
    ) -> Result<Response, PageError> {
        let mut work = Work::begin(&app, None).await?;
        let confirmed = match address::confirm(&mut work, &token).await {
            Ok(()) => work.commit().await,
            Err(error) => Err(error),
        };
        match confirmed {
            Ok(()) => {
                let session = person.and_then(|person| person.session());
                let leads_to = if session.is_some() { "/settings#email" } else { "/login?next=%2Fsettings" };
                Ok(Once::notice(tr!("Your new address is confirmed.")).along(&app, session, Redirect::to(leads_to))?)
            }
            Err(error @ Error::Invalid(_)) => {
                let chrome = Chrome::new(&app, None);
                refused(error, "email", |errors| AddressPage { chrome, token, email: String::new(), errors })
            }
            Err(error) => worthless(&app, error, "/settings#email"),
        }
    }
}

/// 400 with what to do instead; other errors are pages of their own.
fn worthless(app: &App, error: Error, again: &'static str) -> Result<Response, PageError> {
    match error {
        Error::Malformed(message) => {
            let shown = WorthlessPage { chrome: Chrome::new(app, None), message, again };
            Ok(page(StatusCode::BAD_REQUEST, &shown))
        }
        error => Err(error.into()),
    }
}
