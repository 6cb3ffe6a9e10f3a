//! `switchboard import campfire`: a database of 37signals' Campfire, with and without its files.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;

use crate::support::app::{Database, Engine, Options, Site, both};
use crate::support::moves::{done, refused};

const SCHEMA: &str = "
create table users (id integer primary key, name varchar not null, email_address varchar, password_digest varchar,
    role integer default 0, active boolean default 1, bio text, bot_token varchar, created_at datetime(6), updated_at datetime(6));
create table rooms (id integer primary key, name varchar, type varchar not null, creator_id bigint, created_at datetime(6), updated_at datetime(6));
create table memberships (id integer primary key, room_id integer, user_id integer, unread_at datetime(6), involvement varchar default 'mentions',
    connections integer, created_at datetime(6), updated_at datetime(6));
create table messages (id integer primary key, room_id integer, creator_id integer, client_message_id varchar, created_at datetime(6), updated_at datetime(6));
create table boosts (id integer primary key, message_id integer, booster_id integer, content varchar(16), created_at datetime(6), updated_at datetime(6));
create table action_text_rich_texts (id integer primary key, name varchar, body text, record_type varchar, record_id bigint, created_at datetime(6), updated_at datetime(6));
create table active_storage_blobs (id integer primary key, key varchar, filename varchar, content_type varchar, byte_size bigint, created_at datetime(6));
create table active_storage_attachments (id integer primary key, name varchar, record_type varchar, record_id bigint, blob_id bigint, created_at datetime(6));";

/// A Campfire beside the database, and the folder of its files.
fn campfire(database: &Database) -> (PathBuf, PathBuf) {
    let file = database.folder.path().join("production.sqlite3");
    let files = database.folder.path().join("storage");
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch(SCHEMA).unwrap();
    let sgid = STANDARD.encode("{\"_rails\":{\"data\":\"gid://campfire/User/2\",\"pur\":\"attachable\"}}");
    let at = "'2024-02-01 10:00:00.123456'";
    let rows = format!(
        "insert into users (id, name, email_address, password_digest, role, active, bio, created_at) values
             (1, 'Ann Lee', 'ann@example.org', '$2a$12$secret', 1, 1, 'Cook', {at}),
             (2, 'Bob', 'bob@example.org', '$2a$12$secret', 0, 1, null, {at}),
             (3, 'Gone', null, null, 0, 0, null, {at}),
             (4, 'Oven', null, null, 2, 1, null, {at});
         insert into rooms (id, name, type, creator_id, created_at) values
             (1, 'All Talk', 'Rooms::Open', 1, {at}), (2, 'Board', 'Rooms::Closed', 2, {at}), (3, null, 'Rooms::Direct', 1, {at});
         insert into memberships (room_id, user_id, involvement) values
             (1, 1, 'everything'), (1, 2, 'mentions'), (1, 3, 'invisible'), (2, 2, 'mentions'), (3, 1, 'everything'), (3, 2, 'everything');
         insert into messages (id, room_id, creator_id, created_at, updated_at) values
             (1, 1, 1, '2024-02-01 10:00:01.000001', {at}), (2, 1, 2, '2024-02-01 10:00:02', {at}), (3, 3, 1, '2024-02-01 10:00:03', {at}),
             (4, 1, 1, '2024-02-01 10:00:04', {at}), (5, 1, 4, '2024-02-01 10:00:05', {at});
         insert into action_text_rich_texts (name, body, record_type, record_id, created_at, updated_at) values
             ('body', '<div><strong>Soup</strong> for <action-text-attachment sgid=\"{sgid}--x\">Bob</action-text-attachment></div>', 'Message', 1,
                 '2024-02-01 10:00:01.000001', '2024-02-01 10:05:00'),
             ('body', 'Salt &amp; pepper', 'Message', 2, '2024-02-01 10:00:02', '2024-02-01 10:00:02.000100'),
             ('body', '<div>Between us</div>', 'Message', 3, '2024-02-01 10:00:03', '2024-02-01 10:00:03'),
             ('body', '', 'Message', 5, '2024-02-01 10:00:05', '2024-02-01 10:00:05');
         insert into active_storage_blobs (id, key, filename, created_at) values (1, 'abcdefgh12345678', 'list.txt', {at}), (2, '../../../etc/passwd', 'evil.txt', {at});
         insert into active_storage_attachments (name, record_type, record_id, blob_id) values ('attachment', 'Message', 4, 1), ('attachment', 'Message', 5, 2);
         insert into boosts (message_id, booster_id, content, created_at) values (1, 2, '🎉', {at}), (1, 3, 'Yum', {at});"
    );
    conn.execute_batch(&rows).unwrap();
    std::fs::create_dir_all(files.join("ab/cd")).unwrap();
    std::fs::write(files.join("ab/cd/abcdefgh12345678"), "leeks, salt").unwrap();
    (file, files)
}

both! {
    async fn a_campfire_reads_here_as_it_did_there(engine: Engine) {
        let database = Database::new(engine).await;
        let (file, files) = campfire(&database);
        let arguments = ["import", "campfire", file.to_str().unwrap(), "--files", files.to_str().unwrap()];
        let before = std::fs::read(&file).unwrap();
        done(&database, &[&arguments[..], &["--dry-run"]].concat()).await;
        let said = done(&database, &arguments).await;
        assert!(said.contains("they are words, and here they are emoji"), "{said}");
        assert!(said.contains("set a password"), "{said}");
        done(&database, &arguments).await;
        assert_eq!(std::fs::read(&file).unwrap(), before, "nothing is written to it");
        let site = Site::over(database, 0, Options::default()).await;
        let number = async |sql: &str| site.number(sql).await;
        assert_eq!(number("select count(*) from users").await, 4);
        assert_eq!(number("select count(*) from users where username in ('Ann.Lee', 'Bob', 'Gone', 'Oven') and password_hash like '$argon2id$%'").await, 4);
        assert_eq!(number("select count(*) from users where is_active").await, 2);
        assert_eq!(number("select count(*) from users where role <> 'user'").await, 0);
        for (kind, name, seq, members) in [("public", "All Talk", 4, 3), ("group", "Board", 0, 1), ("direct", "", 1, 2)] {
            let sql = format!("select count(*) from rooms where kind = '{kind}' and name = '{name}' and last_seq = {seq} and member_count = {members}");
            assert_eq!(number(&sql).await, 1, "{kind}");
        }
        for (seq, content) in [(1, "**Soup** for @Bob"), (2, "Salt & pepper"), (3, ""), (4, "File `evil.txt` (not among the files)")] {
            let sql = format!("select count(*) from messages m join rooms r on r.id = m.room_id
                where r.kind = 'public' and m.seq = {seq} and m.content = '{content}'");
            assert_eq!(number(&sql).await, 1, "{content}");
        }
        assert_eq!(number("select count(*) from messages where edited_at is not null").await, 1);
        assert_eq!(number("select count(*) from messages where created_at = 1706781601000001").await, 1);
        assert_eq!(number("select count(*) from reactions where emoji = '🎉'").await, 1);
        assert_eq!(number("select count(*) from attachments where filename = 'list.txt' and size = 11").await, 1);
        assert_eq!(number("select count(*) from memberships where muted").await, 1);
        assert_eq!(number("select count(*) from memberships where notify_all").await, 3);
    }
}

#[tokio::test]
async fn what_isnt_a_campfire_is_refused() {
    let database = Database::new(Engine::Sqlite).await;
    done(&database, &["migrate"]).await;
    let own = database.folder.path().join("test.db");
    let text = database.folder.path().join("notes.txt");
    std::fs::write(&text, "This is no database, whatever it may be called by those who made it.").unwrap();
    for (file, says) in [
        (own.as_path(), "isn't Campfire's database"),
        (&text, "can't be read as a SQLite database"),
        (&database.folder.path().join("none"), "can't be read"),
    ] {
        let error = refused(&database, &["import", "campfire", file.to_str().unwrap()]).await;
        assert!(error.contains(says), "{error}");
    }
    assert!(!database.folder.path().join("none").exists());
    let (file, _) = campfire(&database);
    let error =
        refused(&database, &["import", "campfire", file.to_str().unwrap(), "--files", text.to_str().unwrap()]).await;
    assert!(error.contains("is no folder"), "{error}");
}
