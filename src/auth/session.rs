//! Browser sessions. The cookie holds an unguessable id of tower-sessions' store; what is stored there is one
//! number, the row of the model `sessions`. That row is the truth: deleted, the cookie is worth nothing.

pub mod admin;

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::FromRow;
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, ExpiredDeletion};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::devices::{self, Caller};
use crate::app::App;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::db::{Conn, SessionStores};
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};
use crate::users::{Person, Role, Via};
use crate::work::Work;
use crate::{on_db, revocations};

/// How long a session lasts, however much it is used.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long one lasts that nobody uses.
pub const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How exact `last_seen_at` is: writing it on every request would cost a disk flush each.
const SEEN_EVERY: Duration = Duration::from_secs(60);
const KEY: &str = "session_id";

/// The cookie layer: `HttpOnly`, `SameSite=Lax`, and with https `Secure` under a `__Host-` name.
pub fn layer(config: &Config, stores: SessionStores) -> SessionManagerLayer<SessionStores> {
    let name = if config.is_https() { "__Host-switchboard" } else { "switchboard" };
    SessionManagerLayer::new(stores)
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

/// Signs `user` in: a new row, and a new cookie id, so that one planted before is worth nothing. Whoever this browser
/// was signed in as before is signed out, sockets included. Returns the token of the browser's device cookie, which the
/// answer is to carry (`web::cookies::keep`). Cost: 2 write transactions.
pub async fn begin(app: &App, session: &Session, user: UserId, device: &Device) -> Result<String> {
    let before = session.get::<SessionId>(KEY).await.map_err(unavailable)?;
    let mut work = Work::begin(app, None).await?;
    let now = work.now();
    if let Some(before) = before {
        end(&mut work, before).await?;
    }
    let token = devices::greet(&mut work, user, device, Caller::Browser).await?;
    let id: SessionId = on_db!(work, c => sqlx::query_scalar(
        "insert into sessions (user_id, ip, user_agent, created_at, last_seen_at, expires_at)
         values ($1, $2, $3, $4, $4, $5) returning id")
        .bind(user).bind(&device.ip).bind(&device.user_agent).bind(now).bind(now.plus(LIFETIME))
        .fetch_one(c).await)?;
    work.commit().await?;
    session.cycle_id().await.map_err(Error::internal)?;
    session.insert(KEY, id).await.map_err(Error::internal)?;
    Ok(token)
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
/// Cost: 2 indexed queries (the store's and ours); now and then one small write in the background.
pub async fn person(app: &App, session: &Session) -> Result<Option<Person>> {
    let Some(id) = session.get::<SessionId>(KEY).await.map_err(unavailable)? else { return Ok(None) };
    let now = app.clock.now();
    let Some(standing) = by_id(&mut app.db.read().await?, id, now).await? else { return Ok(None) };
    // One at a time: while a row is held by somebody's long work, its writes would take every connection.
    if standing.last_seen_at.plus(SEEN_EVERY) < now && app.begin_seeing(id) {
        tokio::spawn(seen(app.clone(), standing.user_id, id));
    }
    Ok(Some(standing.person(id)))
}

/// The store's faults say only that they are; a database that is away is by far the likeliest.
fn unavailable(error: tower_sessions::session::Error) -> Error {
    tracing::warn!(%error, "a session can't be loaded");
    Error::Unavailable
}

/// The sessions of `user` that stand. Cost: 1 indexed query.
pub(super) async fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<SessionId>> {
    Ok(on_db!(conn, c => sqlx::query_scalar("select id from sessions where user_id = $1")
        .bind(user).fetch_all(c).await)?)
}

/// Whether the session still stands. Cost: 1 indexed query.
pub(super) async fn stands(conn: &mut Conn, id: SessionId, now: Timestamp) -> Result<bool> {
    Ok(by_id(conn, id, now).await?.is_some())
}

/// A session that stands, and whose it is.
#[derive(FromRow)]
struct Standing {
    user_id: UserId,
    username: String,
    #[sqlx(try_from = "String")]
    role: Role,
    last_seen_at: Timestamp,
    confirmed_at: Option<Timestamp>,
}

impl Standing {
    fn person(self, id: SessionId) -> Person {
        let Self { user_id, username, role, confirmed_at, .. } = self;
        Person { id: user_id, username, role, via: Via::Session(id), confirmed_at }
    }
}

async fn by_id(conn: &mut Conn, id: SessionId, now: Timestamp) -> Result<Option<Standing>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select s.user_id, u.username, u.role, s.last_seen_at, s.confirmed_at
         from sessions s join users u on u.id = s.user_id
         where s.id = $1 and s.expires_at > $2 and s.last_seen_at > $3 and u.is_active")
        .bind(id).bind(now).bind(now.minus(IDLE)).fetch_optional(c).await)?)
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
    let mut work = Work::begin(app, Some(person)).await?;
    end(&mut work, id).await?;
    work.commit().await
}

async fn seen(app: App, user: UserId, session: SessionId) {
    let written = async {
        let mut tx = app.db.write().await?;
        let now = app.clock.now();
        on_db!(tx, c => sqlx::query("update sessions set last_seen_at = $2 where id = $1")
            .bind(session).bind(now).execute(c).await.map(|_| ()))?;
        on_db!(tx, c => sqlx::query("update users set last_seen_at = $2 where id = $1")
            .bind(user).bind(now).execute(c).await.map(|_| ()))?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "last_seen_at can't be written");
    }
    app.end_seeing(session);
}

/// Deletes sessions that have run out, and says whose they were. Cost: 1 indexed statement.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> Result<Vec<(UserId, SessionId)>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "delete from sessions where expires_at <= $1 or last_seen_at <= $2 returning user_id, id")
        .bind(now).bind(now.minus(IDLE)).fetch_all(c).await)?)
}

#[async_trait]
impl SessionStore for SessionStores {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, dirty, .. } => {
                dirty.store(true, Ordering::Relaxed);
                change.create(record).await
            }
            Self::Postgres(store) => store.create(record).await,
        }
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, .. } => change.save(record).await,
            Self::Postgres(store) => store.save(record).await,
        }
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        match self {
            Self::Sqlite { load, .. } => load.load(id).await,
            Self::Postgres(store) => store.load(id).await,
        }
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, .. } => change.delete(id).await,
            Self::Postgres(store) => store.delete(id).await,
        }
    }
}

#[async_trait]
impl ExpiredDeletion for SessionStores {
    async fn delete_expired(&self) -> session_store::Result<()> {
        match self {
            Self::Sqlite { change, .. } => change.delete_expired().await,
            Self::Postgres(store) => store.delete_expired().await,
        }
    }
}
