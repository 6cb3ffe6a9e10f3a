//! The second step of logging in: a code, after the password was right. `/login/two-factor`.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;

use super::account::enter;
use crate::app::App;
use crate::auth::{Proven, pending, two_factor};
use crate::error::{FieldErrors, Result};
use crate::web::extract::{Asked, Client, Fields};
use crate::web::render::{Chrome, PageError, page, refused};

pub struct SecondStepPages;

#[derive(Template)]
#[template(path = "pages/second_step.html")]
struct SecondStepPage {
    chrome: Chrome,
    /// A recovery code is asked for, which has letters: a phone's keys for numbers won't do.
    by_recovery: bool,
    errors: FieldErrors,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Way {
    with: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Code {
    totp: String,
    with: String,
}

/// An address longer than this isn't kept.
const LONGEST_NEXT: usize = 2000;
const ADDRESS: &str = "/login/two-factor";

impl SecondStepPages {
    /// Sends who knew the password to this step, and to `next` after it; with a wrong code the step is shown at
    /// once. Cost: 1 indexed query, 1 write.
    pub async fn begin(app: &App, session: &Session, proven: &Proven, next: &str, was_wrong: bool) -> Result<Response> {
        let next = if next.len() > LONGEST_NEXT { "/chat" } else { next };
        pending::begin(app, session, proven, next).await?;
        Ok(if was_wrong { wrong(app, "") } else { Redirect::to(ADDRESS).into_response() })
    }

    /// `GET /login/two-factor`.
    pub async fn show(
        State(app): State<App>,
        session: Session,
        Asked(Way { with }): Asked<Way>,
    ) -> Result<Response, PageError> {
        if pending::find(&app, &session).await?.is_none() {
            return Ok(Redirect::to("/login").into_response());
        }
        Ok(page(StatusCode::OK, &SecondStepPage::new(&app, &with, FieldErrors::default())))
    }

    /// `POST /login/two-factor`.
    pub async fn check(
        State(app): State<App>,
        session: Session,
        Client(device): Client,
        Fields(Code { totp, with }): Fields<Code>,
    ) -> Result<Response, PageError> {
        let Some((proven, next)) = pending::find(&app, &session).await? else {
            return Ok(Redirect::to("/login").into_response());
        };
        match two_factor::check(&app, proven.user, &totp, &device).await {
            Ok(true) => enter(&app, &session, &proven.with_code(), &device, &next).await,
            Ok(false) => Ok(wrong(&app, &with)),
            Err(error) => refused(error, "totp", |errors| SecondStepPage::new(&app, &with, errors)),
        }
    }
}

fn wrong(app: &App, with: &str) -> Response {
    let why = tr!("This code isn't right, or it was used already. Wait for the next one that your app shows.");
    let errors = FieldErrors::one("totp", why);
    page(StatusCode::UNPROCESSABLE_ENTITY, &SecondStepPage::new(app, with, errors))
}

impl SecondStepPage {
    fn new(app: &App, with: &str, errors: FieldErrors) -> Self {
        Self { chrome: Chrome::new(app, None), by_recovery: with == "recovery", errors }
    }
}
