//! Browser sessions. The cookie holds an unguessable id of tower-sessions' store; what is stored there is one
//! number, the row of the model `sessions`. That row is the truth: deleted, the cookie is worth nothing.

pub mod admin;
pub mod kept;
pub(crate) mod store;

use std::time::Duration;

use sqlx::FromRow;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use store::Store;

use super::devices::{self, Caller};
use super::{Proven, last_use, pending, refresh};
use crate::app::App;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::db::loader::Load;
use crate::db::statement::Value;
use crate::db::values::{NOWHERE, in_place, over, room_for};
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};
use crate::settings::Settings;
use crate::users::{Holder, Person, Via};
use crate::work::Work;
use crate::{on_db, revocations};

/// How long a session lasts, however much it is used.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long one lasts that nobody uses.
pub const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
const KEY: &str = "session_id";

/// What reads and writes the cookie around a handler.
pub type Layer = SessionManagerLayer<Store>;

/// The cookie layer over what is in `db`: `HttpOnly`, `SameSite=Lax`, and with https `Secure` under a `__Host-` name.
pub fn layer(config: &Config, db: Db) -> Layer {
    let name = if config.is_https() { "__Host-switchboard" } else { "switchboard" };
    SessionManagerLayer::new(Store::new(db))
        .with_name(name)
        .with_same_site(SameSite::Lax)
        .with_secure(config.is_https())
        .with_expiry(Expiry::OnInactivity(time::Duration::seconds_f64(LIFETIME.as_secs_f64())))
}

/// Where a log-in comes from, for the list of sessions, and to tell a known place from a new one.
#[derive(Clone, Debug, Default)]
pub struct Device {
    pub ip: String,
    pub user_agent: String,
    /// What the browser's cookie of known devices holds, as it was sent.
    pub token: Option<String>,
}

/// Somebody just signed in.
pub struct Begun {
    pub id: SessionId,
    /// What the browser's device cookie is to hold from now on (`web::cookies::keep`).
    pub device_token: String,
}

/// Signs in whoever has proven to be somebody: a new row, and a new cookie id, so that one planted before is worth nothing. Whoever this browser
/// was signed in as before is signed out, sockets included; but for a session that a program holds refresh tokens of,
/// which only loses the cookie. Errors: [`Error::SignedOut`] when what was proven counts no more. Cost: 2 write
/// transactions.
pub async fn begin(app: &App, session: &Session, proven: &Proven, device: &Device, caller: Caller) -> Result<Begun> {
    let user = proven.user;
    let before = of_browser(session).await?;
    let mut work = Work::begin(app, None).await?;
    let now = work.now();
    proven.hold(&mut work).await?;
    if let Some(before) = before
        && !refresh::has_any(&mut work, before).await?
    {
        end(&mut work, before).await?;
    }
    let device_token = devices::greet(&mut work, user, device, caller).await?;
    let id: SessionId = on_db!(work, c => sqlx::query_scalar(
        "insert into sessions (user_id, ip, user_agent, created_at, last_seen_at, expires_at)
         values ($1, $2, $3, $4, $4, $5) returning id")
        .bind(user).bind(&device.ip).bind(&device.user_agent).bind(now).bind(now.plus(LIFETIME))
        .fetch_one(c).await)?;
    work.commit().await?;
    pending::end(session).await?;
    session.cycle_id().await.map_err(Error::internal)?;
    session.insert(KEY, id).await.map_err(Error::internal)?;
    Ok(Begun { id, device_token })
}

/// Ends a session: its cookie is worth nothing, its sockets close on every node. One that has ended already is left at
/// that. Cost: 2 statements.
pub async fn end(work: &mut Work, id: SessionId) -> Result<()> {
    let now = work.now();
    if let Some(owner) = revocations::end_session(work, id, now).await? {
        work.then(move |app| app.hub.end(owner, Via::Session(id)));
    }
    Ok(())
}

/// The person this cookie stands for, if its session still stands and the account is active.
/// Cost: 2 indexed queries (the store's and ours), none where they are kept; now and then one small write in the
/// background.
pub async fn person(app: &App, session: &Session) -> Result<Option<Person>> {
    match of_browser(session).await? {
        Some(id) => holder(app, id, None).await,
        None => Ok(None),
    }
}

/// The row that this browser's cookie names, whether it still stands or not. Cost: 1 indexed query.
pub async fn of_browser(session: &Session) -> Result<Option<SessionId>> {
    session.get::<SessionId>(KEY).await.map_err(unavailable)
}

/// The person in this session, if it still stands and the account is active; with `whose`, only if it is theirs.
/// Cost: 1 indexed query, none where it is kept; now and then one small write in the background.
pub(super) async fn holder(app: &App, id: SessionId, whose: Option<UserId>) -> Result<Option<Person>> {
    let now = app.clock.now();
    let Some(standing) = app.sessions.standing(&app.db, id, now).await? else { return Ok(None) };
    let user = standing.holder.user_id;
    if whose.is_some_and(|whose| whose != user) {
        return Ok(None);
    }
    last_use::note(app, Via::Session(id), user, Some(standing.last_seen_at));
    Ok(Some(standing.person(&app.settings(), id)))
}

/// The store's faults say only that they are; a database that is away is by far the likeliest.
pub(super) fn unavailable(error: tower_sessions::session::Error) -> Error {
    tracing::warn!(%error, "a session can't be loaded");
    Error::Unavailable
}

/// The sessions of `user` that stand. Cost: 1 indexed query.
pub(super) async fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<SessionId>> {
    Ok(on_db!(conn, c => sqlx::query_scalar("select id from sessions where user_id = $1")
        .bind(user).fetch_all(c).await)?)
}

/// A session as its owner sees it.
#[derive(FromRow)]
pub struct Own {
    pub id: SessionId,
    pub ip: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The sessions of `user` that are neither idle too long nor run out, the last used first; at most `limit`.
/// Cost: 1 indexed query, O(sessions).
pub async fn own(conn: &mut Conn, user: UserId, now: Timestamp, limit: i64) -> Result<Vec<Own>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, ip, user_agent, created_at, last_seen_at, expires_at from sessions
         where user_id = $1 and expires_at > $2 and last_seen_at > $3 order by last_seen_at desc, id desc limit $4")
        .bind(user).bind(now).bind(now.minus(IDLE)).bind(limit).fetch_all(c).await)?)
}

/// Ends a session of `user`. Errors: [`Error::NotFound`] for one that has ended, and for somebody else's.
/// Cost: 3 statements.
pub async fn end_of(work: &mut Work, user: UserId, id: SessionId) -> Result<()> {
    let found: Option<i64> = on_db!(work, c => sqlx::query_scalar("select id from sessions where id = $1 and user_id = $2")
        .bind(id).bind(user).fetch_optional(c).await)?;
    if found.is_none() {
        return Err(Error::NotFound(msgid!("There is no such session of yours.")));
    }
    end(work, id).await
}

/// Ends every session of `person` but the one they are in; who came by a personal token is in none. Their personal
/// tokens stand. Cost: 4 statements, O(sessions).
pub async fn end_others(work: &mut Work, person: &Person) -> Result<()> {
    let (user, now) = (person.id, work.now());
    revocations::end_other_sessions(work, user, person.session(), now).await?;
    let standing = super::standing(work, user, now).await?;
    work.then(move |app| app.hub.end_user(user, &standing));
    Ok(())
}

/// Whether the session still stands. Cost: 1 indexed query.
pub(super) async fn stands(conn: &mut Conn, id: SessionId, now: Timestamp) -> Result<bool> {
    Ok(by_id(conn, id, now).await?.is_some())
}

/// A session, and whose it is.
#[derive(Clone, FromRow)]
pub struct Standing {
    #[sqlx(flatten)]
    holder: Holder,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    confirmed_at: Option<Timestamp>,
}

impl Standing {
    /// Whether time has not ended it.
    fn lasts(&self, now: Timestamp) -> bool {
        self.expires_at > now && self.last_seen_at > now.minus(IDLE)
    }

    fn person(self, settings: &Settings, id: SessionId) -> Person {
        let person = Person::new(settings, self.holder, Via::Session(id), self.confirmed_at);
        Person { signed_in_at: Some(self.created_at), ..person }
    }
}

impl Load for Standing {
    type Key = SessionId;
    type Source = Db;

    async fn load(db: &Db, ids: &[SessionId]) -> Result<Vec<Option<Self>>> {
        by_ids(&mut db.read().await?, ids).await
    }
}

/// The session, if it stands. Cost: 1 indexed query.
async fn by_id(conn: &mut Conn, id: SessionId, now: Timestamp) -> Result<Option<Standing>> {
    let found = by_ids(conn, &[id]).await?.pop().flatten();
    Ok(found.filter(|standing| standing.lasts(now)))
}

/// Those of these sessions that nobody has ended, of active accounts, in the order of `ids`: what time ends isn't asked.
/// At most 64. Cost: 1 indexed query.
async fn by_ids(conn: &mut Conn, ids: &[SessionId]) -> Result<Vec<Option<Standing>>> {
    let rows = ids.iter().enumerate().map(|(place, id)| [place as i64, id.0].map(Value::from)).collect();
    let before = "with a (place, id) as (values";
    let after = ") select a.place, s.user_id, u.username, u.role, u.totp_enabled, u.avatar, u.language, s.created_at,
            s.last_seen_at, s.expires_at, s.confirmed_at
         from a join sessions s on s.id = a.id join users u on u.id = s.user_id where u.is_active";
    let asked = over(before, rows, [NOWHERE; 2].map(Value::from), room_for(ids.len()), after);
    Ok(in_place(conn.run_one(asked).await?.read()?, ids.len()))
}

/// Counts a session that stands as used now, and holds it until the work ends: who would end it meanwhile waits.
/// `None` when it doesn't stand any more. Cost: 2 statements.
pub(super) async fn touch(work: &mut Work, id: SessionId) -> Result<Option<Person>> {
    let now = work.now();
    on_db!(work, c => sqlx::query("update sessions set last_seen_at = $2 where id = $1 and last_seen_at > $3")
        .bind(id).bind(now).bind(now.minus(IDLE)).execute(c).await.map(|_| ()))?;
    let settings = work.app.settings();
    Ok(by_id(work, id, now).await?.map(|standing| standing.person(&settings, id)))
}

/// The password was asked for again in this session, and was right. Cost: 1 write transaction.
pub async fn confirm(app: &App, id: SessionId) -> Result<()> {
    let mut tx = app.db.write().await?;
    on_db!(tx, c => sqlx::query("update sessions set confirmed_at = $2 where id = $1")
        .bind(id).bind(app.clock.now()).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

/// Ends the session that `person` is in, its sockets included. Cost: 1 transaction of 2 statements.
pub async fn end_own(app: &App, person: &Person) -> Result<()> {
    let Some(id) = person.session() else { return Ok(()) };
    // In nobody's name: it may have ended a moment ago.
    let mut work = Work::begin(app, None).await?;
    end(&mut work, id).await?;
    work.commit().await
}

/// Deletes sessions that have run out, at most 500, tells every node, and says whose they were. Cost: 1 indexed query, and 2
/// statements for each.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<Vec<(UserId, SessionId)>> {
    let over: Vec<SessionId> = on_db!(conn, c => sqlx::query_scalar(
        "select id from sessions where expires_at <= $1 or last_seen_at <= $2 limit 500")
        .bind(now).bind(now.minus(IDLE)).fetch_all(c).await)?;
    let mut ended = Vec::with_capacity(over.len());
    for id in over {
        if let Some(owner) = revocations::end_session(conn, id, now).await? {
            ended.push((owner, id));
        }
    }
    Ok(ended)
}
