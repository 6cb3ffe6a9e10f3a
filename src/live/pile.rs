//! [`Pile`]: what somebody else is to look at, each thing once however often it was put there. Rooms with news, people who
//! came or went: whoever puts them there goes on at once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

pub struct Pile<T> {
    things: Mutex<HashSet<T>>,
    told: Notify,
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self { things: Mutex::default(), told: Notify::new() }
    }
}

impl<T: Eq + Hash> Pile<T> {
    /// Cost: O(1).
    pub fn put(&self, thing: T) {
        if self.things.lock().unwrap_or_else(PoisonError::into_inner).insert(thing) {
            self.told.notify_one();
        }
    }

    /// All that lies there. Cost: O(1).
    pub fn take_now(&self) -> HashSet<T> {
        std::mem::take(&mut *self.things.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All that was put there since the last call; waits for the first. For one taker.
    pub async fn take(&self) -> HashSet<T> {
        loop {
            let things = self.take_now();
            if !things.is_empty() {
                return things;
            }
            self.told.notified().await;
        }
    }
}
