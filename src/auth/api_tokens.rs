//! Tokens that programs sign in with: the model `api_tokens`, of which only a hash is stored. Here is how one ends; called
//! by the admin.

pub mod admin;

use sqlx::FromRow;

use super::{random_token, token_hash};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{ApiTokenId, UserId};
use crate::text::line;
use crate::users::Via;
use crate::work::Work;
use crate::{on_db, revocations};

const NO_TOKEN: Error = Error::NotFound("There is no such token.");

/// A token is worth nothing from now on, and stays to be seen. Errors: [`Error::NotFound`], [`Error::Conflict`] for one
/// that is revoked. Cost: 4 statements.
pub async fn revoke(work: &mut Work, id: ApiTokenId) -> Result<()> {
    let now = work.now();
    let owner: Option<UserId> = on_db!(work, c => sqlx::query_scalar(
        "update api_tokens set revoked_at = $2 where id = $1 and revoked_at is null returning user_id")
        .bind(id).bind(now).fetch_optional(c).await)?;
    match owner {
        Some(owner) => end(work, owner, id).await,
        None if exists(work, id).await? => Err(Error::Conflict("This token is revoked already.")),
        None => Err(NO_TOKEN),
    }
}

/// A token as its owner sees it: never what it is.
#[derive(FromRow)]
pub struct Own {
    pub id: ApiTokenId,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// Makes a token for `user`, and says it: this once, since only its hash is stored. Errors: [`Error::Invalid`] at `name`.
/// Cost: 1 statement.
pub async fn make(
    work: &mut Work,
    user: UserId,
    name: &str,
    expires: Option<Timestamp>,
) -> Result<(ApiTokenId, String)> {
    let mut errors = FieldErrors::default();
    let name = line(&mut errors, "name", name, 100);
    if name.is_empty() {
        errors.add("name", "Give it a name, so that you know later what it is for.");
    }
    errors.or(())?;
    let (token, now) = (random_token(), work.now());
    let id = on_db!(work, c => sqlx::query_scalar(
        "insert into api_tokens (user_id, name, token_hash, created_at, expires_at) values ($1, $2, $3, $4, $5)
         returning id")
        .bind(user).bind(name).bind(token_hash(&token)).bind(now).bind(expires).fetch_one(c).await)?;
    Ok((id, token))
}

/// The tokens of `user` that aren't revoked, newest first. Cost: 1 indexed query, O(tokens).
pub async fn list(conn: &mut Conn, user: UserId) -> Result<Vec<Own>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, name, created_at, last_used_at, expires_at from api_tokens
         where user_id = $1 and revoked_at is null order by created_at desc, id desc")
        .bind(user).fetch_all(c).await)?)
}

/// Revokes a token of `user`. Errors: [`Error::NotFound`] for one that isn't there, and for somebody else's.
/// Cost: 5 statements.
pub async fn revoke_own(work: &mut Work, user: UserId, id: ApiTokenId) -> Result<()> {
    let owner: Option<UserId> = on_db!(work, c => sqlx::query_scalar("select user_id from api_tokens where id = $1")
        .bind(id).fetch_optional(c).await)?;
    if owner == Some(user) { revoke(work, id).await } else { Err(NO_TOKEN) }
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

/// The tokens of an active account that work. Cost: 1 indexed query.
pub(super) async fn of_user(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<ApiTokenId>> {
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "select t.id from api_tokens t join users u on u.id = t.user_id where t.user_id = $1 and u.is_active
         and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)")
        .bind(user).bind(now).fetch_all(c).await)?)
}
