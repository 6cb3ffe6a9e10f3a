//! `manifest.json`: what an export holds, and that it is whole, since it is written last. Called by `transfer::export` and
//! `transfer::bundle`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::outlet::{Part, private};
use crate::error::{Error, Result};

pub const NAME: &str = "manifest.json";
/// The files that came with messages, and people's pictures: a line each, with its path, length and digest.
pub const FILES: &str = "files.jsonl";
/// Where they are.
pub const FOLDER: &str = "files";
pub const FORMAT: &str = "switchboard-export";
/// Raised when an earlier version couldn't read it any more.
pub const VERSION: u32 = 1;
/// More is no manifest.
const MOST_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    /// The program's version.
    pub made_by: String,
    pub made_at: String,
    /// The site that it is of, by a name that no other site has.
    pub site: String,
    /// The same as people call it.
    pub site_name: String,
    /// By its name, each file of lines.
    pub files: BTreeMap<String, Part>,
    /// By model, the highest id that a row ever had.
    pub last_ids: BTreeMap<String, i64>,
}

/// A file that came with a message, or a picture: a line of [`FILES`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// Writes it beside its name first: whoever finds it finds all of it, and of what it tells, since that is on disk by now.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let partial = folder.join(".manifest.part");
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut file = private(&partial)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(partial, folder.join(NAME))?;
        File::open(folder)?.sync_all()
    }

    /// With its text. Errors: [`Error::Startup`] for a folder without one, for what is none and for one of a later version.
    pub fn read(folder: &Path) -> Result<(Self, Vec<u8>)> {
        let place = folder.display();
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error::startup(format!(
                "{place} has no {NAME}: it is no export of a Switchboard, or one that was cut off before its end."
            )),
            _ => Error::startup(format!("{place}/{NAME} can't be read: {error}")),
        };
        let mut text = Vec::new();
        let file = File::open(folder.join(NAME)).map_err(unreadable)?;
        file.take(MOST_BYTES).read_to_end(&mut text).map_err(unreadable)?;
        // What a later version says besides isn't known here; that it is a later one is said first.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let damaged = |error: serde_json::Error| Error::startup(format!("{place}/{NAME} is damaged: {error}"));
        let head: Head = serde_json::from_slice(&text).map_err(damaged)?;
        if head.format != FORMAT {
            return Err(Error::startup(format!("{place}/{NAME} isn't the manifest of a Switchboard's export.")));
        }
        if head.version > VERSION {
            return Err(Error::startup(format!(
                "{place} was written by a newer Switchboard (format {}, this version reads {VERSION}). Use that version.",
                head.version
            )));
        }
        Ok((serde_json::from_slice(&text).map_err(damaged)?, text))
    }
}
