//! Refresh tokens: what a program gets its next access token with. Each is good once and gives the next one; the session
//! is the chain. Used a second time, somebody else has it too, and whether that is the thief or the thief's victim can't
//! be told: the session ends (RFC 9700, 4.14.2). They last as long as the session, and using one counts as using it.

use super::{random_token, session, token_hash};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};
use crate::on_db;
use crate::users::Person;
use crate::work::Work;

/// The next token of `session`'s chain; only its hash is stored. Cost: 1 statement.
pub async fn give(work: &mut Work, session: SessionId) -> Result<String> {
    let (token, now) = (random_token(), work.now());
    on_db!(work, c => sqlx::query(
        "insert into refresh_tokens (session_id, token_hash, created_at) values ($1, $2, $3)")
        .bind(session).bind(token_hash(&token)).bind(now).execute(c).await.map(|_| ()))?;
    Ok(token)
}

/// Whoever shows this token, and the next one. Errors: [`Error::SignedOut`] for a token that isn't known or whose
/// session doesn't stand, and for one that was used before, which ends its session on every node. Of two who show one
/// token at once, one is the second. Cost: 1 query, 1 transaction of 4 statements.
pub async fn rotate(app: &App, token: &str) -> Result<(Person, SessionId, String)> {
    let hash = token_hash(token);
    // Before the work: who sends what isn't known holds nobody up.
    let Some((id, _)) = by_hash(&mut app.db.read().await?, &hash).await? else { return Err(Error::SignedOut) };
    let mut work = Work::begin(app, None).await?;
    // The session before its tokens, as who ends it: on PostgreSQL the two would wait for each other else.
    let Some(person) = session::touch(&mut work, id).await? else { return Err(Error::SignedOut) };
    let now = work.now();
    let used = on_db!(work, c => sqlx::query(
        "update refresh_tokens set used_at = $2 where token_hash = $1 and used_at is null")
        .bind(&hash).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    if used == 0 {
        tracing::warn!(user = person.id.0, session = id.0, "a refresh token was used twice: its session has ended");
        session::end(&mut work, id).await?;
        work.commit().await?;
        return Err(Error::SignedOut);
    }
    let next = give(&mut work, id).await?;
    work.commit().await?;
    Ok((person, id, next))
}

/// The session that `token` is of, used or not, and whose that is. Cost: 1 indexed query.
pub async fn session_of(conn: &mut Conn, token: &str) -> Result<Option<(SessionId, UserId)>> {
    by_hash(conn, &token_hash(token)).await
}

async fn by_hash(conn: &mut Conn, hash: &str) -> Result<Option<(SessionId, UserId)>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select s.id, s.user_id from refresh_tokens r join sessions s on s.id = r.session_id where r.token_hash = $1")
        .bind(hash).fetch_optional(c).await)?)
}

/// Whether a program holds tokens of this session. Cost: 1 indexed query.
pub(super) async fn has_any(conn: &mut Conn, session: SessionId) -> Result<bool> {
    let one: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from refresh_tokens where session_id = $1 limit 1").bind(session).fetch_optional(c).await)?;
    Ok(one.is_some())
}
