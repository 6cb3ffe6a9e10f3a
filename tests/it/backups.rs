//! The whole site in one file and back again, on the same database or on the other: row by row, file by file, whatever goes on
//! meanwhile.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use sqlx::Connection;
use switchboard::auth::password;
use switchboard::db::Db;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Database, Engine, Options, Site, both, postgres_url};
use crate::support::archive::{
    KEY, assert_same, backup, command, dump, entries, files, furnished, refused, restored, settled, upload,
};
use crate::support::process::{Process, run, texts};
use crate::support::program::Program;
use crate::support::schema;

both! {
    async fn what_was_backed_up_comes_back_row_by_row_and_file_by_file(engine: Engine) {
        let (site, _) = furnished(engine).await;
        let database = site.stop().await;
        let archive = backup(&database, "site.tar.zst").await;
        assert_eq!(archive.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let copy = restored(engine, &archive).await;
        assert_same(&settled(dump(&database.url).await), &settled(dump(&copy.url).await));
        let uploads = |database: &Database| files(&database.folder.path().join("uploads"));
        assert_eq!(uploads(&database), uploads(&copy));
        assert_eq!(uploads(&copy).len(), 3, "two of messages, one picture");
        let key = copy.folder.path().join("data/secret_key");
        assert_eq!(std::fs::read_to_string(&key).unwrap(), KEY);
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let left = std::fs::read_dir(database.folder.path()).unwrap().map(|file| file.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with('.')), "nothing is left lying about");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_outgrows_sqlite_moves_to_postgresql_and_could_come_back() {
    if postgres_url().is_none() {
        return eprintln!("skipped: TEST_POSTGRES_URL isn't set; tests/run sets it");
    }
    let (site, _) = furnished(Engine::Sqlite).await;
    let small = site.stop().await;
    let large = restored(Engine::Postgres, &backup(&small, "site.tar.zst").await).await;
    let before = settled(dump(&small.url).await);
    assert_same(&before, &settled(dump(&large.url).await));
    let back = restored(Engine::Sqlite, &backup(&large, "site.tar.zst").await).await;
    assert_same(&before, &settled(dump(&back.url).await));
    let uploads = |database: &Database| files(&database.folder.path().join("uploads"));
    assert_eq!(uploads(&small), uploads(&large));
    assert_eq!(uploads(&small), uploads(&back));
    for database in [large, back] {
        serves_as_before(database).await;
    }
}

/// People log in, read, find and write, and no number is given twice.
async fn serves_as_before(database: Database) {
    let options = Options { settings: vec![("API", "true")], ..Options::default() };
    let site = Site::over(database, 0, options).await;
    let ann = Program::logged_in(&site, "ann").await;
    let found = ann.get("/chat/search?q=thoughts").await.is(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let said = ann.post("/chat/rooms/1/messages", json!({"content": "still here, Größe"})).await.is(201).json();
    assert_eq!((&said["seq"], &said["rev"], &said["id"]), (&json!(11), &json!(14), &json!(11)), "the numbers go on");
    assert_eq!(ann.get("/chat/search?q=größe").await.json()["items"].as_array().unwrap().len(), 2);
    let file =
        ann.client.get(format!("{}/api/v1/chat/attachments/1", ann.base)).bearer_auth(ann.access.as_ref().unwrap());
    assert_eq!(file.send().await.unwrap().text().await.unwrap(), "hello");
    assert!(Program::new(&site).register("dan").await.is(201).json()["id"] == json!(4));
    site.stop().await;
}

both! {
    async fn who_was_signed_in_signs_in_again_and_nothing_is_done_twice(engine: Engine) {
        let (site, ann) = furnished(engine).await;
        let token = site.token(1, None).await.1;
        let last_session = site.number("select max(id) from sessions").await;
        let archive = backup(&site.database, "site.tar.zst").await;
        let copy = restored(engine, &archive).await;
        let options = Options { settings: vec![("API", "true")], ..Options::default() };
        let site = Site::over(copy, 0, options).await;
        let old = Program { base: site.url(""), ..ann.clone() };
        assert_eq!(old.me().await, 401, "a copy signs nobody in");
        assert_eq!(old.with(&token).me().await, 200, "a bot's token works");
        for table in ["sessions", "tower_sessions", "refresh_tokens", "password_reset_tokens"] {
            assert_eq!(site.number(&format!("select count(*) from {table}")).await, 0, "{table}");
        }
        Program::logged_in(&site, "ann").await;
        assert!(site.number("select min(id) from sessions").await > last_session + 1000);
        let held = "select count(*) from emails where subject = 'waits' and status = 'failed' and next_attempt_at is null
                    and last_error like '%may have been sent since%'";
        assert_eq!(site.number(held).await, 1);
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_or_left_out_is_not_in_the_file_either() {
    let (site, _) = furnished(Engine::Sqlite).await;
    site.sql("insert into password_reset_tokens (user_id, token_hash, created_at, expires_at) values (1, 'the hash of a link', 1, 1)").await;
    site.sql("update messages set content = 'words that are regretted' where id = 1").await;
    site.sql("update messages set content = '' where id = 1").await;
    let archive = backup(&site.database, "site.tar.zst").await;
    let (_, database) = entries(&archive).into_iter().find(|(name, _)| name == "switchboard.db").unwrap();
    let holds = |text: &str| database.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("second thoughts") && !holds("the hash of a link") && !holds("words that are regretted"));
    site.stop().await;
}

both! {
    async fn a_backup_while_people_write_is_of_one_moment_and_holds_nobody_up(engine: Engine) {
        let process = Process::with(Database::new(engine).await, "127.0.0.1:0", &[("API", "true")]).await;
        let writers: Vec<Program> = {
            let mut writers = Vec::new();
            for name in ["ann", "bob", "cat"] {
                let mut program = Program::at(&process.base);
                program.register(name).await.is(201);
                program.log_in(name).await;
                writers.push(program);
            }
            writers
        };
        let hall = writers[0].room(json!({"name": "Hall"})).await;
        for writer in &writers[1..] {
            writer.post(&format!("/chat/rooms/{hall}/members"), json!({})).await.is(201);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let posts = writers.iter().map(|writer| {
            let (writer, stop) = (writer.clone(), stop.clone());
            tokio::spawn(async move {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = writer.post(&format!("/chat/rooms/{hall}/messages"), json!({"content": "on and on"})).await;
                    last = answer.is(201).json()["seq"].as_i64().unwrap();
                }
                last
            })
        });
        let posts: Vec<_> = posts.collect();
        upload(&writers[0], hall, "a.txt", b"hello".to_vec()).await;
        let known = upload(&writers[0], hall, "b.txt", b"there".to_vec()).await["seq"].as_i64().unwrap();
        let done = run(&process.database, &["backup", "site.tar.zst"], "", &[]).await;
        assert!(done.status.success(), "{:?}", texts(&done));
        stop.store(true, Ordering::Relaxed);
        for post in posts {
            assert!(post.await.unwrap() > 0);
        }
        let copy = restored(engine, &process.database.folder.path().join("site.tar.zst")).await;
        let site = Site::over(copy, 0, Options::default()).await;
        let last = site.number("select last_seq from rooms").await;
        assert!(last >= known, "what was acknowledged before it began is in it: {last} and {known}");
        let whole = format!("select count(*) from messages where seq between 1 and {last} and rev between 1 and {last}");
        assert_eq!((site.number(&whole).await, site.number("select count(*) from messages").await), (last, last));
        assert_eq!(site.number("select last_rev from rooms").await, last);
        site.stop().await;
    }
}

both! {
    async fn a_file_that_is_there_is_written_over_only_when_asked(engine: Engine) {
        let (site, _) = furnished(engine).await;
        let archive = backup(&site.database, "site.tar.zst").await;
        let before = std::fs::read(&archive).unwrap();
        let again = command(&site.database, &["backup", "site.tar.zst"], Some(KEY)).await;
        assert!(!again.status.success() && texts(&again).1.contains("--force"), "{:?}", texts(&again));
        assert_eq!(std::fs::read(&archive).unwrap(), before);
        let again = command(&site.database, &["backup", "site.tar.zst", "--force"], Some(KEY)).await;
        assert!(again.status.success(), "{:?}", texts(&again));
        let nowhere = command(&site.database, &["backup", "nowhere/site.tar.zst"], Some(KEY)).await;
        assert!(!nowhere.status.success() && !site.database.folder.path().join("nowhere").exists(), "a typing error");
        let keyless = command(&site.database, &["backup", "other.tar.zst"], None).await;
        assert!(texts(&keyless).1.contains("key isn't here"), "{:?}", texts(&keyless));
        site.stop().await;
    }
}

both! {
    async fn with_force_a_site_is_replaced_and_the_one_before_is_kept(engine: Engine) {
        let (site, _) = furnished(engine).await;
        let archive = backup(&site.database, "site.tar.zst").await;
        let before = dump(&site.database.url).await;
        let ann = Program::logged_in(&site, "ann").await;
        ann.post("/chat/rooms/1/messages", json!({"content": "written after the backup"})).await.is(201);
        upload(&ann, 1, "later.txt", b"uploaded after the backup".to_vec()).await;
        let name = site.app.db.site_name().await.unwrap();
        let at_work = refused(&site.database, &archive, &["--force"]).await;
        assert!(at_work.contains("at work"), "{at_work}");
        let database = site.stop().await;
        let later = dump(&database.url).await;
        let there = refused(&database, &archive, &[]).await;
        assert!(there.contains("--force"), "{there}");
        assert_same(&later, &dump(&database.url).await);
        let done = command(&database, &["restore", "site.tar.zst", "--force"], Some(KEY)).await;
        let (said, error) = texts(&done);
        assert!(done.status.success(), "{error}");
        assert_same(&settled(before), &settled(dump(&database.url).await));
        assert!(said.contains("Kept of the site before") && said.contains("1 uploads in"), "{said}");
        let uploads = files(&database.folder.path().join("uploads"));
        let aside: Vec<_> = uploads.iter().filter(|(path, _)| path.starts_with("files")).collect();
        assert_eq!(aside.len(), 2, "{:?}", uploads.keys());
        assert!(uploads.iter().any(|(path, bytes)| path.to_string_lossy().starts_with("before-") && bytes == b"uploaded after the backup"));
        let kept = said.lines().find_map(|line| line.strip_prefix("Kept of the site before, to be deleted by you: the database in ")).unwrap();
        let kept = match kept.strip_prefix("the schema ") {
            Some(schema) => format!("{}?options=-csearch_path%3D{schema}", postgres_url().unwrap()),
            None => format!("sqlite://{kept}"),
        };
        assert_same(&later, &dump(&kept).await);
        let again = Site::over(database, 0, Options::default()).await;
        assert_ne!(again.app.db.site_name().await.unwrap(), name, "to nodes and caches it is another site");
        again.stop().await;
    }
}

both! {
    async fn a_missing_file_is_named_and_the_rest_is_saved(engine: Engine) {
        let (site, _) = furnished(engine).await;
        let folder = site.database.folder.path().join("uploads/files");
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        std::fs::remove_file(folder.join(hello)).unwrap();
        let other = files(&folder).into_keys().next().unwrap();
        std::fs::write(folder.join(&other), "not what it was").unwrap();
        let done = command(&site.database, &["backup", "site.tar.zst"], Some(KEY)).await;
        let (said, error) = texts(&done);
        assert_eq!(done.status.code(), Some(1));
        assert!(said.contains("Wrote") && error.contains(hello) && error.contains(&*other.to_string_lossy()), "{said} {error}");
        let copy = Database::new(engine).await;
        let done = command(&copy, &["restore", site.database.folder.path().join("site.tar.zst").to_str().unwrap()], None).await;
        assert!(done.status.success() && texts(&done).1.contains("2 files were missing already"), "{:?}", texts(&done));
        site.stop().await;
    }
}

both! {
    async fn another_key_in_the_settings_counts_and_one_is_told_what_that_means(engine: Engine) {
        let (site, _) = furnished(engine).await;
        let archive = backup(&site.database, "site.tar.zst").await;
        let copy = Database::new(engine).await;
        let other = "another key than that of the backup";
        let done = command(&copy, &["restore", archive.to_str().unwrap()], Some(other)).await;
        let (_, error) = texts(&done);
        assert!(done.status.success() && error.contains("reset-two-factor"), "{error}");
        assert!(!error.contains(other) && !error.contains(KEY));
        assert!(!copy.folder.path().join("data/secret_key").exists());
        // A file with another key is part of a site.
        let copy = Database::new(engine).await;
        std::fs::create_dir(copy.folder.path().join("data")).unwrap();
        std::fs::write(copy.folder.path().join("data/secret_key"), other).unwrap();
        assert!(refused(&copy, &archive, &[]).await.contains("another site's key"));
        let done = command(&copy, &["restore", archive.to_str().unwrap(), "--force"], None).await;
        assert!(done.status.success(), "{:?}", texts(&done));
        assert_eq!(std::fs::read_to_string(copy.folder.path().join("data/secret_key")).unwrap(), KEY);
        let kept = std::fs::read_dir(copy.folder.path().join("data")).unwrap().map(|file| file.unwrap().path());
        assert!(kept.into_iter().any(|file| std::fs::read_to_string(file).unwrap() == other));
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_through_pgbouncer_both_ways() {
    let (Ok(bouncer), Some(url)) = (std::env::var("TEST_PGBOUNCER_URL"), postgres_url()) else {
        return eprintln!("skipped: TEST_PGBOUNCER_URL isn't set; tests/run sets it");
    };
    let (site, _) = furnished(Engine::Sqlite).await;
    let archive = backup(&site.database, "site.tar.zst").await;
    let name = format!("restored_{}_{:x}", std::process::id(), rand::random::<u32>());
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query(&format!("create database {name}")).execute(&mut conn).await.unwrap();
    let copy = Database { url: format!("{bouncer}/{name}"), folder: tempfile::tempdir().unwrap() };
    let environment = [("UPLOAD_DIR", "uploads"), ("PGBOUNCER", "true")];
    let done = run(&copy, &["restore", archive.to_str().unwrap()], "", &environment).await;
    assert!(done.status.success() && texts(&done).1.contains("PgBouncer"), "{:?}", texts(&done));
    let done = run(&copy, &["backup", "again.tar.zst"], "", &environment).await;
    assert!(done.status.success(), "{:?}", texts(&done));
    let back = restored(Engine::Sqlite, &copy.folder.path().join("again.tar.zst")).await;
    assert_same(&settled(dump(&site.database.url).await), &settled(dump(&back.url).await));
    site.stop().await;
}

both! {
    async fn a_site_of_an_earlier_version_is_saved_as_it_is_and_restored_as_of_now(engine: Engine) {
        let database = Database::new(engine).await;
        let hash = password::hash(PASSWORD.to_owned()).await.unwrap();
        let db = Db::open(&database.url).await.unwrap();
        schema::migrate(&database, &db, engine, 5).await;
        let mut conn = db.write().await.unwrap();
        let ann = "insert into users (username, username_folded, email, email_folded, password_hash, created_at, updated_at)
                   values ('ann', 'ann', 'a@example.org', 'a@example.org', $1, 1, 1)";
        switchboard::on_db!(conn, c => sqlx::query(ann).bind(hash).execute(c).await.map(|_| ())).unwrap();
        conn.commit().await.unwrap();
        db.close().await;
        let archive = backup(&database, "site.tar.zst").await;
        let (_, about) = entries(&archive).swap_remove(0);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&about).unwrap()["migration"], 5);
        let site = Site::over(restored(engine, &archive).await, 0, Options::default()).await;
        let mut ann = Visitor::new(&site);
        assert_eq!(ann.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await.leads_to(), "/chat");
        site.stop().await;
    }
}
