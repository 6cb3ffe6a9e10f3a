//! What a row must be besides its columns' kinds, model by model: whatever people could have typed here, and nothing that
//! leads out of a folder, into a header or past a log-in. Called by `transfer::check` for every line, before anything is
//! touched.

use argon2::Params;
use argon2::password_hash::phc::PasswordHash;
use lettre::Address;

use super::lines::{Line, Lines};
use crate::admin::value::Value;
use crate::messages::MOST_CHARACTERS;
use crate::reactions::emoji;
use crate::users::avatar;
use crate::{attachments, settings};

/// Memory that checking a password may take, in KiB, and how often it goes through it.
const MOST_KIB: u32 = 256 * 1024;
const MOST_ROUNDS: u32 = 16;

/// Why this row can't be taken in; `is_staged` for one that we translated ourselves: what it lacks is filled in later.
pub fn check(lines: &Lines, line: &Line, is_staged: bool) -> Result<(), String> {
    let row = Shape { lines, line };
    match lines.model.slug() {
        "users" => row.user(is_staged),
        "rooms" => row.room(),
        "messages" => row.message(),
        "attachments" => row.attachment(is_staged),
        "reactions" => that(emoji::parse(row.text("emoji")).is_ok(), "emoji isn't one"),
        "memberships" => that(row.int("last_read_seq") >= 0, "last_read_seq is below nought"),
        "emails" => that(row.int("attempts") >= 0, "attempts is below nought"),
        "audit-entries" => that(is_object(row.text("changes")), "changes isn't an object of JSON"),
        "settings" => row.setting(),
        _ => Ok(()),
    }
}

fn that(is_so: bool, otherwise: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise.to_owned()) }
}

struct Shape<'a> {
    lines: &'a Lines,
    line: &'a Line,
}

impl Shape<'_> {
    fn value(&self, name: &str) -> &Value {
        self.line.values.get(self.lines.place(name)).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    fn int(&self, name: &str) -> i64 {
        self.value(name).as_int().unwrap_or(0)
    }

    fn is_line(&self, name: &str, longest: usize) -> bool {
        let text = self.text(name);
        text.chars().count() <= longest && !text.chars().any(char::is_control)
    }

    fn user(&self, is_staged: bool) -> Result<(), String> {
        let name = self.text("username");
        let fits =
            (3..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        that(fits, "username isn't one")?;
        let email = self.text("email");
        that(self.is_line("email", 254) && email.parse::<Address>().is_ok(), "email isn't an address")?;
        that(self.is_line("first_name", 100) && self.is_line("last_name", 100), "a name is too long")?;
        that(self.text("bio").chars().count() <= 1000, "bio is too long")?;
        that(is_staged || is_checkable(self.text("password_hash")), "password_hash isn't one")?;
        match self.value("avatar") {
            Value::Text(file) => that(avatar::is_name(file), "avatar isn't the name of a picture"),
            _ => Ok(()),
        }
    }

    fn room(&self) -> Result<(), String> {
        that(self.is_line("name", 80), "name is too long, or has control characters")?;
        that(self.is_line("description", 500), "description is too long, or has control characters")?;
        that(self.text("kind") != "public" || !self.text("name").is_empty(), "a public room needs a name")?;
        that(self.int("last_seq") >= 0 && self.int("last_rev") >= self.int("last_seq"), "its numbers can't be")
    }

    fn message(&self) -> Result<(), String> {
        that(self.text("content").chars().count() <= MOST_CHARACTERS, "content is too long")?;
        that(self.text("client_id").chars().count() <= 64, "client_id is too long")?;
        that(self.int("seq") >= 1 && self.int("rev") >= self.int("seq"), "its numbers can't be")
    }

    fn attachment(&self, is_staged: bool) -> Result<(), String> {
        let name = self.text("filename");
        that(!name.is_empty() && attachments::clean_name(name) == name, "filename isn't one")?;
        that(self.int("size") >= 0, "size is below nought")?;
        if is_staged {
            return that(self.line.file.is_some(), "it has no file");
        }
        let is_type = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
        };
        let kind = self.text("content_type").split_once('/');
        that(kind.is_some_and(|(kind, sub)| is_type(kind) && is_type(sub)), "content_type isn't one")?;
        that(is_digest(self.text("sha256")), "sha256 isn't one")
    }

    /// One that this version doesn't know is left out later.
    fn setting(&self) -> Result<(), String> {
        match settings::check(&self.line.theirs, self.text("value")) {
            Err(error @ crate::error::Error::Invalid(_)) => Err(format!("value: {error}")),
            _ => Ok(()),
        }
    }
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

/// As the files of messages are called.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether this is the hash of a password, and one that takes no more of the machine than a log-in may: it says itself how
/// much that is.
fn is_checkable(hash: &str) -> bool {
    let fair = |params: Params| params.m_cost() <= MOST_KIB && params.t_cost() <= MOST_ROUNDS;
    PasswordHash::new(hash).is_ok_and(|hash| Params::try_from(&hash).is_ok_and(fair))
}
