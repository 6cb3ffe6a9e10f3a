//! Browsers and addresses that somebody signed in from before.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::UserId;
use crate::on_db;

/// Whether somebody signed in to the account of `user` with this browser's cookie before, or from `ip` since `since`.
/// Cost: 1 indexed query.
pub async fn is_known(conn: &mut Conn, user: UserId, token: Option<&str>, ip: &str) -> Result<bool> {
    let since = Timestamp(0);
    let hash = token.map(super::token_hash).unwrap_or_default();
    let row: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from known_devices where user_id = $1 and (token_hash = $2 or (ip = $3 and last_seen_at > $4)) limit 1")
        .bind(user).bind(hash).bind(ip).bind(since).fetch_optional(c).await)?;
    Ok(row.is_some())
}
