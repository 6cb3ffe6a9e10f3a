//! What must end at once everywhere: a row in `revocations`, written in the transaction of what caused it, tells
//! every node and the server beside a command-line process whose sockets to close. `jobs` polls [`since`].

use std::time::Duration;

use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::{ApiTokenId, RoomId, SessionId, UserId};
use crate::on_db;

/// How far back a poll looks: on PostgreSQL a lower id may be committed after a higher one.
pub const OVERLAP: Duration = Duration::from_secs(10);
/// How long rows are kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Whose sockets end: one session's, one token's, one user's in one room, or, with none of these, those of a user
/// that nothing holds which still stands.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Revocation {
    pub id: i64,
    pub user_id: UserId,
    pub session_id: Option<SessionId>,
    pub room_id: Option<RoomId>,
    pub api_token_id: Option<ApiTokenId>,
}

/// Deletes all sessions of `user` and tells every node. Cost: 2 statements, O(sessions).
pub async fn end_sessions(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<()> {
    on_db!(conn, c => sqlx::query("delete from sessions where user_id = $1")
        .bind(user).execute(c).await.map(|_| ()))?;
    add(conn, user, Of::All, now).await
}

/// Deletes the sessions of `user` but `kept` and tells every node. Cost: 2 statements, O(sessions).
pub async fn end_other_sessions(conn: &mut Conn, user: UserId, kept: Option<SessionId>, now: Timestamp) -> Result<()> {
    // No session has the id -1.
    on_db!(conn, c => sqlx::query("delete from sessions where user_id = $1 and id <> $2")
        .bind(user).bind(kept.unwrap_or(SessionId(-1))).execute(c).await.map(|_| ()))?;
    add(conn, user, Of::All, now).await
}

/// Tells every node to close what was opened with one personal token. Cost: 1 statement.
pub async fn end_token(conn: &mut Conn, user: UserId, token: ApiTokenId, now: Timestamp) -> Result<()> {
    add(conn, user, Of::Token(token), now).await
}

/// Deletes one session and tells every node; says whose it was. Cost: 2 statements.
pub async fn end_session(conn: &mut Conn, session: SessionId, now: Timestamp) -> Result<Option<UserId>> {
    let owner: Option<UserId> = on_db!(conn, c => sqlx::query_scalar(
        "delete from sessions where id = $1 returning user_id").bind(session).fetch_optional(c).await)?;
    if let Some(owner) = owner {
        add(conn, owner, Of::Session(session), now).await?;
    }
    Ok(owner)
}

/// Tells every node that `user` is out of `room`. Cost: 1 statement.
pub async fn end_membership(conn: &mut Conn, user: UserId, room: RoomId, now: Timestamp) -> Result<()> {
    add(conn, user, Of::Room(room), now).await
}

enum Of {
    All,
    Session(SessionId),
    Token(ApiTokenId),
    Room(RoomId),
}

async fn add(conn: &mut Conn, user: UserId, of: Of, now: Timestamp) -> Result<()> {
    let (session, token, room) = match of {
        Of::All => (None, None, None),
        Of::Session(id) => (Some(id), None, None),
        Of::Token(id) => (None, Some(id), None),
        Of::Room(id) => (None, None, Some(id)),
    };
    Ok(on_db!(conn, c => sqlx::query(
        "insert into revocations (user_id, session_id, api_token_id, room_id, created_at) values ($1, $2, $3, $4, $5)")
        .bind(user).bind(session).bind(token).bind(room).bind(now).execute(c).await.map(|_| ()))?)
}

/// Everything revoked since `from`. Cost: 1 indexed query, O(answer).
pub async fn since(conn: &mut Conn, from: Timestamp) -> Result<Vec<Revocation>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, user_id, session_id, room_id, api_token_id from revocations where created_at >= $1 order by id")
        .bind(from).fetch_all(c).await)?)
}

/// Deletes rows older than [`KEPT`]. Cost: 1 indexed statement.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<()> {
    Ok(on_db!(conn, c => sqlx::query("delete from revocations where created_at < $1")
        .bind(now.minus(KEPT)).execute(c).await.map(|_| ()))?)
}
