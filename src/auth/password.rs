//! Passwords: what is accepted, and argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane: the crate's own
//! defaults), on threads for blocking work, as many at once as there are cores.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::{Error, FieldErrors, Result};
use crate::text::fold;

const LENGTHS: std::ops::RangeInclusive<usize> = 8..=128;

/// Bounds memory and leaves the sockets their turn: each hash takes 19 MiB and some 30 ms of a core.
static PERMITS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from))));

/// What an unknown name's password is compared with, so that it takes as long as a known one's.
pub static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| {
    let hash: Result<String, _> = Argon2::default().hash_password(b"nobody").map(|hash: PasswordHash| hash.to_string());
    hash.unwrap_or_default()
});

/// Adds to `errors` what is wrong with `password`; `own` are the person's own names, which nobody must use as one.
pub fn check(errors: &mut FieldErrors, field: &'static str, password: &str, own: &[&str]) {
    let length = password.chars().count();
    if !LENGTHS.contains(&length) {
        errors.add(field, format!("A password has {} to {} characters.", LENGTHS.start(), LENGTHS.end()));
    } else if own.iter().any(|name| fold(name) == fold(password)) {
        errors.add(field, "Your name or address is the first that others would try.");
    }
}

/// The PHC string to store. Cost: 1 argon2 hash (19 MiB), off the async threads.
pub async fn hash(password: String) -> Result<String> {
    blocking(move || make(&password)).await
}

/// The same at once, for staff whose work holds others up: not behind whoever is logging in.
/// Cost: 1 argon2 hash (19 MiB), off the async threads.
pub async fn hash_at_once(password: String) -> Result<String> {
    tokio::task::spawn_blocking(move || make(&password)).await.map_err(Error::internal)?
}

fn make(password: &str) -> Result<String> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(Error::internal)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that `hash` was made of. Cost: 1 argon2 hash (19 MiB), off the async threads.
pub async fn verify(password: String, hash: String) -> Result<bool> {
    blocking(move || {
        let hash = PasswordHash::new(&hash).map_err(Error::internal)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let permit = PERMITS.clone().acquire_owned().await.map_err(Error::internal)?;
    // The permit goes along: who hangs up meanwhile doesn't make room for another hash before this one is done.
    let work = move || {
        let _permit = permit;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}
