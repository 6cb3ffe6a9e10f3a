//! Backups: the whole site in one file, and a site from it, on either database. Called by `cli::backup`, `cli::restore` and,
//! at night, by `jobs`.
//!
//! An archive is a tar within a Zstandard frame (RFC 8878), so that it opens with `tar --zstd -xf` where this program is not at
//! hand: [`About`] first, the secret key, the database as one SQLite file whatever it came from ([`crate::db::copy`]), the
//! uploads under the names that they have on disk, and [`Manifest`] last, with what only the end knows: an archive without it
//! was cut short. Each entry is digested (SHA-256) as it goes in and again as it comes out; a file's digest is its name.
//! That finds damage. It is no proof of who made it: whoever could change an archive could change its digests, and whoever
//! has it has everything that the site knows, so it is mode 0600.
//!
//! - [`backup`] takes one: copy, write beside the target, read all of it back, give it its name.
//! - [`restore`] checks all of it first, unpacks beside what is there, and swaps last.
//! - [`write`](mod@write) and [`read`] know the format, [`name`] what may be in it; [`uploads`] keeps files from vanishing
//!   meanwhile; [`place`] puts them in their place; [`nightly`] does it by itself.

pub mod backup;
pub mod name;
pub mod nightly;
pub mod place;
pub mod progress;
pub mod read;
pub mod restore;
pub mod scratch;
mod swap;
pub mod uploads;
pub mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The number of this form of an archive.
const FORMAT: u32 = 1;

/// The first entry: enough to say whether the rest can be read.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct About {
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// The newest migration of its database.
    pub migration: i64,
    /// Where it came from: `SQLite` or `PostgreSQL`.
    pub engine: String,
    /// RFC 3339, UTC.
    pub taken_at: String,
}

/// The last entry: what must have come before it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Manifest {
    /// Rows by table.
    pub tables: BTreeMap<String, i64>,
    /// Hexadecimal digits.
    pub database_sha256: String,
    pub files: u64,
    pub pictures: u64,
    /// Of all entries before this one, together.
    pub bytes: u64,
    /// The digest of all entries' lines, `<sha256>  <name>`, in their order.
    pub entries_sha256: String,
    /// Files that rows name and that weren't there, or weren't what they had been, when it was taken: so many.
    pub missing: u64,
}
