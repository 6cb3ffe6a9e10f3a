//! `/api/v1/auth/me` and what changes how one signs in: profile, password, second factor.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Answer, TOO_OFTEN, needed, require, user};
use super::caller::Caller;
use super::json::Body;
use super::operation::{Area, op};
use super::user::UserShape;
use crate::app::App;
use crate::auth::{self, two_factor};
use crate::error::{Error, FieldErrors, Result};
use crate::ids::SessionId;
use crate::users::{Person, Profile, Registration, User, address, change};
use crate::web::extract::Client;
use crate::work::Work;

pub struct MeApi;

#[derive(Default, Deserialize, ToSchema)]
pub struct Edit {
    #[schema(max_length = 100)]
    first_name: Option<String>,
    #[schema(max_length = 100)]
    last_name: Option<String>,
    #[schema(max_length = 1000)]
    bio: Option<String>,
    #[schema(format = Email)]
    email: Option<String>,
    /// Needed for another address when one signed in long ago.
    current_password: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct NewPassword {
    #[schema(required = true, nullable = false, format = Password)]
    current_password: Option<String>,
    #[schema(required = true, nullable = false, min_length = 8, max_length = 128, format = Password)]
    new_password: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct Code {
    /// What the authenticator app shows.
    #[schema(required = true, nullable = false, example = "123456")]
    code: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct Password {
    #[schema(required = true, nullable = false, format = Password)]
    password: Option<String>,
}

/// What an authenticator app is set up with.
#[derive(Serialize, ToSchema)]
pub struct Setup {
    secret: String,
    otpauth_url: String,
    qr_svg: String,
}

#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// One's own account.
pub fn area() -> Area {
    let me = op("Who I am").polled().answers::<UserShape>(200, "The account.");
    let change_me = op("Change my profile")
        .about("What isn't given, or is null, stays. A new address counts once it is confirmed, where the site sends mail; \
                it takes a sign-in of the last 15 minutes, or `current_password`.")
        .body::<Edit>()
        .answers::<UserShape>(200, "The account as it is now.")
        .refuses(403, "A personal token changes no address.")
        .refuses(429, TOO_OFTEN);
    let password = op("Change my password")
        .about("Ends every other session and all personal tokens.")
        .body::<NewPassword>()
        .answers_nothing(204, "It is changed.")
        .refuses(403, "A personal token changes no password.")
        .refuses(429, TOO_OFTEN);
    let begin = op("Set up two-factor")
        .about("On once a code of the app is confirmed.")
        .answers::<Setup>(200, "For the app.")
        .refuses(403, "One signed in longer than 15 minutes ago, or by a personal token.")
        .refuses(409, "It is on already.");
    let confirm = op("Turn two-factor on")
        .body::<Code>()
        .answers::<RecoveryCodes>(200, "It is on. These codes are shown this once.")
        .refuses(403, "A personal token can't.")
        .refuses(409, "It is on already, or wasn't set up.")
        .refuses(429, TOO_OFTEN);
    let disable = op("Turn two-factor off")
        .body::<Password>()
        .answers_nothing(204, "It is off.")
        .refuses(403, "A personal token can't, or the site requires it of staff.")
        .refuses(409, "It isn't on.")
        .refuses(429, TOO_OFTEN);
    Area::new("My account", "Profile, password, second factor.")
        .add(Method::GET, "/auth/me", MeApi::me, me)
        .add(Method::PATCH, "/auth/me", MeApi::change_me, change_me)
        .add(Method::POST, "/auth/password", MeApi::set_password, password)
        .add(Method::POST, "/auth/two-factor", MeApi::begin_two_factor, begin)
        .add(Method::DELETE, "/auth/two-factor", MeApi::disable_two_factor, disable)
        .add(Method::POST, "/auth/two-factor/confirm", MeApi::confirm_two_factor, confirm)
}

impl MeApi {
    /// `GET /auth/me`.
    pub async fn me(State(app): State<App>, caller: Caller) -> Answer<Json<UserShape>> {
        Ok(Json(UserShape::own(user(&app, caller.person.id).await?)))
    }

    /// `PATCH /auth/me`: what isn't given, or is null, stays. A new address counts once it is confirmed, where the site
    /// sends mail; it takes a sign-in of the last 15 minutes, or `current_password`.
    pub async fn change_me(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
        Body(edit): Body<Edit>,
    ) -> Answer<Json<UserShape>> {
        let before = user(&app, caller.person.id).await?;
        let email = edit.email.clone().filter(|email| *email != before.email);
        if email.is_some() {
            prove(&app, &caller.person, edit.current_password.clone()).await?;
            address::admit(&app, caller.person.id, &device.ip).await?;
        }
        let mut work = begin(&app, &caller.person, device.ip).await?;
        let user = change::hold(&mut work, caller.person.id).await?;
        change::set_profile(&mut work, &user, &edit.over(&user)?).await?;
        if let Some(email) = email {
            address::change(&mut work, &user, &email).await?;
        }
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
        own_session(&caller.person)?;
        let mut missing = FieldErrors::default();
        let current = require(&mut missing, "current_password", new.current_password);
        let password = require(&mut missing, "new_password", new.new_password);
        missing.or(())?;
        ask_again(&app, &caller.person, "current_password", current.clone()).await?;
        change::set_own_password(&app, &caller.person, &device.ip, &current, password).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// `POST /auth/two-factor`.
    pub async fn begin_two_factor(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
    ) -> Answer<Json<Setup>> {
        own_session(&caller.person)?;
        if !auth::is_fresh(&caller.person, app.clock.now()) {
            return Err(
                Error::Forbidden(msgid!("You signed in a while ago: log in again to set up two-factor.")).into()
            );
        }
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

/// Errors: [`Error::Forbidden`] for a personal token: what got into a program's settings must not open the account
/// itself.
fn own_session(person: &Person) -> Result<SessionId> {
    person.session().ok_or(Error::Forbidden(msgid!("A personal token can't change how you sign in: log in for that.")))
}

/// Whoever finds a device that is signed in must not take the account over with it. Errors: [`Error::Forbidden`] for a
/// personal token, [`Error::Invalid`] at `current_password` without the password for who signed in long ago.
async fn prove(app: &App, person: &Person, password: Option<String>) -> Result<()> {
    own_session(person)?;
    match password {
        Some(password) => ask_again(app, person, "current_password", password).await,
        None if auth::is_fresh(person, app.clock.now()) => Ok(()),
        None => Err(Error::field("current_password", tr!("You signed in a while ago: say your password again."))),
    }
}

/// Errors: [`Error::Invalid`] at `field` for a wrong password, and what [`auth::ask_again`] says.
async fn ask_again(app: &App, person: &Person, field: &'static str, password: String) -> Result<()> {
    let right = auth::ask_again(app, person, password).await?;
    if right { Ok(()) } else { Err(Error::field(field, tr!("This isn't your password."))) }
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
