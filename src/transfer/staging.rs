//! What another program has, translated: people, rooms, members, messages, files, reactions and pins, each a line as an export
//! has it, with whatever ids they have there. Called by `transfer::slack` and `transfer::campfire`, which say what comes; rooms and
//! members come behind the messages, since how many there are is known then.
//!
//! The names of people are chosen here, since what is said names them: who has an account by the same address has its name,
//! others get one that is free.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use serde_json::{Value as Json, json};
use unicode_normalization::UnicodeNormalization;

use super::bundle::Staged;
use super::mapping::{self, Source};
use super::outlet::Outlet;
use super::report::Report;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::messages::MOST_CHARACTERS;
use crate::text::fold;
use crate::transfer::split;
use crate::users;

/// Nobody gets mail there (RFC 2606, section 2).
const NOWHERE: &str = "import.invalid";

pub struct Person<'a> {
    pub id: &'a str,
    /// What they are called there; made fit.
    pub name: &'a str,
    pub email: Option<&'a str>,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub bio: &'a str,
    pub is_active: bool,
    pub at: Timestamp,
}

pub struct Room<'a> {
    pub id: &'a str,
    pub kind: &'static str,
    pub name: &'a str,
    pub description: &'a str,
    pub made_by: Option<&'a str>,
    pub at: Timestamp,
}

/// Somebody in a room.
pub struct Member<'a> {
    pub room: &'a Room<'a>,
    pub user: &'a str,
    pub is_owner: bool,
    pub muted: bool,
    pub notify_all: bool,
}

pub struct Message<'a> {
    pub id: &'a str,
    pub room: &'a str,
    pub sender: Option<&'a str>,
    /// Markdown-light, of any length.
    pub content: &'a str,
    pub answers: Option<&'a str>,
    pub edited: Option<Timestamp>,
    pub at: Timestamp,
}

pub struct Attachment<'a> {
    pub id: &'a str,
    pub message: &'a str,
    pub uploader: Option<&'a str>,
    pub filename: &'a str,
    /// Where its bytes are.
    pub file: &'a str,
    pub at: Timestamp,
}

/// A folder of lines that grows.
pub struct Staging<'a> {
    app: &'a App,
    staged: Staged,
    outlets: BTreeMap<&'static str, Outlet>,
    source: Option<Source>,
    /// User names by the ids that people have there.
    names: HashMap<String, String>,
    names_taken: HashSet<String>,
    addresses: HashSet<String>,
    /// The last number and the last time of each room.
    last: HashMap<String, (i64, Timestamp)>,
    pub report: Report,
}

impl<'a> Staging<'a> {
    /// `source` is what it will be written down under. Errors: [`Error::Startup`] where nothing can be written.
    pub async fn begin(app: &'a App, source: &str) -> Result<Self> {
        let source = mapping::find(&mut app.db.read().await?, source).await?;
        Ok(Self {
            app,
            staged: Staged::begin(&app.config.upload_dir)?,
            outlets: BTreeMap::new(),
            source,
            names: HashMap::new(),
            names_taken: HashSet::new(),
            addresses: HashSet::new(),
            last: HashMap::new(),
            report: Report::default(),
        })
    }

    /// What they are called here, once they were staged.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    fn line(&mut self, slug: &'static str, line: &Json) -> Result<()> {
        let path = self.staged.folder.join(format!("{slug}.jsonl"));
        let written = (|| {
            let outlet = match self.outlets.entry(slug) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => entry.insert(Outlet::create(&path)?),
            };
            outlet.line(&serde_json::to_vec(line)?)
        })();
        written.map_err(|error: io::Error| Error::startup(format!("{} can't be written: {error}", path.display())))
    }

    /// An account that nobody can open before its password is set anew. Cost: 1 to 4 queries.
    pub async fn person(&mut self, person: &Person<'_>) -> Result<()> {
        if self.names.contains_key(person.id) {
            return Ok(());
        }
        let email = self.address(person);
        let mut conn = self.app.db.read().await?;
        let name = match self.known(&mut conn, person.id, &email).await? {
            Some(name) => name,
            None => self.free_name(&mut conn, person).await?,
        };
        drop(conn);
        self.names_taken.insert(fold(&name));
        self.names.insert(person.id.to_owned(), name.clone());
        let (mut at, mut micros) = (json!(null), json!({}));
        tell(&mut at, &mut micros, "created_at", person.at);
        micros["updated_at"] = micros["created_at"].clone();
        self.line("users", &json!({
            "id": person.id, "username": name, "email": email, "first_name": cut(person.first_name, 100),
            "last_name": cut(person.last_name, 100), "bio": cut(person.bio, 1000), "avatar": null, "role": "user",
            "is_active": person.is_active, "totp_enabled": false, "last_seen_at": null, "created_at": at, "updated_at": at,
            "password_hash": "", "digest": "never", "digested_at": null, "signed_in_at": null, "micros": micros,
        }))
    }

    /// Theirs, or one that gets no mail.
    fn address(&mut self, person: &Person<'_>) -> String {
        let own = person.email.map(str::trim).filter(|email| {
            let is_one = email.len() <= 254 && email.parse::<lettre::Address>().is_ok();
            is_one && self.addresses.insert(fold(email))
        });
        match own {
            Some(email) => email.to_owned(),
            None => {
                let id: String = person.id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
                let number = self.names.len();
                self.report.note(
                    "People without an address of their own: set one before they are to sign in",
                    person.name.to_owned(),
                );
                let end = if id.len() == person.id.len() { String::new() } else { format!("-{number}") };
                format!("{}{end}@{NOWHERE}", id.to_lowercase())
            }
        }
    }

    /// The name of who came before, or has an account by this address.
    async fn known(&self, conn: &mut Conn, id: &str, email: &str) -> Result<Option<String>> {
        if let Some(source) = &self.source
            && let Some(ours) = source.came(conn, "users", &[id]).await?.get(id)
            && let Some(user) = users::by_id(conn, UserId(*ours)).await?
        {
            return Ok(Some(user.username));
        }
        Ok(users::find(conn, email).await?.map(|user| user.username))
    }

    async fn free_name(&mut self, conn: &mut Conn, person: &Person<'_>) -> Result<String> {
        let fit = fit_name(person.name).or_else(|| fit_name(&format!("user-{}", person.id)));
        let fit = fit.unwrap_or_else(|| "user".to_owned());
        let mut number = 1;
        loop {
            let end = if number == 1 { String::new() } else { format!("-{number}") };
            let name = format!("{}{end}", &fit[..fit.len().min(32 - end.len())]);
            if !self.names_taken.contains(&fold(&name)) && users::by_name(conn, &name).await?.is_none() {
                if name != person.name {
                    self.report.note("People who are called something else here", format!("{} → {name}", person.name));
                }
                return Ok(name);
            }
            number += 1;
        }
    }

    /// A message, with the room's next number; of a long one as many as it takes.
    pub fn message(&mut self, message: &Message<'_>) -> Result<()> {
        let parts = split::parts(message.content, MOST_CHARACTERS);
        if parts.len() > 1 {
            self.report.note("Messages longer than 4,000 characters, which became several", message.id);
        }
        for (number, content) in parts.iter().enumerate() {
            let id = if number == 0 { message.id.to_owned() } else { format!("{}#{}", message.id, number + 1) };
            let last = self.last.entry(message.room.to_owned()).or_insert((0, message.at));
            // Times never go back within a room, nor stand still where one became several.
            *last = (last.0 + 1, message.at.max(last.1));
            let (seq, at) = (last.0, Timestamp(message.at.0 + number as i64));
            let (mut created, mut edited, mut micros) = (json!(null), json!(null), json!({}));
            tell(&mut created, &mut micros, "created_at", at);
            if let Some(moment) = message.edited {
                tell(&mut edited, &mut micros, "edited_at", moment);
            }
            self.line("messages", &json!({
                "id": id, "room_id": message.room, "seq": seq, "rev": seq, "sender_id": message.sender, "content": content,
                "client_id": null, "reply_to": message.answers, "edited_at": edited, "deleted_at": null,
                "created_at": created, "micros": micros,
            }))?;
        }
        Ok(())
    }

    pub fn attachment(&mut self, file: &Attachment<'_>) -> Result<()> {
        let (mut at, mut micros) = (json!(null), json!({}));
        tell(&mut at, &mut micros, "created_at", file.at);
        self.line(
            "attachments",
            &json!({
                "id": file.id, "message_id": file.message, "uploader_id": file.uploader,
                "filename": crate::attachments::clean_name(file.filename), "content_type": "", "size": 0, "sha256": "",
                "width": null, "height": null, "created_at": at, "micros": micros, "file": file.file,
            }),
        )
    }

    pub fn reaction(&mut self, message: &str, user: &str, emoji: &str, at: Timestamp) -> Result<()> {
        let (mut made, mut micros) = (json!(null), json!({}));
        tell(&mut made, &mut micros, "created_at", at);
        self.line(
            "reactions",
            &json!({
                "id": format!("{message}/{user}/{emoji}"), "message_id": message, "user_id": user, "emoji": emoji,
                "created_at": made, "micros": micros,
            }),
        )
    }

    pub fn pin(&mut self, message: &str, room: &str, by: Option<&str>, at: Timestamp) -> Result<()> {
        let (mut made, mut micros) = (json!(null), json!({}));
        tell(&mut made, &mut micros, "created_at", at);
        self.line("pins", &json!({
            "id": message, "message_id": message, "room_id": room, "pinned_by": by, "created_at": made, "micros": micros,
        }))
    }

    /// A room, behind its messages.
    pub fn room(&mut self, room: &Room<'_>) -> Result<()> {
        let (seq, at) = self.last.get(room.id).copied().unwrap_or((0, room.at));
        let (mut made, mut last, mut micros) = (json!(null), json!(null), json!({}));
        tell(&mut made, &mut micros, "created_at", room.at);
        tell(&mut last, &mut micros, "last_message_at", at);
        micros["updated_at"] = micros["created_at"].clone();
        self.line("rooms", &json!({
            "id": room.id, "name": cut(room.name, 80), "kind": room.kind, "description": cut(room.description, 500),
            "created_by": room.made_by, "last_seq": seq, "last_rev": seq, "last_message_at": last, "created_at": made,
            "updated_at": made, "micros": micros,
        }))
    }

    /// Who is in a room, behind it; they have read all of it, or everybody would come home to thousands of unread messages.
    pub fn member(&mut self, member: &Member<'_>) -> Result<()> {
        let Member { room, user, .. } = member;
        let seq = self.last.get(room.id).map_or(0, |last| last.0);
        let (mut at, mut micros) = (json!(null), json!({}));
        tell(&mut at, &mut micros, "joined_at", room.at);
        self.line(
            "memberships",
            &json!({
                "id": format!("{}/{user}", room.id), "room_id": room.id, "user_id": user,
                "role": if member.is_owner { "owner" } else { "member" }, "muted": member.muted,
                "notify_all": member.notify_all, "last_read_seq": seq, "joined_at": at, "micros": micros,
            }),
        )
    }

    /// All of it is there.
    pub fn finish(mut self) -> Result<(Staged, Report)> {
        for (slug, outlet) in std::mem::take(&mut self.outlets) {
            let part =
                outlet.finish().map_err(|error| Error::startup(format!("{slug}.jsonl can't be written: {error}")))?;
            self.staged.rows.insert(slug.to_owned(), part.rows);
        }
        Ok((self.staged, self.report))
    }
}

/// A time in milliseconds, and what it has beyond.
fn tell(at: &mut Json, micros: &mut Json, name: &str, time: Timestamp) {
    *at = json!(time.to_string());
    micros[name] = json!(time.0.rem_euclid(1000));
}

/// A user name that may be one: letters without their marks, blanks as full stops. `None` when too little is left.
fn fit_name(name: &str) -> Option<String> {
    let plain = name.nfd().map(|c| if c.is_whitespace() { '.' } else { c });
    let fit: String = plain.filter(|c| c.is_ascii_alphanumeric() || "_.-".contains(*c)).take(32).collect();
    let fit = fit.trim_matches(['.', '-']).to_owned();
    (fit.len() >= 3).then_some(fit)
}

/// One line of at most so many characters.
fn cut(text: &str, most: usize) -> String {
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() <= most { text } else { text.chars().take(most - 1).chain(['…']).collect() }
}
