//! `switchboard import slack`: what a workspace had reads here as it did there, and a ZIP file that isn't to be trusted is
//! refused.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use serde_json::{Value, json};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Database, Engine, Options, Site, both};
use crate::support::moves::{done, refused};
use crate::support::process::run;

/// A ZIP file of these entries beside the database.
fn zip_of(database: &Database, name: &str, entries: &[(&str, Vec<u8>)]) -> PathBuf {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (entry, bytes) in entries {
        zip.start_file(*entry, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let path = database.folder.path().join(name);
    std::fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    path
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn users() -> Value {
    json!([
        {"id": "U1", "team_id": "T1", "name": "ann.lee", "updated": 1_600_000_000, "profile":
            {"real_name": "Ann Lee", "email": "ann@example.org", "title": "Cook", "display_name": "Ann"}},
        {"id": "U2", "team_id": "T1", "name": "bob", "profile": {"real_name": "Bob", "email": "bob@example.org"}},
        {"id": "U3", "team_id": "T1", "name": "gone", "deleted": true, "profile": {"real_name": "Gone", "email": "gone@example.org"}},
        {"id": "U4", "team_id": "T1", "name": "oven", "is_bot": true, "profile": {"real_name": "Oven", "bot_id": "B4"}},
        {"id": "U5", "team_id": "T1", "name": "Żółw", "profile": {"real_name": "Żółw"}},
    ])
}

/// A workspace with a bit of everything.
fn workspace() -> Vec<(&'static str, Vec<u8>)> {
    let channels = json!([
        {"id": "C1", "name": "general", "created": 1_500_000_000, "creator": "U1", "members": ["U1", "U2", "U3"],
         "purpose": {"value": "What concerns <@U1>"}, "pins": [{"id": "1700000001.000100", "type": "C", "created": 1_700_000_100, "user": "U2"}]},
        {"id": "C2", "name": "attic", "created": 1_500_000_000, "creator": "U9", "is_archived": true, "members": ["U2"]},
    ]);
    let groups =
        json!([{"id": "G1", "name": "board", "created": 1_500_000_000, "creator": "U2", "members": ["U1", "U2"]}]);
    let dms = json!([
        {"id": "D1", "created": 1_500_000_000, "members": ["U1", "U2"]},
        {"id": "D2", "created": 1_500_000_000, "members": ["U1"]},
    ]);
    let mpims = json!([{"id": "G2", "name": "mpdm-ann--bob--gone-1", "created": 1_500_000_000, "creator": "U1", "members": ["U1", "U2", "U3"]}]);
    let first = json!([
        {"type": "message", "user": "U1", "ts": "1700000001.000100", "text": "*Soup* for <@U2> &amp; all :tada: <https://example.org/a|recipe>",
         "reactions": [{"name": "+1::skin-tone-4", "users": ["U2", "U3"]}, {"name": "party_parrot", "users": ["U2"]}],
         "thread_ts": "1700000001.000100"},
        {"type": "message", "subtype": "channel_join", "user": "U3", "ts": "1700000000.000000", "text": "<@U3> has joined"},
        {"type": "message", "user": "U2", "ts": "1700000005.000200", "thread_ts": "1700000001.000100", "parent_user_id": "U1",
         "text": "With salt?", "edited": {"user": "U2", "ts": "1700000007.000000"}},
        {"type": "message", "user": "U1", "ts": "1700000006.000000", "text": "", "files": [
            {"id": "F1", "name": "list.txt", "mode": "hosted"}, {"id": "F2", "name": "lost `x`.png", "mode": "hosted"}]},
        {"type": "message", "subtype": "bot_message", "bot_id": "B4", "ts": "1700000008.000000", "text": "", "attachments": [{"title": "Warm", "text": "180 °C"}]},
        {"type": "message", "user": "U8", "ts": "1700000009.000000", "text": "From elsewhere", "user_profile": {"name": "guest", "real_name": "A Guest"}},
        {"type": "message", "subtype": "me_message", "user": "U1", "ts": "1700000010.000000", "text": "waves"},
        {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "ts": "1700000011.000000", "text": "This message was deleted."},
        {"type": "message", "user": "U1", "ts": "1700000012.000000", "text": "", "blocks": [{"type": "rich_text", "elements": [
            {"type": "rich_text_section", "elements": [{"type": "text", "text": "in blocks", "style": {"bold": true}}]}]}]},
    ]);
    let second = json!([{"type": "message", "user": "U2", "ts": "1700090000.000000", "text": "word ".repeat(1900)}]);
    let direct = json!([{"type": "message", "user": "U1", "ts": "1700000002.000000", "text": "Between us"}]);
    let own = json!([{"type": "message", "user": "U1", "ts": "1700000003.000000", "text": "Buy leeks"}]);
    vec![
        ("users.json", bytes(&users())),
        ("channels.json", bytes(&channels)),
        ("groups.json", bytes(&groups)),
        ("dms.json", bytes(&dms)),
        ("mpims.json", bytes(&mpims)),
        ("general/2023-11-14.json", bytes(&first)),
        ("general/2023-11-15.json", bytes(&second)),
        ("D1/2023-11-14.json", bytes(&direct)),
        ("D2/2023-11-14.json", bytes(&own)),
        ("mpdm-ann--bob--gone-1/2023-11-14.json", bytes(&direct)),
        ("strange/2023-11-14.json", bytes(&direct)),
        ("__uploads/F1/list.txt", b"leeks, salt".to_vec()),
    ]
}

both! {
    async fn a_workspace_reads_here_as_it_did_there(engine: Engine) {
        let database = Database::new(engine).await;
        let zip = zip_of(&database, "slack.zip", &workspace());
        let zip = zip.to_str().unwrap();
        // One that was killed left what it had translated.
        let left = database.folder.path().join("uploads/.import-0123456789abcdef");
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join(".lock"), "").unwrap();
        std::fs::write(left.join("messages.jsonl"), "{}").unwrap();
        let dry = done(&database, &["import", "slack", zip, "--dry-run"]).await;
        assert!(dry.contains("nothing was changed") && !left.exists(), "{dry}");
        let said = done(&database, &["import", "slack", zip]).await;
        for says in ["channel_join", "deleted before the export", "workspace's own", ":party_parrot:", "archived", "strange",
            "not in the export", "Nobody is an administrator", "became several"] {
            assert!(said.contains(says), "{says}: {said}");
        }
        let count = |said: &str, model: &str| said.lines().find(|line| line.starts_with(&format!("{model} "))).unwrap().to_owned();
        for model in ["users", "rooms", "messages", "memberships", "reactions"] {
            assert_eq!(count(&dry, model), count(&said, model), "the dry run said the same");
        }
        let site = Site::over(database, 0, Options::default()).await;
        let number = async |sql: &str| site.number(sql).await;
        assert_eq!(number("select count(*) from users").await, 6);
        assert_eq!(number("select count(*) from users where is_active").await, 3, "neither who was shut out nor bots nor guests");
        assert_eq!(number("select count(*) from users where email like '%@import.invalid'").await, 3);
        assert_eq!(number("select count(*) from users where username in ('ann.lee', 'bob', 'gone', 'oven', 'guest')").await, 5);
        assert_eq!(number("select count(*) from rooms where kind = 'public' and name in ('general', 'attic')").await, 2);
        assert_eq!(number("select count(*) from rooms where kind = 'group' and name in ('board', 'Ann Lee, Bob, Gone', 'Notes of Ann Lee')").await, 3);
        assert_eq!(number("select count(*) from rooms where kind = 'direct' and direct_key is not null and member_count = 2").await, 1);
        for (seq, content) in [
            (1, "**Soup** for @bob & all 🎉 [recipe](https://example.org/a)"),
            (2, "With salt?"),
            (3, "File `lost  x .png` (not in the export)"),
            (4, "Warm\n180 °C"),
            (5, "From elsewhere"),
            (6, "/me waves"),
            (7, "**in blocks**"),
        ] {
            let sql = format!("select count(*) from messages m join rooms r on r.id = m.room_id
                where r.name = 'general' and m.seq = {seq} and m.rev = {seq} and m.content = '{content}'");
            assert_eq!(number(&sql).await, 1, "{content}");
        }
        assert_eq!(number("select count(*) from messages where html like '%<span class=\"mention\">@bob</span>%'").await, 1);
        assert_eq!(number("select p.seq from messages m join messages p on p.id = m.reply_to where m.content = 'With salt?'").await, 1);
        assert_eq!(number("select count(*) from messages where edited_at = 1700000007000000 and created_at = 1700000005000200").await, 1);
        assert_eq!(number("select count(*) from reactions where emoji = '👍🏽'").await, 2);
        assert_eq!(number("select count(*) from pins p join messages m on m.id = p.message_id where m.seq = 1").await, 1);
        assert_eq!(number("select last_seq from rooms where name = 'general'").await, 10, "the long one became three");
        assert_eq!(number("select count(*) from messages a join messages b on b.id > a.id where b.created_at < a.created_at").await, 0, "ids follow the time");
        assert_eq!(number("select count(*) from attachments where filename = 'list.txt' and size = 11 and content_type = 'text/plain'").await, 1);
        assert_eq!(number("select count(*) from memberships m join rooms r on r.id = m.room_id where m.last_read_seq <> r.last_seq").await, 0);
        assert_eq!(number("select count(*) from notifications").await, 0, "nobody is told of old talk");
        // Nobody signs in before a password is set; then their rooms and files are there.
        let mut ann = Visitor::new(&site);
        assert_eq!(ann.post("/login", &[("username", "ann.lee"), ("password", PASSWORD)]).await.status, 422);
        let set = run(&site.database, &["user", "password", "ann.lee", "--password-stdin"], &format!("{PASSWORD}\n"), &[]).await;
        assert!(set.status.success());
        assert_eq!(ann.post("/login", &[("username", "ann.lee"), ("password", PASSWORD)]).await.leads_to(), "/chat");
        let id = number("select id from attachments").await;
        assert_eq!(ann.get(&format!("/chat/attachments/{id}")).await.text, "leeks, salt");
    }
}

both! {
    async fn taken_in_again_a_workspace_makes_no_doubles_and_brings_what_is_new(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::new(&site);
        let fields = [("username", "cook"), ("email", "ann@example.org"), ("password", PASSWORD)];
        ann.post("/register", &fields).await.leads_to();
        let general = ann.public_room("general").await;
        ann.say(general, "Ours").await;
        let zip = zip_of(&site.database, "slack.zip", &workspace());
        let said = done(&site.database, &["import", "slack", zip.to_str().unwrap()]).await;
        assert!(said.contains("general → general (2)") && said.contains("the same address"), "{said}");
        let messages = "select count(*) from messages";
        let (before, people) = (site.number(messages).await, site.number("select count(*) from users").await);
        assert_eq!(people, 6, "Ann is who she is here");
        assert_eq!(site.number("select count(*) from messages m join users u on u.id = m.sender_id where u.username = 'cook' and m.content = 'Between us'").await, 2);
        done(&site.database, &["import", "slack", zip.to_str().unwrap()]).await;
        assert_eq!((site.number(messages).await, site.number("select count(*) from users").await), (before, people));
        // A later export has a day more, and one earlier that the first hadn't.
        let mut later = workspace();
        let new = json!([{"type": "message", "user": "U2", "ts": "1700200000.000000", "text": "<@U1>: news"}]);
        let old = json!([{"type": "message", "user": "U2", "ts": "1600000000.000000", "text": "olds"}]);
        later.extend([("general/2023-11-17.json", bytes(&new)), ("general/2020-09-13.json", bytes(&old))]);
        let zip = zip_of(&site.database, "later.zip", &later);
        done(&site.database, &["import", "slack", zip.to_str().unwrap()]).await;
        assert_eq!(site.number(messages).await, before + 2);
        assert_eq!(site.number("select count(*) from messages m join rooms r on r.id = m.room_id where r.name = 'general (2)' and ((m.seq = 11 and m.content = 'olds') or (m.seq = 12 and m.content = '@cook: news'))").await, 2);
        assert_eq!(site.number("select last_seq * 100 + last_rev from rooms where name = 'general (2)'").await, 1212);
    }
}

/// Replaces the name of an entry in a ZIP file, in both places that it stands; of the same length.
fn renamed(zip: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut zip = zip.to_vec();
    let mut found = 0;
    for place in 0..zip.len() - from.len() {
        if zip[place..].starts_with(from.as_bytes()) {
            zip[place..place + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found >= 2, "{from} stands in it");
    zip
}

/// ZIP files that nobody should believe, each with what is said of it.
fn untrusted(database: &Database) -> Vec<(&'static str, Vec<u8>)> {
    let entries = [("users.json", bytes(&users())), ("channels.json", b"[]".to_vec()), ("aaaaaaaaaaaa", b"x".to_vec())];
    let good = std::fs::read(zip_of(database, "good.zip", &entries)).unwrap();
    let mut cases: Vec<(&'static str, Vec<u8>)> = vec![
        ("no ZIP file", b"not a zip".to_vec()),
        ("no ZIP file", good[..good.len() - 30].to_vec()),
        ("leads out", renamed(&good, "aaaaaaaaaaaa", "../../passwd")),
        ("leads out", renamed(&good, "aaaaaaaaaaaa", "/etc/passwd1")),
        ("leads out", renamed(&good, "aaaaaaaaaaaa", "..\\..\\passwd")),
        ("leads out", renamed(&good, "aaaaaaaaaaaa", "C:/windows/x")),
        ("no users.json", renamed(&good, "users.json", "usurs.json")),
    ];
    let link = || {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("users.json", SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes(&users())).unwrap();
        zip.add_symlink("__uploads/F1/x", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    cases.push(("is a link", link()));
    let bomb = || {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("users.json", SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![b' '; 8 << 20]).unwrap();
        zip.finish().unwrap().into_inner()
    };
    cases.push(("would grow", bomb()));
    // What is changed within is found before anything is read from it.
    let mut spoilt = {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file("users.json", stored).unwrap();
        zip.write_all(&bytes(&users())).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let place = spoilt.windows(4).position(|part| part == b"cook" || part == b"Cook").unwrap();
    spoilt[place] ^= 1;
    cases.push(("damaged", spoilt));
    let mut locked = good.clone();
    for signature in [b"PK\x03\x04".as_slice(), b"PK\x01\x02"] {
        let flags = if signature[2] == 3 { 6 } else { 8 };
        let places: Vec<usize> =
            (0..locked.len() - 4).filter(|place| locked[*place..].starts_with(signature)).collect();
        for place in places {
            locked[place + flags] |= 1;
        }
    }
    cases.push(("encrypted", locked));
    cases
}

#[tokio::test]
async fn a_zip_file_that_isnt_to_be_trusted_is_refused_before_anything_is_touched() {
    let database = Database::new(Engine::Sqlite).await;
    done(&database, &["migrate"]).await;
    for (says, zip) in untrusted(&database) {
        let path = database.folder.path().join("bad.zip");
        std::fs::write(&path, zip).unwrap();
        let error = refused(&database, &["import", "slack", path.to_str().unwrap()]).await;
        assert!(error.contains(says), "{says}: {error}");
    }
    assert!(!database.folder.path().join("passwd").exists());
    let site = Site::over(database, 0, Options::default()).await;
    for table in ["users", "imported", "import_sources"] {
        assert_eq!(site.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    let left = std::fs::read_dir(site.database.folder.path().join("uploads")).into_iter().flatten();
    let left: Vec<_> = left
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with(".import"))
        .collect();
    assert!(left.is_empty(), "nothing half translated stays: {left:?}");
}
