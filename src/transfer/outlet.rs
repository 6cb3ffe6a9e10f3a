//! Files of an export while they are written: readable by their owner only, counted and digested as they grow. Called by
//! `transfer::export` and `transfer::staging`.

use crate::text::hex;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// What a whole file is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub rows: u64,
    pub bytes: u64,
    /// Hexadecimal digits.
    pub sha256: String,
}

/// A file of lines.
pub struct Outlet {
    file: BufWriter<File>,
    digest: Context,
    rows: u64,
    bytes: u64,
}

impl Outlet {
    /// Errors: a file that is there already, and whatever the disk says.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::with_capacity(1 << 18, private(path)?),
            digest: Context::new(&SHA256),
            rows: 0,
            bytes: 0,
        })
    }

    /// `line` without its end.
    pub fn line(&mut self, line: &[u8]) -> io::Result<()> {
        for piece in [line, b"\n"] {
            self.digest.update(piece);
            self.file.write_all(piece)?;
        }
        self.rows += 1;
        self.bytes += line.len() as u64 + 1;
        Ok(())
    }

    /// Hands all of it to the system; on disk it is once that is asked for.
    pub fn finish(mut self) -> io::Result<Part> {
        self.file.flush()?;
        Ok(Part { rows: self.rows, bytes: self.bytes, sha256: hex(self.digest.finish()) })
    }
}

/// A new file for its owner alone.
pub fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A folder for its owner alone; one that is there is left as it is.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Copies what can be read to the end; its length and its digest. Cost: O(length), 64 KiB of memory.
pub fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<(u64, String)> {
    let (mut digest, mut bytes, mut buffer) = (Context::new(&SHA256), 0, vec![0; 1 << 16]);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex(digest.finish()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        digest.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
}

/// The digest of a text.
pub fn digest(text: &[u8]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(text);
    hex(context.finish())
}
