//! A ZIP file that somebody else made: looked through as a whole before anything of it is believed. Called by `transfer::slack`
//! and, for files, by `transfer::bundle`.
//!
//! Nothing is ever unpacked to a path that stands in it. Names that lead elsewhere, links, encrypted entries and those in an
//! unknown compression are refused all the same, since whoever makes such a file has something in mind; and what would grow
//! beyond measure: one entry over many (D. Fifield, "A better zip bomb", WOOT 2019), one that is far larger than it says, or
//! very many.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, sink};
use std::path::Path;

use ring::digest::{Context, SHA256};
use serde::de::DeserializeOwned;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Error, Result};
use crate::text::hex;
use crate::transfer::bundle::MARK;
use crate::transfer::outlet::copy;

/// Entries that an archive may have.
const MOST_ENTRIES: usize = 2_000_000;
/// Bytes that all of it may have unpacked.
const MOST_BYTES: u64 = 1 << 40;
/// Bytes that a list of JSON may have: it is read into memory.
const MOST_JSON: u64 = 256 << 20;
/// Many times its packed size nothing of what people wrote is; small entries don't matter.
const MOST_RATIO: u64 = 200;
const SMALL: u64 = 1 << 20;

/// A ZIP file that was looked through.
pub struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// By name, the place of an entry.
    places: HashMap<String, usize>,
    /// The same for the same file.
    pub mark: String,
}

impl Archive {
    /// Looks at every entry's head, reading none. Errors: [`Error::Startup`] for what isn't a ZIP file, isn't whole, or isn't
    /// to be trusted. Cost: O(entries).
    pub fn open(path: &Path) -> Result<Self> {
        let place = path.display();
        let file = File::open(path).map_err(|error| Error::startup(format!("{place} can't be read: {error}")))?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| Error::startup(format!("{place} is no ZIP file, or isn't whole: {error}.")))?;
        let mut archive = Self { zip, places: HashMap::new(), mark: String::new() };
        match archive.look_through() {
            Ok(()) => Ok(archive),
            Err(why) => Err(Error::startup(format!("{place} is refused: {why}."))),
        }
    }

    fn look_through(&mut self) -> Result<(), String> {
        let count = self.zip.len();
        if count > MOST_ENTRIES {
            return Err(format!("it has {count} entries, more than any export"));
        }
        let (mut bytes, mut heads) = (0_u64, Context::new(&SHA256));
        let mut folded = HashSet::new();
        for place in 0..count {
            let entry = self.zip.by_index_raw(place).map_err(|error| format!("an entry can't be read: {error}"))?;
            let name =
                std::str::from_utf8(entry.name_raw()).map_err(|_| "the name of an entry isn't UTF-8".to_owned())?;
            let shown: String = name.escape_debug().take(120).collect();
            if !is_harmless(name) || entry.enclosed_name().is_none() {
                return Err(format!("the name \"{shown}\" leads out of it"));
            }
            if entry.is_symlink() {
                return Err(format!("\"{shown}\" is a link"));
            }
            if entry.encrypted() {
                return Err(format!("\"{shown}\" is encrypted"));
            }
            if ![CompressionMethod::Stored, CompressionMethod::Deflated].contains(&entry.compression()) {
                return Err(format!("\"{shown}\" is compressed in a way that isn't known here"));
            }
            let (size, packed) = (entry.size(), entry.compressed_size());
            if size > SMALL && size / MOST_RATIO > packed {
                return Err(format!("\"{shown}\" would grow to {size} bytes from {packed}"));
            }
            bytes = bytes.saturating_add(size);
            if bytes > MOST_BYTES {
                return Err("it would grow beyond 1 TiB".to_owned());
            }
            heads.update(format!("{name}\0{size}\0{}\n", entry.crc32()).as_bytes());
            if !folded.insert(name.to_lowercase()) {
                return Err(format!("the name \"{shown}\" is there twice"));
            }
            if !entry.is_dir() {
                self.places.insert(name.to_owned(), place);
            }
        }
        if self.zip.has_overlapping_files().map_err(|error| format!("its entries can't be told apart: {error}"))? {
            return Err("its entries lie over each other".to_owned());
        }
        self.mark = hex(heads.finish())[..MARK].to_owned();
        Ok(())
    }

    /// Reads all of it once: that every entry is whole, and no larger than it says. Errors: [`Error::Startup`].
    /// Cost: O(bytes), of memory 64 KiB.
    pub fn verify(&mut self, told: impl Fn()) -> Result<()> {
        for place in 0..self.zip.len() {
            let entry = self.zip.by_index(place).map_err(|error| damaged(&error))?;
            let size = entry.size();
            let (read, _) = copy(entry.take(size.saturating_add(1)), sink()).map_err(|error| damaged(&error))?;
            if read != size {
                return Err(Error::startup("The ZIP file is refused: an entry isn't as large as it says."));
            }
            told();
        }
        Ok(())
    }

    /// How many entries it has.
    pub fn entries(&self) -> usize {
        self.zip.len()
    }

    /// The names of its files, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The bytes of an entry; `None` where there is none. Never more than it says that it has.
    pub fn entry(&mut self, name: &str) -> io::Result<Option<Box<dyn Read + '_>>> {
        let Some(place) = self.places.get(name) else { return Ok(None) };
        let entry = self.zip.by_index(*place).map_err(io::Error::other)?;
        let size = entry.size();
        Ok(Some(Box::new(entry.take(size))))
    }

    /// What an entry holds as JSON; `None` where there is none. Errors: [`Error::Startup`] for one that is too large or holds
    /// something else.
    pub fn json<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let fault = |why: String| Error::startup(format!("{name} in the ZIP file can't be read: {why}"));
        let Some(entry) = self.entry(name).map_err(|error| fault(error.to_string()))? else { return Ok(None) };
        let mut text = Vec::new();
        entry.take(MOST_JSON + 1).read_to_end(&mut text).map_err(|error| fault(error.to_string()))?;
        if text.len() as u64 > MOST_JSON {
            return Err(fault("it has more than 256 MiB".to_owned()));
        }
        serde_json::from_slice(&text).map(Some).map_err(|error| fault(error.to_string()))
    }
}

fn damaged(error: &dyn std::fmt::Display) -> Error {
    Error::startup(format!("The ZIP file is damaged: {error}."))
}

/// Whether a name stays within its archive on every system.
fn is_harmless(name: &str) -> bool {
    let is_path = !name.starts_with('/') && !name.contains(['\\', '\0']) && !name.chars().any(char::is_control);
    // A drive's letter stands before a colon.
    let has_drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    !name.is_empty() && is_path && !has_drive && !name.split('/').any(|part| part == ".." || part == ".")
}
