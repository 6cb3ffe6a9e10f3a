//! Connections to SQLite's file, lent to one task at a time. Called by [`super::sqlite`] and `db.rs`.
//!
//! Not the driver's own pool, which asks each connection that comes back whether it is still there, in a task of its own:
//! the way to SQLite's thread and back once more for each request. Nothing cuts off a connection to a file; one in
//! [`TRUSTED`] times is asked all the same, in case its thread is gone.

use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult, Timeouts};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::Notify;

use super::ACQUIRE_TIMEOUT;
use crate::error::{Error, Result};

/// How often a connection is lent before it is asked whether it is still there.
const TRUSTED: usize = 64;

/// A connection that is lent; it is free again when this is dropped.
pub type Connection = Object<Opener>;

/// Opens them, as many as are wanted at once, when they are.
pub struct Opener {
    options: SqliteConnectOptions,
    /// Told by each of them that it is about to commit, on SQLite's own thread (sqlite.org/c3ref/commit_hook.html).
    committing: Arc<Notify>,
}

/// Cheap to clone. Who waits longest is served first.
#[derive(Clone)]
pub struct Connections(Pool<Opener>);

impl managed::Manager for Opener {
    type Type = SqliteConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<SqliteConnection> {
        let mut conn = self.options.connect().await?;
        let committing = self.committing.clone();
        conn.lock_handle().await?.set_commit_hook(move || {
            committing.notify_waiters();
            true
        });
        Ok(conn)
    }

    async fn recycle(&self, conn: &mut SqliteConnection, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.recycle_count % TRUSTED == TRUSTED - 1 {
            conn.ping().await?;
        }
        Ok(())
    }
}

impl Connections {
    /// `most` at a time; opens none yet. Errors: none that the settings here can cause.
    pub fn new(options: SqliteConnectOptions, most: usize) -> Result<Self> {
        let timeouts = Timeouts {
            wait: Some(ACQUIRE_TIMEOUT),
            create: Some(ACQUIRE_TIMEOUT),
            recycle: Some(Duration::from_secs(1)),
        };
        let pool = Pool::builder(Opener { options, committing: Arc::default() })
            .max_size(most)
            .timeouts(timeouts)
            // The one that was used last has most in its memory.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1);
        Ok(Self(pool.build().map_err(Error::internal)?))
    }

    /// One of them. Errors: [`Error::Unavailable`] when none is free within five seconds, and what opening one ran into.
    pub async fn lend(&self) -> Result<Connection> {
        Ok(self.lend_or_say().await?)
    }

    /// The same for who tells people what is wrong with a file.
    pub async fn lend_or_say(&self) -> sqlx::Result<Connection> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            _ => sqlx::Error::PoolTimedOut,
        })
    }

    /// One that is free now.
    pub async fn lend_now(&self) -> Option<Connection> {
        self.0.timeout_get(&Timeouts { wait: Some(Duration::ZERO), ..self.0.timeouts() }).await.ok()
    }

    /// Tells who waits for it when one of them is about to commit.
    pub fn committing(&self) -> Arc<Notify> {
        self.0.manager().committing.clone()
    }

    /// How many are open, and how many of them are free.
    pub fn count(&self) -> (usize, usize) {
        let status = self.0.status();
        (status.size, status.available)
    }

    /// Lends no more, and closes those that are free; the others close when they come back.
    pub async fn close(&self) {
        for conn in self.0.retain(|_, _| false).removed {
            // What can't be closed is gone all the same.
            let _ = conn.close().await;
        }
        self.0.close();
    }
}
