//! How often somebody may try: the setting `LOGIN_RATE`, for failed log-ins, registrations, resets and codes of a second
//! factor. Called by [`super::log_in`] and what else guesses could be made at.
//!
//! Each key (an address, a name) has a bucket that fills again at the rate: GCRA, the generic cell rate algorithm of
//! ITU-T I.371, which keeps one moment a key. Only what failed counts, but it is counted before it is known: as many
//! tries at once as could all fail, and the next waits until one of them is decided. So a thousand guesses sent together
//! are no more than five, and a hundred colleagues who log in at nine from one address all get in.
//!
//! Nobody can be locked out by a stranger: a browser or an address that signed in to the account before has a bucket of
//! its own, which a stranger's guesses don't empty.

mod shared;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::auth::keys::Keys;
use crate::clock::{Clock, Timestamp};
use crate::config::{Config, Rate};
use crate::error::{Error, Result};
use crate::link::Lasting;
use shared::Shared;

/// What is counted together: what is tried, by whom or at whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// All tries of one kind from one address. An IPv6 customer has at least a /64, so that is what counts.
    pub fn address(what: &str, ip: &str) -> Self {
        let network = match ip.parse() {
            Ok(IpAddr::V6(ip)) => ip.segments()[..4].iter().map(|part| format!("{part:x}:")).collect(),
            _ => ip.to_owned(),
        };
        Self(format!("{what}:from:{network}"))
    }

    /// Tries at one name, as it was typed: a name and an address of one account are counted apart, so that nobody learns
    /// from it which belong together.
    pub fn name(what: &str, name: &str) -> Self {
        Self(format!("{what}:at:{}", super::token_hash(&crate::text::fold(name.trim()))))
    }

    /// Tries at one account by somebody who was there before.
    pub fn known(what: &str, name: &str, by: &str) -> Self {
        let Self(name) = Self::name(what, name);
        Self(format!("{name}:by:{}", super::token_hash(by)))
    }
}

pub struct Throttle {
    /// `None`: nothing is limited.
    rate: Option<Rate>,
    clock: Clock,
    buckets: Mutex<HashMap<Key, Bucket>>,
    decided: Notify,
    shared: Option<Shared>,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// When it will be full again: the "theoretical arrival time", in microseconds.
    full_at: i64,
    /// Tries that aren't decided yet.
    open: u32,
}

/// A try that may be made. Dropped, it didn't count.
pub struct Try<'a> {
    throttle: &'a Throttle,
    keys: Vec<Key>,
}

enum Verdict {
    Go,
    Wait,
    Refuse(Duration),
}

impl Throttle {
    /// With `redis`, nodes of the same SECRET_KEY count together.
    pub fn new(config: &Config, clock: Clock, keys: &Keys, redis: Option<Lasting>) -> Result<Self> {
        let redis = redis.filter(|_| config.login_rate.is_some());
        let shared = redis.map(|redis| Shared::new(redis, keys)).transpose()?;
        Ok(Self { rate: config.login_rate, clock, buckets: Mutex::default(), decided: Notify::new(), shared })
    }

    /// One try that counts in each of `keys`, if it fails. Waits while tries that are being decided might use up what is
    /// left. Errors: [`Error::TooMany`] with the time to wait. Cost: O(keys), no query; 1 round trip to Redis.
    pub async fn admit(&self, keys: Vec<Key>) -> Result<Try<'_>> {
        let Some(rate) = self.rate else { return Ok(Try { throttle: self, keys: Vec::new() }) };
        if let Some(shared) = &self.shared {
            let others = shared.read(&keys).await;
            self.raise(&keys, &others);
        }
        loop {
            let decided = self.decided.notified();
            match self.judge(&keys, rate) {
                Verdict::Go => return Ok(Try { throttle: self, keys }),
                Verdict::Wait => decided.await,
                Verdict::Refuse(wait) => {
                    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    return Err(Error::TooMany { retry_after_ms: millis.max(1) });
                }
            }
        }
    }

    fn judge(&self, keys: &[Key], rate: Rate) -> Verdict {
        let now = self.clock.now();
        let mut buckets = self.buckets();
        let mut verdict = Verdict::Go;
        for key in keys {
            let bucket = buckets.get(key).copied().unwrap_or_default();
            match bucket.verdict(rate, now) {
                Verdict::Go => {}
                Verdict::Wait if matches!(verdict, Verdict::Go) => verdict = Verdict::Wait,
                Verdict::Wait => {}
                Verdict::Refuse(wait) => match verdict {
                    Verdict::Refuse(longest) if longest > wait => {}
                    _ => verdict = Verdict::Refuse(wait),
                },
            }
        }
        if matches!(verdict, Verdict::Go) {
            keys.iter().for_each(|key| buckets.entry(key.clone()).or_default().open += 1);
        }
        verdict
    }

    /// Takes up what other nodes have counted.
    fn raise(&self, keys: &[Key], full_at: &[i64]) {
        let Some(rate) = self.rate else { return };
        let most = self.clock.now().0.saturating_add(interval(rate).saturating_mul(rate.burst.get().into()));
        let mut buckets = self.buckets();
        for (key, full_at) in keys.iter().zip(full_at).filter(|(_, full_at)| **full_at > 0) {
            let bucket = buckets.entry(key.clone()).or_default();
            // A node whose clock is ahead locks nobody out for longer than an empty bucket takes to fill.
            bucket.full_at = bucket.full_at.max((*full_at).min(most));
        }
    }

    /// Forgets buckets that are full. Called every minute.
    pub fn sweep(&self) {
        let now = self.clock.now().0;
        self.buckets().retain(|_, bucket| bucket.open > 0 || bucket.full_at > now);
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<Key, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Microseconds in which one try comes back.
fn interval(rate: Rate) -> i64 {
    i64::try_from((rate.period / rate.count.get()).as_micros()).unwrap_or(i64::MAX).max(1)
}

impl Bucket {
    fn verdict(self, rate: Rate, now: Timestamp) -> Verdict {
        let interval = interval(rate);
        let missing = (self.full_at - now.0).max(0);
        // How many tries may fail from now on, one after the other, until one is too many.
        let left = i64::from(rate.burst.get()) - (missing + interval - 1) / interval;
        if left <= 0 {
            let until = self.full_at - (i64::from(rate.burst.get()) - 1) * interval - now.0;
            Verdict::Refuse(Duration::from_micros(u64::try_from(until).unwrap_or_default()))
        } else if i64::from(self.open) >= left {
            Verdict::Wait
        } else {
            Verdict::Go
        }
    }
}

impl Try<'_> {
    /// It counts: it failed, or it is of a kind that always does. Cost: O(keys), no query; 1 round trip to Redis.
    pub async fn count(self) {
        let Some(rate) = self.throttle.rate else { return };
        let (now, interval) = (self.throttle.clock.now(), interval(rate));
        {
            let mut buckets = self.throttle.buckets();
            for key in &self.keys {
                let bucket = buckets.entry(key.clone()).or_default();
                bucket.full_at = bucket.full_at.max(now.0) + interval;
            }
        }
        if let Some(shared) = &self.throttle.shared {
            shared.count(&self.keys, now, interval).await;
        }
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        {
            let mut buckets = self.throttle.buckets();
            for key in &self.keys {
                if let Some(bucket) = buckets.get_mut(key) {
                    bucket.open = bucket.open.saturating_sub(1);
                }
            }
        }
        self.throttle.decided.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn rate() -> Rate {
        let five = NonZeroU32::new(5).unwrap();
        Rate { count: five, period: Duration::from_secs(60), burst: five }
    }

    fn throttle(clock: &std::sync::Arc<std::sync::atomic::AtomicI64>) -> Throttle {
        Throttle {
            rate: Some(rate()),
            clock: Clock::Fixed(clock.clone()),
            buckets: Mutex::default(),
            decided: Notify::new(),
            shared: None,
        }
    }

    #[tokio::test]
    async fn five_may_fail_and_then_one_each_twelve_seconds() {
        let clock = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(1_000_000_000));
        let throttle = throttle(&clock);
        let key = || vec![Key::address("log-in", "192.0.2.1")];
        for _ in 0..5 {
            throttle.admit(key()).await.unwrap().count().await;
        }
        let refused = throttle.admit(key()).await.err().unwrap();
        assert!(matches!(refused, Error::TooMany { retry_after_ms: 12_000 }), "{refused:?}");
        assert!(throttle.admit(vec![Key::address("log-in", "192.0.2.2")]).await.is_ok());
        clock.fetch_add(12_000_000, std::sync::atomic::Ordering::Relaxed);
        throttle.admit(key()).await.unwrap().count().await;
        assert!(throttle.admit(key()).await.is_err());
        clock.fetch_add(3_600_000_000, std::sync::atomic::Ordering::Relaxed);
        throttle.sweep();
        assert!(throttle.buckets().is_empty());
    }

    #[tokio::test]
    async fn what_succeeds_costs_nothing_and_what_is_undecided_makes_the_next_wait() {
        let clock = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(1_000_000_000));
        let throttle = throttle(&clock);
        let key = || vec![Key::name("log-in", "Ann")];
        for _ in 0..100 {
            drop(throttle.admit(key()).await.unwrap());
        }
        let mut open = Vec::new();
        for _ in 0..5 {
            open.push(throttle.admit(key()).await.unwrap());
        }
        let mut sixth = Box::pin(throttle.admit(vec![Key::name("log-in", " ANN ")]));
        assert!(futures_util::poll!(&mut sixth).is_pending());
        drop(open.pop());
        drop(sixth.await.unwrap());
        for one in open {
            one.count().await;
        }
        throttle.admit(key()).await.unwrap().count().await;
        assert!(throttle.admit(key()).await.is_err());
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        assert_eq!(Key::address("x", "2001:db8:1:2:3::4"), Key::address("x", "2001:db8:1:2:ffff::1"));
        assert_ne!(Key::address("x", "2001:db8:1:2::1"), Key::address("x", "2001:db8:1:3::1"));
        assert_ne!(Key::address("x", "192.0.2.1"), Key::address("x", "192.0.2.2"));
        assert_ne!(Key::address("x", "192.0.2.1"), Key::address("y", "192.0.2.1"));
    }
}
