//! What a form holds: read into an [`Input`], with a message at each field that can't be. Fields that the form doesn't
//! take (read-only ones that were forged, secrets, other forms' fields) are passed over.

use std::hash::{DefaultHasher, Hash, Hasher};

use url::form_urlencoded;

use super::input::Input;
use super::query::shortened;
use super::resource::{Column, Kind, Resource, Typed};
use super::value::{Row, Value};
use super::{lookup, permission};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, FieldErrors, Result};
use crate::users::Person;

/// A form's fields as they were sent; of several of one name the last counts.
#[derive(Clone, Debug, Default)]
pub struct Sent(pub Vec<(String, String)>);

impl Sent {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The query of the list that the form was reached from, as an address can have it: whatever was sent.
    pub fn list(&self) -> String {
        let pairs = form_urlencoded::parse(self.get("list").unwrap_or_default().as_bytes());
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }
}

/// Whether a form takes this column, of a new row or of one that is there.
pub fn takes(person: &Person, column: &Column, is_new: bool) -> bool {
    permission::sees(person, column)
        && match column.typed {
            Typed::Always => true,
            Typed::Once => is_new,
            Typed::Never => false,
        }
}

/// The values sent: for a new row all that are given, for one that is there those that differ. Errors:
/// [`Error::Invalid`] with a message at each bad field. Cost: 1 query for each reference sent.
pub async fn read(
    conn: &mut Conn,
    resource: &'static Resource,
    person: &Person,
    row: Option<&Row>,
    sent: &Sent,
) -> Result<Input> {
    let mut errors = FieldErrors::default();
    let mut input = Input::default();
    for column in resource.columns.iter().filter(|column| takes(person, column, row.is_none())) {
        let Some(text) = sent.get(column.name) else {
            if row.is_none() && column.required {
                errors.add(column.name, tr!("This is needed."));
            }
            continue;
        };
        match value(conn, person, column, text).await {
            Ok(value) if row.is_some_and(|row| same(row.get(column.name), &value)) => {}
            Ok(Value::Null) if row.is_none() && !column.required => {}
            Ok(value) => drop(input.0.insert(column.name, value)),
            Err(Error::Invalid(found)) => found.0.into_values().flatten().for_each(|why| errors.add(column.name, why)),
            Err(error) => return Err(error),
        }
    }
    for password in resource.passwords {
        match sent.get(password.name) {
            Some(text) if !text.is_empty() => drop(input.0.insert(password.name, Value::Text(text.to_owned()))),
            _ if row.is_none() && password.required => errors.add(password.name, tr!("This is needed.")),
            _ => {}
        }
    }
    errors.or(input)
}

/// Whether what is stored is what was sent: nothing and empty text are the same in a form, and its line ends are its own.
fn same(stored: &Value, sent: &Value) -> bool {
    match (stored, sent) {
        (Value::Null, Value::Text(text)) => text.is_empty(),
        (Value::Text(text), Value::Null) => text.is_empty(),
        // Every model trims what it stores.
        (Value::Text(stored), Value::Text(sent)) => stored == sent || *stored == sent.trim().replace("\r\n", "\n"),
        _ => stored == sent,
    }
}

/// What `text` is in this column. Errors: [`Error::Invalid`] at it.
async fn value(conn: &mut Conn, person: &Person, column: &'static Column, text: &str) -> Result<Value> {
    let wrong = |why: String| Err(Error::field(column.name, why));
    if text.contains('\0') {
        return wrong(tr!("Control characters can't be used here.").into());
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        let empty = if column.nullable || !matches!(column.kind, Kind::Text | Kind::Long) {
            Value::Null
        } else {
            Value::Text(String::new())
        };
        return if column.required { wrong(tr!("This is needed.").into()) } else { Ok(empty) };
    }
    match column.kind {
        Kind::Text | Kind::Long | Kind::Changes => Ok(Value::Text(text.to_owned())),
        Kind::Flag => match trimmed {
            "true" | "on" | "1" | "yes" => Ok(Value::Flag(true)),
            "false" | "off" | "0" | "no" => Ok(Value::Flag(false)),
            _ => wrong(tr!("“{}” isn't true or false.", shortened(trimmed))),
        },
        Kind::Int | Kind::Count(..) => match trimmed.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => wrong(tr!("“{}” is no whole number.", shortened(trimmed))),
        },
        Kind::Time => match time(trimmed) {
            Some(time) => Ok(Value::Time(time)),
            None => wrong(tr!("“{}” is no time. Write 2026-01-31T10:30:00Z.", shortened(trimmed))),
        },
        Kind::Choice(choices) if choices.iter().any(|(word, _)| *word == trimmed) => Ok(Value::Text(trimmed.into())),
        Kind::Choice(choices) => {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            wrong(tr!("“{typed}” isn't one of {words}.", typed = shortened(trimmed), words = words.join(", ")))
        }
        Kind::Reference(slug) => match lookup::resolve(conn, person, slug, trimmed).await? {
            lookup::Found::One(id) => Ok(Value::Int(id)),
            lookup::Found::Several => wrong(tr!("Several are called “{}”: look one up.", shortened(trimmed))),
            lookup::Found::None => wrong(tr!("There is nothing called “{}”, and it is no id.", shortened(trimmed))),
        },
    }
}

/// Whether what is to be saved asks for the password again. Cost: O(fields).
pub fn needs_sudo(resource: &Resource, input: &Input, is_new: bool) -> bool {
    let column = |name: &&str| {
        let column = resource.column(name).filter(|column| column.sudo);
        // A new row that begins as rows do gives nobody anything.
        column.is_some_and(|column| !is_new || input.text(name) != Some(column.initial))
    };
    let password = |name: &&str| !is_new && resource.passwords.iter().any(|password| password.name == *name);
    input.0.keys().any(|name| column(name) || password(name))
}

/// A moment in RFC 3339, or as a browser's input has it, in UTC.
fn time(text: &str) -> Option<Timestamp> {
    let full = if text.len() == 16 { format!("{text}:00Z") } else { text.to_owned() };
    super::query::span(&full).map(|span| span.start)
}

/// A mark of what a form of this row may change, to tell whether somebody has saved since. Cost: O(row).
pub fn version(resource: &Resource, row: &Row) -> String {
    // Of fixed keys: the mark means the same after a restart and on another node of the same build.
    let mut hasher = DefaultHasher::new();
    for column in resource.columns.iter().filter(|column| column.typed != Typed::Never) {
        row.get(column.name).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
