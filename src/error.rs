//! One [`Error`] for the whole program, and its [`Error::status`]. What it looks like is `web::render`'s business.
//!
//! Every text in here is read by users, in the language of the task that shows it, except [`Error::Internal`], which is
//! only logged.

use std::collections::BTreeMap;

use crate::i18n::gettext;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Messages by field name, as forms and the JSON API show them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(pub BTreeMap<&'static str, Vec<String>>);

impl FieldErrors {
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.entry(field).or_default().push(message.into());
    }

    pub fn one(field: &'static str, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    /// The messages of `field`, joined; empty when there are none. Called by templates.
    pub fn of(&self, field: &str) -> String {
        self.0.get(field).map(|messages| messages.join(" ")).unwrap_or_default()
    }

    /// `Ok(value)` when nothing was found wrong.
    pub fn or<T>(self, value: T) -> Result<T> {
        if self.0.is_empty() { Ok(value) } else { Err(Error::Invalid(self)) }
    }
}

impl std::fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<_> = self.0.values().flatten().map(String::as_str).collect();
        f.write_str(&all.join(" "))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input's fields are wrong; what is wrong with each.
    #[error("{0}")]
    Invalid(FieldErrors),
    /// The request can't be read at all.
    #[error("{0}")]
    Malformed(String),
    #[error("{}", tr!("That is too much at once."))]
    TooLarge,
    #[error("{}", tr!("A form is sent as urlencoded or multipart."))]
    UnsupportedType,
    /// Content longer than a message may be.
    #[error("{}", too_long(*.limit, *.length))]
    TooLong { limit: usize, length: usize },
    #[error("{}", tr!("Please log in first."))]
    SignedOut,
    /// Seen but not allowed; in English (`msgid!`), as in the next two.
    #[error("{}", gettext(.0))]
    Forbidden(&'static str),
    /// Not there, or private to others: the two look the same.
    #[error("{}", gettext(.0))]
    NotFound(&'static str),
    /// Not in this state.
    #[error("{}", gettext(.0))]
    Conflict(&'static str),
    /// Not in this state before a time; the words say which.
    #[error("{0}")]
    TooSoon(String),
    #[error("{}", tr!("You are sending messages too fast. Please wait a moment."))]
    Throttled { retry_after_ms: u64 },
    /// Log-ins, registrations, codes.
    #[error("{}", wait(*.retry_after_ms))]
    TooMany { retry_after_ms: u64 },
    /// For the moment; nothing was stored.
    #[error("{}", tr!("The server can't do that right now. Please try again in a moment."))]
    Unavailable,
    /// Stops the start; told on standard error in one line.
    #[error("{0}")]
    Startup(String),
    /// Logged, never shown.
    #[error("{}", tr!("Something went wrong on our side. It has been written down."))]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub fn startup(message: impl Into<String>) -> Self {
        Self::Startup(message.into())
    }

    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::one(field, message))
    }

    /// The HTTP status that says this.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::TooLarge => 413,
            Self::UnsupportedType => 415,
            Self::SignedOut => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound(_) => 404,
            Self::Conflict(_) | Self::TooSoon(_) => 409,
            Self::Invalid(_) | Self::TooLong { .. } => 422,
            Self::Throttled { .. } | Self::TooMany { .. } => 429,
            Self::Unavailable => 503,
            Self::Startup(_) | Self::Internal(_) => 500,
        }
    }

    /// Whole seconds after which the same may be tried again, for `Retry-After`.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled { retry_after_ms } | Self::TooMany { retry_after_ms } => {
                Some(retry_after_ms.div_ceil(1000))
            }
            Self::Unavailable => Some(1),
            _ => None,
        }
    }

    /// The `code` of a socket's error frame.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Throttled { .. } | Self::TooMany { .. } => "throttled",
            Self::TooLong { .. } => "too_long",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Unavailable | Self::Startup(_) | Self::Internal(_) => "unavailable",
            Self::Invalid(_) | Self::Malformed(_) | Self::SignedOut => "invalid",
            Self::Conflict(_) | Self::TooSoon(_) | Self::TooLarge | Self::UnsupportedType => "invalid",
        }
    }
}

fn too_long(limit: usize, length: usize) -> String {
    tr!("A message has at most {limit} characters; this one has {length}.", limit = limit, length = length)
}

/// In seconds, or in minutes where those would be many.
fn wait(millis: u64) -> String {
    match millis.div_ceil(1000) {
        seconds @ 0..=90 => tr!("Too many attempts. Please wait {n} second before you try again."
            | "Too many attempts. Please wait {n} seconds before you try again." % seconds),
        seconds => tr!("Too many attempts. Please wait {n} minute before you try again."
            | "Too many attempts. Please wait {n} minutes before you try again." % seconds.div_ceil(60)),
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_passing(&error) {
            tracing::warn!(%error, "the database can't do that now");
            Self::Unavailable
        } else {
            Self::internal(error)
        }
    }
}

/// Whether the same may well succeed in a moment: the database is away, busy or full. By SQLite's result codes
/// (sqlite.org/rescode.html, with their extended forms) and PostgreSQL's SQLSTATE classes (its manual, appendix A).
pub fn is_passing(error: &sqlx::Error) -> bool {
    use sqlx::Error::{BeginFailed, Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
    if matches!(error, PoolTimedOut | PoolClosed | Io(_) | Tls(_) | WorkerCrashed | BeginFailed) {
        return true;
    }
    let Some(code) = error.as_database_error().and_then(|error| error.code()) else { return false };
    match code.parse::<u32>() {
        // busy, locked, I/O error, full: the low byte is the primary code
        Ok(number) if code.len() < 5 => [5, 6, 10, 13].contains(&(number & 0xff)),
        // connection, serialisation and deadlock, resources, operator's intervention; a lock that another holds for long, and
        // a transaction that was ended because nothing came for long
        _ => ["08", "40", "53", "57", "58", "55P03", "25P03", "25P04"].iter().any(|class| code.starts_with(class)),
    }
}

/// Whether a commit that failed so has certainly stored nothing. SQLite, full or locked, hasn't written the end of the
/// transaction; an I/O error may have come after it. PostgreSQL can't fail any more once it has written that, but it may be
/// told to stop (57) or lose the connection (08) before it has said so.
pub fn is_undone(error: &sqlx::Error) -> bool {
    let Some(code) = error.as_database_error().and_then(|error| error.code()) else { return false };
    match code.parse::<u32>() {
        // busy, full, constraint
        Ok(number) if code.len() < 5 => [5, 13, 19].contains(&(number & 0xff)),
        _ => ["22", "23", "25", "40", "53", "54"].iter().any(|class| code.starts_with(class)),
    }
}

/// Whether `error` says that a row with this unique value is already there.
pub fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}
