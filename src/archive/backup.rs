//! Takes a backup of a site that is being served, or isn't. Called by `cli::backup` and by [`super::nightly`].
//!
//! Until all of it was read back and is as it was written, it isn't there under its name: it grows in a folder of its own
//! beside it, and goes with that when anything fails.

use std::path::{Path, PathBuf};

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::name::Name;
use super::progress::{Length, Progress};
use super::scratch::{Scratch, folder_of, has_room, sync_folder};
use super::uploads::Uploads;
use super::write::{Writer, digest_of};
use super::{About, FORMAT, Manifest, read};
use crate::clock::Timestamp;
use crate::config::{Config, KEY_FILE, Secret, kept_key};
use crate::db::copy::Copy;
use crate::error::{Error, Result};

const PREFIX: &str = ".switchboard-backup-";
/// Names asked for at once.
const TOGETHER: i64 = 500;
/// Missing files that are told by name.
const TOLD: usize = 20;

/// A backup that lies where it should and was read back.
pub struct Taken {
    pub about: About,
    pub manifest: Manifest,
    /// Of the archive.
    pub bytes: u64,
    /// Files that rows name and that weren't there or weren't what they had been: the first of [`Manifest::missing`].
    pub missing: Vec<String>,
}

/// Writes the site of `config` into the file `target` (mode 0600) as of about `now`, while others serve it. Changes nothing
/// in the site. Errors: [`Error::Startup`] in words; then there is nothing at `target`, or what was there before. Missing
/// files are no error: see [`Taken::missing`]. Cost: room for the database once more beside the archive; reads the uploads
/// twice; memory for some megabytes.
pub async fn take(config: &Config, target: &Path, replace: bool, now: Timestamp, progress: &Progress) -> Result<Taken> {
    if !replace {
        refuse_to_write_over(target)?;
    }
    let key = kept_key(config)?.ok_or_else(|| {
        Error::startup(format!(
            "The site's key isn't here: there is no SECRET_KEY and no {KEY_FILE}. Run this in the folder that the server is \
             started in."
        ))
    })?;
    let folder = folder_of(target);
    let scratch = Scratch::new(&folder, PREFIX)
        .map_err(|error| Error::startup(format!("{} can't be written to: {error}", folder.display())))?;
    let (copy, uploads) = copy(config, scratch.path(), progress).await?;
    let work =
        Work { copy, uploads, key, scratch, target: target.to_owned(), replace, now, progress: progress.clone() };
    let (runtime, engine) = (Handle::current(), engine(config));
    spawn_blocking(move || work.write(&runtime, engine)).await.map_err(Error::internal)?
}

fn refuse_to_write_over(target: &Path) -> Result<()> {
    match target.symlink_metadata() {
        Ok(_) => Err(Error::startup(format!("{} is there already; --force writes over it.", target.display()))),
        Err(_) => Ok(()),
    }
}

fn engine(config: &Config) -> &'static str {
    if config.database_url.reveal().starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" }
}

/// The database, and the uploads that it names.
async fn copy(config: &Config, scratch: &Path, progress: &Progress) -> Result<(Copy, Uploads)> {
    let url = config.database_url.reveal();
    let mut is_second = false;
    loop {
        let own = config.clone();
        let uploads = spawn_blocking(move || Uploads::keep(&own)).await.map_err(Error::internal)??;
        let file = scratch.join(if is_second { "second.db" } else { "first.db" });
        let mut copy = Copy::take(url, config.pooling, &file, progress).await?;
        let missing = keep_rest(&mut copy, &uploads).await?;
        if missing == 0 || is_second {
            copy.check().await?;
            return Ok((copy, uploads));
        }
        // One that came and went meanwhile isn't named by the next copy any more.
        is_second = true;
        copy.close().await?;
        std::fs::remove_file(&file).map_err(Error::internal)?;
    }
}

/// Keeps what was uploaded since the others were; how many aren't there.
async fn keep_rest(copy: &mut Copy, uploads: &Uploads) -> Result<u64> {
    let mut missing = 0;
    let mut names = Names::default();
    loop {
        let next = names.next(copy).await?;
        if next.is_empty() {
            return Ok(missing);
        }
        missing += next.iter().filter(|name| !uploads.keep_also(name)).count() as u64;
    }
}

/// The files that a copy names, in the order of an archive.
#[derive(Default)]
struct Names {
    file: String,
    picture: String,
    files_done: bool,
}

impl Names {
    /// Some more; none after the last.
    async fn next(&mut self, copy: &mut Copy) -> Result<Vec<Name>> {
        if !self.files_done {
            let files = copy.files(&self.file, TOGETHER).await?;
            if let Some((last, _)) = files.last() {
                self.file.clone_from(last);
                return Ok(files.into_iter().map(|(digest, _)| Name::File(digest)).collect());
            }
            self.files_done = true;
        }
        let pictures = copy.pictures(&self.picture, TOGETHER).await?;
        if let Some(last) = pictures.last() {
            self.picture.clone_from(last);
        }
        Ok(pictures.into_iter().map(Name::Picture).collect())
    }
}

/// All that goes into the archive.
struct Work {
    copy: Copy,
    uploads: Uploads,
    key: Secret,
    scratch: Scratch,
    target: PathBuf,
    replace: bool,
    now: Timestamp,
    progress: Progress,
}

impl Work {
    fn write(mut self, runtime: &Handle, engine: &str) -> Result<Taken> {
        let about = About {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            migration: runtime.block_on(self.copy.migration())?,
            engine: engine.to_owned(),
            taken_at: self.now.to_string(),
        };
        let database = std::fs::File::open(self.file()).map_err(Error::internal)?;
        let bytes = database.metadata().map_err(Error::internal)?.len();
        let upload_bytes = runtime.block_on(self.copy.upload_bytes())?;
        has_room(self.scratch.path(), upload_bytes)?;
        self.progress.begin("Writing the archive", Length::Bytes(bytes + 2 * upload_bytes))?;
        let path = self.scratch.path().join("archive");
        let seconds = u64::try_from(self.now.0 / 1_000_000).unwrap_or(0);
        let mut writer = Writer::create(&path, &about, seconds, self.progress.clone())?;
        writer.add_text(&Name::Key, self.key.reveal())?;
        let mut manifest = Manifest { tables: runtime.block_on(self.copy.counts())?, ..Manifest::default() };
        manifest.database_sha256 = writer.add(&Name::Database, bytes, database)?;
        let missing = self.write_uploads(runtime, &mut writer, &mut manifest)?;
        let manifest = writer.finish(manifest)?;
        let bytes = self.publish(&path, &about, &manifest)?;
        Ok(Taken { about, manifest, bytes, missing })
    }

    fn file(&self) -> PathBuf {
        let second = self.scratch.path().join("second.db");
        if second.exists() { second } else { self.scratch.path().join("first.db") }
    }

    fn write_uploads(&mut self, runtime: &Handle, writer: &mut Writer, manifest: &mut Manifest) -> Result<Vec<String>> {
        let (mut names, mut missing) = (Names::default(), Vec::new());
        loop {
            let next = runtime.block_on(names.next(&mut self.copy))?;
            if next.is_empty() {
                return Ok(missing);
            }
            for name in next {
                if self.write_upload(writer, &name)? {
                    match name {
                        Name::Picture(_) => manifest.pictures += 1,
                        _ => manifest.files += 1,
                    }
                } else {
                    manifest.missing += 1;
                    if missing.len() < TOLD {
                        missing.push(name.text());
                    }
                }
            }
        }
    }

    /// Whether it is there and what it was: one whose content isn't what its name says would make the whole archive look
    /// damaged.
    fn write_upload(&self, writer: &mut Writer, name: &Name) -> Result<bool> {
        let fault = |error| Error::startup(format!("{} can't be read: {error}", name.text()));
        if Name::parse(name.text().as_bytes()).is_none() {
            return Ok(false);
        }
        let Some((file, bytes)) = self.uploads.open(name).map_err(fault)? else { return Ok(false) };
        if let Name::File(named) = name {
            let (digest, _) = digest_of(&file, &self.progress).map_err(fault)?;
            if digest != *named {
                return Ok(false);
            }
            std::io::Seek::rewind(&mut &file).map_err(fault)?;
        }
        writer.add(name, bytes, file)?;
        Ok(true)
    }

    /// Reads all of it back, and only then gives it its name. Its length in bytes.
    fn publish(&self, path: &Path, about: &About, manifest: &Manifest) -> Result<u64> {
        let unwritten = |error| Error::startup(format!("{} can't be written: {error}", self.target.display()));
        self.progress.begin("Reading it back", Length::Bytes(manifest.bytes))?;
        let found = read::walk(path, u64::MAX, &self.progress, |_| Ok(None))?;
        if (&found.about, &found.manifest) != (about, manifest) || found.key != self.key {
            return Err(Error::startup("What was read back isn't what was written. Is the disk sound?"));
        }
        let bytes = path.metadata().map_err(unwritten)?.len();
        if !self.replace {
            refuse_to_write_over(&self.target)?;
        }
        std::fs::rename(path, &self.target).map_err(unwritten)?;
        sync_folder(&folder_of(&self.target)).map_err(unwritten)?;
        Ok(bytes)
    }
}
