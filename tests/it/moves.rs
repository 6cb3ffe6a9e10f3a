//! `switchboard export` and `switchboard import switchboard`: a site moves, whole or into another.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use switchboard::transfer::bundle::Bundle;
use switchboard::transfer::take::{Options as How, Step, take};
use tokio::sync::Notify;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Database, Engine, Options, Site, both, postgres_url};
use crate::support::moves::{KEY, assert_same, command, done, export, files, lines, refused};
use crate::support::process::texts;

/// The fifteen models of the contract, with their fields.
const FIELDS: [(&str, &str); 15] = [
    (
        "users",
        "id username email password_hash first_name last_name bio avatar role is_active totp_enabled last_seen_at created_at updated_at",
    ),
    ("rooms", "id kind name description created_by last_seq last_rev created_at updated_at"),
    ("memberships", "id room_id user_id role last_read_seq muted joined_at"),
    ("messages", "id room_id seq rev sender_id content client_id reply_to edited_at deleted_at created_at"),
    ("attachments", "id message_id uploader_id filename content_type size sha256 width height created_at"),
    ("reactions", "id message_id user_id emoji created_at"),
    ("interests", "id sender_id recipient_id note status created_at decided_at"),
    ("notifications", "id user_id kind message_id room_id actor_id read_at created_at"),
    ("password-reset-tokens", "id user_id created_at expires_at used_at"),
    ("sessions", "id user_id ip user_agent created_at last_seen_at expires_at"),
    ("api-tokens", "id user_id name created_at last_used_at expires_at revoked_at"),
    ("emails", "id to subject text html status attempts last_error next_attempt_at sent_at created_at"),
    ("reports", "id message_id reporter_id reason status handled_by created_at"),
    ("audit-entries", "id actor_id action model object_id object_label changes ip created_at"),
    ("settings", "key value updated_at"),
];

const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const PICTURE: &str = "0123456789abcdef0123456789abcdef.png";

/// A made-up site with something of everything, not served.
async fn furnished(engine: Engine) -> Database {
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

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

both! {
    async fn an_export_is_a_folder_of_every_model_with_its_fields_for_its_owner_alone(engine: Engine) {
        let database = furnished(engine).await;
        let folder = export(&database, "out").await;
        let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["format"], "switchboard-export");
        assert_eq!(manifest["site_name"], "The Guild");
        for (slug, fields) in FIELDS {
            let rows = lines(&folder, slug);
            assert_eq!(manifest["files"][format!("{slug}.jsonl")]["rows"], rows.len(), "{slug}");
            assert_eq!(manifest["files"][format!("{slug}.jsonl")]["sha256"].as_str().unwrap().len(), 64);
            for field in fields.split(' ') {
                assert!(rows.iter().all(|row| row.get(field).is_some()), "{slug} has {field}");
            }
        }
        let users = lines(&folder, "users");
        assert_eq!(users.len(), 30);
        assert!(users.iter().all(|user| user["password_hash"].as_str().unwrap().starts_with("$argon2id$")));
        let edit = &lines(&folder, "message-edits")[0];
        assert_eq!((&edit["created_at"], &edit["micros"]["created_at"]), (&json!("2023-11-14T22:13:20.123Z"), &json!(456)));
        let all = files(&folder);
        assert_eq!(all[&format!("files/{DIGEST}")], b"hello");
        assert_eq!(all[&format!("files/avatars/{PICTURE}")], b"a picture");
        let text: String = all.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert!(!text.contains("token_hash") && !text.contains("JBSWY3DPEHPK3PXP"), "no secret that works by itself");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert!(all.keys().all(|name| mode(&folder.join(name)) == 0o600));
        let again = refused(&database, &["export", text_of(&folder)]).await;
        assert!(again.contains("isn't empty"), "{again}");
    }
}

fn text_of(path: &Path) -> &str {
    text(path)
}

both! {
    async fn a_site_that_moves_into_an_empty_one_is_the_same_row_by_row_and_file_by_file(engine: Engine) {
        let database = furnished(engine).await;
        let first = export(&database, "first").await;
        let other = Database::new(engine).await;
        let said = done(&other, &["import", "switchboard", text(&first)]).await;
        assert!(said.contains("api-tokens") && said.contains("programs need new ones"), "{said}");
        let second = export(&other, "second").await;
        assert_same(&first, &second);
        // Its people sign in with their passwords, its rooms go on where they were, and no id is given twice.
        let highest = lines(&first, "users").len() as i64;
        let site = Site::over(other, 0, Options::default()).await;
        let counted = "select count(*) from rooms r where member_count <> (select count(*) from memberships m where m.room_id = r.id)";
        assert_eq!(site.number(counted).await, 0);
        assert_eq!(site.number("select count(*) from messages where deleted_at is null and html = '' and content <> ''").await, 0);
        let mut eve = Visitor::registered(&site, "eve").await;
        assert_eq!(site.number("select id from users where username = 'eve'").await, highest + 1);
        let hall = eve.public_room("A hall of her own").await;
        eve.say(hall, "First").await;
        assert_eq!(site.number("select count(*) from emails where status = 'queued'").await, 0, "nothing is sent twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_moves_from_one_database_to_the_other_and_back_unchanged() {
    if postgres_url().is_none() {
        return eprintln!("skipped: TEST_POSTGRES_URL isn't set; tests/run sets it");
    }
    let sqlite = furnished(Engine::Sqlite).await;
    let first = export(&sqlite, "first").await;
    let postgres = Database::new(Engine::Postgres).await;
    done(&postgres, &["import", "switchboard", text(&first)]).await;
    let second = export(&postgres, "second").await;
    assert_same(&first, &second);
    let back = Database::new(Engine::Sqlite).await;
    done(&back, &["import", "switchboard", text(&second)]).await;
    assert_same(&first, &export(&back, "third").await);
}

both! {
    async fn a_dry_run_says_what_would_come_and_changes_nothing(engine: Engine) {
        let database = furnished(engine).await;
        let folder = export(&database, "first").await;
        let other = Database::new(engine).await;
        let report = other.folder.path().join("report.txt");
        let said = done(&other, &["import", "switchboard", text(&folder), "--dry-run", "--report", text(&report)]).await;
        assert!(said.contains("nothing was changed"), "{said}");
        let users = said.lines().find(|line| line.starts_with("users ")).unwrap();
        assert_eq!(users.split_whitespace().collect::<Vec<_>>(), ["users", "30", "0", "0"]);
        assert!(std::fs::read_to_string(report).unwrap().contains("api-tokens"));
        assert!(!other.folder.path().join("uploads/files").join(DIGEST).exists());
        let site = Site::over(other, 0, Options::default()).await;
        for table in ["users", "rooms", "messages", "imported", "import_sources"] {
            assert_eq!(site.number(&format!("select count(*) from {table}")).await, 0, "{table}");
        }
    }
}

both! {
    async fn what_came_comes_once_however_often_it_is_taken_in(engine: Engine) {
        let database = furnished(engine).await;
        let first = export(&database, "first").await;
        let other = Database::new(engine).await;
        done(&other, &["import", "switchboard", text(&first)]).await;
        let before = export(&other, "before").await;
        let said = done(&other, &["import", "switchboard", text(&first)]).await;
        let messages = said.lines().find(|line| line.starts_with("messages ")).unwrap();
        assert_eq!(messages.split_whitespace().collect::<Vec<_>>(), ["messages", "0", "700", "0"]);
        assert_eq!(files(&before), files(&export(&other, "after").await));
    }
}

/// Takes `folder` in and is cut off once so many rows came.
async fn cut_off(site: &Site, folder: &Path, after: u64) {
    let (rows, enough) = (AtomicU64::new(0), Notify::new());
    let told = |step| {
        if let Step::Taken(count) = step
            && rows.fetch_add(count, Ordering::Relaxed) + count >= after
        {
            enough.notify_one();
        }
    };
    let how = How { together: 50, ..How::default() };
    tokio::select! {
        biased;
        () = enough.notified() => {}
        _ = take(&site.app, Bundle::of_export(folder).unwrap(), how, told) => panic!("it came to its end"),
    }
}

both! {
    async fn an_import_that_is_cut_off_goes_on_where_it_was(engine: Engine) {
        let database = furnished(engine).await;
        let first = export(&database, "first").await;
        // Served meanwhile, and by people who come while it is half done.
        let site = Site::new(engine).await;
        for after in [40, 300, 700, 1000] {
            cut_off(&site, &first, after).await;
        }
        let half = site.number("select count(*) from messages").await;
        assert!(half > 0 && half < 700, "{half}");
        take(&site.app, Bundle::of_export(&first).unwrap(), How::default(), |_| {}).await.unwrap();
        assert_same(&first, &export(&site.stop().await, "second").await);
    }
}

both! {
    async fn into_a_site_with_people_it_comes_beside_them_under_ids_of_its_own(engine: Engine) {
        let database = Database::new(engine).await;
        let site = Site::over(database, 0, Options::default()).await;
        let [mut ann, mut bob, mut cem] =
            [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await, Visitor::registered(&site, "cem").await];
        let hall = ann.public_room("Hall").await;
        bob.post(&format!("/rooms/{hall}/join"), &[]).await.leads_to();
        for said in ["One", "Two", "Three"] {
            ann.say(hall, said).await;
        }
        bob.post(&format!("/chat/rooms/{hall}"), &[("content", "Answer"), ("reply_to", "1")]).await.leads_to();
        let direct = ann.post("/rooms/new", &[("member_ids", "2")]).await.room();
        bob.say(direct, "Between us").await;
        cem.say(cem.clone().public_room("Kitchen").await, "Soup").await;
        site.sql("update users set role = 'admin' where username = 'ann'").await;
        site.sql("update memberships set last_read_seq = 2 where user_id = 2 and room_id = 1").await;
        let from = export(&site.stop().await, "out").await;

        // There: the same Ann by her address, another Bob, a Hall, and a talk of the two.
        let there = Site::new(engine).await;
        let mut anna = Visitor::new(&there);
        let fields = [("username", "anna"), ("email", "ANN@example.org"), ("password", PASSWORD)];
        assert_eq!(anna.post("/register", &fields).await.leads_to(), "/chat");
        let mut other = Visitor::new(&there);
        let fields = [("username", "Bob"), ("email", "other-bob@example.org"), ("password", PASSWORD)];
        assert_eq!(other.post("/register", &fields).await.leads_to(), "/chat");
        let own = anna.public_room("Hall").await;
        anna.say(own, "Ours").await;
        let report = take(&there.app, Bundle::of_export(&from).unwrap(), How::default(), |_| {}).await.unwrap().long();
        for says in ["bob → bob-2", "Hall → Hall (2)", "ann"] {
            assert!(report.contains(says), "{says}: {report}");
        }
        let number = async |sql: &str| there.number(sql).await;
        assert_eq!(number("select count(*) from users").await, 4);
        assert_eq!(number("select count(*) from users where role = 'admin'").await, 0, "nobody gets rights by an import");
        let room = number("select id from rooms where name = 'Hall (2)'").await;
        assert_eq!(number(&format!("select last_seq * 100 + last_rev * 10 + member_count from rooms where id = {room}")).await, 442);
        assert_eq!(number(&format!("select count(*) from messages where room_id = {room} and seq in (1, 2, 3, 4)")).await, 4);
        let answer = "select p.seq from messages m join messages p on p.id = m.reply_to where m.content = 'Answer'";
        assert_eq!(number(answer).await, 1);
        let read = "select m.last_read_seq from memberships m join users u on u.id = m.user_id where u.username = 'bob-2' and m.role = 'member' and m.room_id = ";
        assert_eq!(number(&format!("{read}{room}")).await, 2);
        assert_eq!(number("select count(*) from rooms r where kind = 'direct' and direct_key = (select min(user_id) || ':' || max(user_id) from memberships m where m.room_id = r.id)").await, 1);
        // Ann finds her earlier talk with the account that she has here; Bob comes with his password.
        assert!(anna.get(&format!("/chat/rooms/{room}")).await.text.contains("Three"));
        let log_in = [("username", "bob-2"), ("password", PASSWORD)];
        let mut bob = Visitor::new(&there);
        assert_eq!(bob.post("/login", &log_in).await.leads_to(), "/chat");
        bob.say(room, "Five").await;
        assert_eq!(number(&format!("select seq from messages where content = 'Five' and room_id = {room}")).await, 5);

        // Once more makes no doubles; what somebody deletes here stays deleted.
        there.sql("delete from messages where content = 'Two'").await;
        take(&there.app, Bundle::of_export(&from).unwrap(), How::default(), |_| {}).await.unwrap();
        assert_eq!(number("select count(*) from messages").await, 7);
        assert_eq!(number("select count(*) from users").await, 4);
    }
}

both! {
    async fn a_later_export_brings_what_is_new_behind_what_was_said_here(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hall = ann.public_room("Hall").await;
        ann.say(hall, "One").await;
        let folder = site.database.folder.path().to_owned();
        let first = folder.join("first");
        done(&site.database, &["export", text(&first)]).await;
        let there = Site::new(engine).await;
        take(&there.app, Bundle::of_export(&first).unwrap(), How::default(), |_| {}).await.unwrap();
        let mut here = Visitor::logged_in(&there, "ann").await;
        let mut socket = here.follows(hall).await;
        here.say(hall, "Said here").await;
        socket.expect("message").await;
        ann.say(hall, "Two").await;
        ann.say(hall, "Three").await;
        let second = folder.join("second");
        done(&site.database, &["export", text(&second)]).await;
        take(&there.app, Bundle::of_export(&second).unwrap(), How::default(), |_| {}).await.unwrap();
        assert_eq!(there.number("select count(*) from messages where (seq = 1 and content = 'One') or (seq = 2 and content = 'Said here') or (seq = 3 and content = 'Two') or (seq = 4 and content = 'Three')").await, 4);
        assert_eq!(there.number("select last_seq * 10 + last_rev from rooms").await, 44);
        // Whoever listened gets them with the next message, in their order.
        here.say(hall, "Five").await;
        for content in ["Two", "Three", "Five"] {
            assert_eq!(socket.expect("message").await["content"], content);
        }
    }
}

both! {
    async fn an_export_that_isnt_whole_or_isnt_sound_is_refused_and_nothing_is_touched(engine: Engine) {
        let database = furnished(engine).await;
        let good = export(&database, "good").await;
        let other = Database::new(engine).await;
        done(&other, &["migrate"]).await;
        let changes: [(&str, fn(&Path)); 9] = [
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
        let lines: [(&str, &str, &str, &str); 12] = [
            ("users", "\"role\":\"user\"", "\"role\":\"king\"", "role isn't one of the words"),
            ("users", PICTURE, "../../secret_key", "avatar isn't the name of a picture"),
            ("users", "\"password_hash\":\"$argon2id$", "\"password_hash\":\"plain$", "password_hash isn't one"),
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
        let output = crate::support::process::run(&other, &["import", "switchboard", text(&folder)], "", &environment).await;
        assert!(output.status.success() && texts(&output).0.contains("sealed with another SECRET_KEY"), "{:?}", texts(&output));
        let site = Site::over(other, 0, Options { settings: vec![("SECRET_KEY", "another key of more than thirty-two letters")], ..Options::default() }).await;
        assert_eq!(site.number("select count(*) from users u join two_factors f on f.user_id = u.id where u.totp_enabled").await, 1);
        assert_ne!(KEY, "another key of more than thirty-two letters");
    }
}

both! {
    async fn an_export_is_one_moment_of_a_site_that_is_served(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hall = ann.public_room("Hall").await;
        let talking = async {
            loop {
                ann.say(hall, "And another").await;
            }
        };
        let folders: Vec<_> = (0..4).map(|number| site.database.folder.path().join(format!("out{number}"))).collect();
        let exporting = async {
            for folder in &folders {
                let output = command(&site.database, &["export", text(folder)]).await;
                assert!(output.status.success(), "{:?}", texts(&output));
            }
        };
        tokio::select! {
            () = exporting => {}
            () = talking => {}
        }
        for folder in &folders {
            let (rooms, messages) = (lines(folder, "rooms"), lines(folder, "messages"));
            assert_eq!(rooms[0]["last_seq"], messages.len(), "counters and rows are of one moment");
            let other = Database::new(engine).await;
            done(&other, &["import", "switchboard", text(folder)]).await;
        }
    }
}
