//! Links that set a new password: the model `password_reset_tokens`, of which only a hash is stored. Asked for by
//! anyone, sent to the account's own address, good for an hour and once. Called by pages, the API and the admin.

pub mod admin;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::devices;
use super::session::Device;
use super::throttle::Key;
use super::{password, random_token, token_hash};
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::emails::letter::{self, Letter};
use crate::error::{Error, FieldErrors, Result};
use crate::i18n;
use crate::ids::{ResetTokenId, UserId};
use crate::on_db;
use crate::users::{self, User, change};
use crate::work::Work;

const LIFETIME: Duration = Duration::from_secs(3600);
/// When a request is answered, whatever became of it: longer than a letter takes to be queued.
const ANSWERED_AFTER: Duration = Duration::from_millis(300);

/// The token was used, made up or replaced, or has run out; which, nobody is told.
fn worthless() -> Error {
    Error::Malformed(
        tr!("This link was used already, has been replaced by a newer one or has run out. Ask for a new one.").into(),
    )
}

/// Sends a link to whoever has the address `email`, if anybody has. Nothing tells whether: the answer is the same, and
/// comes at the same time, also to who asks too often, for whom nothing is sent. Cost: 2 queries, 1 write transaction of
/// 4 statements; answered after 300 ms.
pub async fn request(app: &App, email: &str, device: &Device) {
    let answer_at = Instant::now() + ANSWERED_AFTER;
    let (app, email, ip) = (app.clone(), email.to_owned(), device.ip.clone());
    // On its own: neither its time nor its failure shows.
    tokio::spawn(i18n::within(i18n::current(), async move {
        if let Err(error) = answer(&app, &email, &ip).await {
            tracing::warn!(%error, "a password reset can't be sent");
        }
    }));
    sleep_until(answer_at).await;
}

async fn answer(app: &App, email: &str, ip: &str) -> Result<()> {
    let keys = vec![Key::address("reset", ip), Key::name("reset", email)];
    match app.throttle.admit(keys).await {
        Ok(attempt) => attempt.count().await,
        Err(_) => return Ok(()),
    }
    let found = users::find(&mut app.db.read().await?, email).await?;
    // A user name isn't an address: whoever knows it must not be able to make the site write.
    let Some(user) = found.filter(|user| user.is_active && email.contains('@')) else { return Ok(()) };
    let mut work = Work::begin(app, None).await?;
    send(&mut work, &user, ip).await?;
    work.commit().await
}

/// Makes a new token, which is worth nothing without the letter that carries it; older ones end. Cost: 3 statements.
pub async fn send(work: &mut Work, user: &User, ip: &str) -> Result<()> {
    let (token, now) = (random_token(), work.now());
    end_all(work, user.id).await?;
    on_db!(work, c => sqlx::query(
        "insert into password_reset_tokens (user_id, token_hash, created_at, expires_at) values ($1, $2, $3, $4)")
        .bind(user.id).bind(token_hash(&token)).bind(now).bind(now.plus(LIFETIME)).execute(c).await.map(|_| ()))?;
    let url = letter::link(&work.app, &format!("/password-reset/confirm?token={token}"));
    let letter = i18n::said_in(letter::language(work, user), || Letter {
        subject: tr!("A new password for {site}", site = work.app.settings().site_name),
        name: user.username.clone(),
        says: vec![tr!("Somebody at the address {ip} asked for a new password for your account.", ip = ip)],
        button: Some((tr!("Choose a new password").into(), url)),
        then: vec![
            tr!("The link works once, for one hour. A newer one takes its place.").into(),
            tr!("If you didn't ask for it, you need do nothing: your password stays as it is.").into(),
        ],
        lasts: Some(LIFETIME),
        ..Letter::default()
    });
    letter::send(work, &user.email, &letter).await.map(|_| ())
}

/// Ends every link of `user`. Cost: 1 indexed statement.
pub async fn end_all(work: &mut Work, user: UserId) -> Result<()> {
    let now = work.now();
    Ok(on_db!(work, c => sqlx::query(
        "update password_reset_tokens set expires_at = $2 where user_id = $1 and used_at is null and expires_at > $2")
        .bind(user).bind(now).execute(c).await.map(|_| ()))?)
}

/// Whose link this is, if it still works. Errors: [`Error::Malformed`] for one that doesn't. Cost: 1 indexed query.
pub async fn owner(conn: &mut Conn, token: &str, now: Timestamp) -> Result<User> {
    let id: Option<UserId> = on_db!(conn, c => sqlx::query_scalar(
        "select user_id from password_reset_tokens where token_hash = $1 and used_at is null and expires_at > $2")
        .bind(token_hash(token)).bind(now).fetch_optional(c).await)?;
    let user = match id {
        Some(id) => users::by_id(conn, id).await?,
        None => None,
    };
    user.filter(|user| user.is_active).ok_or_else(worthless)
}

/// Sets a new password by a link, which is used up; every session and token of the account ends, and its owner is told.
/// Errors: [`Error::Malformed`] for a link that doesn't work, [`Error::Invalid`] at `password`, which leaves it working.
/// Cost: 2 queries, 1 argon2 hash, 1 write transaction.
pub async fn redeem(app: &App, token: &str, new: String, device: &Device) -> Result<UserId> {
    let user = owner(&mut app.db.read().await?, token, app.clock.now()).await?;
    let mut errors = FieldErrors::default();
    password::check(&mut errors, "password", &new, &[&user.username, &user.email, &app.settings().site_name]);
    errors.or(())?;
    let hash = password::hash(new).await?;
    let mut work = Work::begin(app, None).await?;
    let now = work.now();
    let used = on_db!(work, c => sqlx::query(
        "update password_reset_tokens set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2")
        .bind(token_hash(token)).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    // Of two who use it at once, one does.
    if used == 0 {
        return Err(worthless());
    }
    let user = change::hold(&mut work, user.id).await?;
    change::store_password(&mut work, &user, &hash).await?;
    // Whoever has the mailbox is at home here: a stranger's guesses don't keep them out of the log-in that follows.
    devices::trust(&mut work, user.id, device).await?;
    work.commit().await?;
    Ok(user.id)
}

/// Deletes links that ran out a year ago: until then the admin shows them. Cost: 1 indexed statement.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<()> {
    const KEPT: Duration = Duration::from_secs(365 * 24 * 3600);
    Ok(on_db!(conn, c => sqlx::query("delete from password_reset_tokens where expires_at < $1")
        .bind(now.minus(KEPT)).execute(c).await.map(|_| ()))?)
}

/// Deletes a token: its link is worth nothing from now on. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: ResetTokenId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from password_reset_tokens where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(Error::NotFound(msgid!("There is no such token."))) } else { Ok(()) }
}
