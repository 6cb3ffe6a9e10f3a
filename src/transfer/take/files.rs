//! Files that come: each is copied beside its name, digested and looked at before its row is stored, and what doesn't come to a
//! row is taken away again. Called by `transfer::take`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Taking;
use super::row::{set, text};
use crate::admin::value::Value;
use crate::attachments::disk::{self, Kept};
use crate::attachments::kind;
use crate::error::{Error, Result};
use crate::transfer::export::PICTURES;
use crate::transfer::lines::{Line, Lines};
use crate::transfer::manifest::FOLDER;
use crate::transfer::outlet::copy;
use crate::users::avatar;

/// Bytes of a person's picture: as many as may be uploaded.
const MOST_PICTURE_BYTES: u64 = avatar::MOST_BYTES as u64;

/// A file that is copied, under no name yet; deleted when it is dropped before it has one.
struct Copied {
    path: PathBuf,
    sha256: String,
    bytes: u64,
}

impl Drop for Copied {
    fn drop(&mut self) {
        // Gone already where it got its name.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Taking<'_> {
    /// Puts the files of those lines of `batch` that never came in their places, and fills in what they are; nobody takes them
    /// away until what this returns is dropped. A line whose file isn't in the bundle stays as it is when it tells its digest,
    /// and goes otherwise.
    pub(super) async fn put_files(&mut self, lines: &Lines, batch: &mut Vec<Line>) -> Result<Kept> {
        let came = {
            let mut conn = self.app.db.read().await?;
            let theirs: Vec<&str> = batch.iter().map(|line| line.theirs.as_str()).collect();
            self.source()?.came(&mut conn, "attachments", &theirs).await?
        };
        let mut copied: HashMap<String, Copied> = HashMap::new();
        let mut left = Vec::new();
        for line in batch.iter_mut().filter(|line| !came.contains_key(&line.theirs)) {
            match self.copy_file(lines, line)? {
                Some(file) => {
                    copied.entry(file.sha256.clone()).or_insert(file);
                }
                None if line.file.is_some() => left.push(line.theirs.clone()),
                None => {
                    self.report.note("Files that the export hasn't: their names stay", text(lines, line, "filename"))
                }
            }
        }
        batch.retain(|line| !left.contains(&line.theirs));
        let moves = copied.values().map(|file| (file.path.clone(), file.sha256.clone())).collect();
        // The lock that this takes is in the folder.
        disk::make_folder(&self.app.config).map_err(Error::internal)?;
        disk::put(self.app, moves).await.map_err(unwritten)
    }

    fn copy_file(&mut self, lines: &Lines, line: &mut Line) -> Result<Option<Copied>> {
        let sha256 = text(lines, line, "sha256").to_owned();
        let most = match line.file {
            // An export is the site's own; what others have is held to what may be uploaded here.
            None => u64::MAX,
            Some(_) => self.app.config.upload_max_bytes,
        };
        let folder = disk::folder(&self.app.config);
        let opened = self.bundle.open(line.file.as_deref(), &sha256).map_err(unread)?;
        let Some(file) = opened.map(|from| copied(&folder, from, most)).transpose().map_err(unwritten)? else {
            return self.left_out(line, "the file isn't there");
        };
        if file.bytes > most {
            return self.left_out(line, "the file is larger than UPLOAD_MAX_BYTES");
        }
        if line.file.is_some() {
            describe(lines, line, &file).map_err(unwritten)?;
        } else if file.sha256 != sha256 {
            return Err(Error::startup(format!("files/{sha256} was changed meanwhile.")));
        }
        Ok(Some(file))
    }

    fn left_out(&mut self, line: &Line, why: &str) -> Result<Option<Copied>> {
        if line.file.is_some() {
            self.report.left("attachments", why, 1);
        }
        Ok(None)
    }

    /// Puts people's pictures in their places. One that nobody comes to have stays for nothing.
    pub(super) async fn put_pictures(&mut self, lines: &Lines, batch: &[Line]) -> Result<()> {
        for line in batch {
            let name = text(lines, line, "avatar");
            if name.is_empty() || self.bundle.manifest.is_none() {
                continue;
            }
            let path = self.bundle.folder.join(FOLDER).join(PICTURES).join(name);
            match picture(&path) {
                Ok(bytes) => avatar::adopt(&self.app.config, name, &bytes)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.report.note("Pictures that the export hasn't", text(lines, line, "username"));
                }
                Err(error) => return Err(unread(error)),
            }
        }
        Ok(())
    }
}

/// Copies what `from` has, at most one byte more than `most`, into a new file in `folder`.
fn copied(folder: &Path, from: impl Read, most: u64) -> io::Result<Copied> {
    let (to, path) = disk::partial(folder)?;
    let mut file = Copied { path, sha256: String::new(), bytes: 0 };
    (file.bytes, file.sha256) = copy(from.take(most.saturating_add(1)), &to)?;
    to.sync_all()?;
    Ok(file)
}

fn picture(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_PICTURE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a file is, by what is in it, as for one that is uploaded.
fn describe(lines: &Lines, line: &mut Line, file: &Copied) -> io::Result<()> {
    let mut head = Vec::new();
    File::open(&file.path)?.take(kind::HEAD as u64).read_to_end(&mut head)?;
    let content_type = kind::content_type(&head, file.bytes == head.len() as u64);
    // A decoder that panics over what a stranger made has not failed us: that file has no size.
    let pixels = std::panic::catch_unwind(|| kind::size(&file.path, content_type)).ok().flatten();
    set(lines, line, "size", Value::Int(i64::try_from(file.bytes).unwrap_or(i64::MAX)));
    set(lines, line, "sha256", Value::Text(file.sha256.clone()));
    set(lines, line, "content_type", Value::Text(content_type.to_owned()));
    set(lines, line, "width", pixels.map_or(Value::Null, |(width, _)| Value::Int(width)));
    set(lines, line, "height", pixels.map_or(Value::Null, |(_, height)| Value::Int(height)));
    Ok(())
}

fn unread(error: io::Error) -> Error {
    Error::startup(format!("A file of what is to be taken in can't be read: {error}"))
}

fn unwritten(error: io::Error) -> Error {
    Error::startup(format!("A file can't be written to UPLOAD_DIR: {error}. Run the command again to go on."))
}
