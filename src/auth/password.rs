//! Passwords: what is accepted, and argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane: the crate's own
//! defaults; Password Storage Cheat Sheet), on threads of our own, as many as there are cores.
//!
//! What is easily guessed is found by zxcvbn, which knows the 30,000 commonest passwords, names, words, dates and rows of
//! keys (Wheeler, "zxcvbn: Low-Budget Password Strength Estimation", USENIX Security 2016).

use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::oneshot;
use zxcvbn::feedback::Warning;
use zxcvbn::{Entropy, Score};

use crate::error::{Error, FieldErrors, Result};
use crate::i18n::gettext;
use crate::text::fold;

const LENGTHS: std::ops::RangeInclusive<usize> = 8..=128;

/// What an unknown name's password is compared with, so that it takes as long as a known one's.
pub static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| {
    let hash: Result<String, _> = Argon2::default().hash_password(b"nobody").map(|hash: PasswordHash| hash.to_string());
    hash.unwrap_or_default()
});

/// Adds to `errors` what is wrong with `password`; `own` are the person's names and the site's, which others would try
/// first. Cost: some milliseconds at most, whatever is typed.
pub fn check(errors: &mut FieldErrors, field: &'static str, password: &str, own: &[&str]) {
    let length = password.chars().count();
    if !LENGTHS.contains(&length) {
        return errors.add(field, tr!("A password has {} to {} characters.", LENGTHS.start(), LENGTHS.end()));
    }
    let local_parts = own.iter().filter_map(|name| name.split_once('@')).map(|(local, _)| local);
    let own: Vec<String> = own.iter().copied().chain(local_parts).map(fold).filter(|name| !name.is_empty()).collect();
    if own.contains(&fold(password.trim())) {
        return errors
            .add(field, tr!("Your name, your address and the site's name are the first that others would try."));
    }
    let inputs: Vec<&str> = own.iter().map(String::as_str).collect();
    let guessed = zxcvbn::zxcvbn(&judged(password), &inputs);
    if guessed.score() < Score::Two {
        let why = gettext(why(&guessed));
        errors.add(field, tr!("{why} Three or four words that don't belong together make a good one.", why = why));
    }
}

/// As much of a password as is judged. zxcvbn tries every way to read digits and signs as letters, so that each more of
/// them doubles its work: who types many gets a shorter look, or one form would take a second of a core.
fn judged(password: &str) -> String {
    const LETTERLIKE: &str = "48@({[<3690|!17$5+%2";
    const MOST_READ_AS_LETTERS: usize = 6;
    let letterlike = LETTERLIKE.chars().filter(|c| password.contains(*c)).count();
    let most = if letterlike > MOST_READ_AS_LETTERS { 14 } else { 64 };
    password.chars().take(most).collect()
}

/// Why it is easily guessed, in words.
fn why(guessed: &Entropy) -> &'static str {
    use Warning::*;
    match guessed.feedback().and_then(|feedback| feedback.warning()) {
        Some(ThisIsATop10Password | ThisIsATop100Password | ThisIsACommonPassword) => {
            msgid!("This is one of the commonest passwords: it is among the first that are tried.")
        }
        Some(ThisIsSimilarToACommonlyUsedPassword) => msgid!("This is very close to one of the commonest passwords."),
        Some(StraightRowsOfKeysAreEasyToGuess | ShortKeyboardPatternsAreEasyToGuess) => {
            msgid!("Rows and patterns of keys are easily guessed.")
        }
        Some(RepeatsLikeAaaAreEasyToGuess | RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess) => {
            msgid!("What repeats is easily guessed.")
        }
        Some(SequencesLikeAbcAreEasyToGuess) => msgid!("Sequences such as abcd or 6543 are easily guessed."),
        Some(RecentYearsAreEasyToGuess | DatesAreOftenEasyToGuess) => msgid!("Dates and years are easily guessed."),
        Some(
            AWordByItselfIsEasyToGuess
            | NamesAndSurnamesByThemselvesAreEasyToGuess
            | CommonNamesAndSurnamesAreEasyToGuess,
        ) => msgid!("A word or a name by itself is easily guessed, with some digits too."),
        None => msgid!("This is easily guessed."),
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

/// Whether `hash` was made with other parameters than hashes are made with now. Cost: O(length).
pub fn is_outdated(hash: &str) -> bool {
    let current = PasswordHash::new(&DUMMY_HASH);
    match (PasswordHash::new(hash), current) {
        (Ok(hash), Ok(current)) => {
            (hash.algorithm, hash.version, hash.params) != (current.algorithm, current.version, current.params)
        }
        _ => false,
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// As many threads of our own as may hash at once: each keeps the 19 MiB that it once needed, and the runtime's threads
/// for blocking work are many.
static WORKERS: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
        let jobs = jobs.clone();
        std::thread::spawn(move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { break };
                job();
            }
        });
    }
    sender
});

/// Waits its turn and works on a thread for it. Bounds memory and leaves the sockets their turn: each hash takes 19 MiB
/// and some 20 ms of a core.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (done, answer) = oneshot::channel();
    let job = move || {
        // Who hung up before their turn came doesn't hold up the others.
        if done.is_closed() {
            return;
        }
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let _ = done.send(worked.unwrap_or_else(|_| Err(Error::internal("a password can't be hashed"))));
    };
    WORKERS.send(Box::new(job)).map_err(|_| Error::internal("nobody hashes passwords"))?;
    answer.await.map_err(Error::internal)?
}
