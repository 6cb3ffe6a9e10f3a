//! Tokens that programs sign in with: the model `api_tokens`, of which only a hash is stored. Here is how one ends; called
//! by the admin.

pub mod admin;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{ApiTokenId, UserId};
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

/// Revokes every token of `user`; whoever calls closes their sockets. Cost: 1 indexed statement.
pub async fn revoke_all(work: &mut Work, user: UserId) -> Result<()> {
    let now = work.now();
    Ok(on_db!(work, c => sqlx::query("update api_tokens set revoked_at = $2 where user_id = $1 and revoked_at is null")
        .bind(user).bind(now).execute(c).await.map(|_| ()))?)
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
