//! The second factor: turning it on and off, and asking for it. Called by the API, the settings page, the log-in, the
//! admin and the command line. What varies with the kind of factor is in [`Proof`]: a passkey would be one more.

use std::borrow::Cow;

use super::keys::{Keys, Purpose};
use super::session::Device;
use super::{door, recovery_codes, totp};
use crate::app::App;
use crate::db::Conn;
use crate::emails::letter::{self, Letter};
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::UserId;
use crate::on_db;
use crate::users::{self, User};
use crate::work::Work;

/// What somebody needs to set their authenticator up, shown to them only.
pub struct Setup {
    /// In base32, to be typed.
    pub secret: String,
    /// The same as an address that apps open.
    pub otpauth_url: String,
    /// The same as a picture to be scanned: inline SVG.
    pub qr_svg: String,
}

/// How far somebody's second factor is.
pub enum State {
    Off,
    /// Being set up, and not asked for yet.
    Pending(Setup),
    On {
        /// Recovery codes that weren't used.
        codes_left: i64,
    },
}

/// What proves a second time who somebody is.
enum Proof {
    Totp(String),
    Recovery(String),
}

impl Proof {
    /// What was typed; codes may have spaces. `None` for what can be neither.
    fn parse(typed: &str) -> Option<Self> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).take(totp::DIGITS + 1).collect();
        if digits.len() == totp::DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Totp(digits));
        }
        recovery_codes::parse(typed).map(Self::Recovery)
    }
}

/// Whether `user` is asked for a second factor. Cost: 1 indexed query.
pub async fn is_on(conn: &mut Conn, user: UserId) -> Result<bool> {
    let on: Option<bool> = on_db!(conn, c => sqlx::query_scalar("select totp_enabled from users where id = $1")
        .bind(user).fetch_optional(c).await)?;
    Ok(on.unwrap_or(false))
}

/// How far the second factor of `user` is. Cost: 1 indexed query; O(1).
pub async fn state(conn: &mut Conn, app: &App, user: &User) -> Result<State> {
    if user.totp_enabled {
        return Ok(State::On { codes_left: recovery_codes::left(conn, user.id).await? });
    }
    match factor(conn, user.id, &app.keys).await? {
        Some(Factor { secret: Some(secret), is_on: false, .. }) => Ok(State::Pending(setup(app, user, secret)?)),
        _ => Ok(State::Off),
    }
}

fn setup(app: &App, user: &User, secret: String) -> Result<Setup> {
    let totp = totp::of(&secret, &app.settings().site_name, &user.username)?;
    let otpauth_url = totp.to_url().map_err(|_| Error::internal("a second factor has no address"))?;
    let qr_svg = totp::picture(&otpauth_url)?;
    Ok(Setup { secret, otpauth_url, qr_svg })
}

/// Begins to set two-factor up, anew if it was begun before; nothing is asked for until [`confirm`]. Errors:
/// [`Error::Conflict`] when it is on. Cost: 1 statement.
pub async fn begin(work: &mut Work, user: &User) -> Result<Setup> {
    let secret = totp::secret();
    let (sealed, now) = (work.app.keys.seal(Purpose::TwoFactor, &secret)?, work.now());
    let begun = on_db!(work, c => sqlx::query(
        "insert into two_factors (user_id, secret, created_at) values ($1, $2, $3)
         on conflict (user_id) do update set secret = excluded.secret, last_step = 0, created_at = excluded.created_at
         where two_factors.confirmed_at is null")
        .bind(user.id).bind(sealed).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    if begun == 0 {
        return Err(IS_ON);
    }
    setup(&work.app, user, secret)
}

const UNREADABLE: Error = Error::Forbidden(msgid!(
    "Your second factor can't be read any more, since this site has another key. Ask an administrator to turn it off."
));
const IS_ON: Error = Error::Conflict(msgid!("Two-factor is on already."));
const IS_OFF: Error = Error::Conflict(msgid!("Two-factor isn't on."));

/// Turns two-factor on with the first code of the app, and gives the recovery codes, which are never seen again; tells
/// `user` by mail. Errors: [`Error::Invalid`] at `code`, [`Error::Conflict`] when it wasn't begun or is on.
/// Cost: 16 statements.
pub async fn confirm(work: &mut Work, user: &User, code: &str) -> Result<[String; recovery_codes::COUNT]> {
    let (app, now) = (work.app.clone(), work.now());
    let Some(factor) = factor(work, user.id, &app.keys).await? else {
        return Err(Error::Conflict(msgid!("Begin to set it up first.")));
    };
    if factor.is_on {
        return Err(IS_ON);
    }
    let step = match Proof::parse(code) {
        Some(Proof::Totp(digits)) => totp::step(&factor.secret.ok_or(UNREADABLE)?, &digits, now)?,
        _ => None,
    };
    let Some(step) = step else {
        return Err(Error::field(
            "code",
            tr!("This isn't the code that the app shows now. Is the clock of its phone right?"),
        ));
    };
    let confirmed = on_db!(work, c => sqlx::query(
        "update two_factors set confirmed_at = $2, last_step = $3
         where user_id = $1 and secret = $4 and confirmed_at is null")
        .bind(user.id).bind(now).bind(step).bind(factor.sealed).execute(c).await.map(|done| done.rows_affected()))?;
    if confirmed == 0 {
        return Err(Error::Conflict(msgid!("It was begun anew meanwhile: use the newest code.")));
    }
    set_enabled(work, user.id, true).await?;
    let codes = recovery_codes::renew(work, user.id).await?;
    tell(work, user, || {
        let says = tr!("Two-factor is on: from now on, signing in takes a code of your authenticator app too.");
        (tr!("Two-factor is on"), says)
    })
    .await?;
    Ok(codes)
}

/// Turns two-factor off, and tells `user` by mail. Doesn't ask for a password. Errors: [`Error::Conflict`] when it isn't
/// on. Cost: 4 statements.
pub async fn disable(work: &mut Work, user: &User) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from two_factors where user_id = $1 and confirmed_at is not null")
        .bind(user.id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 && !user.totp_enabled {
        return Err(IS_OFF);
    }
    recovery_codes::forget(work, user.id).await?;
    set_enabled(work, user.id, false).await?;
    let is_own = work.by.as_ref().is_some_and(|by| by.id == user.id);
    tell(work, user, || {
        let says = match is_own {
            true => tr!("Two-factor was turned off: your password alone opens your account."),
            false => tr!("An administrator turned two-factor off: your password alone opens your account."),
        };
        (tr!("Two-factor is off"), says)
    })
    .await
}

/// Whether `code`, of the app or for recovery, proves that it is `user`; each does so once. Every code that is asked for
/// comes by here; wrong ones are counted by account and by where they come from. Only who knows the password gets this
/// far, so no stranger can use an account's tries up. A recovery code that is used up is told of by mail. Errors:
/// [`Error::TooMany`]. Cost: 1 query; for a right code 1 transaction of 1 to 4 statements.
pub async fn check(app: &App, user: UserId, code: &str, device: &Device) -> Result<bool> {
    let Some(proof) = Proof::parse(code) else { return Ok(false) };
    let keys = door(&mut app.db.read().await?, "code", user, &user.to_string(), device, app.clock.now()).await?;
    let attempt = app.throttle.admit(keys).await?;
    let right = match proof {
        Proof::Totp(digits) => check_totp(app, user, &digits).await?,
        Proof::Recovery(code) => check_recovery(app, user, &code).await?,
    };
    if !right {
        attempt.count().await;
    }
    Ok(right)
}

async fn check_totp(app: &App, user: UserId, digits: &str) -> Result<bool> {
    let Some(factor) = factor(&mut app.db.read().await?, user, &app.keys).await? else { return Ok(false) };
    let Some(step) = totp::step(&factor.secret.ok_or(UNREADABLE)?, digits, app.clock.now())?.filter(|_| factor.is_on)
    else {
        return Ok(false);
    };
    let mut work = Work::begin(app, None).await?;
    // Forward only, and at once: who looked over a shoulder, or sends the same code twice, comes too late.
    let taken = on_db!(work, c => sqlx::query(
        "update two_factors set last_step = $2
         where user_id = $1 and secret = $3 and last_step < $2 and confirmed_at is not null")
        .bind(user).bind(step).bind(factor.sealed).execute(c).await.map(|done| done.rows_affected()))?;
    work.commit().await?;
    Ok(taken == 1)
}

async fn check_recovery(app: &App, user: UserId, code: &str) -> Result<bool> {
    let mut work = Work::begin(app, None).await?;
    if !is_on(&mut work, user).await? || !recovery_codes::take(&mut work, user, code).await? {
        return Ok(false);
    }
    let left = recovery_codes::left(&mut work, user).await?;
    if let Some(user) = users::by_id(&mut work, user).await? {
        tell(&mut work, &user, || {
            let says = tr!(
                "Somebody signed in to your account with one of its recovery codes. {n} code is left. When there are \
                 few, turn two-factor off and on again in your settings for new ones."
                    | "Somebody signed in to your account with one of its recovery codes. {n} codes are left. When there \
                       are few, turn two-factor off and on again in your settings for new ones." % left
            );
            (tr!("A recovery code was used"), says.into())
        })
        .await?;
    }
    work.commit().await?;
    Ok(true)
}

/// A factor as it is stored.
struct Factor {
    /// As it stands in the database: the same only until it is set up anew.
    sealed: String,
    /// `None` when it was sealed under another SECRET_KEY.
    secret: Option<String>,
    is_on: bool,
}

async fn factor(conn: &mut Conn, user: UserId, keys: &Keys) -> Result<Option<Factor>> {
    let row: Option<(String, bool)> = on_db!(conn, c => sqlx::query_as(
        "select secret, confirmed_at is not null from two_factors where user_id = $1")
        .bind(user).fetch_optional(c).await)?;
    let Some((sealed, is_on)) = row else { return Ok(None) };
    let secret = keys.open(Purpose::TwoFactor, &sealed)?;
    Ok(Some(Factor { sealed, secret, is_on }))
}

async fn set_enabled(work: &mut Work, user: UserId, on: bool) -> Result<()> {
    let now = work.now();
    Ok(on_db!(work, c => sqlx::query("update users set totp_enabled = $2, updated_at = $3 where id = $1")
        .bind(user).bind(on).bind(now).execute(c).await.map(|_| ()))?)
}

/// Words for a letter.
type Words = Cow<'static, str>;

/// `words`: what it is about, and what it says.
async fn tell(work: &mut Work, user: &User, words: impl FnOnce() -> (Words, Words)) -> Result<()> {
    let letter = i18n::said_in(letter::language(work, user), || {
        let (subject, says) = words();
        Letter {
            subject: subject.into(),
            name: user.username.clone(),
            says: vec![says.into()],
            then: vec![tr!("If this wasn't you, set a new password at once and ask an administrator for help.").into()],
            ..Letter::default()
        }
    });
    letter::send(work, &user.email, &letter).await.map(|_| ())
}
