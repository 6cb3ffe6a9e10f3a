//! Personal tokens, which people make for their programs: the model `api_tokens`, of which only a hash is stored. Made and
//! ended here, for the settings page and the admin; [`person`] is who shows one, for `auth::token`.

pub mod admin;

use sqlx::FromRow;

use super::{last_use, random_token, token_hash};
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::loader::{Load, Loader};
use crate::db::values::{NOWHERE, in_place, over, room_for};
use crate::db::{Conn, Db};
use crate::emails::letter::{self, Letter};
use crate::error::{Error, FieldErrors, Result};
use crate::i18n;
use crate::ids::{ApiTokenId, UserId};
use crate::text::line;
use crate::users::{self, Holder, Person, Via};
use crate::work::Work;
use crate::{on_db, revocations};

/// What each begins with, so that one that got out is known for what it is.
pub const PREFIX: &str = "swb_";
const MOST: i64 = 50;
const LONGEST_NAME: usize = 100;
const NO_TOKEN: Error = Error::NotFound(msgid!("There is no such token."));

/// A token as its owner sees it. The token itself is shown once, by [`make`].
#[derive(Clone, Debug, FromRow)]
pub struct ApiToken {
    pub id: ApiTokenId,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// Makes a token of `user`, good until `expires` or until it is revoked. This is the only time that it can be seen.
/// Errors: [`Error::Invalid`] at `name` (1 to 100 characters) and `expires_at` (in the future), [`Error::Conflict`]
/// for the 51st that works. Cost: 3 statements.
pub async fn make(
    work: &mut Work,
    user: UserId,
    name: &str,
    expires: Option<Timestamp>,
) -> Result<(ApiTokenId, String)> {
    let now = work.now();
    let mut errors = FieldErrors::default();
    let name = line(&mut errors, "name", name, LONGEST_NAME);
    if name.is_empty() {
        errors.add("name", tr!("What is it for? 1 to 100 characters."));
    }
    if expires.is_some_and(|at| at <= now) {
        errors.add("expires_at", tr!("This has to be in the future."));
    }
    errors.or(())?;
    // Held: of two who make the fiftieth at once, one makes the fifty-first.
    on_db!(work, c => sqlx::query("update users set id = id where id = $1").bind(user).execute(c).await.map(|_| ()))?;
    if of_user(work, user, now).await?.len() as i64 >= MOST {
        return Err(Error::Conflict(msgid!("You have 50 tokens already: revoke one that isn't needed any more.")));
    }
    let token = format!("{PREFIX}{}", random_token());
    let id: ApiTokenId = on_db!(work, c => sqlx::query_scalar(
        "insert into api_tokens (user_id, name, token_hash, created_at, expires_at) values ($1, $2, $3, $4, $5)
         returning id")
        .bind(user).bind(&name).bind(token_hash(&token)).bind(now).bind(expires).fetch_one(c).await)?;
    tell(work, user, &name).await?;
    Ok((id, token))
}

/// Tells the owner of a token that it was made.
async fn tell(work: &mut Work, user: UserId, name: &str) -> Result<()> {
    let Some(user) = users::by_id(work, user).await? else { return Ok(()) };
    let letter = i18n::said_in(letter::language(work, &user), || Letter {
        subject: tr!("A new token for your account at {site}", site = work.app.settings().site_name),
        name: user.username.clone(),
        says: vec![tr!(
            "The personal token “{name}” was made in your settings: what holds it acts in your name.",
            name = name
        )],
        button: Some((tr!("Look at your tokens").into(), letter::link(&work.app, "/settings"))),
        then: vec![tr!("If this wasn't you, revoke it and set a new password.").into()],
        ..Letter::default()
    });
    letter::send(work, &user.email, &letter).await.map(|_| ())
}

/// The tokens of `user` that aren't revoked, newest first, at most 200; those that have run out among them.
/// Cost: 1 indexed query.
pub async fn list(conn: &mut Conn, user: UserId) -> Result<Vec<ApiToken>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, name, created_at, last_used_at, expires_at from api_tokens
         where user_id = $1 and revoked_at is null order by created_at desc, id desc limit 200")
        .bind(user).fetch_all(c).await)?)
}

/// Revokes a token of `user`'s own. Errors: [`Error::NotFound`] for one of somebody else's too, [`Error::Conflict`].
/// Cost: 5 statements.
pub async fn revoke_own(work: &mut Work, user: UserId, id: ApiTokenId) -> Result<()> {
    let own: Option<i64> = on_db!(work, c => sqlx::query_scalar(
        "select id from api_tokens where id = $1 and user_id = $2").bind(id).bind(user).fetch_optional(c).await)?;
    if own.is_some() { revoke(work, id).await } else { Err(NO_TOKEN) }
}

/// Revokes every token of `user`: what was opened with one closes on every node. Cost: 1 statement, and 1 a token.
pub async fn revoke_all(work: &mut Work, user: UserId) -> Result<()> {
    let now = work.now();
    let ids: Vec<ApiTokenId> = on_db!(work, c => sqlx::query_scalar(
        "update api_tokens set revoked_at = $2 where user_id = $1 and revoked_at is null returning id")
        .bind(user).bind(now).fetch_all(c).await)?;
    for id in ids {
        end(work, user, id).await?;
    }
    Ok(())
}

/// Whose a token is that wasn't revoked, and when it was used last.
#[derive(FromRow)]
pub struct Shown {
    #[sqlx(flatten)]
    holder: Holder,
    id: ApiTokenId,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

/// Tokens that are shown at once.
pub type ShownTokens = Loader<Shown>;

impl Load for Shown {
    /// The hash of a token.
    type Key = String;
    type Source = Db;

    async fn load(db: &Db, hashes: &[String]) -> Result<Vec<Option<Self>>> {
        let row = |(place, hash): (usize, &String)| [(place as i64).into(), hash.as_str().into()];
        let rows = hashes.iter().enumerate().map(row).collect();
        let before = "with a (place, hash) as (values";
        let after =
            ") select a.place, t.id, t.last_used_at, t.expires_at, t.user_id, u.username, u.role, u.totp_enabled,
                u.avatar, u.language
             from a join api_tokens t on t.token_hash = a.hash join users u on u.id = t.user_id
             where t.revoked_at is null and u.is_active";
        let asked = over(before, rows, [NOWHERE.into(), "".into()], room_for(hashes.len()), after);
        Ok(in_place(db.read().await?.run_one(asked).await?.read()?, hashes.len()))
    }
}

/// Whoever shows this token, if it works and the account is active. Cost: 1 indexed query, or a share of one; now and then
/// one small write in the background.
pub(super) async fn person(app: &App, token: &str) -> Result<Option<Person>> {
    let now = app.clock.now();
    let shown = app.api_tokens.get(&app.db, token_hash(token)).await?;
    let lasting = shown.filter(|shown| shown.expires_at.is_none_or(|at| at > now));
    let Some(Shown { holder, id, last_used_at, .. }) = lasting else { return Ok(None) };
    let via = Via::Token(id);
    last_use::note(app, via, holder.user_id, last_used_at);
    Ok(Some(Person::new(&app.settings(), holder, via, None)))
}

/// A token is worth nothing from now on, and stays to be seen. Errors: [`Error::NotFound`], [`Error::Conflict`] for one
/// that is revoked. Cost: 4 statements.
pub async fn revoke(work: &mut Work, id: ApiTokenId) -> Result<()> {
    let now = work.now();
    let owner: Option<UserId> = on_db!(work, c => sqlx::query_scalar(
        "update api_tokens set revoked_at = $2 where id = $1 and revoked_at is null returning user_id")
        .bind(id).bind(now).fetch_optional(c).await)?;
    match owner {
        Some(owner) => end(work, owner, id).await,
        None if exists(work, id).await? => Err(Error::Conflict(msgid!("This token is revoked already."))),
        None => Err(NO_TOKEN),
    }
}

async fn exists(work: &mut Work, id: ApiTokenId) -> Result<bool> {
    let found: Option<i64> = on_db!(work, c => sqlx::query_scalar("select id from api_tokens where id = $1")
        .bind(id).fetch_optional(c).await)?;
    Ok(found.is_some())
}

/// Deletes a token, which ends it. Errors: [`Error::NotFound`]. Cost: 3 statements.
pub async fn delete(work: &mut Work, id: ApiTokenId) -> Result<()> {
    let owner: Option<UserId> = on_db!(work, c => sqlx::query_scalar(
        "delete from api_tokens where id = $1 returning user_id").bind(id).fetch_optional(c).await)?;
    end(work, owner.ok_or(NO_TOKEN)?, id).await
}

/// Closes what was opened with the token, on every node.
async fn end(work: &mut Work, owner: UserId, id: ApiTokenId) -> Result<()> {
    let now = work.now();
    revocations::end_token(work, owner, id, now).await?;
    work.then(move |app| app.hub.end(owner, Via::Token(id)));
    Ok(())
}

/// Tokens that ran out after `from`, up to `now`. Cost: 1 indexed query, O(answer).
pub async fn run_out(conn: &mut Conn, from: Timestamp, now: Timestamp) -> Result<Vec<(UserId, ApiTokenId)>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select user_id, id from api_tokens where expires_at is not null and expires_at > $1 and expires_at <= $2")
        .bind(from).bind(now).fetch_all(c).await)?)
}

/// The tokens of an active account that work. Cost: 1 indexed query.
pub(super) async fn of_user(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<ApiTokenId>> {
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "select t.id from api_tokens t join users u on u.id = t.user_id where t.user_id = $1 and u.is_active
         and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)")
        .bind(user).bind(now).fetch_all(c).await)?)
}
