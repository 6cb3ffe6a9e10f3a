//! Setting up, registering, logging in and out.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tower_sessions::Session;

use crate::app::App;
use crate::auth::devices::Caller;
use crate::auth::session::{self, Device};
use crate::auth::{self, Entry, Proven};
use crate::error::{Error, FieldErrors, Result};
use crate::ids::UserId;
use crate::invitations;
use crate::settings;
use crate::users::{self, NewUser, Registration};
use crate::web::cookies;
use crate::web::extract::{Asked, Client, Fields, Visitor, local_path};
use crate::web::once::Once;
use crate::web::pages::second_step::SecondStepPages;
use crate::web::render::{Chrome, PageError, page, refused};

pub struct AccountPages;

/// The form of a new account: the first administrator's, or anybody's.
#[derive(Template)]
#[template(path = "pages/register.html")]
struct RegisterPage {
    chrome: Chrome,
    action: &'static str,
    /// Set on the setup page only.
    token: Option<String>,
    /// An invitation's token; empty without one.
    invitation: String,
    next: String,
    form: Registration,
    errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "pages/login.html")]
struct LoginPage {
    chrome: Chrome,
    next: String,
    username: String,
    may_register: bool,
    /// What was just done, in words.
    notice: String,
    errors: FieldErrors,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Login {
    username: String,
    email: String,
    password: String,
    /// A code of the second factor, from whoever knows that it will be asked for.
    totp: String,
    next: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Next {
    next: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Token {
    pub token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Entrance {
    next: String,
    token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Setup {
    token: String,
    #[serde(flatten)]
    form: Registration,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewAccount {
    next: String,
    token: String,
    #[serde(flatten)]
    form: Registration,
}

const BAD_LINK: Error =
    Error::Forbidden(msgid!("This setup link isn't valid any more. The server prints the current one when it starts."));

impl AccountPages {
    /// `GET /`.
    pub async fn home() -> Redirect {
        Redirect::to("/chat")
    }

    /// `GET /setup?token=…`.
    pub async fn setup(State(app): State<App>, Asked(Token { token }): Asked<Token>) -> Result<Response, PageError> {
        check_setup(&app, &token)?;
        let shown = RegisterPage::new(&app, "/setup", Some(token), "", Registration::default(), FieldErrors::default());
        Ok(page(StatusCode::OK, &shown))
    }

    /// `POST /setup`: makes the first administrator, once, and signs them in.
    pub async fn make_admin(
        State(app): State<App>,
        session: Session,
        Client(device): Client,
        Fields(setup): Fields<Setup>,
    ) -> Result<Response, PageError> {
        check_setup(&app, &setup.token)?;
        let made = match NewUser::parse(&setup.form, &app.settings().site_name) {
            Ok(new) => users::add_first_admin(&app, new).await,
            Err(error) => Err(error),
        };
        if made.is_ok() {
            app.end_setup();
        }
        let again = RegisterPage::new(&app, "/setup", Some(setup.token), "", setup.form, FieldErrors::default());
        entered(&app, &session, &device, made, again).await
    }

    /// `GET /register`; with `?token=…` by an invitation.
    pub async fn register(
        State(app): State<App>,
        Visitor(person): Visitor,
        Asked(Entrance { next, token }): Asked<Entrance>,
    ) -> Result<Response, PageError> {
        if person.is_some() {
            return Ok(Redirect::to(local_path(&next)).into_response());
        }
        let invitation = invitations::admit(&app, Some(&token)).await?;
        let token = if invitation.is_some() { token } else { String::new() };
        let email = invitation.map(|invitation| invitation.email).unwrap_or_default();
        let form = Registration { email, ..Registration::default() };
        let shown = RegisterPage::new(&app, "/register", None, &next, form, FieldErrors::default());
        Ok(page(StatusCode::OK, &shown.invited_by(token)))
    }

    /// `POST /register`: makes an account and signs it in.
    pub async fn make_account(
        State(app): State<App>,
        session: Session,
        Client(device): Client,
        Fields(new): Fields<NewAccount>,
    ) -> Result<Response, PageError> {
        // Before the form: whoever may not register isn't told what is wrong with theirs.
        invitations::admit(&app, Some(&new.token)).await?;
        let made = match NewUser::parse(&new.form, &app.settings().site_name) {
            Ok(parsed) => auth::register(&app, parsed, Some(&new.token), &device).await,
            Err(error) => Err(error),
        };
        let again = RegisterPage::new(&app, "/register", None, &new.next, new.form, FieldErrors::default());
        entered(&app, &session, &device, made, again.invited_by(new.token)).await
    }

    /// `GET /login`.
    pub async fn login(
        State(app): State<App>,
        Visitor(person): Visitor,
        headers: HeaderMap,
        Asked(Next { next }): Asked<Next>,
    ) -> Result<Response, PageError> {
        if person.is_some() {
            return Ok(Redirect::to(local_path(&next)).into_response());
        }
        let mut shown = LoginPage::new(&app, next, String::new(), FieldErrors::default());
        let Some(once) = Once::of(&app, &headers, None)? else { return Ok(page(StatusCode::OK, &shown)) };
        shown.notice = once.notice;
        let mut response = page(StatusCode::OK, &shown);
        Once::end(&app, &mut response)?;
        Ok(response)
    }

    /// `POST /login`.
    pub async fn log_in(
        State(app): State<App>,
        session: Session,
        Client(device): Client,
        Fields(login): Fields<Login>,
    ) -> Result<Response, PageError> {
        let name = if login.username.trim().is_empty() { login.email } else { login.username };
        match auth::log_in(&app, &name, login.password, &login.totp, &device).await {
            Ok(Entry::Open(proven)) => enter(&app, &session, &proven, &device, &login.next).await,
            Ok(Entry::NeedsCode { proven, was_wrong }) => {
                let next = local_path(&login.next);
                Ok(SecondStepPages::begin(&app, &session, &proven, next, was_wrong).await?)
            }
            Err(error) => refused(error, "password", |errors| LoginPage::new(&app, login.next, name, errors)),
        }
    }

    /// `POST /logout`.
    pub async fn log_out(
        State(app): State<App>,
        Visitor(person): Visitor,
        session: Session,
    ) -> Result<Response, PageError> {
        if let Some(person) = person {
            auth::log_out(&app, &session, &person).await?;
        }
        // Drafts, and being told while no page is open, are not for whoever sits here next.
        Ok(([("clear-site-data", "\"cache\", \"storage\"")], Redirect::to("/login")).into_response())
    }
}

/// Signs a new account in, or shows its form again with what is wrong.
async fn entered(
    app: &App,
    session: &Session,
    device: &Device,
    made: Result<UserId>,
    mut again: RegisterPage,
) -> Result<Response, PageError> {
    match made {
        Ok(user) => enter(app, session, &Proven::by_making(user), device, &again.next).await,
        Err(error) => refused(error, "username", |errors| {
            again.errors = errors;
            again
        }),
    }
}

/// Signs them in and sends them on.
pub(super) async fn enter(
    app: &App,
    session: &Session,
    proven: &Proven,
    device: &Device,
    next: &str,
) -> Result<Response, PageError> {
    let begun = session::begin(app, session, proven, device, Caller::Browser).await?;
    let mut response = Redirect::to(local_path(next)).into_response();
    cookies::keep(&mut response, begun.device_token);
    Ok(response)
}

/// Errors: [`Error::Forbidden`] for a link that was used, is of an earlier start, or was made up.
fn check_setup(app: &App, token: &str) -> Result<()> {
    let expected = app.setup_token().ok_or(BAD_LINK)?;
    let fits: bool = expected.as_bytes().ct_eq(token.as_bytes()).into();
    if fits { Ok(()) } else { Err(BAD_LINK) }
}

impl RegisterPage {
    fn new(
        app: &App,
        action: &'static str,
        token: Option<String>,
        next: &str,
        form: Registration,
        errors: FieldErrors,
    ) -> Self {
        let (chrome, invitation) = (Chrome::new(app, None), String::new());
        Self { chrome, action, token, invitation, next: next.to_owned(), form, errors }
    }

    fn invited_by(self, token: String) -> Self {
        Self { invitation: token, ..self }
    }
}

impl LoginPage {
    fn new(app: &App, next: String, username: String, errors: FieldErrors) -> Self {
        let may_register = app.settings().registration == settings::Registration::Open;
        Self { chrome: Chrome::new(app, None), next, username, may_register, notice: String::new(), errors }
    }
}
