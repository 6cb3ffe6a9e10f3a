//! Everything that the site keeps of a person, in one ZIP file for them to take away. Called by the page of settings.
//! It tells of others what their owner can see of them anyway: names. It holds no password and no hash.

mod archive;
mod rows;

use std::fs::File;

use serde::Serialize;

use crate::app::App;
use crate::attachments;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::on_db;
use crate::users::avatar;
use crate::users::turns::Turn;
use archive::Archive;
use rows::{Attachment, Block, Interest, Membership, Message, Notification, Profile, Reaction, Report, Session, Token};

/// Rows that are read at once.
const PAGE: i64 = 1000;

const README: &str = "What this site keeps of you, as of the day you asked.\n\n\
    profile.json        your account: names, address, role, what you say of yourself\n\
    rooms.json          the rooms you are in\n\
    messages.json       what you wrote, oldest first; a deleted message has no text any more\n\
    reactions.json      your reactions to messages\n\
    interests.json      who asked to talk with you, and whom you asked\n\
    blocks.json         whom you have blocked\n\
    notifications.json  what you were told of\n\
    sessions.json       where you are logged in\n\
    api_tokens.json     the tokens your programs use; what they are is stored nowhere\n\
    reports.json        messages that you reported\n\
    attachments.json    files that you uploaded with messages\n\
    files/              those files, and your picture\n\n\
    The .json files can be opened with any text editor. Times are UTC.\n";

/// All that belongs to `user`, as an unnamed ZIP file on disk; their turn ends when both are dropped.
/// Errors: [`Error::Conflict`] while another export of theirs is on its way.
/// Cost: 1 query a thousand rows, O(1,000 rows) of memory; written on a thread of its own.
pub async fn put_together(app: &App, user: UserId) -> Result<(File, Turn)> {
    let turn = app.exports.begin(user).ok_or(Error::Conflict(msgid!("Your data is on its way already.")))?;
    let archive = Archive::begin(app.config.upload_dir.clone());
    let data = Data { app, user, archive };
    data.archive.file("README.txt").await?;
    data.archive.write(README.into()).await?;
    data.profile().await?;
    data.lists().await?;
    data.files().await?;
    Ok((data.archive.finish().await?, turn))
}

struct Data<'a> {
    app: &'a App,
    user: UserId,
    archive: Archive,
}

/// The page of a person's rows after a place, by time and id.
macro_rules! page {
    ($data:ident, $row:ty, $after:ident) => {{
        let mut conn = $data.app.db.read().await?;
        let rows: Vec<$row> = on_db!(conn, c => sqlx::query_as(<$row>::SQL)
            .bind($data.user).bind($after.0).bind($after.1).bind(PAGE).fetch_all(c).await)?;
        if let Some(last) = rows.last() {
            $after = (last.created_at, last.id);
        }
        rows
    }};
}

/// Writes a person's rows of one kind as a JSON array.
macro_rules! list {
    ($data:ident, $file:literal, $row:ty) => {{
        $data.archive.file($file).await?;
        let mut after = START;
        let mut is_first = true;
        loop {
            let rows = page!($data, $row, after);
            if rows.is_empty() {
                break;
            }
            $data.archive.write(lines(&rows, is_first)?).await?;
            is_first = false;
        }
        $data.archive.write(if is_first { b"[]\n".into() } else { b"\n]\n".into() }).await?;
    }};
}

const START: (Timestamp, i64) = (Timestamp(i64::MIN), i64::MIN);

/// An array's next rows, one a line.
fn lines(rows: &[impl Serialize], is_first: bool) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        text.extend_from_slice(if is_first && number == 0 { b"[\n" } else { b",\n" });
        serde_json::to_writer(&mut text, row).map_err(Error::internal)?;
    }
    Ok(text)
}

impl Data<'_> {
    async fn profile(&self) -> Result<()> {
        let mut conn = self.app.db.read().await?;
        let profile: Option<Profile> = on_db!(conn, c => sqlx::query_as(Profile::SQL)
            .bind(self.user).fetch_optional(c).await)?;
        drop(conn);
        let profile = profile.ok_or(Error::SignedOut)?;
        self.archive.file("profile.json").await?;
        self.archive.write(serde_json::to_vec_pretty(&profile).map_err(Error::internal)?).await?;
        let picture = profile.avatar.and_then(|file| Some((avatar::path(&self.app.config, &file)?, file)));
        match picture {
            Some((path, file)) => self.archive.copy(format!("files/avatar-{file}"), path).await,
            None => Ok(()),
        }
    }

    async fn lists(&self) -> Result<()> {
        list!(self, "rooms.json", Membership);
        list!(self, "messages.json", Message);
        list!(self, "reactions.json", Reaction);
        list!(self, "interests.json", Interest);
        list!(self, "blocks.json", Block);
        list!(self, "notifications.json", Notification);
        list!(self, "sessions.json", Session);
        list!(self, "api_tokens.json", Token);
        list!(self, "reports.json", Report);
        list!(self, "attachments.json", Attachment);
        Ok(())
    }

    /// The uploads that are on disk.
    async fn files(&self) -> Result<()> {
        let mut after = START;
        loop {
            let rows = page!(self, Attachment, after);
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                if let Some(path) = attachments::path(&self.app.config, &row.sha256) {
                    self.archive.copy(row.file(), path).await?;
                }
            }
        }
    }
}
