//! Files on their way into one message: [`Intake`] writes each to disk as it comes, counting and digesting, and posts the
//! message when all are there. Called by the JSON API and by the page of a room,
//! through `web/upload.rs`.
//!
//! What is dropped on the way leaves nothing: a file that isn't whole goes with its [`Partial`], one that is in place and
//! came to nothing is taken away again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::{NewFile, disk, kind, name};
use crate::app::App;
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::{MessageId, RoomId};
use crate::messages::{self, NewMessage, Posted};
use crate::rooms::{self, NOT_JOINED};
use crate::text::hex;
use crate::users::Person;

/// Files that one message may have.
pub const MOST_FILES: usize = 10;

/// What a message is posted with, as far as it has come.
pub struct Intake {
    app: App,
    person: Person,
    room: RoomId,
    files: Vec<(Partial, NewFile)>,
}

/// A file that isn't whole yet, or has no row yet; deleted when it is dropped.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // One unlink, or none where it has its name already: not worth a thread.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One file while it comes in.
pub struct Incoming {
    name: String,
    file: File,
    partial: Partial,
    digest: Context,
    size: u64,
    most: u64,
    head: Vec<u8>,
}

impl Intake {
    /// Before a byte is read: whether `person` may post to `room` at all. Errors: as [`messages::post`].
    /// Cost: 1 indexed query.
    pub async fn begin(app: &App, person: &Person, room: RoomId) -> Result<Self> {
        let seen = rooms::see(&mut app.db.read().await?, person.id, room).await?;
        if !seen.is_member() {
            return Err(NOT_JOINED);
        }
        Ok(Self { app: app.clone(), person: person.clone(), room, files: Vec::new() })
    }

    /// A file called `name` begins to come in. Errors: [`Error::Invalid`] at `file` when there are ten already.
    pub async fn file(&self, name: &str) -> Result<Incoming> {
        if self.files.len() == MOST_FILES {
            return Err(Error::field("file", tr!("A message has at most {most} files.", most = MOST_FILES)));
        }
        let folder = disk::folder(&self.app.config);
        let (file, path) = blocking(move || disk::partial(&folder)).await?;
        Ok(Incoming {
            name: name::clean(name),
            file: File::from_std(file),
            partial: Partial(path),
            digest: Context::new(&SHA256),
            size: 0,
            most: self.app.config.upload_max_bytes,
            head: Vec::new(),
        })
    }

    /// The file is whole. Errors: [`Error::Invalid`] at `file` for a type that the site doesn't take.
    pub async fn add(&mut self, incoming: Incoming) -> Result<()> {
        let (partial, file) = incoming.finish().await?;
        if !self.app.settings().takes(file.content_type) {
            let why = tr!("Files of the type {kind} can't be posted on this site.", kind = file.content_type);
            return Err(Error::field("file", why));
        }
        self.files.push((partial, file));
        Ok(())
    }

    /// The digests of the files that are here, in their order.
    pub fn digests(&self) -> Vec<String> {
        self.files.iter().map(|(_, file)| file.sha256.clone()).collect()
    }

    /// Posts the message with its files. Errors: as [`NewMessage::with`] and [`messages::post`].
    /// Cost: 1 rename a file, 1 flush of the folder, then as [`messages::post`] and 1 statement a file.
    pub async fn post(self, content: &str, client_id: Option<String>, reply_to: Option<MessageId>) -> Result<Posted> {
        let Self { app, person, room, files } = self;
        let (partials, files): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let new = NewMessage::with(content, client_id, reply_to, files)?;
        if new.files.is_empty() {
            return messages::post(&app, &person, room, new).await;
        }
        // Whoever goes away cuts its handler off: what is in place is stored all the same, or taken away again.
        let stored =
            tokio::spawn(i18n::within(i18n::current(), async move { store(&app, &person, room, new, partials).await }));
        stored.await.map_err(Error::internal)?
    }
}

async fn store(app: &App, person: &Person, room: RoomId, new: NewMessage, partials: Vec<Partial>) -> Result<Posted> {
    let digests: Vec<String> = new.files.iter().map(|file| file.sha256.clone()).collect();
    let moves: Vec<_> = partials.iter().map(|partial| partial.0.clone()).zip(digests.clone()).collect();
    let put = disk::put(app, moves).await.map_err(unwritten);
    let posted = match put {
        Ok(kept) => {
            let posted = messages::post(app, person, room, new).await;
            drop(kept);
            posted
        }
        Err(error) => Err(error),
    };
    match &posted {
        // A commit that fails may have taken place all the same: then the files are better kept for nothing.
        Ok(Posted { new: true, .. }) | Err(Error::Unavailable | Error::Internal(_)) => {}
        Ok(_) | Err(_) => disk::discard(app, digests),
    }
    posted
}

impl Incoming {
    /// The next bytes. Errors: [`Error::TooLarge`] beyond `UPLOAD_MAX_BYTES`; then nothing of it stays.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.size > self.most {
            return Err(Error::TooLarge);
        }
        let wanted = kind::HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..wanted]);
        self.digest.update(bytes);
        self.file.write_all(bytes).await.map_err(unwritten)
    }

    /// Flushes it to disk and looks at what it is.
    async fn finish(mut self) -> Result<(Partial, NewFile)> {
        self.file.flush().await.map_err(unwritten)?;
        self.file.sync_all().await.map_err(unwritten)?;
        let content_type = kind::content_type(&self.head, self.size == self.head.len() as u64);
        let pixels = pixels(&self.partial.0, content_type).await;
        let digest = self.digest.finish();
        let file = NewFile {
            filename: self.name,
            content_type,
            size: i64::try_from(self.size).map_err(Error::internal)?,
            sha256: hex(digest),
            width: pixels.map(|(width, _)| width),
            height: pixels.map(|(_, height)| height),
        };
        Ok((self.partial, file))
    }
}

/// A decoder that panics over what a stranger sent has not failed us: that file has no size.
async fn pixels(path: &Path, content_type: &'static str) -> Option<(i64, i64)> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || kind::size(&path, content_type)).await.ok().flatten()
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(Error::internal)?.map_err(unwritten)
}

/// A disk that is full isn't a fault of the program's, and may have room again in a moment.
fn unwritten(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            tracing::warn!(%error, "a file can't be taken in");
            Error::Unavailable
        }
        _ => Error::internal(error),
    }
}
