//! The setting `retention_days`: what is older is gone for good, and the rooms go on.

use serde_json::json;
use switchboard::jobs;
use switchboard::settings;

use crate::support::app::{Engine, Site, both};
use crate::support::program::{Program, Time, api, each};
use crate::support::talk::{room, said, seqs};

const DAY: i64 = 24 * 3600;

async fn keep(site: &Site, days: &str) {
    let mut work = site.admin().await;
    settings::set(&mut work, "retention_days", days).await.unwrap();
    work.commit().await.unwrap();
}

/// A site whose clock stands at the real hour, and three people with a room.
async fn talk(engine: Engine) -> (Site, Time, [Program; 3], i64) {
    let (site, time) = api(engine).await;
    let people = Program::three(&site).await;
    let id = room(&site, "group", &[1, 2, 3]).await;
    (site, time, people, id)
}

both! {
    async fn messages_past_their_time_go_with_all_that_refers_to_them(engine: Engine) {
        let (site, time, [ann, bob, _], id) = talk(engine).await;
        let path = format!("/chat/rooms/{id}/messages");
        let old = said(&ann, id, "@bob a purple elephant").await;
        let part = reqwest::multipart::Part::bytes(b"a file of an old message".as_slice()).file_name("secret-name.txt");
        let form = reqwest::multipart::Form::new().text("content", "purple file").part("file", part);
        let posted = ann.client.post(format!("{}/api/v1{path}", ann.base)).bearer_auth(ann.access.as_ref().unwrap());
        let with_file: serde_json::Value = posted.multipart(form).send().await.unwrap().json().await.unwrap();
        let file = site.app.config.upload_dir.join("files").join(
            sha(&site, with_file["attachments"][0]["id"].as_i64().unwrap()).await,
        );
        assert!(file.exists());
        bob.send("PUT", &format!("/chat/messages/{}/reactions/👍", old["id"]), None, "").await.is(200);
        bob.post(&format!("/chat/messages/{}/report", old["id"]), json!({"reason": "Odd"})).await.is(201);
        bob.post(&format!("/chat/rooms/{id}/read"), json!({"seq": 2})).await.is(204);
        time.pass(DAY / 2);
        let bob = Program::logged_in(&site, "bob").await;
        let young = bob.post(&path, json!({"content": "Which purple elephant?", "reply_to": old["id"]})).await.is(201).json();
        keep(&site, "1").await;
        time.pass(DAY / 2 + 1);
        jobs::sweep_once(&site.app).await.unwrap();

        let (ann, bob) = (Program::logged_in(&site, "ann").await, Program::logged_in(&site, "bob").await);
        let page = ann.get(&path).await.is(200).json();
        assert_eq!((seqs(&page), &page["messages"][0]["reply_to"]), (vec![3], &json!(null)));
        ann.get(&format!("/chat/attachments/{}", with_file["attachments"][0]["id"])).await.refuses(404, None);
        ann.patch(&format!("/chat/messages/{}", old["id"]), json!({"content": "x"})).await.refuses(404, None);
        let found = ann.get("/chat/search?q=purple").await.is(200).json();
        assert_eq!(each(&found, "id"), [young["id"].clone()]);
        // The one of the answer to Ann stands.
        assert!(each(&bob.get("/notifications").await.json(), "kind").is_empty());
        assert_eq!(each(&ann.get("/notifications").await.json(), "kind"), ["reply"]);
        for table in ["reactions", "reports", "attachments"] {
            assert_eq!(site.number(&format!("select count(*) from {table}")).await, 0, "{table}");
        }
        gone(&file).await;
        // Numbers go on, and so does what was read.
        assert_eq!(said(&ann, id, "Next").await["seq"], 4);
        let sql = format!("select last_read_seq from memberships where room_id = {id} and user_id = 2");
        assert_eq!(site.number(&sql).await, 3);
    }
}

async fn sha(site: &Site, attachment: i64) -> String {
    let mut conn = site.app.db.read().await.unwrap();
    let sql = format!("select sha256 from attachments where id = {attachment}");
    switchboard::on_db!(conn, c => sqlx::query_scalar(&sql).fetch_one(c).await).unwrap()
}

/// Files go beside what else is done.
async fn gone(file: &std::path::Path) {
    let looked = async {
        while file.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), looked).await.expect("the file goes");
}

both! {
    async fn without_the_setting_everything_is_kept(engine: Engine) {
        let (site, time, [ann, ..], id) = talk(engine).await;
        said(&ann, id, "For ever").await;
        time.pass(5 * DAY);
        jobs::sweep_once(&site.app).await.unwrap();
        keep(&site, "6").await;
        jobs::sweep_once(&site.app).await.unwrap();
        assert_eq!(site.number("select count(*) from messages").await, 1);
        keep(&site, "4").await;
        jobs::sweep_once(&site.app).await.unwrap();
        assert_eq!(site.number("select count(*) from messages").await, 0);
        // Her access token has run out with the clock.
        let ann = Program::logged_in(&site, "ann").await;
        assert_eq!(said(&ann, id, "On").await["seq"], 2);
    }
}

both! {
    async fn the_text_of_old_mails_goes_too_and_a_rooms_page_ends_where_the_messages_do(engine: Engine) {
        let (site, time, [ann, ..], id) = talk(engine).await;
        said(&ann, id, "Old words").await;
        site.sql(
            "insert into emails (\"to\", subject, text, html, status, created_at) values
             ('a@example.org', 'What you missed', 'Old words', '<p>Old words</p>', 'sent', 5), ('b@example.org', 'x', 'y', 'y', 'queued', 5)"
        ).await;
        time.pass(2 * DAY);
        let ann = Program::logged_in(&site, "ann").await;
        said(&ann, id, "New words").await;
        keep(&site, "1").await;
        jobs::sweep_once(&site.app).await.unwrap();
        assert_eq!(site.number("select count(*) from emails where text = ''").await, 1);
        let page = crate::support::actors::Visitor::logged_in(&site, "ann").await.get(&format!("/chat/rooms/{id}")).await;
        assert!(page.text.contains("New words") && !page.text.contains("Older messages"), "{}", page.text);
    }
}

both! {
    async fn a_backlog_goes_in_one_sweep_and_open_sockets_stay(engine: Engine) {
        let (site, time, [ann, ..], id) = talk(engine).await;
        site.sql(&format!(
            "insert into messages (room_id, seq, rev, sender_id, content, html, created_at)
             with recursive n (i) as (select cast(1 as bigint) union all select i + 1 from n where i < 1001)
             select {id}, i, i, 1, 'old', 'old', i from n"
        ))
        .await;
        site.sql(&format!("update rooms set last_seq = 1001, last_rev = 1001 where id = {id}")).await;
        let mut socket = ann.socket(&format!("/ws/chat/{id}")).await;
        keep(&site, "1").await;
        let (swept, posted) = tokio::join!(jobs::sweep_once(&site.app), said(&ann, id, "new"));
        swept.unwrap();
        assert_eq!((posted["seq"].clone(), socket.expect("message").await["seq"].clone()), (json!(1002), json!(1002)));
        assert_eq!(site.number("select count(*) from messages").await, 1);
        socket.say("still here", "c1").await;
        assert_eq!(socket.expect("message").await["seq"], 1003);
        // Whoever comes back after a long time is told what there is.
        let mut late = ann.socket(&format!("/ws/chat/{id}?after=1000")).await;
        assert_eq!(late.expect("message").await["seq"], 1002);
        assert_eq!(late.expect("message").await["seq"], 1003);
        late.expect("synced").await;
        time.pass(1);
    }
}

both! {
    async fn history_keeps_who_did_what_but_not_what_was_said(engine: Engine) {
        let (site, time, [ann, bob, _], id) = talk(engine).await;
        let boss = Program::of_role(&site, "boss", "admin").await;
        let hidden = said(&ann, id, "a purple secret").await["id"].as_i64().unwrap();
        let erased = said(&bob, id, "another purple secret").await["id"].as_i64().unwrap();
        boss.delete(&format!("/admin/messages/{hidden}"), json!({})).await.is(204);
        boss.delete(&format!("/admin/messages/{erased}"), json!({})).await.is(204);
        // Gone for good before its time.
        site.sql(&format!("delete from messages where id = {erased}")).await;
        let telling = "select count(*) from audit_entries where model = 'messages' and changes like '%purple secret%'";
        assert_eq!(site.number(telling).await, 2);
        keep(&site, "1").await;
        time.pass(DAY + 1);
        jobs::sweep_once(&site.app).await.unwrap();
        assert_eq!(site.number("select count(*) from messages").await, 0);
        assert_eq!(site.number(telling).await, 0);
        let kept = format!("select count(*) from audit_entries where model = 'messages' and object_id = '{hidden}'");
        assert!(site.number(&kept).await > 0);
    }
}
