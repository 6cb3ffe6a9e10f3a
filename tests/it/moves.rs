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
use crate::support::moves::{
    DIGEST, PICTURE, assert_same, command, done, export, files, furnished, lines, refused, text,
};
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
        let everything: String = all.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert!(!everything.contains("token_hash") && !everything.contains("JBSWY3DPEHPK3PXP"), "no secret that works by itself");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert!(all.keys().all(|name| mode(&folder.join(name)) == 0o600));
        let again = refused(&database, &["export", text(&folder)]).await;
        assert!(again.contains("isn't empty"), "{again}");
    }
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
        for after in [40, 300, 600] {
            cut_off(&site, &first, after).await;
        }
        let half = site.number("select count(*) from messages").await;
        assert!(half > 0 && half < 700, "{half}");
        cut_off(&site, &first, 1000).await;
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
        let database = site.stop().await;
        let from = export(&database, "out").await;

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
