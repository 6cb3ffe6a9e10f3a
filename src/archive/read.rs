//! Reads an archive and believes nothing of it: what it is, what may be in it, in which order, how long, and that all of it
//! came as it was written. Blocks: called by [`super::backup`] and [`super::restore`] on threads of their own.
//!
//! Memory is bounded whatever the archive says: a frame that wants more than 128 MiB to be opened is refused by Zstandard's
//! own limit, entries for long names, which a reader would collect in memory, aren't read as such, and the short entries
//! have limits. What is longer is digested as it passes, and stops where there would be no room for it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use ring::digest::{Context, SHA256};
use tar::{Archive, EntryType};

use super::name::Name;
use super::progress::Progress;
use super::write::Digesting;
use super::{About, FORMAT, Manifest};
use crate::config::Secret;
use crate::db::copy;
use crate::error::{Error, Result};
use crate::text::hex;

/// Zstandard's first bytes (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Zeros that may follow the last entry: tars are padded to their blocks.
const PADDING: u64 = 1 << 20;

/// What an archive holds besides its files.
pub struct Contents {
    pub about: About,
    pub key: Secret,
    pub manifest: Manifest,
    pub database_bytes: u64,
    /// Of files and pictures.
    pub upload_bytes: u64,
}

/// Reads all of the archive at `path`, unless more than `most` bytes would come out of it; what each file of it is written
/// into `sink` says. Errors: [`Error::Startup`] with what is wrong, in words; then what was written is worth nothing.
/// Cost: O(bytes).
pub fn walk(
    path: &Path,
    most: u64,
    progress: &Progress,
    mut sink: impl FnMut(&Name) -> io::Result<Option<File>>,
) -> Result<Contents> {
    let file =
        File::open(path).map_err(|error| Error::startup(format!("{} can't be read: {error}", path.display())))?;
    let mut reading = Reading { most, ..Reading::default() };
    let read = reading.all(file, progress, &mut sink).and_then(|()| reading.judge());
    read.and_then(|()| reading.contents().ok_or_else(|| Fault::Foreign("it was cut short".to_owned()))).map_err(
        |fault| match (progress.go_on(), fault) {
            (Err(stopped), _) => stopped,
            (_, Fault::Foreign(why)) => {
                Error::startup(format!("{} isn't a backup that can be restored: {why}.", path.display()))
            }
            (_, Fault::Io(error)) if error.kind() == io::ErrorKind::StorageFull => {
                Error::startup(format!("The disk is full: {error}."))
            }
            (_, Fault::Io(error)) => {
                Error::startup(format!("{} is damaged or was cut short: {error}.", path.display()))
            }
        },
    )
}

enum Fault {
    Io(io::Error),
    Foreign(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn foreign<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Foreign(why.into()))
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    most: u64,
    last: Option<Name>,
    about: Option<About>,
    key: Option<Secret>,
    manifest: Option<Manifest>,
    database: Option<(u64, String)>,
    /// As the entries themselves say it.
    seen: Manifest,
    upload_bytes: u64,
    lines: Option<Context>,
}

impl Reading {
    fn all(
        &mut self,
        mut file: File,
        progress: &Progress,
        sink: &mut impl FnMut(&Name) -> io::Result<Option<File>>,
    ) -> Result<(), Fault> {
        let mut magic = [0; 4];
        if file.read_exact(&mut magic).is_err() || magic != MAGIC {
            return foreign("it isn't compressed as one");
        }
        let frame = zstd::Decoder::new(magic.as_slice().chain(file))?;
        let mut tar = Archive::new(frame);
        for entry in tar.entries()?.raw(true) {
            let mut entry = entry?;
            let name = self.expect(entry.header().entry_type(), &entry.path_bytes())?;
            let size = entry.size();
            if size > name.most_bytes().unwrap_or(u64::MAX) {
                return foreign(format!("{} in it is larger than it may be", name.text()));
            }
            self.seen.bytes = self.seen.bytes.saturating_add(size);
            if self.seen.bytes > self.most {
                return foreign(format!("there isn't room for what is in it, more than {} bytes", self.most));
            }
            let mut from = Digesting::new(&mut entry, progress.clone());
            match name {
                Name::About | Name::Key | Name::Manifest => {
                    let mut text = String::new();
                    from.read_to_string(&mut text)?;
                    self.take_text(&name, &text)?;
                }
                _ => match sink(&name)? {
                    Some(mut into) => {
                        io::copy(&mut from, &mut into)?;
                        into.flush()?;
                    }
                    None => {
                        io::copy(&mut from, &mut io::sink())?;
                    }
                },
            }
            let (bytes, digest) = (from.bytes, from.finish());
            if bytes != size {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.count(name, size, digest)?;
        }
        ends(tar.into_inner())
    }

    /// Whether this may come next.
    fn expect(&self, kind: EntryType, path: &[u8]) -> Result<Name, Fault> {
        let shown = || String::from_utf8_lossy(path).escape_debug().take(80).collect::<String>();
        if kind != EntryType::Regular {
            return foreign(format!("“{}” in it is no plain file", shown()));
        }
        let Some(name) = Name::parse(path) else {
            return foreign(format!("“{}” is in it, which no backup has", shown()));
        };
        // In the order of their names, each once: none can be put over another.
        match &self.last {
            None if name == Name::About => Ok(name),
            None => foreign("it doesn't begin as one"),
            Some(last) if *last < name => Ok(name),
            Some(_) => foreign(format!("“{}” in it is out of order", shown())),
        }
    }

    fn take_text(&mut self, name: &Name, text: &str) -> Result<(), Fault> {
        let unreadable =
            |error: serde_json::Error| Fault::Foreign(format!("{} in it can't be read: {error}", name.text()));
        match name {
            Name::About => self.about = Some(of_this_program(serde_json::from_str(text).map_err(unreadable)?)?),
            Name::Key => self.key = Some(Secret::new(text.trim())),
            _ => self.manifest = Some(serde_json::from_str(text).map_err(unreadable)?),
        }
        Ok(())
    }

    fn count(&mut self, name: Name, size: u64, digest: String) -> Result<(), Fault> {
        match &name {
            Name::File(named) if *named != digest => return foreign(format!("{} in it is damaged", name.text())),
            Name::File(_) => self.seen.files += 1,
            Name::Picture(_) => self.seen.pictures += 1,
            Name::Database => self.database = Some((size, digest.clone())),
            Name::About | Name::Key | Name::Manifest => {}
        }
        if matches!(name, Name::File(_) | Name::Picture(_)) {
            self.upload_bytes += size;
        }
        if name == Name::Manifest {
            self.seen.bytes -= size;
        } else {
            let line = format!("{digest}  {}\n", name.text());
            self.lines.get_or_insert_with(|| Context::new(&SHA256)).update(line.as_bytes());
        }
        self.last = Some(name);
        Ok(())
    }

    /// Whether what came is what the manifest says.
    fn judge(&mut self) -> Result<(), Fault> {
        let Some(manifest) = &self.manifest else { return foreign("it was cut short: its last entry is missing") };
        let (Some(_), Some((_, digest))) = (&self.key, &self.database) else {
            return foreign("its key or its database is missing");
        };
        if *digest != manifest.database_sha256 {
            return foreign("the database in it is damaged");
        }
        let lines = self.lines.take().map(|lines| hex(lines.finish())).unwrap_or_default();
        let seen = (self.seen.files, self.seen.pictures, self.seen.bytes, lines.as_str());
        if seen != (manifest.files, manifest.pictures, manifest.bytes, manifest.entries_sha256.as_str()) {
            return foreign("what is in it isn't what was written into it");
        }
        Ok(())
    }

    fn contents(self) -> Option<Contents> {
        Some(Contents {
            about: self.about?,
            key: self.key?,
            manifest: self.manifest?,
            database_bytes: self.database?.0,
            upload_bytes: self.upload_bytes,
        })
    }
}

/// Errors: what a newer program has made.
fn of_this_program(about: About) -> Result<About, Fault> {
    if about.format != FORMAT || about.migration > copy::newest_migration() {
        return foreign(format!(
            "it was made by a newer Switchboard ({}, migration {}); this one is {}, migration {}",
            about.program,
            about.migration,
            env!("CARGO_PKG_VERSION"),
            copy::newest_migration()
        ));
    }
    Ok(about)
}

/// Reads on to the end, which proves the frame's checksum. Nothing but padding may come.
fn ends(rest: impl Read) -> Result<(), Fault> {
    let mut rest = rest.take(PADDING + 1);
    let (mut buffer, mut total) = ([0; 8192], 0);
    loop {
        let count = rest.read(&mut buffer)?;
        total += count as u64;
        if buffer[..count].iter().any(|byte| *byte != 0) || total > PADDING {
            return foreign("there is more in it after its end");
        }
        if count == 0 {
            return Ok(());
        }
    }
}
