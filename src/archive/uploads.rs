//! The files that go into a backup, kept from vanishing while it is taken. Blocks: called by [`super::backup`].
//!
//! Files go when their last message goes, at any moment, and no backup should hold that up, nor whoever uploads behind it
//! (`attachments/disk.rs`). So before the database is copied each file gets a second name (a hard link) in a folder of this
//! backup, which costs no room and takes 10 µs; what was uploaded since gets one right after. A file that the copy names
//! is lost only where it came and went within that time, and then the database is copied once more. Where a file system
//! has no hard links, files are read where they are.

use std::fs::{File, read_dir};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::name::Name;
use super::scratch::{Scratch, private_folder};
use crate::attachments::{self, disk};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::users::avatar;

const PREFIX: &str = ".backup-";

/// The files of one backup; their second names go when it is dropped.
pub struct Uploads {
    files: PathBuf,
    pictures: PathBuf,
    kept: Option<Scratch>,
}

impl Uploads {
    /// Keeps all that are there. Errors: [`Error::Startup`] when the folder can't be read. Cost: O(files).
    pub fn keep(config: &Config) -> Result<Self> {
        let mut uploads = Self { files: disk::folder(config), pictures: avatar::folder(config), kept: None };
        if !uploads.files.exists() && !uploads.pictures.exists() {
            return Ok(uploads);
        }
        let kept = uploads.link_all(&config.upload_dir);
        uploads.kept = kept.map_err(|error| {
            Error::startup(format!("The uploads in {} can't be read: {error}", config.upload_dir.display()))
        })?;
        Ok(uploads)
    }

    /// `None` where a file can't have two names.
    fn link_all(&self, folder: &Path) -> io::Result<Option<Scratch>> {
        let Ok(kept) = Scratch::new(folder, PREFIX) else { return Ok(None) };
        for name in [Name::File(String::new()), Name::Picture(String::new())] {
            let target = kept.path().join(name.path());
            private_folder(&target)?;
            let found = match read_dir(self.home(&name)) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found?,
            };
            for file in found {
                let file = file?;
                if !is_whole(&name, &file.file_name().to_string_lossy()) {
                    continue;
                }
                match std::fs::hard_link(file.path(), target.join(file.file_name())) {
                    // Gone a moment ago.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(_) => return Ok(None),
                    Ok(()) => {}
                }
            }
        }
        Ok(Some(kept))
    }

    /// Keeps `name`, too, if it came later; whether it is there.
    pub fn keep_also(&self, name: &Name) -> bool {
        let Some(kept) = self.kept(name) else { return self.place(name).exists() };
        kept.exists() || std::fs::hard_link(self.place(name), kept).is_ok()
    }

    /// The file, and how long it is; `None` when it isn't there.
    pub fn open(&self, name: &Name) -> io::Result<Option<(File, u64)>> {
        let path = self.kept(name).filter(|kept| kept.exists()).unwrap_or_else(|| self.place(name));
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => {
                let file = file?;
                let bytes = file.metadata()?.len();
                Ok(Some((file, bytes)))
            }
        }
    }

    fn kept(&self, name: &Name) -> Option<PathBuf> {
        Some(self.kept.as_ref()?.path().join(name.path()))
    }

    fn home(&self, name: &Name) -> &Path {
        if matches!(name, Name::Picture(_)) { &self.pictures } else { &self.files }
    }

    fn place(&self, name: &Name) -> PathBuf {
        let (Name::File(file) | Name::Picture(file)) = name else { return PathBuf::new() };
        self.home(name).join(file)
    }
}

/// Not one on its way, and no lock.
fn is_whole(kind: &Name, file: &str) -> bool {
    if matches!(kind, Name::Picture(_)) { avatar::is_name(file) } else { attachments::is_digest(file) }
}
