//! `/api/v1/auth`: accounts and signing in, for programs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::caller::{Anyone, Caller};
use super::json::{Body, OptionalBody};
use super::problem::Problem;
use super::user::UserShape;
use crate::app::App;
use crate::auth::{self, Entry, refresh, session, token, two_factor};
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{SessionId, UserId};
use crate::users::{self, NewUser, Person, Profile, Registration, Role, User, change};
use crate::web::extract::Client;
use crate::work::Work;

pub struct AuthApi;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewAccount {
    username: String,
    email: String,
    password: String,
    first_name: Option<String>,
    last_name: Option<String>,
    role: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct LogIn {
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
    totp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Refresh {
    refresh: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Edit {
    first_name: Option<String>,
    last_name: Option<String>,
    bio: Option<String>,
    email: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewPassword {
    current_password: Option<String>,
    new_password: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Code {
    code: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Password {
    password: Option<String>,
}

/// What a program signs its calls with.
#[derive(Serialize)]
pub struct Tokens {
    access: String,
    refresh: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserShape>,
}

#[derive(Serialize)]
pub struct Setup {
    secret: String,
    otpauth_url: String,
    qr_svg: String,
}

#[derive(Serialize)]
pub struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

type Answer<T> = Result<T, Problem>;

impl AuthApi {
    /// `POST /auth/register`.
    pub async fn register(
        State(app): State<App>,
        Anyone(caller): Anyone,
        Body(new): Body<NewAccount>,
    ) -> Answer<(StatusCode, Json<UserShape>)> {
        let NewAccount { username, email, password, first_name, last_name, role } = new;
        let (first_name, last_name) = (first_name.unwrap_or_default(), last_name.unwrap_or_default());
        // Before the fields are looked at: who may not say a role isn't told more.
        let role = role.map(|role| may_give(&app, caller?, role)).transpose()?;
        let new = NewUser::parse(&Registration { username, email, password, first_name, last_name })?;
        let made = match role {
            Some(role) => users::add(&app, new, role).await?,
            None => users::register(&app, new).await?,
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
        let id = match auth::log_in(&app, &name, password, &code, &device).await {
            Ok(Entry::Open(user)) => user,
            Ok(Entry::NeedsCode { was_wrong, .. }) => return Err(needs_code(was_wrong)),
            Err(Error::Invalid(errors)) => return Err(Problem::new(StatusCode::UNAUTHORIZED, errors.to_string())),
            Err(error) => return Err(error.into()),
        };
        let session = session::begin(&app, &browser, id, &device).await?;
        let person = session::person(&app, &browser).await?.ok_or(Error::SignedOut)?;
        let mut work = Work::begin(&app, Some(&person)).await?;
        let refresh = refresh::give(&mut work, session).await?;
        work.commit().await?;
        let user = UserShape::own(user(&app, id).await?);
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
        OptionalBody(Refresh { refresh }): OptionalBody<Refresh>,
    ) -> Answer<StatusCode> {
        let person = match caller {
            Ok(caller) => caller.map(|caller| caller.person),
            Err(Error::SignedOut) => None,
            Err(error) => return Err(error.into()),
        };
        let ended = person.as_ref().and_then(Person::session);
        auth::end_program(&app, person.as_ref(), refresh.as_deref()).await?;
        if ended.is_some() && session::own(&browser).await? == ended {
            browser.flush().await.map_err(Error::internal)?;
        }
        Ok(StatusCode::NO_CONTENT)
    }

    /// `GET /auth/me`.
    pub async fn me(State(app): State<App>, caller: Caller) -> Answer<Json<UserShape>> {
        Ok(Json(UserShape::own(user(&app, caller.person.id).await?)))
    }

    /// `PATCH /auth/me`: what isn't given, or is null, stays.
    pub async fn change_me(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
        Body(edit): Body<Edit>,
    ) -> Answer<Json<UserShape>> {
        let mut work = begin(&app, &caller.person, device.ip).await?;
        let user = change::hold(&mut work, caller.person.id).await?;
        // users::address::change stands here: an address is confirmed before it is the account's.
        if edit.email.as_ref().is_some_and(|email| *email != user.email) {
            return Err(Problem::field("email", "An address can't be changed here yet."));
        }
        change::set_profile(&mut work, &user, &edit.over(&user)?).await?;
        let user = change::hold(&mut work, user.id).await?;
        work.commit().await?;
        Ok(Json(UserShape::own(user)))
    }

    /// `POST /auth/password`: ends every other session.
    pub async fn set_password(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
        Body(new): Body<NewPassword>,
    ) -> Answer<StatusCode> {
        let session = own_session(&caller.person)?;
        let mut missing = FieldErrors::default();
        let current = require(&mut missing, "current_password", new.current_password);
        let password = require(&mut missing, "new_password", new.new_password);
        missing.or(())?;
        ask_again(&app, &caller.person, "current_password", current).await?;
        let mut work = begin(&app, &caller.person, device.ip).await?;
        let user = change::hold(&mut work, caller.person.id).await?;
        change::set_own_password(&mut work, &user, password, session).await?;
        work.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// `POST /auth/two-factor`.
    pub async fn begin_two_factor(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
    ) -> Answer<Json<Setup>> {
        own_session(&caller.person)?;
        let mut work = begin(&app, &caller.person, device.ip).await?;
        let user = change::hold(&mut work, caller.person.id).await?;
        let two_factor::Setup { secret, otpauth_url, qr_svg } = two_factor::begin(&mut work, &user).await?;
        work.commit().await?;
        Ok(Json(Setup { secret, otpauth_url, qr_svg }))
    }

    /// `POST /auth/two-factor/confirm`.
    pub async fn confirm_two_factor(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
        Body(Code { code }): Body<Code>,
    ) -> Answer<Json<RecoveryCodes>> {
        own_session(&caller.person)?;
        let code = needed("code", code)?;
        let mut work = begin(&app, &caller.person, device.ip).await?;
        let user = change::hold(&mut work, caller.person.id).await?;
        let codes = two_factor::confirm(&mut work, &user, &code).await?;
        work.commit().await?;
        Ok(Json(RecoveryCodes { recovery_codes: codes.into() }))
    }

    /// `DELETE /auth/two-factor`.
    pub async fn disable_two_factor(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
        Body(Password { password }): Body<Password>,
    ) -> Answer<StatusCode> {
        own_session(&caller.person)?;
        ask_again(&app, &caller.person, "password", needed("password", password)?).await?;
        let mut work = begin(&app, &caller.person, device.ip).await?;
        let user = change::hold(&mut work, caller.person.id).await?;
        two_factor::disable(&mut work, &user).await?;
        work.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

/// A work in the name of `person`, from where they are.
async fn begin(app: &App, person: &Person, ip: String) -> Result<Work> {
    let mut work = Work::begin(app, Some(person)).await?;
    work.ip = ip;
    Ok(work)
}

async fn user(app: &App, id: UserId) -> Result<User> {
    users::by_id(&mut app.db.read().await?, id).await?.ok_or(Error::SignedOut)
}

/// The role that an account is made with. Errors: [`Error::Forbidden`] for all but administrators; in a browser those
/// say their password again before they make staff, as in the backoffice.
fn may_give(app: &App, caller: Option<Caller>, role: String) -> Result<Role> {
    let caller = caller.filter(|caller| caller.person.is_admin());
    let caller = caller.ok_or(Error::Forbidden("Only an administrator says what role an account has."))?;
    let role = Role::try_from(role)?;
    let is_sure = caller.by_token || auth::is_confirmed(&caller.person, app.clock.now());
    if role == Role::User || is_sure {
        return Ok(role);
    }
    Err(Error::Forbidden("Making staff needs your password again: do it in the backoffice, or by a token."))
}

/// Errors: [`Error::Forbidden`] for a personal token: what got into a program's settings must not open the account
/// itself.
fn own_session(person: &Person) -> Result<SessionId> {
    person.session().ok_or(Error::Forbidden("A personal token can't change how you sign in: log in for that."))
}

/// Errors: [`Error::Invalid`] at `field` for a wrong password, and what [`auth::ask_again`] says.
async fn ask_again(app: &App, person: &Person, field: &'static str, password: String) -> Result<()> {
    let right = auth::ask_again(app, person, password).await?;
    if right { Ok(()) } else { Err(Error::field(field, "This isn't your password.")) }
}

fn require(missing: &mut FieldErrors, field: &'static str, value: Option<String>) -> String {
    value.unwrap_or_else(|| {
        missing.add(field, "This is needed.");
        String::new()
    })
}

fn needed(field: &'static str, value: Option<String>) -> Result<String> {
    value.ok_or_else(|| Error::field(field, "This is needed."))
}

fn needs_code(was_wrong: bool) -> Problem {
    let message = if was_wrong {
        "This code isn't right, or it was used already."
    } else {
        "A code of your authenticator app is needed, or a recovery code."
    };
    Problem::new(StatusCode::UNAUTHORIZED, message).at("totp", message)
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

impl Edit {
    /// What the account says of its owner with this edit. Errors: [`Error::Invalid`].
    fn over(self, user: &User) -> Result<Profile> {
        let form = Registration {
            username: user.username.clone(),
            email: user.email.clone(),
            first_name: self.first_name.unwrap_or_else(|| user.first_name.clone()),
            last_name: self.last_name.unwrap_or_else(|| user.last_name.clone()),
            password: String::new(),
        };
        Profile::parse(&form, self.bio.as_ref().unwrap_or(&user.bio))
    }
}

impl Tokens {
    fn new(app: &App, person: &Person, session: SessionId, refresh: String) -> Result<Self> {
        let access = token::issue(app, person, session)?;
        Ok(Self { access, refresh, token_type: "Bearer", expires_in: token::LIFETIME.as_secs(), user: None })
    }
}
