//! What all nodes have counted, in Redis: one key a bucket, holding the moment at which it is full again. Redis away, each
//! node counts alone.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::{RedisResult, Script};
use tokio::time::timeout;

use super::Key;
use crate::auth::keys::{Keys, Purpose};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::link::Lasting;

/// How long a log-in waits for Redis at most.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long Redis isn't asked after it didn't answer, in microseconds.
const RESTS: i64 = 5_000_000;

pub struct Shared {
    redis: Lasting,
    site: String,
    count: Script,
    /// Until when it isn't asked.
    rests_until: AtomicI64,
}

impl Shared {
    /// Connects at the first use. Several sites may share a Redis: each has names of its own.
    pub fn new(redis: Lasting, keys: &Keys) -> Result<Self> {
        let site = keys.mark(Purpose::Throttle, "site")?[..16].to_owned();
        // All keys at once, so that two nodes never lose one another's count.
        let count = Script::new(
            "for _, key in ipairs(KEYS) do
               local full = math.max(tonumber(redis.call('GET', key) or 0), tonumber(ARGV[1])) + tonumber(ARGV[2])
               local lasts = math.ceil((full - tonumber(ARGV[1])) / 1000)
               redis.call('SET', key, string.format('%.0f', full), 'PX', lasts)
             end",
        );
        Ok(Self { redis, site, count, rests_until: AtomicI64::new(0) })
    }

    fn name(&self, key: &Key) -> String {
        // The braces keep them on one node of a Redis cluster.
        format!("switchboard:{{{}}}:throttle:{}", self.site, key.0)
    }

    /// When each bucket is full again; 0 where nothing counted or Redis is away. Cost: 1 round trip.
    pub async fn read(&self, keys: &[Key]) -> Vec<i64> {
        let none = vec![0; keys.len()];
        if self.rests() {
            return none;
        }
        let names: Vec<String> = keys.iter().map(|key| self.name(key)).collect();
        let mut command = redis::cmd("MGET");
        command.arg(&names);
        let asked = async { self.redis.get().await?.ask::<Vec<Option<i64>>>(&command).await };
        match self.in_time(asked).await {
            Some(full_at) => full_at.into_iter().map(Option::unwrap_or_default).collect(),
            None => none,
        }
    }

    /// Counts one try in each bucket. Cost: 1 round trip.
    pub async fn count(&self, keys: &[Key], now: Timestamp, interval: i64) {
        if keys.is_empty() || self.rests() {
            return;
        }
        let mut call = self.count.prepare_invoke();
        keys.iter().for_each(|key| {
            call.key(self.name(key));
        });
        call.arg(now.0).arg(interval);
        self.in_time(async { call.invoke_async::<()>(&mut self.redis.get().await?).await }).await;
    }

    /// What Redis says, if it says so soon.
    async fn in_time<T>(&self, asked: impl Future<Output = RedisResult<T>>) -> Option<T> {
        let error = match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => {
                self.redis.blame(&error);
                error.to_string()
            }
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error, "Redis can't be asked; this node counts log-ins alone for a while");
        self.rests_until.store(crate::clock::Clock::System.now().0.saturating_add(RESTS), Ordering::Relaxed);
        None
    }

    fn rests(&self) -> bool {
        self.rests_until.load(Ordering::Relaxed) > crate::clock::Clock::System.now().0
    }
}
