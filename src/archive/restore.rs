//! Makes a site of an archive, on either database. Called by `cli::restore`.
//!
//! Everything is known before anything is touched: all of the archive is read and compared with what it says of itself, then
//! it is unpacked beside what is there, the database is looked through, counted and brought to this program's schema. Only
//! then things change places: uploads first, since they harm nobody, then the key, last and in one step the database.
//! Until that step everything is taken back when something fails, and after it what was replaced lies beside it.

use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::name::Name;
use super::place::{self, Incoming};
use super::progress::{Length, Progress};
use super::read::{self, Contents};
use super::scratch::{Scratch, folder_of, has_room, private_folder, room, sync_folder};
use super::swap::{Key, Swap};
use super::{About, Manifest};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::db::copy::hold::{self, Held};
use crate::db::copy::{Copy, IS_THERE};
use crate::error::{Error, Result};

/// A site that stands.
pub struct Restored {
    pub about: About,
    pub manifest: Manifest,
    /// Mails that waited, and aren't sent.
    pub mails: i64,
    /// Where what was replaced lies, in words.
    pub aside: Vec<String>,
    /// What the operator has to know.
    pub warnings: Vec<String>,
}

/// Puts the site of `archive` where `config` says; with `replace`, over one that is there. Errors: [`Error::Startup`] in
/// words, and then everything is as it was: an archive that is damaged, foreign or newer, a site that is there, a server that
/// is at work on it, no room. Cost: room for all of it once more; reads the archive twice; memory for some megabytes.
pub async fn run(
    config: &Config,
    archive: &Path,
    replace: bool,
    now: Timestamp,
    progress: &Progress,
) -> Result<Restored> {
    let contents = examine(config, archive, progress).await?;
    let url = config.database_url.reveal();
    let key = Key::plan(config, &contents.key)?;
    let is_there = hold::is_there(url, config.pooling).await?;
    if !replace {
        refuse_to_replace(config, is_there, &key)?;
    }
    let file = hold::sqlite_file(url);
    let held = match &file {
        Some(file) => hold::hold(file).await?,
        None => None,
    };
    let (incoming, copy) = unpack(config, archive, &contents, file.as_deref(), progress).await?;
    let ready = Ready { config, contents, key, incoming, held, progress, now };
    ready.stand(copy, file, replace).await
}

/// Reads the whole archive, and makes sure that there is room for what is in it.
async fn examine(config: &Config, archive: &Path, progress: &Progress) -> Result<Contents> {
    let bytes = archive.metadata().map_or(0, |file| file.len());
    progress.begin("Checking the archive", Length::Bytes(bytes))?;
    let folder = database_folder(config);
    let most = room(&config.upload_dir).max(room(&folder));
    let (own, progress) = (archive.to_owned(), progress.clone());
    let walked = spawn_blocking(move || read::walk(&own, most, &progress, |_| Ok(None)));
    let contents = walked.await.map_err(Error::internal)??;
    has_room(&config.upload_dir, contents.upload_bytes)?;
    has_room(&folder, contents.database_bytes)?;
    Ok(contents)
}

/// Where the database is unpacked: beside its place, if it is a file.
fn database_folder(config: &Config) -> PathBuf {
    hold::sqlite_file(config.database_url.reveal()).map_or_else(|| config.upload_dir.clone(), |file| folder_of(&file))
}

fn refuse_to_replace(config: &Config, database: bool, key: &Key) -> Result<()> {
    if database {
        return Err(Error::startup(IS_THERE));
    }
    if place::are_there(config) {
        return Err(Error::startup(format!(
            "There are uploads in {} already. Nothing was changed; with --force they are replaced.",
            config.upload_dir.display()
        )));
    }
    key.refuse_to_replace()
}

/// The copy of the database in a folder of its own, which goes when this is dropped.
struct Unpacked {
    copy: Copy,
    path: PathBuf,
    _scratch: Scratch,
}

async fn unpack(
    config: &Config,
    archive: &Path,
    contents: &Contents,
    database: Option<&Path>,
    progress: &Progress,
) -> Result<(Incoming, Unpacked)> {
    progress.begin("Unpacking", Length::Bytes(contents.manifest.bytes))?;
    let folder = database.map_or_else(|| config.upload_dir.clone(), folder_of);
    let (config, archive, progress) = (config.clone(), archive.to_owned(), progress.clone());
    let manifest = contents.manifest.clone();
    let unpacked = spawn_blocking(move || {
        let fault = |error| Error::startup(format!("{} can't be written to: {error}", config.upload_dir.display()));
        let incoming = Incoming::new(&config).map_err(fault)?;
        private_folder(&folder).map_err(|error| unwritten(&folder, &error))?;
        let scratch = Scratch::new(&folder, place::PREFIX).map_err(|error| unwritten(&folder, &error))?;
        let path = scratch.path().join("database");
        let most = manifest.bytes.saturating_add(1 << 20);
        let read = read::walk(&archive, most, &progress, |name| match name {
            Name::Database => private_file(&path).map(Some),
            name => incoming.create(name).map(Some),
        })?;
        if read.manifest != manifest {
            return Err(Error::startup("The archive has changed while it was read; nothing was changed."));
        }
        Ok((incoming, path, scratch))
    });
    let (incoming, path, scratch) = unpacked.await.map_err(Error::internal)??;
    let mut copy = Copy::open(&path).await?;
    copy.check().await?;
    let counts = copy.counts().await?;
    if counts != contents.manifest.tables {
        return Err(Error::startup("The database in the archive has other rows than it says; nothing was changed."));
    }
    Ok((incoming, Unpacked { copy, path, _scratch: scratch }))
}

fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::startup(format!("{} can't be written to: {error}", path.display()))
}

/// All that is needed; nothing is touched yet.
struct Ready<'a> {
    config: &'a Config,
    contents: Contents,
    key: Key,
    incoming: Incoming,
    held: Option<Held>,
    progress: &'a Progress,
    now: Timestamp,
}

impl Ready<'_> {
    async fn stand(mut self, mut unpacked: Unpacked, file: Option<PathBuf>, replace: bool) -> Result<Restored> {
        let copy = &mut unpacked.copy;
        let mails = copy.settle(&self.contents.about.taken_at, self.now).await?;
        let mut warnings = self.warnings(copy).await?;
        let mut aside = Vec::new();
        let stamp = stamp(self.now);
        if let Some(file) = file {
            unpacked.copy.close().await?;
            let mut swap = Swap::new(&self.incoming, &self.key, &stamp);
            swap.uploads_and_key()?;
            swap.database(&unpacked.path, &file)?;
            aside.append(&mut swap.stand());
            if let Some(held) = self.held.take() {
                held.let_go().await;
            }
        } else {
            let url = self.config.database_url.reveal();
            let loaded = unpacked.copy.load(url, self.config.pooling, replace, self.progress).await?;
            if loaded.dropped {
                warnings
                    .push("The site that was in PostgreSQL is gone: no schema could be made to keep it in.".to_owned());
            }
            let kept = loaded.aside.clone();
            let mut swap = Swap::new(&self.incoming, &self.key, &stamp);
            swap.uploads_and_key()?;
            loaded.commit().await?;
            aside.extend(kept.map(|schema| format!("the database in the schema {schema}")));
            aside.append(&mut swap.stand());
        }
        self.put_others_aside(&stamp, &mut aside, &mut warnings);
        let Contents { about, manifest, .. } = self.contents;
        Ok(Restored { about, manifest, mails, aside, warnings })
    }

    async fn warnings(&self, copy: &mut Copy) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        if self.key.is_another() {
            let people = copy.people_with_second_factor().await?;
            warnings.push(format!(
                "SECRET_KEY in the settings isn't the key of the backup, and the setting counts. Passwords and personal tokens \
                 work; second factors ({people} people) and recovery codes don't, until somebody runs `switchboard user \
                 reset-two-factor NAME`, and browsers have to turn on pushes anew. To avoid all that, restore again with the \
                 backup's key: it is in the archive, as secret_key."
            ));
        }
        if self.contents.manifest.missing > 0 {
            let missing = self.contents.manifest.missing;
            warnings.push(format!("{missing} files were missing already when the backup was taken."));
        }
        if self.config.pooling.bouncer {
            warnings
                .push("Through PgBouncer one can't tell whether a server runs: none may have, meanwhile.".to_owned());
        }
        Ok(warnings)
    }

    /// The new site stands: what can't be moved now is only in the way.
    fn put_others_aside(&self, stamp: &str, aside: &mut Vec<String>, warnings: &mut Vec<String>) {
        let folder = self.config.upload_dir.join(format!("before-{stamp}"));
        match self.incoming.put_others_aside(&folder) {
            Ok(0) => {}
            Ok(count) => aside.push(format!("{count} uploads in {}", folder.display())),
            Err(error) => warnings.push(format!(
                "Uploads of the site before are still in {}: they can't be moved: {error}.",
                self.config.upload_dir.display()
            )),
        }
        if let Err(error) = sync_folder(&self.config.upload_dir) {
            warnings.push(format!("{} can't be written to the disk: {error}.", self.config.upload_dir.display()));
        }
    }
}

/// `2026-11-22T033000Z`, as part of a name.
pub(super) fn stamp(now: Timestamp) -> String {
    let text = now.to_string();
    let whole = text.split('.').next().unwrap_or_default();
    format!("{}Z", whole.replace(':', ""))
}
