//! Uploaded files on disk: one file a content, under its SHA-256 in hexadecimal, however many messages have it. A file
//! comes first and its rows after it; it goes after its last row, and its thumbnail with it.
//!
//! Between these stands a lock: whoever puts a file in place holds it together with others until the rows are committed,
//! whoever takes files away holds it alone while they ask whether a row is left and delete. So nobody takes away what
//! somebody else is uploading at that moment and has no row of yet. It is a lock on a file in the same folder: it holds
//! between processes too, and goes with the one that had it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::app::App;
use crate::auth::random_token;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::on_db;

/// A file on its way, before its digest is known.
const PARTIAL: &str = ".part-";
const LOCK: &str = ".lock";
/// A file on its way for longer was left by a crash.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Digests asked for in one query.
const TOGETHER: usize = 500;

/// The files of this process: whose turn it is, and what waits to be taken away. The turn stands before the lock, so that
/// of a process no more than one waits for the lock alone: each that does takes a thread, and they are counted.
#[derive(Default)]
pub struct Files {
    turn: Arc<RwLock<()>>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    digests: Vec<String>,
    is_running: bool,
}

impl Files {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps files that were put in place from being taken away again until it is dropped.
pub struct Kept {
    _lock: File,
    _turn: OwnedRwLockReadGuard<()>,
}

pub fn folder(config: &Config) -> PathBuf {
    config.upload_dir.join("files")
}

/// Where the thumbnail of the file with this digest lies, once somebody has asked for it; `None` for what is no digest.
pub(super) fn thumbnail(config: &Config, sha256: &str) -> Option<PathBuf> {
    super::path(config, sha256).map(|_| thumbnails(config).join(sha256))
}

fn thumbnails(config: &Config) -> PathBuf {
    config.upload_dir.join("thumbnails")
}

/// Keeps a thumbnail, unless its file is gone by now. Blocks.
pub(super) fn keep_thumbnail(config: &Config, sha256: &str, bytes: &[u8]) -> io::Result<()> {
    let (Some(file), Some(path)) = (super::path(config, sha256), thumbnail(config, sha256)) else { return Ok(()) };
    let _together = lock(&folder(config)).and_then(|lock| lock.lock_shared().map(|()| lock))?;
    if !file.try_exists()? {
        return Ok(());
    }
    let (mut partial, written) = partial(&thumbnails(config))?;
    let kept = partial.write_all(bytes).and_then(|()| std::fs::rename(&written, path));
    if kept.is_err() {
        let _ = remove(&written);
    }
    kept
}

/// Makes the folder, readable by its owner only, unless it is there.
pub(crate) fn make_folder(config: &Config) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder(config))
}

/// A new file to write into, which nobody else knows. Blocks.
pub(crate) fn partial(folder: &Path) -> io::Result<(File, PathBuf)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(format!("{PARTIAL}{}", &random_token()[..32]));
    Ok((OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?, path))
}

fn lock(folder: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(LOCK))
}

/// Gives files that are whole and on disk the names of their digests, all of them. Whoever asks stores their rows before
/// they let go of what this returns.
pub(crate) async fn put(app: &App, files: Vec<(PathBuf, String)>) -> io::Result<Kept> {
    let turn = app.files.turn.clone().read_owned().await;
    let folder = folder(&app.config);
    let lock = tokio::task::spawn_blocking(move || {
        let lock = lock(&folder)?;
        lock.lock_shared()?;
        for (partial, digest) in &files {
            std::fs::rename(partial, folder.join(digest))?;
        }
        File::open(folder)?.sync_all()?;
        Ok::<_, io::Error>(lock)
    });
    Ok(Kept { _lock: lock.await.map_err(io::Error::other)??, _turn: turn })
}

/// Takes away those of these files that no row has any more, beside what else goes on. A crash before that leaves them,
/// for nothing.
pub fn discard(app: &App, digests: Vec<String>) {
    let mut waiting = app.files.waiting();
    waiting.digests.extend(digests);
    if !std::mem::replace(&mut waiting.is_running, true) {
        tokio::spawn(run(app.clone()));
    }
}

/// Takes away what waits for it, all of it together, until nothing does.
async fn run(app: App) {
    loop {
        let digests = {
            let mut waiting = app.files.waiting();
            waiting.is_running = !waiting.digests.is_empty();
            std::mem::take(&mut waiting.digests)
        };
        if digests.is_empty() {
            return;
        }
        let own = app.clone();
        let done = tokio::spawn(async move { take_away(&own, digests).await }).await;
        if let Err(error) = done.map_err(Error::internal).and_then(|done| done) {
            tracing::warn!(%error, "files that nobody has any more can't be deleted");
        }
    }
}

async fn take_away(app: &App, mut digests: Vec<String>) -> Result<()> {
    digests.sort_unstable();
    digests.dedup();
    let _turn = app.files.turn.write().await;
    let folder = folder(&app.config);
    let alone = tokio::task::spawn_blocking(move || {
        let lock = lock(&folder)?;
        lock.lock()?;
        Ok::<_, io::Error>(lock)
    });
    let alone = match alone.await.map_err(Error::internal)? {
        // Without the folder there are no files.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        alone => alone.map_err(Error::internal)?,
    };
    for some in digests.chunks(TOGETHER) {
        let still = in_use(app, some).await?;
        let gone = some.iter().filter(|digest| !still.contains(digest));
        let of = |digest: &String| [super::path(&app.config, digest), thumbnail(&app.config, digest)];
        let paths: Vec<PathBuf> = gone.flat_map(of).flatten().collect();
        let deleted = tokio::task::spawn_blocking(move || paths.iter().try_for_each(|path| remove(path)));
        deleted.await.map_err(Error::internal)?.map_err(Error::internal)?;
    }
    drop(alone);
    Ok(())
}

/// Those of `digests` that a row has. Cost: 1 indexed query.
async fn in_use(app: &App, digests: &[String]) -> Result<Vec<String>> {
    // Digests of ours: hexadecimal digits.
    let list: Vec<String> = digests.iter().map(|digest| format!("'{digest}'")).collect();
    let sql = format!("select distinct sha256 from attachments where sha256 in ({})", list.join(", "));
    let mut conn = app.db.read().await?;
    Ok(on_db!(conn, c => sqlx::query_scalar(&sql).persistent(false).fetch_all(c).await)?)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Deletes what a crash left of files on their way. A file under its digest is left alone, with a row or without: the
/// database may be an older copy than the folder, or the folder be shared. Blocks. Cost: O(files).
pub fn sweep(config: &Config) -> io::Result<()> {
    sweep_folder(&folder(config))?;
    sweep_folder(&thumbnails(config))
}

fn sweep_folder(folder: &Path) -> io::Result<()> {
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for file in files {
        let file = file?;
        let is_partial = file.file_name().to_string_lossy().starts_with(PARTIAL);
        let written = file.metadata().and_then(|data| data.modified());
        let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
        if is_partial && age.is_some_and(|age| age > STALE) {
            remove(&file.path())?;
        }
    }
    Ok(())
}
