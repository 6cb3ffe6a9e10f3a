//! What all nodes have counted, in Redis: one key a bucket, holding the moment at which it is full again. Redis away, each
//! node counts alone.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};

use super::Key;
use crate::clock::Timestamp;
use crate::config::mask_password;
use crate::error::{Error, Result};

/// How long a log-in waits for Redis at most.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long Redis isn't asked after it didn't answer, in microseconds.
const RESTS: i64 = 5_000_000;

pub struct Shared {
    connection: ConnectionManager,
    count: Script,
    /// Until when it isn't asked.
    rests_until: AtomicI64,
}

impl Shared {
    /// Connects at the first use. Errors: an address that can't be one.
    pub fn new(url: &str) -> Result<Self> {
        let fault =
            |e: RedisError| Error::startup(format!("REDIS_URL = \"{}\" can't be used: {e}", mask_password(url)));
        let patience = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(url).map_err(fault)?;
        let connection = ConnectionManager::new_lazy_with_config(client, patience).map_err(fault)?;
        // All keys at once, so that two nodes never lose one another's count.
        let count = Script::new(
            "for _, key in ipairs(KEYS) do
               local full = math.max(tonumber(redis.call('GET', key) or 0), tonumber(ARGV[1])) + tonumber(ARGV[2])
               local lasts = math.ceil((full - tonumber(ARGV[1])) / 1000)
               redis.call('SET', key, string.format('%.0f', full), 'PX', lasts)
             end",
        );
        Ok(Self { connection, count, rests_until: AtomicI64::new(0) })
    }

    fn name(key: &Key) -> String {
        // The braces keep them on one node of a Redis cluster.
        format!("switchboard:{{throttle}}:{}", key.0)
    }

    /// When each bucket is full again; 0 where nothing counted or Redis is away. Cost: 1 round trip.
    pub async fn read(&self, keys: &[Key]) -> Vec<i64> {
        let none = vec![0; keys.len()];
        if self.rests() {
            return none;
        }
        let names: Vec<String> = keys.iter().map(Self::name).collect();
        let mut command = redis::cmd("MGET");
        command.arg(&names);
        match command.query_async::<Vec<Option<i64>>>(&mut self.connection.clone()).await {
            Ok(full_at) => full_at.into_iter().map(Option::unwrap_or_default).collect(),
            Err(error) => {
                self.rest(&error);
                none
            }
        }
    }

    /// Counts one try in each bucket. Cost: 1 round trip.
    pub async fn count(&self, keys: &[Key], now: Timestamp, interval: i64) {
        if keys.is_empty() || self.rests() {
            return;
        }
        let mut call = self.count.prepare_invoke();
        keys.iter().for_each(|key| {
            call.key(Self::name(key));
        });
        call.arg(now.0).arg(interval);
        if let Err(error) = call.invoke_async::<()>(&mut self.connection.clone()).await {
            self.rest(&error);
        }
    }

    fn rests(&self) -> bool {
        self.rests_until.load(Ordering::Relaxed) > crate::clock::Clock::System.now().0
    }

    fn rest(&self, error: &RedisError) {
        tracing::warn!(%error, "Redis can't be asked; this node counts log-ins alone for a while");
        self.rests_until.store(crate::clock::Clock::System.now().0.saturating_add(RESTS), Ordering::Relaxed);
    }
}
