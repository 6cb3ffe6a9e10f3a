//! A person's new e-mail address: it takes the old one's place once its owner has opened the link that was sent there;
//! the old address is told at once. Where the site sends no mail (no SMTP_URL), nobody could ever confirm one: there it
//! takes its place at once. Called by pages and the API.

use std::time::Duration;

use super::{User, find};
use crate::app::App;
use crate::auth::throttle::Key;
use crate::auth::{random_token, token_hash};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::emails::letter::{self, Letter};
use crate::error::{Error, FieldErrors, Result, is_taken};
use crate::i18n;
use crate::ids::UserId;
use crate::on_db;
use crate::text::{fold, line};
use crate::work::Work;

const LIFETIME: Duration = Duration::from_secs(24 * 3600);

fn worthless() -> Error {
    Error::Malformed(tr!("This link was used already, was replaced by a newer one or has run out.").into())
}

/// What became of a new address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was the old one.
    Same,
    /// It is the account's address now.
    Done,
    /// It will be, once its owner has opened the link sent there.
    Asked,
}

/// Errors: a message at `email` for what is no address. Cost: O(length).
pub fn check(errors: &mut FieldErrors, email: &str) -> String {
    let email = line(errors, "email", email, 254);
    if email.parse::<lettre::Address>().is_err() {
        errors.add("email", tr!("This is not an e-mail address."));
    }
    email
}

/// Counts a wish for another address, each of which writes two letters: strangers' mailboxes aren't to be filled by
/// wishing, and who has an address isn't to be found out by trying. Errors: [`Error::TooMany`]. Cost: no query.
pub async fn admit(app: &App, user: UserId, ip: &str) -> Result<()> {
    let keys = vec![Key::address("address", ip), Key::name("address", &user.to_string())];
    app.throttle.admit(keys).await?.count().await;
    Ok(())
}

/// Gives `user` another address, which they wish themselves. Errors: [`Error::Invalid`] at `email` for what is no address
/// and for one that another account has. Cost: 6 statements.
pub async fn change(work: &mut Work, user: &User, email: &str) -> Result<Change> {
    let mut errors = FieldErrors::default();
    let email = check(&mut errors, email);
    errors.or(())?;
    if email == user.email {
        return Ok(Change::Same);
    }
    if find(work, &email).await?.is_some_and(|other| other.id != user.id) {
        return Err(taken());
    }
    if work.app.config.smtp_url.is_some() {
        ask(work, user, &email).await?;
        return Ok(Change::Asked);
    }
    store(work, user, &email).await?;
    Ok(Change::Done)
}

fn taken() -> Error {
    Error::field("email", tr!("This address is already taken."))
}

async fn ask(work: &mut Work, user: &User, email: &str) -> Result<()> {
    let (token, now) = (random_token(), work.now());
    on_db!(work, c => sqlx::query(
        "insert into email_changes (user_id, email, token_hash, created_at, expires_at) values ($1, $2, $3, $4, $5)
         on conflict (user_id) do update set email = excluded.email, token_hash = excluded.token_hash,
           created_at = excluded.created_at, expires_at = excluded.expires_at")
        .bind(user.id).bind(email).bind(token_hash(&token)).bind(now).bind(now.plus(LIFETIME))
        .execute(c).await.map(|_| ()))?;
    let site = work.app.settings().site_name.clone();
    let url = letter::link(&work.app, &format!("/settings/email/confirm?token={token}"));
    let language = letter::language(work, user);
    let new = i18n::said_in(language, || Letter {
        subject: tr!("Confirm your address for {site}", site = site),
        name: user.username.clone(),
        says: vec![tr!("You wish to use this address for your account at {site}.", site = site)],
        button: Some((tr!("Use this address").into(), url)),
        then: vec![tr!("The link works once, for one day. If this wasn't you, ignore it: nothing changes.").into()],
        lasts: Some(LIFETIME),
        ..Letter::default()
    });
    letter::send(work, email, &new).await?;
    let old = i18n::said_in(language, || Letter {
        subject: tr!("A new address for your account at {site}", site = site),
        name: user.username.clone(),
        says: vec![tr!("Your account is to have the address {email}, once it is confirmed from there.", email = email)],
        then: vec![tr!("If that wasn't you, log in and choose a new password now: that calls it off.").into()],
        ..Letter::default()
    });
    letter::send(work, &user.email, &old).await.map(|_| ())
}

/// The address that waits to be confirmed by this token. Errors: [`Error::Malformed`] for a token that doesn't work.
/// Cost: 1 indexed query.
pub async fn waiting(conn: &mut Conn, token: &str, now: Timestamp) -> Result<(UserId, String)> {
    let row = on_db!(conn, c => sqlx::query_as(
        "select user_id, email from email_changes where token_hash = $1 and expires_at > $2")
        .bind(token_hash(token)).bind(now).fetch_optional(c).await)?;
    row.ok_or_else(worthless)
}

/// The address of `user` that waits to be confirmed, if one does. Cost: 1 indexed query.
pub async fn of_user(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Option<String>> {
    Ok(on_db!(conn, c => sqlx::query_scalar("select email from email_changes where user_id = $1 and expires_at > $2")
        .bind(user).bind(now).fetch_optional(c).await)?)
}

/// Puts the address that a link was sent to in its place. Whoever has the link has the mailbox; they need not be signed
/// in. Errors: [`Error::Malformed`] for a token that doesn't work, [`Error::Invalid`] at `email` when another account
/// took it meanwhile. Cost: 7 statements.
pub async fn confirm(work: &mut Work, token: &str) -> Result<()> {
    let now = work.now();
    let (id, email) = waiting(work, token, now).await?;
    let user = super::change::hold(work, id).await?;
    // Of two who open it at once, the second finds it gone.
    waiting(work, token, now).await?;
    if !user.is_active {
        return Err(worthless());
    }
    store(work, &user, &email).await
}

async fn store(work: &mut Work, user: &User, email: &str) -> Result<()> {
    let now = work.now();
    on_db!(work, c => sqlx::query("update users set email = $2, email_folded = $3, updated_at = $4 where id = $1")
        .bind(user.id).bind(email).bind(fold(email)).bind(now).execute(c).await.map(|_| ()))
    .map_err(|error| if is_taken(&error) { taken() } else { error.into() })?;
    moved(work, user, email).await
}

/// What goes along with another address, whoever gave it: links to the old one end, and both are told.
/// Cost: 4 statements.
pub(super) async fn moved(work: &mut Work, user: &User, email: &str) -> Result<()> {
    forget(work, user.id).await?;
    // A link that was sent to the old address is the old address's.
    crate::auth::reset_tokens::end_all(work, user.id).await?;
    let letter = i18n::said_in(letter::language(work, user), || Letter {
        subject: tr!("Your address at {site} was changed", site = work.app.settings().site_name),
        name: user.username.clone(),
        says: vec![tr!(
            "Your account has the address {new} now, in the place of {old}.",
            new = email,
            old = user.email
        )],
        then: vec![tr!("If that wasn't you, write to an administrator of the site at once.").into()],
        ..Letter::default()
    });
    letter::send(work, &user.email, &letter).await?;
    letter::send(work, email, &letter).await.map(|_| ())
}

/// Calls off a change that waits. Cost: 1 statement.
pub async fn forget(work: &mut Work, user: UserId) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query("delete from email_changes where user_id = $1")
        .bind(user).execute(c).await.map(|_| ()))?)
}

/// Deletes changes that nobody confirmed in time. Cost: 1 statement, O(rows): there are few.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<()> {
    Ok(on_db!(conn, c => sqlx::query("delete from email_changes where expires_at <= $1")
        .bind(now).execute(c).await.map(|_| ()))?)
}
