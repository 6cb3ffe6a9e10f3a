//! Exports and imports as an operator runs them, and what two exports have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::app::{Database, Engine, Options, Site};
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

pub const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
pub const PICTURE: &str = "0123456789abcdef0123456789abcdef.png";

/// A made-up site with something of everything, not served.
pub async fn furnished(engine: Engine) -> Database {
    let database = Database::new(engine).await;
    done(&database, &["demo", "--users", "30", "--rooms", "14", "--messages", "700"]).await;
    let site = Site::over(database, 0, Options::default()).await;
    for row in [
        "insert into pins (message_id, room_id, pinned_by, created_at) select id, room_id, 1, 1700000000000001 from messages where id in (3, 5)".to_owned(),
        "insert into message_edits (message_id, user_id, content, created_at) values (4, null, 'Before', 1700000000123456)".into(),
        "insert into blocks (user_id, blocked_id, created_at) values (2, 3, 1700000000123000)".into(),
        "insert into bookmarks (user_id, model, name, query, created_at) values (1, 'users', 'Mine', 'q=x', 1700000000123000)".into(),
        "update messages set content = '', html = '', deleted_at = 1700000000999999, rev = (select last_rev + 1 from rooms where id = room_id) where id = 7".into(),
        "update rooms set last_rev = last_rev + 1 where id = (select room_id from messages where id = 7)".into(),
        "update users set avatar = '0123456789abcdef0123456789abcdef.png', digest = 'daily', signed_in_at = 1700000000000007 where id = 2".into(),
        "update settings set value = 'The Guild', updated_at = 1700000000000009 where key = 'site_name'".into(),
        "insert into audit_entries (actor_id, action, model, object_id, object_label, changes, created_at) values (1, 'change', 'users', '2', 'x', '{\"bio\":[\"a\",\"b\"]}', 1700000000123456)".into(),
        format!("insert into attachments (message_id, uploader_id, filename, content_type, size, sha256, width, created_at)
                 values (9, 2, 'Grüße \"1\".txt', 'text/plain', 5, '{DIGEST}', null, 1700000000123456)"),
        "update memberships set muted = true, notify_all = true where id = 2".into(),
    ] {
        site.sql(&row).await;
    }
    let sealed = site.app.keys.seal(switchboard::auth::keys::Purpose::TwoFactor, "JBSWY3DPEHPK3PXP").unwrap();
    site.sql("update users set totp_enabled = true where id = 3").await;
    site.sql(&format!(
        "insert into two_factors (user_id, secret, last_step, confirmed_at, created_at) values (3, '{sealed}', 5, 6, 7)"
    ))
    .await;
    site.sql("insert into recovery_codes (user_id, code_hash) values (3, 'abc'), (3, 'def')").await;
    let database = site.stop().await;
    let uploads = database.folder.path().join("uploads");
    std::fs::create_dir_all(uploads.join("files")).unwrap();
    std::fs::create_dir_all(uploads.join("avatars")).unwrap();
    std::fs::write(uploads.join("files").join(DIGEST), "hello").unwrap();
    std::fs::write(uploads.join("avatars").join(PICTURE), "a picture").unwrap();
    database
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
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
