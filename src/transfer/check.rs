//! Reads all of a bundle once before anything is touched: that its files are those that its manifest tells of, that every
//! line is a row, and that what rows refer to is there. Called by `transfer::take`.
//!
//! Memory: a stretch for ids that follow one another (`ranges`), a number for each name of a person, and the pairs of direct
//! rooms.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, sink};
use std::path::Path;

use super::bundle::Bundle;
use super::export::PICTURES;
use super::lines::{Line, Lines};
use super::manifest::{FILES, FOLDER, Manifest, Upload};
use super::models::MODELS;
use super::outlet::copy;
use super::ranges::Ranges;
use super::shape;
use crate::admin::column::Kind;
use crate::admin::value::Value;
use crate::error::{Error, Result};
use crate::text::fold;
use crate::users::avatar;

/// What was found on the way.
#[derive(Default)]
pub struct Survey {
    /// Those who are in a direct room, by what it is called there.
    pub directs: HashMap<String, Vec<String>>,
}

/// Reads all of it. `told` hears of each file and, by the thousand, of rows. Errors: [`Error::Startup`] with the first thing
/// that is wrong, and where. Cost: O(bytes), two readings of an export's lines and one of its files.
pub fn survey(bundle: &Bundle, told: impl Fn(u64)) -> Result<Survey> {
    if let Some(manifest) = &bundle.manifest {
        verify(&bundle.folder, manifest, &told)?;
    }
    let mut check = Check { is_staged: bundle.manifest.is_none(), ..Check::default() };
    for model in MODELS {
        let mut lines = Lines::open(&bundle.folder, model)?;
        let mut rows = 0;
        while let Some(line) = lines.read()? {
            check.line(&lines, &line).map_err(|why| lines.fault(&why))?;
            rows += 1;
            if rows % 1000 == 0 {
                told(1000);
            }
        }
        told(rows % 1000);
    }
    Ok(check.survey)
}

/// That every file is there, and is the one that the manifest tells of.
fn verify(folder: &Path, manifest: &Manifest, told: &impl Fn(u64)) -> Result<()> {
    let names: Vec<String> = MODELS.iter().map(|model| model.file()).chain([FILES.to_owned()]).collect();
    if let Some(name) = names.iter().find(|name| !manifest.files.contains_key(*name)) {
        return Err(Error::startup(format!("The export's manifest tells of no {name}.")));
    }
    if let Some(name) = manifest.files.keys().find(|name| !names.contains(name)) {
        return Err(Error::startup(format!(
            "The export's manifest tells of a {}, which this version doesn't know.",
            name.escape_debug()
        )));
    }
    for (name, part) in &manifest.files {
        same(folder, name, part.bytes, &part.sha256)?;
    }
    let list = File::open(folder.join(FILES)).map_err(|error| unreadable(FILES, &error))?;
    for line in BufReader::new(list).lines() {
        let line = line.map_err(|error| unreadable(FILES, &error))?;
        let upload: Upload =
            serde_json::from_str(&line).map_err(|_| Error::startup(format!("{FILES} has a line that is none.")))?;
        if !is_upload(&upload) {
            return Err(Error::startup(format!(
                "{FILES} tells of \"{}\", which no export has.",
                upload.path.escape_debug()
            )));
        }
        same(folder, &upload.path, upload.bytes, &upload.sha256)?;
        told(1);
    }
    Ok(())
}

/// Whether a path is one that an export writes: nothing that leads anywhere else.
fn is_upload(upload: &Upload) -> bool {
    match upload.path.strip_prefix(FOLDER).and_then(|path| path.strip_prefix('/')) {
        Some(path) => match path.strip_prefix(PICTURES).and_then(|path| path.strip_prefix('/')) {
            Some(name) => avatar::is_name(name),
            None => shape::is_digest(path) && path == upload.sha256,
        },
        None => false,
    }
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    Error::startup(format!("{name} can't be read: {error}"))
}

fn same(folder: &Path, name: &str, bytes: u64, sha256: &str) -> Result<()> {
    let path = folder.join(name);
    let is_file = path.symlink_metadata().is_ok_and(|data| data.is_file());
    if !is_file {
        return Err(Error::startup(format!("The export isn't whole: {name} isn't there.")));
    }
    let found = File::open(path).and_then(|file| copy(file, sink())).map_err(|error| unreadable(name, &error))?;
    if found != (bytes, sha256.to_owned()) {
        return Err(Error::startup(format!("The export is damaged: {name} isn't what its manifest says.")));
    }
    Ok(())
}

/// What was read so far.
#[derive(Default)]
struct Check {
    /// Translated by us: ids may be texts, and refer to what is there.
    is_staged: bool,
    ids: HashMap<&'static str, (Ranges, i64)>,
    /// Names and addresses by their hash: a million of them are 16 MB.
    names: HashSet<u64>,
    hasher: RandomState,
    /// The counters of rooms.
    last: HashMap<i64, (i64, i64)>,
    seqs: HashMap<i64, Ranges>,
    revs: HashMap<i64, Ranges>,
    survey: Survey,
}

impl Check {
    fn line(&mut self, lines: &Lines, line: &Line) -> Result<(), String> {
        shape::check(lines, line, self.is_staged)?;
        let slug = lines.model.slug();
        let value = |name: &str| line.values.get(lines.place(name));
        if slug == "rooms" && matches!(value("kind"), Some(Value::Text(kind)) if kind == "direct") {
            self.survey.directs.insert(line.theirs.clone(), Vec::new());
        }
        if slug == "memberships"
            && let (Some(Value::Text(room)), Some(Value::Text(user))) = (value("room_id"), value("user_id"))
            && let Some(pair) = self.survey.directs.get_mut(room)
        {
            pair.push(user.clone());
        }
        if self.is_staged {
            return Ok(());
        }
        self.id(lines, line)?;
        self.references(lines, line)?;
        match slug {
            "users" => self.user(lines, line),
            "rooms" => {
                let id = line.theirs.parse().unwrap_or(0);
                let counters =
                    [value("last_seq"), value("last_rev")].map(|value| value.and_then(Value::as_int).unwrap_or(0));
                self.last.insert(id, (counters[0], counters[1]));
                Ok(())
            }
            "messages" => self.numbers(lines, line),
            _ => Ok(()),
        }
    }

    /// Ids rise from line to line.
    fn id(&mut self, lines: &Lines, line: &Line) -> Result<(), String> {
        let key = lines.model.resource.key;
        if key == "key" {
            return Ok(());
        }
        let id: i64 = line.theirs.parse().map_err(|_| format!("{key} isn't a number"))?;
        if key != "id" {
            return self.refers(key, "users", id);
        }
        let (ids, last) = self.ids.entry(lines.model.slug()).or_default();
        if id <= *last {
            return Err(format!("id {id} comes after {last}"));
        }
        *last = id;
        ids.insert(id);
        Ok(())
    }

    fn references(&self, lines: &Lines, line: &Line) -> Result<(), String> {
        for (column, value) in lines.columns.iter().zip(&line.values) {
            if let (Kind::Reference(slug), Value::Text(id)) = (column.kind, value) {
                let id = id.parse().map_err(|_| format!("{} isn't a number", column.name))?;
                self.refers(column.name, slug, id)?;
            }
        }
        Ok(())
    }

    fn refers(&self, name: &str, slug: &str, id: i64) -> Result<(), String> {
        match self.ids.get(slug).is_some_and(|(ids, _)| ids.contains(id)) {
            true => Ok(()),
            false => Err(format!("{name} is {id}, and there is no such row of {slug} before it")),
        }
    }

    fn user(&mut self, lines: &Lines, line: &Line) -> Result<(), String> {
        for name in ["username", "email"] {
            if let Some(Value::Text(text)) = line.values.get(lines.place(name)) {
                // A user name has no @ in it: the two never meet.
                let hash = self.hasher.hash_one(fold(text));
                if !self.names.insert(hash) {
                    return Err(format!("{name} is somebody else's, too"));
                }
            }
        }
        Ok(())
    }

    /// Numbers of a room are each there once, and none beyond its counters.
    fn numbers(&mut self, lines: &Lines, line: &Line) -> Result<(), String> {
        let int = |name: &str| line.values.get(lines.place(name)).and_then(Value::as_int).unwrap_or(0);
        let room = match line.values.get(lines.place("room_id")) {
            Some(Value::Text(room)) => room.parse().unwrap_or(0),
            _ => 0,
        };
        let (seq, rev, last) = (int("seq"), int("rev"), self.last.get(&room).copied().unwrap_or_default());
        if seq > last.0 || rev > last.1 {
            return Err("its numbers are beyond those of its room".to_owned());
        }
        if !self.seqs.entry(room).or_default().insert(seq) || !self.revs.entry(room).or_default().insert(rev) {
            return Err("another message of its room has its number".to_owned());
        }
        Ok(())
    }
}
