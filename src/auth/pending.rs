//! A log-in of which the password was right and the second factor is still asked for: kept on the server, in the
//! browser's session, for ten minutes. A new password or a disabled account makes it worthless. Called by the pages.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::Proven;
use super::session::unavailable;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::users;

const KEY: &str = "pending_log_in";
const LASTS: Duration = Duration::from_secs(10 * 60);

#[derive(Serialize, Deserialize)]
struct Pending {
    user: UserId,
    /// When the password was right, in microseconds.
    at: i64,
    /// Of the password that was right.
    mark: String,
    next: String,
}

/// Remembers that this browser knew a password and wants to go to `next`. The cookie gets a new id: one
/// planted before leads nowhere. Cost: 1 write.
pub async fn begin(app: &App, session: &Session, proven: &Proven, next: &str) -> Result<()> {
    let mark = proven.mark.clone().ok_or(Error::SignedOut)?;
    let pending = Pending { user: proven.user, at: app.clock.now().0, mark, next: next.to_owned() };
    session.cycle_id().await.map_err(Error::internal)?;
    session.insert(KEY, pending).await.map_err(Error::internal)
}

/// Whose second factor this browser is asked for, and where it goes then; `None` when it must begin at the password.
/// Cost: 2 indexed queries.
pub async fn find(app: &App, session: &Session) -> Result<Option<(Proven, String)>> {
    let Some(pending) = session.get::<Pending>(KEY).await.map_err(unavailable)? else { return Ok(None) };
    if Timestamp(pending.at).plus(LASTS) <= app.clock.now() {
        return Ok(None);
    }
    let mark = users::password_mark(&mut app.db.read().await?, pending.user).await?;
    let stands = mark.as_ref() == Some(&pending.mark);
    Ok(stands.then_some((Proven { user: pending.user, mark, with_code: false }, pending.next)))
}

/// Forgets it: somebody is signed in.
pub async fn end(session: &Session) -> Result<()> {
    session.remove::<Pending>(KEY).await.map(|_| ()).map_err(unavailable)
}
