//! Who is who: signing in with a password ([`log_in`]) and a second factor, what somebody is known by afterwards
//! (`session` for browsers, `token` and `refresh` for programs, `api_tokens` for what they made themselves), and ending it.

pub mod api_tokens;
pub mod devices;
pub mod keys;
pub mod last_use;
pub mod password;
pub mod pending;
pub mod recovery_codes;
pub mod refresh;
pub mod reset_tokens;
pub mod session;
pub mod throttle;
pub mod token;
pub mod totp;
pub mod two_factor;
pub mod user_agent;

use std::time::Duration;

use tower_sessions::Session;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::UserId;
use crate::on_db;
use crate::text::hex;
use crate::users::{self, NewUser, Person, Via};
use crate::work::Work;
use session::Device;
use throttle::Key;

/// 256 random bits as 64 hexadecimal digits.
pub fn random_token() -> String {
    hex(rand::random::<[u8; 32]>())
}

/// What is stored of a token: its SHA-256, as hexadecimal digits. Without salt and cost, since it holds 256 random bits.
pub fn token_hash(token: &str) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()))
}

/// The account that `name` (user name or address) and `password` open. Whatever is wrong, one message, in the same
/// time: an unknown name costs a hash too. Errors: [`Error::Invalid`] at `password`. Cost: 1 query, 1 argon2 hash.
pub async fn verify(app: &App, name: &str, password: String) -> Result<Proven> {
    let found = users::credentials(&mut app.db.read().await?, name).await?;
    fit(app, found, password).await
}

/// The same for a stranger at the door: failures are counted by name and by where they come from (`auth/throttle.rs`).
/// A hash of other parameters than today's is made anew. Errors: as [`verify`], [`Error::TooMany`].
/// Cost: 2 or 3 queries, 1 argon2 hash.
async fn knock(app: &App, name: &str, password: String, device: &Device) -> Result<Proven> {
    let (app, name, device) = (app.clone(), name.to_owned(), device.clone());
    // On its own: who hangs up before the answer is counted all the same.
    let knocked = tokio::spawn(i18n::within(i18n::current(), async move {
        let mut conn = app.db.read().await?;
        let found = users::credentials(&mut conn, &name).await?;
        // Asked for nobody, too: it takes as long.
        let whose = found.as_ref().map_or(UserId(-1), |(id, _)| *id);
        let keys = door(&mut conn, "log-in", whose, &name, &device, app.clock.now()).await?;
        drop(conn);
        let attempt = app.throttle.admit(keys).await?;
        let entered = fit(&app, found, password).await;
        if matches!(entered, Err(Error::Invalid(_))) {
            attempt.count().await;
        }
        entered
    }));
    knocked.await.map_err(Error::internal)?
}

/// What a wrong password or code counts in. A browser that was signed in to the account before counts by itself alone, and so does
/// an address at the account: neither is shut out by what strangers do.
async fn door(
    conn: &mut Conn,
    what: &str,
    whose: UserId,
    name: &str,
    device: &Device,
    now: Timestamp,
) -> Result<Vec<Key>> {
    if let Some(token) = &device.token
        && devices::is_known(conn, whose, Some(token), "", now).await?
    {
        return Ok(vec![Key::known(what, name, token)]);
    }
    let known = devices::is_known(conn, whose, None, &device.ip, now).await?;
    let name = if known { Key::known(what, name, &device.ip) } else { Key::name(what, name) };
    Ok(vec![Key::address(what, &device.ip), name])
}

async fn fit(app: &App, found: Option<(UserId, String)>, password: String) -> Result<Proven> {
    let (id, hash) = match found {
        Some((id, hash)) => (Some(id), hash),
        None => (None, password::DUMMY_HASH.clone()),
    };
    let outdated = password::is_outdated(&hash).then(|| password.clone());
    let fits = password::verify(password, hash.clone()).await?;
    let id = id
        .filter(|_| fits)
        .ok_or_else(|| Error::field("password", tr!("This name and password don't fit together.")))?;
    let Some(password) = outdated else { return Ok(Proven::by_password(id, &hash)) };
    let newer = password::hash(password).await?;
    users::rehash(app, id, &hash, &newer).await?;
    Ok(Proven::by_password(id, &newer))
}

/// Who somebody has proven to be. What it was proven by may have changed by the time that they are signed in:
/// [`session::begin`] looks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    pub user: UserId,
    /// Of the password that was right; `None` for an account just made.
    mark: Option<String>,
    /// With a code, too.
    with_code: bool,
}

impl Proven {
    /// By having made the account a moment ago.
    pub fn by_making(user: UserId) -> Self {
        Self { user, mark: None, with_code: false }
    }

    fn by_password(user: UserId, hash: &str) -> Self {
        Self { user, mark: Some(token_hash(hash)), with_code: false }
    }

    /// The same once a code was right, too.
    pub fn with_code(self) -> Self {
        Self { with_code: true, ..self }
    }

    /// Whether it still opens the account, which is held until `work` ends. Errors: [`Error::SignedOut`] when another
    /// password was set meanwhile, two-factor was turned on, or the account was disabled. Cost: 1 statement.
    async fn hold(&self, work: &mut Work) -> Result<()> {
        let found: Option<(String, bool)> = on_db!(work, c => sqlx::query_as(
            "update users set id = id where id = $1 and is_active returning password_hash, totp_enabled")
            .bind(self.user).fetch_optional(c).await)?;
        let fits = found.is_some_and(|(hash, asks_code)| match &self.mark {
            Some(mark) => *mark == token_hash(&hash) && (self.with_code || !asks_code),
            None => true,
        });
        if fits { Ok(()) } else { Err(Error::SignedOut) }
    }
}

/// Makes an ordinary account for a stranger at the door. Errors: as [`users::register`], [`Error::TooMany`].
/// Cost: 1 argon2 hash, 1 write transaction.
pub async fn register(app: &App, new: NewUser, invitation: Option<&str>, device: &Device) -> Result<UserId> {
    app.throttle.admit(vec![Key::address("registration", &device.ip)]).await?.count().await;
    users::register(app, new, invitation).await
}

/// What a right password opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The account.
    Open(Proven),
    /// Nothing yet: the account has two-factor, and no code came along, or a wrong one.
    NeedsCode { proven: Proven, was_wrong: bool },
}

/// Whom `name` (user name or address), `password` and, with two-factor, `code` open the site for; signing them in is up
/// to the caller. Errors: as [`verify`]; [`Error::TooMany`]. Cost: 4 queries, 1 argon2 hash; with a code as
/// [`two_factor::check`].
pub async fn log_in(app: &App, name: &str, password: String, code: &str, device: &Device) -> Result<Entry> {
    let proven = knock(app, name, password, device).await?;
    if !two_factor::is_on(&mut app.db.read().await?, proven.user).await? {
        return Ok(Entry::Open(proven));
    }
    if code.trim().is_empty() {
        return Ok(Entry::NeedsCode { proven, was_wrong: false });
    }
    let right = two_factor::check(app, proven.user, code, device).await?;
    Ok(if right { Entry::Open(proven.with_code()) } else { Entry::NeedsCode { proven, was_wrong: true } })
}

/// What `user` may still be signed in by: sessions, and personal tokens that are neither revoked nor run out.
/// Cost: 2 indexed queries.
pub async fn standing(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Via>> {
    let sessions = session::of_user(conn, user).await?;
    let tokens = api_tokens::of_user(conn, user, now).await?;
    Ok(sessions.into_iter().map(Via::Session).chain(tokens.into_iter().map(Via::Token)).collect())
}

/// How long the password isn't asked for again.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(15 * 60);

/// Whether the password was asked for again lately in the session of `person`.
pub fn is_confirmed(person: &Person, now: Timestamp) -> bool {
    person.confirmed_at.is_some_and(|at| at.plus(CONFIRMED_FOR) > now)
}

/// Whether `person` signed in or said their password again lately: asked before what changes how one signs in.
pub fn is_fresh(person: &Person, now: Timestamp) -> bool {
    is_confirmed(person, now) || person.signed_in_at.is_some_and(|at| at.plus(CONFIRMED_FOR) > now)
}

/// Whether what `person` came in by still stands. Cost: 1 indexed query.
pub async fn stands(app: &App, person: &Person) -> Result<bool> {
    let (mut conn, now) = (app.db.read().await?, app.clock.now());
    match person.via {
        Via::Session(id) => session::stands(&mut conn, id, now).await,
        Via::Token(id) => Ok(api_tokens::of_user(&mut conn, person.id, now).await?.contains(&id)),
    }
}

/// Whether `password` is that of `person`, who is asked for it again; right, their session counts as confirmed. Whoever
/// has a session only must not find the password by trying. Errors: [`Error::Forbidden`] for the fifth wrong one, which
/// ends the session. Cost: 1 argon2 hash, 1 write transaction.
pub async fn ask_again(app: &App, person: &Person, password: String) -> Result<bool> {
    const MOST_GUESSES: u32 = 5;
    // Counted before it is known: of many at once, no more than five are looked at.
    let guess = app.count_guess(person.via);
    if guess > MOST_GUESSES {
        return too_often(app, person).await;
    }
    match verify(app, &person.username, password).await {
        Ok(_) => {
            app.forget_guesses(person.via);
            if let Some(id) = person.session() {
                session::confirm(app, id).await?;
            }
            Ok(true)
        }
        Err(Error::Invalid(_)) if guess == MOST_GUESSES => too_often(app, person).await,
        Err(Error::Invalid(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn too_often(app: &App, person: &Person) -> Result<bool> {
    session::end_own(app, person).await?;
    Err(Error::Forbidden(msgid!("That was the wrong password too often: this session has ended.")))
}

/// Holds what `person` came in by until the transaction ends: what ends it meanwhile waits, and finds what was done under
/// it. Errors: [`Error::SignedOut`] when it has ended, or the account is disabled. Cost: 1 statement.
pub(crate) async fn hold(conn: &mut Conn, person: &Person) -> Result<()> {
    let (sql, id) = match person.via {
        Via::Session(id) => (
            "update sessions set id = id where id = $1
             and exists (select 1 from users u where u.id = sessions.user_id and u.id = $2 and u.is_active)",
            id.0,
        ),
        Via::Token(id) => (
            "update api_tokens set id = id where id = $1 and revoked_at is null
             and exists (select 1 from users u where u.id = api_tokens.user_id and u.id = $2 and u.is_active)",
            id.0,
        ),
    };
    let held = on_db!(conn, c => sqlx::query(sql).bind(id).bind(person.id).execute(c).await
        .map(|done| done.rows_affected()))?;
    if held == 0 { Err(Error::SignedOut) } else { Ok(()) }
}

/// Whether what somebody came in by still stands, as a condition in SQL for many at once: `a.sender` is whose it is, and of
/// `a.session` and `a.token` one is null. `limit 1` keeps PostgreSQL from reading the tables whole to answer for all.
pub(crate) const STANDS: &str = "((select s.id from sessions s join users u on u.id = s.user_id
                 where s.id = a.session and s.user_id = a.sender and u.is_active limit 1) is not null
     or (select t.id from api_tokens t join users u on u.id = t.user_id
         where t.id = a.token and t.user_id = a.sender and t.revoked_at is null and u.is_active limit 1) is not null)";

/// Ends this browser's session everywhere, its sockets included. Cost: 1 write transaction.
pub async fn log_out(app: &App, session: &Session, person: &Person) -> Result<()> {
    session::end_own(app, person).await?;
    session.flush().await.map_err(Error::internal)
}

/// Ends what a program is signed in by: the session of `person`, and the one that `refresh` is of, if it is theirs; a
/// token of somebody else's is left alone. Nobody who shows a refresh token is whose it is. Errors:
/// [`Error::SignedOut`] for nobody with nothing, [`Error::Forbidden`] for a personal token, which is revoked instead.
/// Cost: 1 query, 1 transaction of up to 4 statements.
pub async fn end_program(app: &App, person: Option<&Person>, refresh: Option<&str>) -> Result<()> {
    let chain = match refresh {
        Some(token) => refresh::session_of(&mut app.db.read().await?, token).await?,
        None => None,
    };
    let own = person.and_then(Person::session);
    let chain = chain.filter(|(_, owner)| person.is_none_or(|person| person.id == *owner)).map(|(id, _)| id);
    if own.is_none() && chain.is_none() {
        return Err(match person {
            Some(_) => Error::Forbidden(msgid!("A personal token isn't logged out: revoke it in your settings.")),
            None => Error::SignedOut,
        });
    }
    let mut work = Work::begin(app, person).await?;
    for id in [own, chain].into_iter().flatten() {
        session::end(&mut work, id).await?;
    }
    work.commit().await
}
