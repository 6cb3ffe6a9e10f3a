//! What `switchboard import switchboard` refuses, before anything is touched; and second factors, which nobody loses on the way.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::app::{Database, Options, Site, both};
use crate::support::moves::{DIGEST, PICTURE, done, export, files, furnished, refused, text};
use crate::support::process::{run, texts};

both! {
    async fn an_export_that_isnt_whole_or_isnt_sound_is_refused_and_nothing_is_touched(engine: Engine) {
        let database = furnished(engine).await;
        let good = export(&database, "good").await;
        let other = Database::new(engine).await;
        done(&other, &["migrate"]).await;
        let changes: [(&str, Change); 9] = [
            ("has no manifest.json", |folder| std::fs::remove_file(folder.join("manifest.json")).unwrap()),
            ("is damaged", |folder| append(folder, "manifest.json", "x")),
            ("newer Switchboard", |folder| rewrite(folder, "manifest.json", "\"version\": 1", "\"version\": 2")),
            ("isn't the manifest", |folder| rewrite(folder, "manifest.json", "switchboard-export", "something-else")),
            ("messages.jsonl isn't what", |folder| append(folder, "messages.jsonl", "{}\n")),
            ("reactions.jsonl isn't there", |folder| std::fs::remove_file(folder.join("reactions.jsonl")).unwrap()),
            ("isn't what its manifest", |folder| append(folder, &format!("files/{DIGEST}"), "x")),
            ("isn't there", |folder| std::fs::remove_file(folder.join("files").join(DIGEST)).unwrap()),
            ("which no export has", |folder| {
                rewrite(folder, "files.jsonl", "files/avatars/", "files/../../");
                seal(folder, "files.jsonl");
            }),
        ];
        for (says, change) in changes {
            let bad = copy_of(&good);
            change(bad.path());
            let error = refused(&other, &["import", "switchboard", text(bad.path())]).await;
            assert!(error.contains(says), "{says}: {error}");
        }
        // With a manifest that fits, what the lines say is looked at.
        let lines: [(&str, &str, &str, &str); 13] = [
            ("users", "\"role\":\"user\"", "\"role\":\"king\"", "role isn't one of the words"),
            ("users", PICTURE, "../../secret_key", "avatar isn't the name of a picture"),
            ("users", "\"password_hash\":\"$argon2id$", "\"password_hash\":\"plain$", "password_hash isn't one"),
            // A log-in would take ten gigabytes.
            ("users", "$m=", "$m=1000000", "password_hash isn't one"),
            ("attachments", DIGEST, "../../../etc/passwd", "sha256 isn't one"),
            ("attachments", "text/plain", "text/plain\\r\\nX: y", "content_type isn't one"),
            ("messages", "\"sender_id\":1,", "\"sender_id\":999,", "sender_id is 999, and there is no such row of users"),
            ("messages", "\"seq\":2,", "\"seq\":200000,", "its numbers can't be"),
            ("messages", "\"content\":\"", "\"text\":\"", "has no content"),
            ("memberships", "\"role\":\"owner\"", "\"role\":\"owner\",\"rank\":1", "has a rank, which no row"),
            ("reactions", "\"emoji\":\"", "\"emoji\":\"x", "emoji isn't one"),
            ("settings", "The Guild", "", "value"),
            ("users", "{\"id\":2,", "{\"id\":1,", "id 1 comes after 1"),
        ];
        for (slug, from, to, says) in lines {
            let bad = copy_of(&good);
            rewrite(bad.path(), &format!("{slug}.jsonl"), from, to);
            seal(bad.path(), &format!("{slug}.jsonl"));
            let error = refused(&other, &["import", "switchboard", text(bad.path())]).await;
            assert!(error.contains(says) && error.contains(&format!("{slug}.jsonl, line ")), "{says}: {error}");
        }
        let error = refused(&database, &["import", "switchboard", text(&good)]).await;
        assert!(error.contains("this very site"), "{error}");
        let site = Site::over(other, 0, Options::default()).await;
        for table in ["users", "rooms", "messages", "imported", "import_sources"] {
            assert_eq!(site.number(&format!("select count(*) from {table}")).await, 0, "{table}");
        }
    }
}

/// Spoils an export.
type Change = fn(&Path);

/// A copy that may be spoilt.
fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for (name, bytes) in files(folder)
        .into_iter()
        .chain([("manifest.json".to_owned(), std::fs::read(folder.join("manifest.json")).unwrap())])
    {
        let path = copy.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    copy
}

fn append(folder: &Path, name: &str, more: &str) {
    let mut text = std::fs::read_to_string(folder.join(name)).unwrap();
    text.push_str(more);
    std::fs::write(folder.join(name), text).unwrap();
}

/// Replaces the first of what is there.
fn rewrite(folder: &Path, name: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(text.contains(from), "{name} has {from}");
    std::fs::write(folder.join(name), text.replacen(from, to, 1)).unwrap();
}

/// Lets the manifest tell of a file as it is.
fn seal(folder: &Path, name: &str) {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let digest = ring_digest(&bytes);
    manifest["files"][name]["sha256"] = json!(digest);
    manifest["files"][name]["bytes"] = json!(bytes.len());
    std::fs::write(path, manifest.to_string()).unwrap();
}

fn ring_digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

both! {
    async fn a_second_factor_moves_with_its_key_and_keeps_people_out_without_it(engine: Engine) {
        let database = furnished(engine).await;
        let folder = export(&database, "first").await;
        let same = Database::new(engine).await;
        let said = done(&same, &["import", "switchboard", text(&folder)]).await;
        assert!(!said.contains("SECRET_KEY"), "{said}");
        let other = Database::new(engine).await;
        let uploads = other.folder.path().join("uploads").display().to_string();
        let environment = [("UPLOAD_DIR", uploads.as_str()), ("SECRET_KEY", "another key of more than thirty-two letters")];
        let output = run(&other, &["import", "switchboard", text(&folder)], "", &environment).await;
        assert!(output.status.success() && texts(&output).0.contains("sealed with another SECRET_KEY"), "{:?}", texts(&output));
        let site = Site::over(other, 0, Options { settings: vec![("SECRET_KEY", "another key of more than thirty-two letters")], ..Options::default() }).await;
        assert_eq!(site.number("select count(*) from users u join two_factors f on f.user_id = u.id where u.totp_enabled").await, 1);
    }
}
