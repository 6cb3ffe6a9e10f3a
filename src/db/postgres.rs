//! PostgreSQL's side of [`super::Db`]: the pool, the limits under which statements run, and connections that come back in
//! bounded time. Called by `db.rs` and by [`on_db!`](crate::on_db).
//!
//! A server that is away refuses, hangs up, or says nothing at all (a cable, a frozen machine). None of these may hold a
//! request or a job for long, and none needs a restart. Whoever wants a connection waits for five seconds; once somebody has
//! waited in vain, one at a time does, and the others for half a second. An answer is waited for thirty seconds. A connection
//! that is given back has two to show that it lives, or is let go of. The server ends statements by itself before we stop
//! waiting for them, waits for locks, and transactions of a node that froze: their locks are others' rooms.
//!
//! Each connection is asked whether it lives before it is lent, as sqlx does, but not for longer than a second. Not to ask
//! those that were used a quarter of a second ago saves a round trip, and was tried: after a restart of the server as short
//! as that, every page that got one of them failed once.
//!
//! Behind PgBouncer in transaction mode ([`Pooling::bouncer`]) a connection is another one in each transaction: limits are set
//! within it, no statement is kept, and what is read is read in a transaction, too, since a statement's text and its values
//! are sent one after the other. `deallocate all` at the start of each makes the driver's names free again, whoever had the
//! connection before: so it works with any PgBouncer, also those before 1.21 that know nothing of prepared statements.

use std::io::ErrorKind;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::LevelFilter;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgTransactionManager};
use sqlx::{ConnectOptions, Connection, Executor, Postgres, TransactionManager};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{ACQUIRE_TIMEOUT, SLOW_STATEMENT};
use crate::error::{Error, Result, is_passing};

/// The same once somebody has waited in vain, for all but one: a server that is away shouldn't collect those who wait for it.
const ACQUIRE_WHILE_AWAY: Duration = Duration::from_millis(500);
/// Between two tries within these.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may take to say that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// The longest wait for a statement: a little more than the server gives it.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest wait for the word that a transaction is committed; nobody knows then whether it is.
const COMMIT: Duration = Duration::from_secs(5);
/// How long a connection that is given back may take to be ready again.
const BACK: Duration = Duration::from_secs(2);
/// Unused for so long, a connection is closed; used for so long, it is made anew.
const IDLE: Duration = Duration::from_secs(10 * 60);
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Of a process's connections: one at work, and one that is on its way back.
const FOR_BATCHES: u32 = 2;

/// Says, for as long as a connection is open, that this schema is in use: nothing may be restored over it. The server lets go
/// of the lock when the process dies. Behind PgBouncer a lock would be somebody else's next.
const IN_USE: &str = "select pg_advisory_lock_shared(hashtext('switchboard serves ' || current_schema()))";
/// Whether nobody says so, nor can until the end of the transaction.
pub(super) const UNUSED: &str = "pg_try_advisory_xact_lock(hashtext('switchboard serves ' || current_schema()))";
/// What holds for every statement. Every query here takes milliseconds: compiling one takes longer than it saves.
const SETTINGS: [(&str, &str); 4] = [
    ("jit", "off"),
    ("statement_timeout", "25s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
];
/// What holds for the writer's batches besides: a room that another node holds keeps back all others here, and so does a node
/// that froze in the middle of one there.
const BRIEFLY: &str = "set local lock_timeout = '1500ms'; set local idle_in_transaction_session_timeout = '3s'";
/// What holds for a snapshot besides: between two queries what was read goes to a disk that may be slow.
const PATIENTLY: &str = "set local idle_in_transaction_session_timeout = '10min'";

/// How the pool of a process is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Connections at most.
    pub most: u32,
    /// Whether PgBouncer stands between, in transaction mode.
    pub bouncer: bool,
}

impl Default for Pooling {
    fn default() -> Self {
        Self { most: 16, bouncer: false }
    }
}

/// A pool of connections to one server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    pool: PgPool,
    /// For the writer's batches alone: who reads much keeps no message back.
    batches: PgPool,
    bouncer: bool,
    /// Somebody has waited for a connection in vain, and nobody has got one since.
    is_away: Arc<AtomicBool>,
    /// Held by the one who waits for as long as before meanwhile: it may be back, and slow to say so.
    scout: Arc<Mutex<()>>,
}

impl Server {
    /// Connects once. Errors: [`Error::Startup`] for an address that can't be read, or nobody there within five seconds.
    pub async fn open(url: &str, pooling: Pooling) -> Result<Self> {
        let options = options(url, pooling)?;
        let options = if pooling.bouncer { options } else { options.options(SETTINGS) };
        let place = place(&options);
        let pools = PgPoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(IDLE)
            .max_lifetime(LIFETIME)
            .test_before_acquire(false)
            .before_acquire(|conn, _| Box::pin(async move { Ok(is_alive(conn).await) }))
            .after_connect(move |conn, _| {
                Box::pin(async move { if pooling.bouncer { Ok(()) } else { conn.execute(IN_USE).await.map(|_| ()) } })
            })
            .max_connections(FOR_BATCHES);
        let batches = pools.clone().connect_lazy_with(options.clone());
        let most = pooling.most.saturating_sub(FOR_BATCHES).max(1);
        let pool = pools.max_connections(most).connect_with(options).await.map_err(|e| unreachable(&place, &e))?;
        Ok(Self { pool, batches, bouncer: pooling.bouncer, is_away: Arc::default(), scout: Arc::default() })
    }

    /// A connection for reading. Errors: [`Error::Unavailable`] when there is none in time. Cost: 1 round trip;
    /// behind PgBouncer 1 more, and another when it is given back.
    pub async fn lend(&self) -> Result<Lent> {
        let statement = self.bouncer.then(|| self.beginning("begin read only"));
        self.lend_in_time(&self.pool, statement).await
    }

    /// A transaction. Errors: as [`Self::lend`]. Cost: 1 round trip more.
    pub async fn begin(&self) -> Result<Lent> {
        self.lend_in_time(&self.pool, Some(self.beginning("begin"))).await
    }

    /// The same for a batch of the writer, under limits that suit one, on connections of its own.
    pub async fn begin_briefly(&self) -> Result<Lent> {
        self.lend_in_time(&self.batches, Some(format!("{}; {BRIEFLY}", self.beginning("begin")))).await
    }

    /// Connections that are open beside the writer's, and how many of those are free.
    pub fn count(&self) -> (usize, usize) {
        (usize::try_from(self.pool.size()).unwrap_or(usize::MAX), self.pool.num_idle())
    }

    /// A transaction that reads, and sees what it saw first until its end. Whoever writes down what it reads may take longer
    /// over it than a request.
    pub async fn begin_snapshot(&self) -> Result<Lent> {
        let begin = self.beginning("begin isolation level repeatable read read only");
        self.lend_in_time(&self.pool, Some(format!("{begin}; {PATIENTLY}"))).await
    }

    pub async fn close(&self) {
        self.pool.close().await;
        self.batches.close().await;
    }

    /// The statement that begins a transaction, with what has to be said in each behind PgBouncer.
    fn beginning(&self, begin: &str) -> String {
        if !self.bouncer {
            return begin.to_owned();
        }
        let settings: String = SETTINGS.iter().map(|(name, value)| format!("; set local {name} = '{value}'")).collect();
        format!("{begin}; deallocate all{settings}")
    }

    /// Tries again, since nothing has been done yet, as long as the server may be back in time.
    async fn lend_in_time(&self, pool: &PgPool, begin: Option<String>) -> Result<Lent> {
        let is_away = self.is_away.load(Ordering::Relaxed);
        let scout = is_away.then(|| self.scout.try_lock().ok()).flatten();
        let patience = if is_away && scout.is_none() { ACQUIRE_WHILE_AWAY } else { ACQUIRE_TIMEOUT };
        let by = Instant::now() + patience;
        loop {
            match attempt(pool, begin.as_deref(), by).await {
                Ok(lent) => {
                    self.is_away.store(false, Ordering::Relaxed);
                    return Ok(lent);
                }
                Err(sqlx::Error::PoolClosed) => return Err(Error::Unavailable),
                Err(error) if is_passing(&error) && Instant::now() + PAUSE < by => sleep(PAUSE).await,
                Err(error) => {
                    self.is_away.store(true, Ordering::Relaxed);
                    return Err(error.into());
                }
            }
        }
    }
}

fn options(url: &str, pooling: Pooling) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|e| Error::startup(format!("DATABASE_URL can't be read: {e}")))?
        .application_name("switchboard")
        .log_slow_statements(LevelFilter::Warn, SLOW_STATEMENT);
    Ok(match pooling.bouncer {
        // It refuses what it doesn't know how to keep for a client.
        true => options.extra_float_digits(None).statement_cache_capacity(0),
        false => options,
    })
}

fn place(options: &PgConnectOptions) -> String {
    format!("{}:{}", options.get_host(), options.get_port())
}

/// A connection outside any pool, on which things may take as long as they do. It doesn't keep a restore away. Errors: as
/// [`Server::open`].
pub(super) async fn alone(url: &str, pooling: Pooling) -> Result<PgConnection> {
    let options = options(url, pooling)?;
    let connected = timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(&options)).await;
    connected.unwrap_or_else(|_| Err(timed_out())).map_err(|e| unreachable(&place(&options), &e))
}

/// One try; nothing has been done on a connection that isn't returned.
async fn attempt(pool: &PgPool, begin: Option<&str>, by: Instant) -> sqlx::Result<Lent> {
    let conn = timeout_at(by, pool.acquire()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    let mut lent = Lent { conn, is_sound: begin.is_none() };
    if let Some(begin) = begin {
        // Until it is known whether a transaction has begun there, nobody else may get this one.
        let begun = PgTransactionManager::begin(&mut lent.conn, Some(begin.to_owned().into()));
        timeout_at(by, begun).await.map_err(|_| timed_out())??;
        lent.is_sound = true;
    }
    Ok(lent)
}

fn unreachable(place: &str, error: &sqlx::Error) -> Error {
    let told = error.to_string();
    let hint =
        if told.contains("unsupported startup parameter") { ". Behind PgBouncer, set PGBOUNCER=true" } else { "" };
    Error::startup(format!("The PostgreSQL database at {place} can't be reached: {told}{hint}"))
}

async fn is_alive(conn: &mut PgConnection) -> bool {
    timeout(SIGN_OF_LIFE, conn.ping()).await.is_ok_and(|answer| answer.is_ok())
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(ErrorKind::TimedOut.into())
}

/// Waits for a statement, not for ever. Errors: its own, or that of a connection that broke.
pub async fn answered<T, E: From<sqlx::Error>>(answer: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    timeout(ANSWER, answer).await.unwrap_or_else(|_| Err(timed_out().into()))
}

/// A connection, in a transaction or not; a transaction that wasn't committed is rolled back when it is given back.
pub struct Lent {
    conn: PoolConnection<Postgres>,
    is_sound: bool,
}

impl Lent {
    /// Errors: the server's, and that of a server that says nothing.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        timeout(COMMIT, PgTransactionManager::commit(&mut self.conn)).await.unwrap_or_else(|_| Err(timed_out()))
    }
}

impl Deref for Lent {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

impl Drop for Lent {
    /// sqlx alone would wait for ever for a server that says nothing, and keep the connection's place in the pool.
    fn drop(&mut self) {
        if !self.is_sound {
            return self.conn.close_on_drop();
        }
        PgTransactionManager::start_rollback(&mut self.conn);
        let back = self.conn.return_to_pool();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(BACK, back));
        }
    }
}
