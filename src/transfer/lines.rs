//! A model's file, line by line, each value of the kind that its column holds. Called by `transfer::check` and
//! `transfer::take`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::models::Model;
use super::report::shown;
use crate::admin::column::{Column, Kind};
use crate::admin::record::Columns;
use crate::admin::value::Value;
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// Bytes in one line: mails and history may be long.
const LONGEST: u64 = 32 << 20;
/// Bytes of lines that are read together.
const MOST_TOGETHER: usize = 8 << 20;

/// A row as it stands in the file.
#[derive(Clone, Debug)]
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    /// What it is called where it comes from: its id, the id of whom it belongs to, or its name.
    pub theirs: String,
    /// In the order of the model's columns; a reference is a text.
    pub values: Vec<Value>,
    /// Where the file's bytes are, where that isn't told by their digest.
    pub file: Option<String>,
}

/// The lines of one model that are still to be read.
pub struct Lines {
    pub model: &'static Model,
    pub columns: Columns,
    reader: Option<BufReader<File>>,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// None where the folder has no file of this model. Errors: [`Error::Startup`] for one that can't be read.
    pub fn open(folder: &Path, model: &'static Model) -> Result<Self> {
        let reader = match File::open(folder.join(model.file())) {
            Ok(file) => Some(BufReader::with_capacity(1 << 17, file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::startup(format!("{} can't be read: {error}", model.file()))),
        };
        Ok(Self { model, columns: model.columns(), reader, number: 0, buffer: Vec::new() })
    }

    /// The next line. Errors: [`Error::Startup`] with the place and what is wrong there. Cost: O(length).
    pub fn read(&mut self) -> Result<Option<Line>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        self.buffer.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.buffer);
        self.number += 1;
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(self.fault(&format!("can't be read: {error}"))),
        }
        if self.buffer.pop() != Some(b'\n') {
            return Err(self.fault("isn't whole"));
        }
        let object: Map<String, Json> = match serde_json::from_slice(&self.buffer) {
            Ok(object) => object,
            Err(error) => return Err(self.fault(&format!("isn't an object of JSON: {error}"))),
        };
        self.parse(object).map(Some).map_err(|why| self.fault(&why))
    }

    /// At most `most` lines, and fewer where they are long. Errors: as [`Self::read`].
    pub fn batch(&mut self, most: usize) -> Result<Vec<Line>> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < most
            && bytes < MOST_TOGETHER
            && let Some(line) = self.read()?
        {
            bytes += self.buffer.len();
            lines.push(line);
        }
        Ok(lines)
    }

    /// The place of the column in [`Line::values`]. It must be one of the model's.
    pub fn place(&self, name: &str) -> usize {
        self.columns.iter().position(|column| column.name == name).unwrap_or(usize::MAX)
    }

    /// What is wrong with the line that was just read.
    pub fn fault(&self, why: &str) -> Error {
        Error::startup(format!("{}, line {}: {}", self.model.file(), self.number, shown(why)))
    }

    fn parse(&self, mut object: Map<String, Json>) -> Result<Line, String> {
        let key = self.model.resource.key;
        let theirs = match object.remove(key) {
            Some(Json::Number(id)) if key != "key" && id.as_i64().is_some_and(|id| id > 0) => id.to_string(),
            Some(Json::String(name)) if !name.is_empty() && !name.contains('\0') => name,
            _ => return Err(format!("has no {key}")),
        };
        let micros = match object.remove("micros") {
            Some(Json::Object(micros)) => micros,
            None => Map::new(),
            Some(_) => return Err("micros isn't an object".to_owned()),
        };
        let file = match object.remove("file") {
            Some(Json::String(file)) => Some(file),
            _ => None,
        };
        let mut values = Vec::with_capacity(self.columns.len());
        for column in self.columns.iter() {
            // Written before there was the column.
            let unsaid = may_be_empty(column).then(|| Json::String(String::new()));
            let value = object.remove(column.name).or(unsaid).ok_or_else(|| format!("has no {}", column.name))?;
            values.push(value_of(column, value, &micros)?);
        }
        match object.keys().next() {
            Some(name) => Err(format!("has a {name}, which no row of its kind has")),
            None => Ok(Line { number: self.number, theirs, values, file }),
        }
    }
}

fn value_of(column: &Column, value: Json, micros: &Map<String, Json>) -> Result<Value, String> {
    let name = column.name;
    let fault = || format!("{name} isn't {}", kind_name(column.kind));
    Ok(match (column.kind, value) {
        (_, Json::Null) if column.nullable => Value::Null,
        (Kind::Int | Kind::Count(..), Json::Number(number)) => Value::Int(number.as_i64().ok_or_else(fault)?),
        (Kind::Reference(_), Json::Number(number)) => Value::Text(number.as_i64().ok_or_else(fault)?.to_string()),
        (Kind::Reference(_), Json::String(theirs)) => Value::Text(theirs),
        (Kind::Flag, Json::Bool(flag)) => Value::Flag(flag),
        (Kind::Time, Json::String(text)) => Value::Time(time_of(&text, micros.get(name)).ok_or_else(fault)?),
        (Kind::Choice(words), Json::String(word)) if words.iter().any(|(own, _)| *own == word) => Value::Text(word),
        (Kind::Text | Kind::Long | Kind::Changes, Json::String(text)) => match text.contains('\0') {
            // PostgreSQL can't store it, so neither database does.
            true => return Err(format!("{name} has a NUL character")),
            false => Value::Text(text),
        },
        _ => return Err(fault()),
    })
}

/// Whether the column's first choice is none of the others.
fn may_be_empty(column: &Column) -> bool {
    matches!(column.kind, Kind::Choice([("", _), ..]))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int | Kind::Count(..) => "a number",
        Kind::Reference(_) => "an id",
        Kind::Flag => "true or false",
        Kind::Time => "a time",
        Kind::Choice(_) => "one of the words it may be",
        Kind::Text | Kind::Long | Kind::Changes => "a text",
    }
}

/// RFC 3339 with milliseconds, and the microseconds beyond.
fn time_of(text: &str, micros: Option<&Json>) -> Option<Timestamp> {
    let whole = Timestamp::of(OffsetDateTime::parse(text, &Rfc3339).ok()?);
    match micros {
        None => Some(whole),
        Some(micros) => {
            let micros = micros.as_i64().filter(|micros| (0..1000).contains(micros))?;
            Some(Timestamp(whole.0.checked_add(micros)?))
        }
    }
}
