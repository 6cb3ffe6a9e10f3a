//! The moment at which a restored site takes the place of another: uploads, key, and last the database. What is dropped
//! before that is taken back. Called by [`super::restore`].

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::place::{Incoming, is_same};
use super::scratch::{folder_of, private_folder, sync_folder};
use crate::config::{Config, KEY_FILE, Secret, kept_key};
use crate::error::{Error, Result};

/// What stands beside a SQLite database, and would be taken for the new one's.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What is to be done about the key.
pub enum Key {
    /// It is here already.
    Same,
    /// The settings have another one, which counts.
    Another,
    /// It is put into its file; `true` when another one is there.
    Put(Secret, bool),
}

impl Key {
    /// Errors: a key file that can't be read.
    pub fn plan(config: &Config, key: &Secret) -> Result<Self> {
        Ok(match kept_key(config)? {
            Some(kept) if kept == *key => Self::Same,
            Some(_) if config.secret_key.is_some() => Self::Another,
            kept => Self::Put(key.clone(), kept.is_some()),
        })
    }

    pub fn is_another(&self) -> bool {
        matches!(self, Self::Another)
    }

    /// Errors: [`Error::Startup`] where another key would be replaced.
    pub fn refuse_to_replace(&self) -> Result<()> {
        match self {
            Self::Put(_, true) => Err(Error::startup(format!(
                "There is another site's key in {KEY_FILE}. Nothing was changed; with --force it is replaced."
            ))),
            _ => Ok(()),
        }
    }
}

/// What has been done; taken back when it is dropped before [`Swap::stand`].
pub struct Swap<'a> {
    incoming: &'a Incoming,
    key: &'a Key,
    stamp: &'a str,
    /// Each file that was moved or made: where it is, and where it was, if anywhere.
    done: Vec<(PathBuf, Option<PathBuf>)>,
    stands: bool,
    aside: Vec<String>,
}

impl<'a> Swap<'a> {
    /// `stamp` ends the names of what is replaced.
    pub fn new(incoming: &'a Incoming, key: &'a Key, stamp: &'a str) -> Self {
        Self { incoming, key, stamp, done: Vec::new(), stands: false, aside: Vec::new() }
    }

    /// Errors: [`Error::Startup`] in words; then all is taken back.
    pub fn uploads_and_key(&mut self) -> Result<()> {
        self.incoming.place().map_err(|error| fault("The uploads", &error))?;
        self.put_key().map_err(|error| fault(KEY_FILE, &error))
    }

    fn put_key(&mut self) -> io::Result<()> {
        let Key::Put(key, is_there) = self.key else { return Ok(()) };
        let path = PathBuf::from(KEY_FILE);
        let (folder, written) = (folder_of(&path), path.with_extension("new"));
        private_folder(&folder)?;
        // What a crash left is nobody's.
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&written)?;
        self.done.push((written.clone(), None));
        file.write_all(key.reveal().as_bytes())?;
        file.sync_all()?;
        if *is_there {
            let aside = self.move_aside(&path)?;
            self.aside.push(format!("the key in {}", aside.display()));
        }
        std::fs::rename(&written, &path)?;
        self.done.push((path, None));
        sync_folder(&folder)
    }

    /// Puts the SQLite database `from` in the place `to`, in one step: `to` is there at each moment, the one or the other.
    /// Errors: [`Error::Startup`] in words; then all is taken back.
    pub fn database(&mut self, from: &Path, to: &Path) -> Result<()> {
        let moved = (|| {
            File::open(from)?.sync_all()?;
            for suffix in BESIDE {
                let beside = with(to, suffix);
                if beside.exists() {
                    self.move_aside(&beside)?;
                }
            }
            if to.metadata().is_ok_and(|file| file.len() > 0) {
                let aside = with(to, &format!(".before-{}", self.stamp));
                std::fs::hard_link(to, &aside).or_else(|_| std::fs::rename(to, &aside))?;
                self.done.push((aside.clone(), Some(to.to_owned())));
                self.aside.push(format!("the database in {}", aside.display()));
            }
            std::fs::rename(from, to)?;
            sync_folder(&folder_of(to))
        })();
        moved.map_err(|error: io::Error| fault("The database", &error))
    }

    fn move_aside(&mut self, path: &Path) -> io::Result<PathBuf> {
        let aside = with(path, &format!(".before-{}", self.stamp));
        std::fs::rename(path, &aside)?;
        self.done.push((aside.clone(), Some(path.to_owned())));
        Ok(aside)
    }

    /// It is done. Where what was replaced lies, in words.
    pub fn stand(mut self) -> Vec<String> {
        self.stands = true;
        std::mem::take(&mut self.aside)
    }
}

impl Drop for Swap<'_> {
    fn drop(&mut self) {
        if self.stands {
            return;
        }
        for (is, was) in self.done.drain(..).rev() {
            let _ = match was {
                // Two names of one file: the rename between them does nothing (POSIX).
                Some(was) if is_same(&is, &was) => std::fs::remove_file(is),
                Some(was) => std::fs::rename(is, was),
                None => std::fs::remove_file(is),
            };
        }
        self.incoming.take_back();
    }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

fn fault(what: &str, error: &io::Error) -> Error {
    Error::startup(format!("{what} can't be put in place: {error}. All is as it was before."))
}
