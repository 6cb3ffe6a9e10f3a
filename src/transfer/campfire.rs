//! The database of 37signals' Campfire, an open format (Rails on SQLite): people, rooms, who is in them, messages with their
//! texts, files and boosts. Called by `cli::import`. The file is opened for reading alone, and its copy in use may be read.
//!
//! People come without passwords: theirs are bcrypt, which isn't used here. Files are taken from the folder of Rails' Active
//! Storage, where it is given: `xx/yy/key`, by the first four letters of the key.

mod html;
mod rows;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::bundle::{Bundle, Files, mark_of};
use super::staging::{Attachment, Member, Message, Person, Room, Staging};
use super::take::Step;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::company::Foreign;
use crate::error::{Error, Result};
use crate::reactions::emoji;
use rows::{Boost, Said, time_of};

/// Reads all of it, and translates it beside the uploads. `told` hears how far it is. Errors: [`Error::Startup`] for what isn't
/// such a database; nothing of the site is touched. Cost: O(rows), some hundred in memory, and the names of people.
pub async fn read(app: &App, file: &Path, files: Option<&Path>, told: impl Fn(Step)) -> Result<Bundle> {
    let data = std::fs::metadata(file)
        .map_err(|error| Error::startup(format!("{} can't be read: {error}", file.display())))?;
    if let Some(folder) = files.filter(|folder| !folder.is_dir()) {
        return Err(Error::startup(format!("{} is no folder.", folder.display())));
    }
    let foreign = Foreign::open(file).await?;
    let mut conn = foreign.read().await?;
    rows::require(&mut conn, file).await?;
    let site = rows::site(&mut conn).await?;
    let source = format!("campfire:{site}");
    // The same file, unless somebody wrote to it.
    let mark = mark_of(format!("{source} {} {:?}", data.len(), data.modified().ok()).as_bytes());
    told(Step::Reading(rows::count(&mut conn).await?));
    let staging = Staging::begin(app, &source).await?;
    let mut reading = Reading { staging, files: files.map(Path::to_owned), told: &told };
    reading.people(&mut conn).await?;
    reading.messages(&mut conn).await?;
    reading.boosts(&mut conn).await?;
    reading.rooms(&mut conn).await?;
    drop(conn);
    foreign.close().await;
    let (staged, report) = reading.staging.finish()?;
    Ok(Bundle {
        source,
        name: "the Campfire".to_owned(),
        mark,
        folder: staged.folder.clone(),
        files: files.map_or(Files::Nowhere, |folder| Files::Folder(folder.to_owned())),
        manifest: None,
        report,
        staged: Some(staged),
    })
}

struct Reading<'a, F: Fn(Step)> {
    staging: Staging<'a>,
    files: Option<PathBuf>,
    told: &'a F,
}

impl<F: Fn(Step)> Reading<'_, F> {
    async fn people(&mut self, conn: &mut Conn) -> Result<()> {
        for user in rows::users(conn).await? {
            let name = user.name.as_str();
            let (first, last) = name.split_once(' ').unwrap_or((name, ""));
            let id = user.id.to_string();
            let person = Person {
                id: &id,
                name,
                email: user.email.as_deref(),
                first_name: first,
                last_name: last,
                bio: user.bio.as_deref().unwrap_or_default(),
                is_active: user.is_active && !user.is_bot,
                at: time_of(&user.created_at).unwrap_or_else(|| self.staging.now()),
            };
            self.staging.person(&person).await?;
        }
        Ok(())
    }

    async fn messages(&mut self, conn: &mut Conn) -> Result<()> {
        let mut after = 0;
        loop {
            let page = rows::messages(conn, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            let count = page.len() as u64;
            for said in page {
                self.say(&said)?;
            }
            (self.told)(Step::Read(count));
        }
    }

    fn say(&mut self, said: &Said) -> Result<()> {
        let Some(at) = time_of(&said.created_at) else {
            self.staging.report.left("messages", "they have no time", 1);
            return Ok(());
        };
        let body = said.body.as_deref().unwrap_or_default();
        let mut content = html::translate(body, |id| self.staging.name_of(id).map(str::to_owned));
        let file = said.key.as_deref().and_then(|key| self.file(key));
        if let (Some(filename), None) = (&said.filename, &file) {
            let note = format!("File `{}` (not among the files)", filename.replace(['`', '\n', '\r'], " "));
            self.staging.report.left("attachments", "they weren't among the files; their messages name them", 1);
            content = if content.is_empty() { note } else { format!("{content}\n\n{note}") };
        }
        if content.is_empty() && file.is_none() {
            self.staging.report.left("messages", "they have no text", 1);
            return Ok(());
        }
        let (id, room) = (said.id.to_string(), said.room_id.to_string());
        let sender = said.creator_id.map(|id| id.to_string()).filter(|id| self.staging.name_of(id).is_some());
        let edited = said.body_changed_at.as_deref().zip(said.body_made_at.as_deref());
        let edited = edited.and_then(|(changed, made)| time_of(changed).zip(time_of(made)));
        self.staging.message(&Message {
            id: &id,
            room: &room,
            sender: sender.as_deref(),
            content: &content,
            answers: None,
            // Both are written when it is made, one behind the other.
            edited: edited.filter(|(changed, made)| changed.0 - made.0 > 1_000_000).map(|(changed, _)| changed),
            at,
        })?;
        match (file, &said.filename) {
            (Some(file), Some(filename)) => {
                let sender = sender.as_deref();
                self.staging.attachment(&Attachment {
                    id: &id,
                    message: &id,
                    uploader: sender,
                    filename,
                    file: &file,
                    at,
                })
            }
            _ => Ok(()),
        }
    }

    /// Where the file under this key lies in the folder, if it does.
    fn file(&self, key: &str) -> Option<String> {
        // Nothing that leads out of the folder: Rails makes keys of these letters.
        let is_key = key.len() >= 8 && key.bytes().all(|b| b.is_ascii_alphanumeric());
        let path = is_key.then(|| format!("{}/{}/{key}", &key[..2], &key[2..4]))?;
        self.files.as_ref()?.join(&path).is_file().then_some(path)
    }

    async fn boosts(&mut self, conn: &mut Conn) -> Result<()> {
        let mut after = 0;
        loop {
            let page = rows::boosts(conn, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for Boost { message_id, booster_id, content, created_at, .. } in &page {
                let (message, user) = (message_id.to_string(), booster_id.to_string());
                let at = time_of(created_at).unwrap_or_else(|| self.staging.now());
                match emoji::parse(content) {
                    Ok(found) => self.staging.reaction(&message, &user, found, at)?,
                    Err(_) => self.staging.report.left("reactions", "they are words, and here they are emoji", 1),
                }
            }
            (self.told)(Step::Read(page.len() as u64));
        }
    }

    async fn rooms(&mut self, conn: &mut Conn) -> Result<()> {
        let names: HashMap<i64, String> =
            rows::users(conn).await?.into_iter().map(|user| (user.id, user.name)).collect();
        for row in rows::rooms(conn).await? {
            let members = rows::memberships(conn, row.id).await?;
            let kind = match row.kind.as_str() {
                "Rooms::Open" => "public",
                "Rooms::Direct" if members.len() == 2 => "direct",
                _ => "group",
            };
            let among = || members.iter().filter_map(|member| names.get(&member.user_id).map(String::as_str));
            let name = match (kind, row.name.as_deref().unwrap_or_default()) {
                ("direct", _) => String::new(),
                ("public", "") => format!("Room {}", row.id),
                (_, "") => among().collect::<Vec<_>>().join(", "),
                (_, name) => name.to_owned(),
            };
            let (id, made_by) = (row.id.to_string(), row.creator_id.map(|id| id.to_string()));
            let at = time_of(&row.created_at).unwrap_or(Timestamp(0));
            let room = Room { id: &id, kind, name: &name, description: "", made_by: made_by.as_deref(), at };
            self.staging.room(&room)?;
            let owner = row.creator_id.filter(|id| members.iter().any(|member| member.user_id == *id));
            let owner = owner.or(members.first().map(|member| member.user_id));
            for member in &members {
                let user = member.user_id.to_string();
                let involvement = member.involvement.as_deref().unwrap_or_default();
                self.staging.member(&Member {
                    room: &room,
                    user: &user,
                    is_owner: Some(member.user_id) == owner,
                    muted: ["nothing", "invisible"].contains(&involvement),
                    notify_all: involvement == "everything" || kind == "direct",
                })?;
            }
        }
        Ok(())
    }
}
