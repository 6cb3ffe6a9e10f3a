//! Uploads on their way out of an archive into the site's folder. Blocks: called by [`super::restore`].
//!
//! They are unpacked in a folder beside those in use, on the same file system, and get their places before the database
//! does: whatever is in the database has its file at each moment, a crash included. A file's name is its content, so a
//! place that is taken has the same file already; it is put over it all the same, in case that one is damaged. What only the
//! site before had is moved out of the way last.

use std::fs::{File, OpenOptions, read_dir};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::name::Name;
use super::scratch::{Scratch, private_folder, sync_folder};
use crate::attachments::disk;
use crate::config::Config;
use crate::users::avatar;

pub const PREFIX: &str = ".restore-";
/// Names of files that had their places before.
const HAD: &str = "had";

/// Files that were unpacked; what hasn't got its place goes when it is dropped.
pub struct Incoming {
    scratch: Scratch,
    /// Where they lie, and where they go.
    kinds: [(PathBuf, PathBuf); 2],
    thumbnails: PathBuf,
}

impl Incoming {
    /// Makes `UPLOAD_DIR` if it isn't there.
    pub fn new(config: &Config) -> io::Result<Self> {
        private_folder(&config.upload_dir)?;
        let scratch = Scratch::new(&config.upload_dir, PREFIX)?;
        let homes =
            [(Name::File(String::new()), disk::folder(config)), (Name::Picture(String::new()), avatar::folder(config))];
        let kinds = homes.map(|(name, home)| (scratch.path().join(name.path()), home));
        for (from, _) in &kinds {
            private_folder(from)?;
            private_folder(&scratch.path().join(HAD).join(last_part(from)))?;
        }
        Ok(Self { scratch, kinds, thumbnails: config.upload_dir.join("thumbnails") })
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A new file (mode 0600) for this entry.
    pub fn create(&self, name: &Name) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.scratch.path().join(name.path()))
    }

    /// Gives each its place, durably. Cost: 1 or 2 renames a file, and what is still to be written to the disk.
    pub fn place(&self) -> io::Result<()> {
        rustix::fs::syncfs(File::open(self.scratch.path())?)?;
        for (from, home) in &self.kinds {
            private_folder(home)?;
            for file in read_dir(from)? {
                let file = file?;
                let target = home.join(file.file_name());
                if std::fs::hard_link(file.path(), &target).is_err() {
                    // It is there already, or this file system has one name for a file.
                    File::create(self.had(from).join(file.file_name()))?;
                    std::fs::rename(file.path(), &target)?;
                }
            }
            sync_folder(home)?;
        }
        Ok(())
    }

    /// Takes away again what wasn't there before.
    pub fn take_back(&self) {
        for (from, home) in &self.kinds {
            for file in read_dir(from).into_iter().flatten().flatten() {
                let target = home.join(file.file_name());
                // One that hasn't got its place yet may have a namesake there, of the site before.
                if is_same(&file.path(), &target) {
                    let _ = std::fs::remove_file(target);
                }
            }
        }
    }

    /// Moves what this archive doesn't have to `aside`, once all have their places; how many files. Thumbnails of these are
    /// deleted: they are made from the files. Cost: 2 looks a file.
    pub fn put_others_aside(&self, aside: &Path) -> io::Result<u64> {
        let mut moved = 0;
        for (from, home) in &self.kinds {
            for file in read_dir(home)? {
                let file = file?;
                let name = file.file_name();
                let is_ours = from.join(&name).exists() || self.had(from).join(&name).exists();
                if is_ours || name.to_string_lossy().starts_with('.') {
                    continue;
                }
                let target = aside.join(last_part(from));
                private_folder(&target)?;
                std::fs::rename(file.path(), target.join(&name))?;
                match std::fs::remove_file(self.thumbnails.join(&name)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => moved += 1,
                }
            }
        }
        Ok(moved)
    }

    fn had(&self, from: &Path) -> PathBuf {
        self.scratch.path().join(HAD).join(last_part(from))
    }
}

/// Whether two names are those of one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| path.symlink_metadata().ok().map(|data| (data.dev(), data.ino()));
    place(one).is_some() && place(one) == place(other)
}

fn last_part(path: &Path) -> &Path {
    path.file_name().map(Path::new).unwrap_or(path)
}

/// Whether any upload lies in the folder of `config`.
pub fn are_there(config: &Config) -> bool {
    [disk::folder(config), avatar::folder(config)].iter().any(|folder| {
        let files = read_dir(folder).into_iter().flatten().flatten();
        files.into_iter().any(|file| !file.file_name().to_string_lossy().starts_with('.'))
    })
}
