//! Writes an archive, entry by entry. Blocks: called by [`super::backup`] on a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use tar::{Builder, EntryType, Header};

use super::name::Name;
use super::progress::Progress;
use super::{About, Manifest};
use crate::error::{Error, Result};
use crate::text::hex;

/// Zstandard's own default: texts to a quarter, at some hundred megabytes a second and core. Higher levels take several times
/// as long for a tenth less.
const LEVEL: i32 = 3;

/// An archive that isn't whole until [`Writer::finish`].
pub struct Writer {
    tar: Builder<zstd::Encoder<'static, BufWriter<File>>>,
    path: PathBuf,
    lines: Context,
    bytes: u64,
    seconds: u64,
    progress: Progress,
}

impl Writer {
    /// A new file (mode 0600). Entries bear the time `seconds` after 1970. Errors: [`Error::Startup`] in words.
    pub fn create(path: &Path, about: &About, seconds: u64, progress: Progress) -> Result<Self> {
        let fault = |error| unwritten(path, &error);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fault)?;
        let mut frame = zstd::Encoder::new(BufWriter::with_capacity(1 << 20, file), LEVEL).map_err(fault)?;
        frame.include_checksum(true).map_err(fault)?;
        let tar = Builder::new(frame);
        let mut writer = Self { tar, path: path.to_owned(), lines: Context::new(&SHA256), bytes: 0, seconds, progress };
        writer.add_text(&Name::About, &json(about)?)?;
        Ok(writer)
    }

    pub fn add_text(&mut self, name: &Name, text: &str) -> Result<()> {
        self.add(name, text.len() as u64, text.as_bytes()).map(|_| ())
    }

    /// Adds what `from` gives, which must be `size` bytes; its SHA-256. Errors: [`Error::Startup`] when it can't be read
    /// or has another length by now, and when somebody asked for an end.
    pub fn add(&mut self, name: &Name, size: u64, from: impl Read) -> Result<String> {
        let header = self.header(name, size)?;
        let mut from = Digesting::new(from.take(size), self.progress.clone());
        self.tar.append(&header, &mut from).map_err(|error| self.fault(name, &error))?;
        if from.bytes != size {
            return Err(Error::startup(format!("{} has become shorter while it was read.", name.text())));
        }
        let digest = from.finish();
        self.lines.update(format!("{digest}  {}\n", name.text()).as_bytes());
        self.bytes += size;
        Ok(digest)
    }

    /// Writes the manifest, with what this knows of it, and makes the file durable.
    pub fn finish(mut self, manifest: Manifest) -> Result<Manifest> {
        let manifest = Manifest { bytes: self.bytes, entries_sha256: hex(self.lines.clone().finish()), ..manifest };
        let text = json(&manifest)?;
        self.add_text(&Name::Manifest, &text)?;
        let path = self.path.clone();
        let ended = self.tar.into_inner().and_then(zstd::Encoder::finish);
        let file = ended.and_then(|file| file.into_inner().map_err(io::IntoInnerError::into_error));
        file.and_then(|file| file.sync_all()).map_err(|error| unwritten(&path, &error))?;
        Ok(manifest)
    }

    fn header(&self, name: &Name, size: u64) -> Result<Header> {
        // GNU's form: a size beyond 8 GiB has a place in it.
        let mut header = Header::new_gnu();
        header.set_path(name.path()).map_err(Error::internal)?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.seconds);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        Ok(header)
    }

    fn fault(&self, name: &Name, error: &io::Error) -> Error {
        match self.progress.go_on() {
            Err(stopped) => stopped,
            Ok(()) => Error::startup(format!("{} can't be written to {}: {error}", name.text(), self.path.display())),
        }
    }
}

/// Counts and digests what is read through it, and tells how far it is.
pub(super) struct Digesting<R> {
    from: R,
    digest: Context,
    progress: Progress,
    pub bytes: u64,
}

impl<R: Read> Digesting<R> {
    pub fn new(from: R, progress: Progress) -> Self {
        Self { from, digest: Context::new(&SHA256), progress, bytes: 0 }
    }

    pub fn finish(self) -> String {
        hex(self.digest.finish())
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.progress.go_on().is_err() {
            return Err(io::Error::other("stopped"));
        }
        let count = self.from.read(into)?;
        self.digest.update(&into[..count]);
        self.bytes += count as u64;
        self.progress.add(count as u64);
        Ok(count)
    }
}

/// The SHA-256 of what `from` gives, and how long it is. Blocks.
pub(super) fn digest_of(from: impl Read, progress: &Progress) -> io::Result<(String, u64)> {
    let mut from = Digesting::new(from, progress.clone());
    let bytes = io::copy(&mut from, &mut io::sink())?;
    Ok((from.finish(), bytes))
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(Error::internal)
}

fn unwritten(path: &Path, error: &io::Error) -> Error {
    Error::startup(format!("{} can't be written: {error}", path.display()))
}
