//! Pictures of people. What somebody uploads is decoded within limits, cut to a square, made anew without anything
//! but its pixels and kept as a file of a random name, which `users.avatar` holds. Called by pages and the JSON API.

pub mod picture;

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::app::App;
use crate::auth::random_token;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::on_db;
use crate::text::initials;
use crate::users::{Person, change};
use crate::work::Work;
use picture::Picture;

/// Bytes that may be uploaded.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Hexadecimal digits in a file's name.
const DIGITS: usize = 32;

/// The address of somebody's picture; without one that of their initials. Cost: O(length).
pub fn url(user: UserId, username: &str, first_name: &str, last_name: &str, avatar: Option<&str>) -> String {
    match avatar {
        Some(file) => file_url(file),
        None => {
            let letters = initials(first_name, last_name, username);
            let letters = percent_encoding::utf8_percent_encode(&letters, percent_encoding::NON_ALPHANUMERIC);
            format!("/avatars/initials/{letters}-{}.svg", user.0.rem_euclid(8))
        }
    }
}

/// The address of the picture in `file`.
pub fn file_url(file: &str) -> String {
    format!("/avatars/{file}")
}

/// Where `file` lies; `None` for what can't be the name of a picture, a path above all. Cost: O(1).
pub fn path(config: &Config, file: &str) -> Option<PathBuf> {
    is_name(file).then(|| folder(config).join(file))
}

/// Puts a picture that another site made in its place, under the name that it has there. One that is here is left alone.
/// Blocks. Errors: what the disk says.
pub(crate) fn adopt(config: &Config, file: &str, bytes: &[u8]) -> Result<()> {
    match path(config, file) {
        Some(target) if !target.exists() => store(&folder(config), &target, bytes),
        _ => Ok(()),
    }
}

/// Whether this can be the name of a picture's file. Cost: O(1).
pub fn is_name(file: &str) -> bool {
    let Some((digits, extension)) = file.split_once('.') else { return false };
    let is_random = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    is_random && picture::content_type(extension).is_some()
}

/// Where pictures lie.
pub fn folder(config: &Config) -> PathBuf {
    config.upload_dir.join("avatars")
}

/// Gives `person` the picture in `bytes`; the one before is gone. Errors: [`Error::Invalid`] at `avatar` for what is no
/// picture, or none that we take. Cost: 1 decoding on a thread of its own, 1 file, 1 write transaction.
pub async fn set(app: &App, person: &Person, bytes: Vec<u8>) -> Result<()> {
    let Picture { bytes, extension } = picture::make(bytes).await?;
    let file = format!("{}.{extension}", &random_token()[..DIGITS]);
    let folder = folder(&app.config);
    let target = folder.join(&file);
    let kept = target.clone();
    tokio::task::spawn_blocking(move || store(&folder, &kept, &bytes)).await.map_err(Error::internal)??;
    match change_to(app, person, Some(&file)).await {
        // A commit that fails may have taken place all the same: then the file is better kept for nothing.
        Ok(work) => work.commit().await,
        Err(error) => {
            discard(app, file);
            Err(error)
        }
    }
}

/// Takes the picture of `person` away. Cost: 1 write transaction.
pub async fn remove(app: &App, person: &Person) -> Result<()> {
    change_to(app, person, None).await?.commit().await
}

async fn change_to(app: &App, person: &Person, file: Option<&str>) -> Result<Work> {
    let mut work = Work::begin(app, Some(person)).await?;
    let before = change::hold(&mut work, person.id).await?.avatar;
    let now = work.now();
    on_db!(work, c => sqlx::query("update users set avatar = $2, updated_at = $3 where id = $1")
        .bind(person.id).bind(file).bind(now).execute(c).await.map(|_| ()))?;
    if let Some(before) = before {
        work.then(move |app| discard(app, before));
    }
    Ok(work)
}

/// Deletes a picture's file, beside what else goes on. One that is gone is left at that.
pub fn discard(app: &App, file: String) {
    let Some(path) = path(&app.config, &file) else { return };
    tokio::task::spawn_blocking(move || {
        if let Err(error) = std::fs::remove_file(path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, file, "a picture that nobody has any more can't be deleted");
        }
    });
}

/// Writes the file beside its name first: whoever finds it under its name finds all of it, after a crash too.
fn store(folder: &Path, target: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::internal)?;
    let partial = target.with_extension("part");
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, target)?;
        std::fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written.map_err(Error::internal)
}
