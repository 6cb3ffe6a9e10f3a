//! Who is who: log in and log out in the browser. Tokens, throttles and two-factor have their places here later
//! (`auth/{token,throttle,totp}.rs`).

pub mod api_tokens;
pub mod password;
pub mod reset_tokens;
pub mod session;

use tower_sessions::Session;

use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::users::{self, Person};

/// 256 random bits as 64 hexadecimal digits.
pub fn random_token() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

/// Ends this browser's session everywhere, its sockets included. Cost: 1 write transaction.
pub async fn log_out(app: &App, session: &Session, person: &Person) -> Result<()> {
    session::end_own(app, person).await?;
    session.flush().await.map_err(Error::internal)
}
