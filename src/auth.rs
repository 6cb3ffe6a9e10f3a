//! Who is who: log in and log out in the browser. Tokens, throttles and two-factor have their places here later
//! (`auth/{token,throttle,totp}.rs`).

pub mod api_tokens;
pub mod devices;
pub mod keys;
pub mod password;
pub mod reset_tokens;
pub mod session;
pub mod user_agent;

use tower_sessions::Session;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::users::{self, Person, Via};

/// 256 random bits as 64 hexadecimal digits.
pub fn random_token() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored of a token: its SHA-256, as hexadecimal digits. Without salt and cost, since it holds 256 random bits.
pub fn token_hash(token: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The account that `name` (user name or address) and `password` open. Whatever is wrong, one message, in the same
/// time: an unknown name costs a hash too. Errors: [`Error::Invalid`] at `password`. Cost: 1 query, 1 argon2 hash.
pub async fn verify(app: &App, name: &str, password: String) -> Result<UserId> {
    let found = users::credentials(&mut app.db.read().await?, name).await?;
    let (id, hash) = match found {
        Some((id, hash)) => (Some(id), hash),
        None => (None, password::DUMMY_HASH.clone()),
    };
    let fits = password::verify(password, hash).await?;
    id.filter(|_| fits).ok_or_else(|| Error::field("password", "This name and password don't fit together."))
}

/// What `user` may still be signed in by: sessions, and personal tokens that are neither revoked nor run out.
/// Cost: 2 indexed queries.
pub async fn standing(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Via>> {
    let sessions = session::of_user(conn, user).await?;
    let tokens = api_tokens::of_user(conn, user, now).await?;
    Ok(sessions.into_iter().map(Via::Session).chain(tokens.into_iter().map(Via::Token)).collect())
}

/// Whether what `person` came in by still stands. Cost: 1 indexed query.
pub async fn stands(app: &App, person: &Person) -> Result<bool> {
    let (mut conn, now) = (app.db.read().await?, app.clock.now());
    match person.via {
        Via::Session(id) => session::stands(&mut conn, id, now).await,
        Via::Token(id) => Ok(api_tokens::of_user(&mut conn, person.id, now).await?.contains(&id)),
    }
}

/// Whether `password` is that of `person`, who is asked for it again; right, their session counts as confirmed. Whoever
/// has a session only must not find the password by trying. Errors: [`Error::Forbidden`] for the fifth wrong one, which
/// ends the session. Cost: 1 argon2 hash, 1 write transaction.
pub async fn ask_again(app: &App, person: &Person, password: String) -> Result<bool> {
    const MOST_GUESSES: u32 = 5;
    match verify(app, &person.username, password).await {
        Ok(_) => {
            app.forget_guesses(person.via);
            if let Some(id) = person.session() {
                session::confirm(app, id).await?;
            }
            Ok(true)
        }
        Err(Error::Invalid(_)) if app.count_guess(person.via) >= MOST_GUESSES => {
            session::end_own(app, person).await?;
            Err(Error::Forbidden("That was the wrong password too often: this session has ended."))
        }
        Err(Error::Invalid(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends this browser's session everywhere, its sockets included. Cost: 1 write transaction.
pub async fn log_out(app: &App, session: &Session, person: &Person) -> Result<()> {
    session::end_own(app, person).await?;
    session.flush().await.map_err(Error::internal)
}
