//! What is to be taken in: a folder of lines, where the files' bytes are, and what the place it comes from is called. Called by
//! `cli::import` and the sources.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::manifest::{FOLDER, Manifest};
use super::outlet::{digest, private, private_folder};
use super::report::{Report, shown};
use super::slack::archive::Archive;
use crate::error::{Error, Result};

/// Characters of a bundle's mark that are kept.
pub const MARK: usize = 16;

pub struct Bundle {
    /// What rows of it are written down under: another one for each site, workspace or server.
    pub source: String,
    /// The same for people.
    pub name: String,
    /// Another one for each export, the same for the same: an interrupted import of it goes on.
    pub mark: String,
    pub folder: PathBuf,
    pub files: Files,
    pub manifest: Option<Manifest>,
    /// What was left out when it was read and translated.
    pub report: Report,
    /// Keeps the folder of what was translated until all of it is taken in.
    pub staged: Option<Staged>,
}

/// Where the bytes of files are.
pub enum Files {
    /// In an export, by their digest.
    Export,
    Zip(Archive),
    /// In a folder, by their path there.
    Folder(PathBuf),
    Nowhere,
}

impl Bundle {
    /// An export of a Switchboard. Errors: [`Error::Startup`] for what is none.
    pub fn of_export(folder: &Path) -> Result<Self> {
        let (manifest, text) = Manifest::read(folder)?;
        Ok(Self {
            source: format!("switchboard:{}", manifest.site),
            name: format!("the Switchboard “{}”", shown(&manifest.site_name)),
            mark: mark_of(&text),
            folder: folder.to_owned(),
            files: Files::Export,
            manifest: Some(manifest),
            report: Report::default(),
            staged: None,
        })
    }

    /// The rows of each model that there are, by the manifest or by what was staged.
    pub fn rows(&self) -> BTreeMap<String, u64> {
        let of_manifest = |manifest: &Manifest| {
            let parts = manifest.files.iter();
            parts.map(|(name, part)| (name.trim_end_matches(".jsonl").to_owned(), part.rows)).collect()
        };
        match &self.staged {
            Some(staged) => staged.rows.clone(),
            None => self.manifest.as_ref().map(of_manifest).unwrap_or_default(),
        }
    }

    /// The bytes of the file `name`, or with this digest; `None` where there are none.
    pub fn open(&mut self, name: Option<&str>, sha256: &str) -> io::Result<Option<Box<dyn Read + '_>>> {
        let path = match (&mut self.files, name) {
            (Files::Export, _) => self.folder.join(FOLDER).join(sha256),
            (Files::Folder(folder), Some(name)) => folder.join(name),
            (Files::Zip(archive), Some(name)) => return archive.entry(name),
            (Files::Folder(_) | Files::Zip(_), None) | (Files::Nowhere, _) => return Ok(None),
        };
        match File::open(path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A mark of a text, or of what tells a file from another.
pub fn mark_of(text: &[u8]) -> String {
    digest(text)[..MARK].to_owned()
}

/// A folder that is gone when this is dropped, or when the next one is begun where this process was killed: what people said
/// isn't left lying about.
pub struct Staged {
    pub folder: PathBuf,
    pub rows: BTreeMap<String, u64>,
    /// Locked for as long as somebody needs the folder.
    _held: File,
}

const PREFIX: &str = ".import-";
const LOCK: &str = ".lock";

impl Staged {
    /// A folder beside the uploads, where the site has room for much. Errors: [`Error::Startup`].
    pub fn begin(beside: &Path) -> Result<Self> {
        sweep(beside);
        let folder = beside.join(format!("{PREFIX}{}", &crate::auth::random_token()[..MARK]));
        let held = private_folder(&folder).and_then(|()| private(&folder.join(LOCK))).and_then(|lock| {
            lock.lock()?;
            Ok(lock)
        });
        let held = held.map_err(|error| Error::startup(format!("{} can't be made: {error}", folder.display())))?;
        Ok(Self { folder, rows: BTreeMap::new(), _held: held })
    }
}

/// Takes away what imports that were killed have left.
fn sweep(beside: &Path) {
    for entry in std::fs::read_dir(beside).into_iter().flatten().flatten() {
        let is_staged = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let lock = is_staged.then(|| File::open(entry.path().join(LOCK)).ok()).flatten();
        if lock.is_some_and(|lock| lock.try_lock().is_ok()) {
            // What stays is only in the way.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What stays is only in the way.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
