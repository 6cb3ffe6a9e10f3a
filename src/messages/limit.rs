//! How fast one person may write in one room: the setting `MESSAGE_RATE`, kept in this process.

use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::Rate;
use crate::error::{Error, Result};
use crate::ids::{RoomId, UserId};

#[derive(Clone)]
pub struct MessageLimit(Option<Arc<DefaultKeyedRateLimiter<(UserId, RoomId)>>>);

impl MessageLimit {
    /// No rate is no limit.
    pub fn new(rate: Option<Rate>) -> Self {
        let quota = rate.and_then(|rate| {
            Quota::with_period(rate.period / rate.count.get()).map(|quota| quota.allow_burst(rate.burst))
        });
        Self(quota.map(|quota| Arc::new(RateLimiter::keyed(quota))))
    }

    /// Counts one message. Errors: [`Error::Throttled`] with the time to wait. Cost: O(1), no query.
    pub fn check(&self, user: UserId, room: RoomId) -> Result<()> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(&(user, room)).map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            Error::Throttled { retry_after_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1) }
        })
    }

    /// Forgets people who have been quiet long enough to write freely again.
    pub fn sweep(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
        }
    }
}
