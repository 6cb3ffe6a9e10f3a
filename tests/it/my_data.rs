//! What people take away of what the site keeps of them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use serde_json::Value;

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};

/// The files of an archive.
async fn files(who: &Visitor) -> BTreeMap<String, Vec<u8>> {
    let response = who.open("/settings/export").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/zip");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(!response.headers().contains_key("content-encoding"));
    let mut archive = zip::ZipArchive::new(Cursor::new(response.bytes().await.unwrap())).unwrap();
    let mut files = BTreeMap::new();
    for number in 0..archive.len() {
        let mut file = archive.by_index(number).unwrap();
        let name = file.name().unwrap().into_owned();
        assert!(file.enclosed_name().is_some(), "{name}");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    files
}

fn json(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

both! {
    async fn a_person_takes_away_all_of_their_own_and_nothing_of_others(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let hall = ann.public_room("Hall").await;
        let direct = ann.post("/rooms/new", &[("member_ids", "2")]).await.room();
        bob.post(&format!("/rooms/{hall}/join"), &[]).await.leads_to();
        ann.say(hall, "Mine \"quoted\"").await;
        bob.say(hall, "Not yours").await;
        bob.say(direct, "A secret of Bob's").await;
        ann.post("/settings", &[("bio", "Likes tea")]).await.leads_to();
        ann.post("/settings/api-tokens", &[("name", "Backup")]).await.leads_to();
        let digest = "ab".repeat(32);
        for row in [
            "insert into reactions (message_id, user_id, emoji, created_at) values (2, 1, '+1', 5), (1, 2, '-1', 5)".into(),
            "insert into blocks (user_id, blocked_id, created_at) values (1, 2, 5), (2, 1, 5)".into(),
            "insert into interests (sender_id, recipient_id, note, created_at) values (1, 2, 'Tea?', 5)".into(),
            "insert into notifications (user_id, kind, actor_id, created_at) values (1, 'mention', 2, 5), (2, 'reply', 1, 5)".into(),
            "insert into reports (message_id, reporter_id, reason, handled_by, created_at) values (2, 1, 'Rude', 2, 5)".into(),
            format!("insert into attachments (message_id, uploader_id, filename, content_type, size, sha256, created_at)
                     values (1, 1, '../a b.txt', 'text/plain', 5, '{digest}', 5),
                            (1, 1, 'gone.txt', 'text/plain', 5, '../../test.db', 5)"),
        ] {
            site.sql(&row).await;
        }
        let folder = site.database.folder.path().join("uploads/files");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(&digest), "Hello").unwrap();

        let files = files(&ann).await;
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["README.txt", "api_tokens.json", "attachments.json", "blocks.json", "files/1-.._a b.txt", "interests.json",
            "messages.json", "notifications.json", "profile.json", "reactions.json", "reports.json", "rooms.json",
            "sessions.json"]);
        assert_eq!(files["files/1-.._a b.txt"], b"Hello");
        let profile = json(&files, "profile.json");
        assert_eq!((&profile["username"], &profile["bio"]), (&"ann".into(), &"Likes tea".into()));
        let messages = json(&files, "messages.json");
        assert_eq!(messages.as_array().unwrap().len(), 1);
        assert_eq!(messages[0]["content"], "Mine \"quoted\"");
        let rooms = json(&files, "rooms.json");
        let rooms: Vec<&str> = rooms.as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect();
        assert_eq!(rooms, ["Hall", "bob"]);
        assert_eq!(json(&files, "reactions.json").as_array().unwrap().len(), 1);
        assert_eq!(json(&files, "interests.json")[0]["recipient"], "bob");
        assert_eq!(json(&files, "blocks.json"), serde_json::json!([{"id": 1, "blocked": "bob", "created_at": "1970-01-01T00:00:00.000Z"}]));
        assert_eq!(json(&files, "notifications.json").as_array().unwrap().len(), 1);
        assert_eq!(json(&files, "notifications.json")[0]["actor"], "bob");
        assert_eq!(json(&files, "sessions.json").as_array().unwrap().len(), 1);
        assert_eq!(json(&files, "api_tokens.json")[0]["name"], "Backup");
        assert_eq!(json(&files, "attachments.json").as_array().unwrap().len(), 2);
        assert_eq!(json(&files, "reports.json")[0]["reason"], "Rude");
        let all: String = files.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        for private in ["argon2", "token_hash", "password_hash", "bob@example.org", "A secret of Bob's", "Not yours", "handled_by"] {
            assert!(!all.contains(private), "{private} is in it");
        }
        let left = std::fs::read_dir(site.database.folder.path().join("uploads")).unwrap().count();
        assert_eq!(left, 1, "nothing of it stays on disk but what was there");
    }
}

both! {
    async fn many_messages_come_in_order_and_each_once(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        ann.public_room("Hall").await;
        site.sql("insert into messages (room_id, seq, rev, sender_id, content, html, created_at)
                  with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500)
                  select 1, i, i, 1, 'x', '', 7 from n").await;
        let files = files(&ann).await;
        let messages = json(&files, "messages.json");
        let seqs: Vec<i64> = messages.as_array().unwrap().iter().map(|message| message["seq"].as_i64().unwrap()).collect();
        assert_eq!(seqs, (1..=2500).collect::<Vec<i64>>());
        assert_eq!(json(&files, "reports.json"), Value::Array(vec![]));
    }
}

both! {
    async fn one_takes_away_one_at_a_time_and_visitors_nothing(engine: Engine) {
        let site = Site::new(engine).await;
        assert_eq!(Visitor::new(&site).get("/settings/export").await.leads_to(), "/login?next=%2Fsettings%2Fexport");
        let [ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let user = switchboard::ids::UserId(1);
        let held = switchboard::users::my_data::put_together(&site.app, user).await.unwrap();
        let refused = ann.get("/settings/export").await;
        assert_eq!(refused.status, 409);
        assert!(refused.text.contains("on its way already"));
        files(&bob).await;
        drop(held);
        files(&ann).await;
    }
}
