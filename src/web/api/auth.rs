//! `/api/v1/auth`: registering, logging in and out, for programs. What they do with the account is in `me`.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use utoipa::ToSchema;

use super::ROOT;
use super::caller::{Anyone, Caller};
use super::json::{Body, OptionalBody};
use super::operation::{Area, op};
use super::problem::Problem;
use super::user::UserShape;
use crate::app::App;
use crate::auth::{self, Entry, devices, refresh, reset_tokens, session, token};
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{SessionId, UserId};
use crate::invitations;
use crate::users::{self, NewUser, Person, Registration, Role, User};
use crate::web::extract::Client;
use crate::work::Work;

pub struct AuthApi;

/// Whether this is the address of a call that begins or ends a session, or of one beside it.
pub fn is_at(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with("/auth/"))
}

#[derive(Deserialize, ToSchema)]
pub struct NewAccount {
    #[schema(
        required = true,
        nullable = false,
        example = "maria",
        min_length = 3,
        max_length = 32,
        pattern = "^[A-Za-z0-9_.-]+$"
    )]
    username: Option<String>,
    #[schema(required = true, nullable = false, example = "maria@example.org", format = Email)]
    email: Option<String>,
    #[schema(required = true, nullable = false, example = "seven blue horses", min_length = 8, max_length = 128, format = Password)]
    password: Option<String>,
    #[schema(max_length = 100)]
    first_name: Option<String>,
    #[schema(max_length = 100)]
    last_name: Option<String>,
    /// `admin`, `moderator` or `user`; only an administrator may say one.
    #[schema(example = json!(null))]
    role: Option<String>,
}

/// `username` or `email`, and `password`.
#[derive(Default, Deserialize, ToSchema)]
pub struct LogIn {
    #[schema(example = "maria")]
    username: Option<String>,
    #[schema(example = json!(null))]
    email: Option<String>,
    #[schema(required = true, nullable = false, example = "seven blue horses", format = Password)]
    password: Option<String>,
    /// A code of one's authenticator app, or a recovery code, when two-factor is on.
    #[schema(example = json!(null))]
    totp: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct Refresh {
    #[schema(required = true, nullable = false)]
    refresh: Option<String>,
}

/// The refresh token alone will do, for a program whose access token has run out.
#[derive(Default, Deserialize, ToSchema)]
pub struct LogOut {
    refresh: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct Forgotten {
    #[schema(required = true, nullable = false, example = "maria@example.org", format = Email)]
    email: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct Reset {
    /// What the letter's link ends in.
    #[schema(required = true, nullable = false)]
    token: Option<String>,
    #[schema(required = true, nullable = false, min_length = 8, max_length = 128, format = Password)]
    password: Option<String>,
}

/// What a program signs its calls with.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    access: String,
    refresh: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until `access` isn't good any more.
    #[schema(example = 900)]
    expires_in: u64,
    /// Who logged in; not told again with the next pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserShape>,
}

/// Registering, logging in and out.
pub fn area() -> Area {
    let register = op("Register an account")
        .about("Whether strangers may is the setting `registration`.")
        .open()
        .body::<NewAccount>()
        .answers::<UserShape>(201, "The account.")
        .refuses(403, "The site lets nobody register, or a `role` was said by somebody who is no administrator.")
        .refuses(429, TOO_OFTEN);
    let log_in = op("Log in")
        .about("A pair of tokens for a program, and a session cookie for a browser; the three are one session.")
        .open()
        .body::<LogIn>()
        .answers::<Tokens>(200, "Signed in.")
        .refuses(401, "Name or address and password don't fit, or a `totp` is needed: `errors` says so.")
        .refuses(429, TOO_OFTEN);
    let refresh = op("Take the next pair of tokens")
        .about("The old refresh token is used up. Used again, it ends the session: somebody has copied it.")
        .open()
        .body::<Refresh>()
        .answers::<Tokens>(200, "The next pair.")
        .refuses(401, "The refresh token isn't good any more.");
    let log_out = op("Log out")
        .about("The session, its access token and its refresh tokens end at once, its sockets within a second.")
        .open()
        .optional_body::<LogOut>()
        .answers_nothing(204, "Nobody is signed in by these any more.");
    let forgotten = op("Ask for a link to set a new password")
        .open()
        .body::<Forgotten>()
        .answers_nothing(202, "Whoever the address belongs to gets a letter; whether anybody does isn't told.");
    let reset = op("Set a new password by the letter's link")
        .about("Ends every other session and token of the account.")
        .open()
        .body::<Reset>()
        .answers::<UserShape>(200, "The account.")
        .refuses(400, "The link was used, isn't known or is older than an hour; or the body can't be read.");
    Area::new("Signing in", "Accounts and sessions.")
        .add(Method::POST, "/auth/register", AuthApi::register, register)
        .add(Method::POST, "/auth/login", AuthApi::log_in, log_in)
        .add(Method::POST, "/auth/refresh", AuthApi::refresh, refresh)
        .add(Method::POST, "/auth/logout", AuthApi::log_out, log_out)
        .add(Method::POST, "/auth/password-reset", AuthApi::request_reset, forgotten)
        .add(Method::POST, "/auth/password-reset-confirm", AuthApi::reset_password, reset)
}

pub(super) const TOO_OFTEN: &str = "Too many attempts; `Retry-After` says how many seconds to wait.";

pub(super) type Answer<T> = Result<T, Problem>;

impl AuthApi {
    /// `POST /auth/register`.
    pub async fn register(
        State(app): State<App>,
        Anyone(caller): Anyone,
        Client(device): Client,
        Body(new): Body<NewAccount>,
    ) -> Answer<(StatusCode, Json<UserShape>)> {
        let NewAccount { username, email, password, first_name, last_name, role } = new;
        let [username, email, password, first_name, last_name] =
            [username, email, password, first_name, last_name].map(Option::unwrap_or_default);
        // Before the fields are looked at: who may not say a role isn't told more.
        let role = role.map(|role| may_give(&app, caller?, role)).transpose()?;
        if role.is_none() {
            invitations::admit(&app, None).await?;
        }
        let new = NewUser::parse(
            &Registration { username, email, password, first_name, last_name },
            &app.settings().site_name,
        )?;
        let made = match role {
            Some(role) => users::add(&app, new, role).await?,
            None => auth::register(&app, new, None, &device).await?,
        };
        Ok((StatusCode::CREATED, Json(UserShape::own(user(&app, made).await?))))
    }

    /// `POST /auth/login`: a pair of tokens and a session cookie, of one session.
    pub async fn log_in(
        State(app): State<App>,
        browser: Session,
        Client(device): Client,
        Body(log_in): Body<LogIn>,
    ) -> Answer<Json<Tokens>> {
        let (name, password) = log_in.pair()?;
        let code = log_in.totp.unwrap_or_default();
        let proven = match auth::log_in(&app, &name, password, &code, &device).await {
            Ok(Entry::Open(proven)) => proven,
            Ok(Entry::NeedsCode { was_wrong, .. }) => return Err(needs_code(was_wrong)),
            Err(Error::Invalid(errors)) => return Err(Problem::new(StatusCode::UNAUTHORIZED, errors.to_string())),
            Err(error) => return Err(error.into()),
        };
        let session = session::begin(&app, &browser, &proven, &device, devices::Caller::Program).await?.id;
        let person = session::person(&app, &browser).await?.ok_or(Error::SignedOut)?;
        let mut work = Work::begin(&app, Some(&person)).await?;
        let refresh = refresh::give(&mut work, session).await?;
        work.commit().await?;
        let user = UserShape::own(user(&app, proven.user).await?);
        Ok(Json(Tokens { user: Some(user), ..Tokens::new(&app, &person, session, refresh)? }))
    }

    /// `POST /auth/refresh`.
    pub async fn refresh(State(app): State<App>, Body(Refresh { refresh }): Body<Refresh>) -> Answer<Json<Tokens>> {
        let (person, session, next) = refresh::rotate(&app, &needed("refresh", refresh)?).await?;
        Ok(Json(Tokens::new(&app, &person, session, next)?))
    }

    /// `POST /auth/logout`. The refresh token alone will do, for a program whose access token has run out.
    pub async fn log_out(
        State(app): State<App>,
        browser: Session,
        Anyone(caller): Anyone,
        OptionalBody(LogOut { refresh }): OptionalBody<LogOut>,
    ) -> Answer<StatusCode> {
        let person = match caller {
            Ok(caller) => caller.map(|caller| caller.person),
            Err(Error::SignedOut) => None,
            Err(error) => return Err(error.into()),
        };
        let ended = person.as_ref().and_then(Person::session);
        auth::end_program(&app, person.as_ref(), refresh.as_deref()).await?;
        // By a token no cookie came along; its session is gone all the same, and the cookie worth nothing.
        if ended.is_some() && session::of_browser(&browser).await? == ended {
            browser.flush().await.map_err(Error::internal)?;
        }
        Ok(StatusCode::NO_CONTENT)
    }
}

impl AuthApi {
    /// `POST /auth/password-reset`: 202 whoever asks for whom, at the same time.
    pub async fn request_reset(
        State(app): State<App>,
        Client(device): Client,
        Body(Forgotten { email }): Body<Forgotten>,
    ) -> Answer<StatusCode> {
        reset_tokens::request(&app, &needed("email", email)?, &device).await;
        Ok(StatusCode::ACCEPTED)
    }

    /// `POST /auth/password-reset-confirm`.
    pub async fn reset_password(
        State(app): State<App>,
        Client(device): Client,
        Body(reset): Body<Reset>,
    ) -> Answer<Json<UserShape>> {
        let mut missing = FieldErrors::default();
        let token = require(&mut missing, "token", reset.token);
        let password = require(&mut missing, "password", reset.password);
        missing.or(())?;
        let id = reset_tokens::redeem(&app, &token, password, &device).await?;
        Ok(Json(UserShape::own(user(&app, id).await?)))
    }
}

pub(super) async fn user(app: &App, id: UserId) -> Result<User> {
    users::by_id(&mut app.db.read().await?, id).await?.ok_or(Error::SignedOut)
}

/// The role that an account is made with. Errors: [`Error::Forbidden`] for all but administrators; in a browser those
/// say their password again before they make staff, as in the backoffice.
fn may_give(app: &App, caller: Option<Caller>, role: String) -> Result<Role> {
    let caller = caller.filter(|caller| caller.person.is_admin());
    let caller = caller.ok_or(Error::Forbidden(msgid!("Only an administrator says what role an account has.")))?;
    let role = Role::try_from(role)?;
    let is_sure = caller.by_token || auth::is_confirmed(&caller.person, app.clock.now());
    if role == Role::User || is_sure {
        return Ok(role);
    }
    Err(Error::Forbidden(msgid!("Making staff needs your password again: do it in the backoffice, or by a token.")))
}

pub(super) fn require(missing: &mut FieldErrors, field: &'static str, value: Option<String>) -> String {
    value.unwrap_or_else(|| {
        missing.add(field, tr!("This is needed."));
        String::new()
    })
}

pub(super) fn needed(field: &'static str, value: Option<String>) -> Result<String> {
    value.ok_or_else(|| Error::field(field, tr!("This is needed.")))
}

fn needs_code(was_wrong: bool) -> Problem {
    let message = if was_wrong {
        tr!("This code isn't right, or it was used already.")
    } else {
        tr!("A code of your authenticator app is needed, or a recovery code.")
    };
    Problem::new(StatusCode::UNAUTHORIZED, message.clone()).at("totp", message)
}

impl LogIn {
    /// Name or address, and password. Errors: [`Error::Invalid`] at what isn't there.
    fn pair(&self) -> Result<(String, String)> {
        let mut missing = FieldErrors::default();
        let name = self.username.clone().filter(|name| !name.trim().is_empty()).or(self.email.clone());
        let name = require(&mut missing, "username", name.or(self.username.clone()));
        let password = require(&mut missing, "password", self.password.clone());
        missing.or((name, password))
    }
}

impl Tokens {
    fn new(app: &App, person: &Person, session: SessionId, refresh: String) -> Result<Self> {
        let access = token::issue(app, person, session)?;
        Ok(Self { access, refresh, token_type: "Bearer", expires_in: token::LIFETIME.as_secs(), user: None })
    }
}
