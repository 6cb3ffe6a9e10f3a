//! One at a time for each person: what costs much is begun again only when it is over. Held by the app, asked by
//! `users/my_data.rs` and by the page that takes pictures in. Each node counts for itself.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ids::UserId;

/// Whose turn it is.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashSet<UserId>>>);

/// One person's turn, over when it is dropped.
pub struct Turn {
    turns: Turns,
    user: UserId,
}

impl Turns {
    /// `None` while one of `user` stands.
    pub fn begin(&self, user: UserId) -> Option<Turn> {
        let is_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(user);
        is_first.then(|| Turn { turns: self.clone(), user })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.user);
    }
}
