//! Exports and imports as an operator runs them, and what two exports have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::app::Database;
use super::process::{run, texts};

pub const KEY: &str = "for tests only, and for nothing else";

/// Runs a command with the uploads where a test's own server has them, and the same key.
pub async fn command(database: &Database, arguments: &[&str]) -> Output {
    let uploads = database.folder.path().join("uploads").display().to_string();
    run(database, arguments, "", &[("UPLOAD_DIR", &uploads), ("SECRET_KEY", KEY)]).await
}

/// What a command that succeeded printed.
pub async fn done(database: &Database, arguments: &[&str]) -> String {
    let output = command(database, arguments).await;
    let (said, error) = texts(&output);
    assert!(output.status.success(), "{arguments:?}: {error}");
    assert_eq!(error, "", "no bar where there is no terminal");
    said
}

/// The one line of a command that was refused.
pub async fn refused(database: &Database, arguments: &[&str]) -> String {
    let output = command(database, arguments).await;
    let (said, error) = texts(&output);
    assert!(!output.status.success(), "{arguments:?} was done: {said}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    error
}

/// Exports into a new folder beside the database, and gives it.
pub async fn export(database: &Database, name: &str) -> PathBuf {
    let folder = database.folder.path().join(name);
    done(database, &["export", folder.to_str().unwrap()]).await;
    folder
}

/// The lines of one model.
pub fn lines(folder: &Path, slug: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(format!("{slug}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every file of an export, by its path, but for the manifest.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found.remove("manifest.json").expect("it has a manifest");
    found
}

/// What isn't taken in again, and says so.
const NOT_TAKEN: [&str; 4] = ["sessions.jsonl", "api-tokens.jsonl", "password-reset-tokens.jsonl", "invitations.jsonl"];

/// Fails where two exports differ in a file, but for what isn't taken in, and mails that waited.
#[track_caller]
pub fn assert_same(one: &Path, other: &Path) {
    let (mut one, mut other) = (files(one), files(other));
    for name in NOT_TAKEN {
        one.remove(name);
        other.remove(name);
    }
    let settled = |files: &mut BTreeMap<String, Vec<u8>>| {
        let text = String::from_utf8(files.remove("emails.jsonl").unwrap()).unwrap();
        let settle = |line: &str| {
            let mut mail: Value = serde_json::from_str(line).unwrap();
            if ["queued", "failed"].contains(&mail["status"].as_str().unwrap()) {
                for field in ["status", "last_error", "next_attempt_at"] {
                    mail[field] = Value::Null;
                }
                mail["micros"]["next_attempt_at"] = Value::Null;
            }
            mail.to_string()
        };
        text.lines().map(settle).collect::<Vec<_>>()
    };
    assert_eq!(settled(&mut one), settled(&mut other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(*bytes == other[name], "{name} differs:\n{}", difference(bytes, &other[name]));
    }
}

/// The first lines that differ.
fn difference(one: &[u8], other: &[u8]) -> String {
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    let differs = one.lines().zip(other.lines()).find(|(a, b)| a != b);
    differs.map_or_else(
        || format!("{} lines and {}", one.lines().count(), other.lines().count()),
        |(a, b)| format!("{a}\n{b}"),
    )
}
