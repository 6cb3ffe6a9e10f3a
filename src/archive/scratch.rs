//! Folders for what isn't done yet, and how much room there is. Called by `backup`, `restore` and `uploads`.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::auth::random_token;
use crate::error::{Error, Result};

/// Longer than any backup takes: a folder that is older was left by a crash.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// A folder of one's own (mode 0700), which goes with all that is in it when this is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one in `folder`, which is there, with a name that begins with `prefix`; those that a crash left are removed.
    /// Blocks.
    pub fn new(folder: &Path, prefix: &str) -> io::Result<Self> {
        sweep(folder, prefix);
        let path = folder.join(format!("{prefix}{}", &random_token()[..16]));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed now is tomorrow.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sweep(folder: &Path, prefix: &str) {
    for found in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let made = found.metadata().and_then(|data| data.modified());
        let age = made.ok().and_then(|made| SystemTime::now().duration_since(made).ok());
        if found.file_name().to_string_lossy().starts_with(prefix) && age.is_some_and(|age| age > STALE) {
            let _ = std::fs::remove_dir_all(found.path());
        }
    }
}

/// A folder (mode 0700) for private things; one that is there is left alone. Blocks.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The folder that `file` is or would be in.
pub fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Bytes that are left on the file system of `path`, or of the folder that it will be made in; `u64::MAX` where nobody says.
pub fn room(path: &Path) -> u64 {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(there).map_or(u64::MAX, |is| is.f_bavail.saturating_mul(is.f_frsize))
}

/// Errors: [`Error::Startup`] when less than `needed` bytes are left at `path`, with both figures.
pub fn has_room(path: &Path, needed: u64) -> Result<()> {
    let left = room(path);
    if left >= needed {
        return Ok(());
    }
    let bytes = crate::admin::dashboard::warning::bytes;
    Err(Error::startup(format!(
        "There isn't enough room at {}: {} are left, and {} are needed.",
        path.display(),
        bytes(left),
        bytes(needed)
    )))
}

/// Makes what was created, renamed or removed in `folder` durable. Blocks. Cost: 1 fsync.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}
