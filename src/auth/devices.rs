//! Browsers and places that an account was signed in from before: the table `known_devices`. A browser is known by a
//! cookie of its own, which outlives its sessions; a program, which keeps none, by its address and its name. Whoever
//! signs in from elsewhere is told to the account's owner, in a letter ([`greet`]). Throttles ask [`is_known`].

use std::time::Duration;

use super::session::Device;
use super::{random_token, token_hash, user_agent};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::emails::letter::{self, Letter};
use crate::error::Result;
use crate::i18n;
use crate::ids::UserId;
use crate::on_db;
use crate::users::{self, User};
use crate::work::Work;

/// How long a browser is known without being used to sign in, and how long its cookie lasts.
pub const LIFETIME: Duration = Duration::from_secs(400 * 24 * 3600);
/// How long an address counts as the owner's.
const ADDRESS_COUNTS: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rows a person; those used longest ago go.
const MOST: i64 = 50;

/// Who signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Browser,
    /// Keeps no cookie of ours.
    Program,
}

/// Remembers where `user` signs in from, as a part of the sign-in, and writes to them when that is somewhere new: not at
/// the very first sign-in, which follows registering. Returns the token that a browser keeps in its cookie from now on.
/// Cost: 7 statements at most.
pub async fn greet(work: &mut Work, user: UserId, device: &Device, caller: Caller) -> Result<String> {
    let now = work.now();
    let is_first = is_first(work, user, now).await?;
    let knows_browser = touch(work, user, &hash_of(device.token.as_deref()), device, now).await?;
    let place = place(device);
    let knows_place = touch(work, user, &place, device, now).await?;
    if !knows_place {
        remember(work, user, &place, device, now).await?;
    }
    let token = match &device.token {
        Some(token) if knows_browser => token.clone(),
        _ => random_token(),
    };
    if !knows_browser && caller == Caller::Browser {
        // Never the token that came along: somebody may have planted theirs, to be taken for this person later.
        rename(work, &hash_of(device.token.as_deref()), &token_hash(&token)).await?;
        remember(work, user, &token_hash(&token), device, now).await?;
    }
    let is_known = knows_browser || caller == Caller::Program && knows_place;
    if !is_known
        && !is_first
        && !is_much(work, user, now).await?
        && let Some(user) = users::by_id(work, user).await?
    {
        tell(work, &user, device, now).await?;
    }
    trim(work, user).await?;
    Ok(token)
}

/// Whether this browser, or this address within the last 30 days, has signed in to the account before. `device_token` is
/// what the browser's cookie holds. Cost: 1 indexed query.
pub async fn is_known(
    conn: &mut Conn,
    user: UserId,
    device_token: Option<&str>,
    ip: &str,
    now: Timestamp,
) -> Result<bool> {
    let found: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from known_devices
         where user_id = $1 and (token_hash = $2 or ip = $3 and ip <> '' and last_seen_at > $4) limit 1")
        .bind(user).bind(hash_of(device_token)).bind(ip).bind(now.minus(ADDRESS_COUNTS)).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// Takes the place that a link in a letter was used from for one of `user`'s. Cost: 1 statement.
pub async fn trust(work: &mut Work, user: UserId, device: &Device) -> Result<()> {
    let now = work.now();
    remember(work, user, &place(device), device, now).await
}

/// Forgets every device of `user`: whoever signs in from now on is new. Cost: 1 indexed statement.
pub async fn forget(work: &mut Work, user: UserId) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query("delete from known_devices where user_id = $1")
        .bind(user).execute(c).await.map(|_| ()))?)
}

/// Deletes what wasn't used for [`LIFETIME`]. Cost: 1 indexed statement.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<()> {
    Ok(on_db!(conn, c => sqlx::query("delete from known_devices where last_seen_at <= $1")
        .bind(now.minus(LIFETIME)).execute(c).await.map(|_| ()))?)
}

/// Whether so many new devices came in an hour that further letters would only fill the mailbox.
async fn is_much(work: &mut Work, user: UserId, now: Timestamp) -> Result<bool> {
    const MOST_AN_HOUR: i64 = 10;
    let since = now.minus(Duration::from_secs(3600));
    let count: i64 = on_db!(work, c => sqlx::query_scalar(
        "select count(*) from known_devices where user_id = $1 and created_at > $2")
        .bind(user).bind(since).fetch_one(c).await)?;
    Ok(count > MOST_AN_HOUR)
}

/// Whether nobody has signed in to the account before; from now on somebody has.
async fn is_first(work: &mut Work, user: UserId, now: Timestamp) -> Result<bool> {
    let first = on_db!(work, c => sqlx::query("update users set signed_in_at = $2 where id = $1 and signed_in_at is null")
        .bind(user).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(first > 0)
}

/// What is stored of a cookie's token; of something that is none, what no row has.
fn hash_of(token: Option<&str>) -> String {
    // Only what we give out: a text made up as in `place` must not pass for a browser.
    let fits = |token: &&str| token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    token.filter(fits).map(token_hash).unwrap_or_default()
}

/// What stands for a program: its address and what it calls itself.
fn place(device: &Device) -> String {
    token_hash(&format!("{}\n{}", device.ip, device.user_agent))
}

async fn touch(work: &mut Work, user: UserId, hash: &str, device: &Device, now: Timestamp) -> Result<bool> {
    let touched = on_db!(work, c => sqlx::query(
        "update known_devices set ip = $3, last_seen_at = $4 where user_id = $1 and token_hash = $2")
        .bind(user).bind(hash).bind(&device.ip).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(touched > 0)
}

async fn remember(work: &mut Work, user: UserId, hash: &str, device: &Device, now: Timestamp) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query(
        "insert into known_devices (user_id, token_hash, ip, created_at, last_seen_at) values ($1, $2, $3, $4, $4)
         on conflict (user_id, token_hash) do update set ip = excluded.ip, last_seen_at = excluded.last_seen_at")
        .bind(user).bind(hash).bind(&device.ip).bind(now).execute(c).await.map(|_| ()))?)
}

/// The browser goes by another token, to everybody who knows it.
async fn rename(work: &mut Work, old: &str, new: &str) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query("update known_devices set token_hash = $2 where token_hash = $1")
        .bind(old).bind(new).execute(c).await.map(|_| ()))?)
}

async fn trim(work: &mut Work, user: UserId) -> Result<()> {
    Ok(on_db!(work, c => sqlx::query(
        "delete from known_devices where user_id = $1 and id not in
         (select id from known_devices where user_id = $1 order by last_seen_at desc, id desc limit $2)")
        .bind(user).bind(MOST).execute(c).await.map(|_| ()))?)
}

async fn tell(work: &mut Work, user: &User, device: &Device, now: Timestamp) -> Result<()> {
    let letter = i18n::said_in(letter::language(work, user), || Letter {
        subject: tr!("New sign-in to your account").into(),
        name: user.username.clone(),
        says: vec![
            tr!("Somebody has just signed in to your account from a device that it didn't know.").into(),
            tr!("When: {date}, {time} UTC", date = i18n::date(now), time = i18n::time_of_day(now)),
            tr!("With: {program}", program = user_agent::in_words(&device.user_agent)),
            match device.ip.as_str() {
                "" => tr!("From the address: unknown").into(),
                ip => tr!("From the address: {ip}", ip = ip),
            },
        ],
        button: Some((tr!("Look at your sessions").into(), letter::link(&work.app, "/settings"))),
        then: vec![
            tr!("If that was you, there is nothing to do.").into(),
            tr!("If it wasn't, choose another password at once: that ends every session, theirs too.").into(),
        ],
        ..Letter::default()
    });
    letter::send(work, &user.email, &letter).await?;
    Ok(())
}
