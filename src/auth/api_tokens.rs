//! Tokens that programs sign in with: the model `api_tokens`, of which only a hash is stored. Here is how one ends; called
//! by the admin.

pub mod admin;

use crate::auth::session;
use crate::error::{Error, Result};
use crate::ids::{ApiTokenId, UserId};
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
        Some(owner) => end(work, owner).await,
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
    end(work, owner.ok_or(NO_TOKEN)?).await
}

/// Closes every socket of `owner` that isn't a browser session's. Those of their other tokens come back by themselves.
async fn end(work: &mut Work, owner: UserId) -> Result<()> {
    let now = work.now();
    revocations::end_tokens(work, owner, now).await?;
    let standing = session::of_user(work, owner).await?;
    work.then(move |app| app.hub.end_user(owner, &standing));
    Ok(())
}
