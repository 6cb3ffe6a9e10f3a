//! An uploaded text taken apart into lines of named fields: CSV, JSON Lines or a JSON array, as exports write them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::report::Unit;
use super::{MOST_LINES, MOST_PASSWORDS};
use crate::admin::export::Format;
use crate::admin::query::shortened;
use crate::admin::resource::Resource;
use crate::admin::{csv, permission};
use crate::error::{Error, Result};
use crate::users::Person;

/// Bytes of one line.
const MOST_IN_A_LINE: usize = 1024 * 1024;

pub struct File {
    pub lines: Vec<Line>,
    /// What its numbers count.
    pub unit: Unit,
}

/// One row: its fields by name, or why there are none.
pub struct Line {
    pub number: usize,
    pub fields: Result<Vec<(&'static str, String)>, String>,
}

/// The format that a file's name or its first letter says. Errors: a name that ends otherwise.
pub fn format(name: &str, text: &str) -> Result<Format> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("json") => Ok(Format::Json),
        Some("jsonl" | "ndjson") => Ok(Format::JsonLines),
        None | Some("txt") => Ok(match text.trim_start().as_bytes().first() {
            Some(b'[') => Format::Json,
            Some(b'{') => Format::JsonLines,
            _ => Format::Csv,
        }),
        Some(_) => refused(tr!("“{}” is no file that can be imported: use .csv, .jsonl or .json.", shortened(name))),
    }
}

/// The text in what was uploaded. Errors: [`Error::Malformed`] for what is empty or no text.
pub fn text(bytes: &[u8]) -> Result<&str> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refused(tr!("This file isn't UTF-8 text. Save it as “CSV UTF-8” and upload that.").into());
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() { refused(tr!("There is nothing in it.").into()) } else { Ok(text) }
}

/// The lines of `text`. Errors: [`Error::Malformed`] for what no line can be read of, for columns that the model
/// doesn't have, and beyond the limits. Cost: O(length).
pub fn parse(resource: &'static Resource, person: &Person, text: &str, format: Format) -> Result<File> {
    let lines = match format {
        Format::Csv => read_csv(resource, person, text)?,
        Format::JsonLines => read_json_lines(resource, person, text)?,
        Format::Json => read_json(resource, person, text)?,
    };
    if lines.is_empty() {
        return refused(tr!("There is no record in it.").into());
    }
    if lines.len() > MOST_LINES {
        return refused(tr!("A file has at most 20,000 records; this one has more. Split it into several.").into());
    }
    let is_password = |name: &str| resource.passwords.iter().any(|password| password.name == name);
    let sets = |line: &&Line| line.fields.iter().flatten().any(|(name, value)| is_password(name) && !value.is_empty());
    if lines.iter().filter(sets).count() > MOST_PASSWORDS {
        return refused(tr!(
            "A file sets at most {} passwords, since each takes a moment. Split it into several.",
            MOST_PASSWORDS
        ));
    }
    Ok(File { lines, unit: if format == Format::Json { Unit::Record } else { Unit::Line } })
}

fn refused<T>(why: String) -> Result<T> {
    Err(Error::Malformed(why))
}

/// The model's own name of a column. Errors: [`Error::Malformed`] for one that isn't there, is secret or is counted.
fn known(resource: &'static Resource, person: &Person, name: &str) -> Result<&'static str> {
    if name == resource.key {
        return Ok(resource.key);
    }
    if let Some(password) = resource.passwords.iter().find(|password| password.name == name) {
        return Ok(password.name);
    }
    let column = permission::column(resource, person, name)?;
    if column.is_count() {
        return refused(tr!("“{}” is counted, not stored: leave it out.", name));
    }
    Ok(column.name)
}

fn read_csv(resource: &'static Resource, person: &Person, text: &str) -> Result<Vec<Line>> {
    let records = csv::read(text, MOST_LINES + 2).or_else(|line| {
        refused(tr!("Line {} has a quoted cell that doesn't end at its closing quote, so nothing was read.", line))
    })?;
    let mut records = records.into_iter();
    let Some((_, header)) = records.next() else { return refused(tr!("There is nothing in it.").into()) };
    let mut names = Vec::new();
    for name in &header {
        let name = known(resource, person, name.trim())?;
        if names.contains(&name) {
            return refused(tr!("The column “{}” is there twice.", name));
        }
        names.push(name);
    }
    let line = |(number, record): (usize, ::csv::StringRecord)| {
        let fields = if record.as_slice().len() > MOST_IN_A_LINE {
            Err(tr!("This line is longer than 1 MB.").into())
        } else if record.len() != names.len() {
            Err(tr!(
                "This line has {cells} cells; the first one has {first}.",
                cells = record.len(),
                first = names.len()
            ))
        } else {
            Ok(names.iter().zip(&record).map(|(name, cell)| (*name, csv::armed(cell).to_owned())).collect())
        };
        Line { number, fields }
    };
    Ok(records.map(line).collect())
}

fn read_json_lines(resource: &'static Resource, person: &Person, text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (place, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let fields = if text.len() > MOST_IN_A_LINE {
            Err(tr!("This line is longer than 1 MB.").into())
        } else {
            match serde_json::from_str::<Object>(text) {
                Ok(object) => object.fields(resource, person)?,
                Err(error) => Err(tr!("This line is no JSON object: {}.", without_place(&error))),
            }
        };
        lines.push(Line { number: place + 1, fields });
        if lines.len() > MOST_LINES {
            break;
        }
    }
    Ok(lines)
}

fn read_json(resource: &'static Resource, person: &Person, text: &str) -> Result<Vec<Line>> {
    let objects = match serde_json::from_str(text) {
        Ok(Objects(objects)) => objects,
        Err(error) => {
            return refused(tr!(
                "Line {line}: this is no JSON array of objects: {why}.",
                line = error.line(),
                why = without_place(&error)
            ));
        }
    };
    let line =
        |(place, object): (usize, Object)| Ok(Line { number: place + 1, fields: object.fields(resource, person)? });
    objects.into_iter().enumerate().map(line).collect()
}

/// What is wrong, without the place, which counts from the line's own beginning. Nothing of the text is in it, where a
/// password might be.
fn without_place(error: &serde_json::Error) -> Cow<'static, str> {
    match error.classify() {
        serde_json::error::Category::Eof => tr!("it ends too early"),
        serde_json::error::Category::Syntax => tr!("a quote, comma or bracket is wrong"),
        _ => tr!("each record is an object, {}, with each name once", "{\"name\": \"value\", …}").into(),
    }
}

/// The objects of a JSON array; one more than may be is the last that is kept.
struct Objects(Vec<Object>);

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Objects;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of objects")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Objects, A::Error> {
                let mut objects = Vec::new();
                while objects.len() <= MOST_LINES {
                    match items.next_element()? {
                        Some(object) => objects.push(object),
                        None => return Ok(Objects(objects)),
                    }
                }
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Objects(objects))
            }
        }
        deserializer.deserialize_seq(Items)
    }
}

/// A JSON object whose names differ, in its order.
struct Object(Vec<(String, Json)>);

impl Object {
    /// Its fields as a form would have them. Errors: names that the model doesn't have.
    fn fields(
        self,
        resource: &'static Resource,
        person: &Person,
    ) -> Result<Result<Vec<(&'static str, String)>, String>> {
        let mut fields = Vec::with_capacity(self.0.len());
        let mut bad = None;
        for (name, value) in self.0 {
            let name = known(resource, person, &name)?;
            let text = match value {
                Json::Null => String::new(),
                Json::String(text) => text,
                Json::Bool(flag) => flag.to_string(),
                Json::Number(number) => number.to_string(),
                Json::Array(_) | Json::Object(_) => {
                    bad = Some(tr!("“{}” holds a list or an object; it takes one value.", name));
                    continue;
                }
            };
            fields.push((name, text));
        }
        Ok(bad.map_or(Ok(fields), Err))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let (mut fields, mut names) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom("a name twice"));
                    }
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
