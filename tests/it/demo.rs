//! `switchboard demo`: a site made up, which holds together as if people had made it.

use crate::support::actors::Visitor;
use crate::support::app::{Database, Engine, Options, Site, both};
use crate::support::process::{Process, run, texts};

/// Runs `switchboard demo` and gives what it said.
async fn demo(database: &Database, numbers: &[&str]) -> String {
    let mut arguments = vec!["demo"];
    arguments.extend(numbers);
    let done = run(database, &arguments, "", &[]).await;
    let (said, error) = texts(&done);
    assert!(done.status.success(), "{error}");
    assert_eq!(error, "", "no bar where there is no terminal");
    said
}

/// The name and password that the command printed.
fn account(said: &str) -> (String, String) {
    let line = said.lines().find_map(|line| line.strip_prefix("Log in as ")).unwrap();
    let (name, password) = line.split_once(" with the password ").unwrap();
    (name.to_owned(), password.to_owned())
}

/// Each of these counts what must not be.
const FAULTS: [&str; 22] = [
    "select count(*) from rooms r where last_seq <> (select count(*) from messages m where m.room_id = r.id)",
    "select count(*) from rooms r where last_seq <> (select coalesce(max(seq), 0) from messages m where m.room_id = r.id)",
    "select count(*) from rooms where last_rev <> last_seq",
    "select count(*) from messages where seq < 1 or rev <> seq",
    "select count(*) from rooms r where last_message_at <>
         (select coalesce(max(m.created_at), r.created_at) from messages m where m.room_id = r.id)",
    "select count(*) from rooms r where member_count <> (select count(*) from memberships m where m.room_id = r.id)",
    "select count(*) from rooms r where 1 <>
         (select count(*) from memberships m where m.room_id = r.id and m.role = 'owner' and m.user_id = r.created_by)",
    "select count(*) from messages t where not exists
         (select 1 from memberships m where m.room_id = t.room_id and m.user_id = t.sender_id and m.joined_at <= t.created_at)",
    "select count(*) from messages a join messages b on b.id = a.id + 1 where b.created_at < a.created_at",
    "select count(*) from messages a join messages b on b.room_id = a.room_id and b.seq = a.seq + 1
         where b.created_at < a.created_at or b.id < a.id",
    "select count(*) from messages a join messages b on b.id = a.reply_to where a.room_id <> b.room_id or b.seq >= a.seq",
    "select count(*) from memberships m join rooms r on r.id = m.room_id where m.last_read_seq > r.last_seq or m.last_read_seq < 0",
    "select count(*) from memberships m where m.last_read_seq <
         (select coalesce(max(seq), 0) from messages t where t.room_id = m.room_id and t.sender_id = m.user_id)",
    "select count(*) from memberships m join users u on u.id = m.user_id join rooms r on r.id = m.room_id
         where m.joined_at < u.created_at or m.joined_at < r.created_at",
    "select count(*) from rooms r where kind = 'direct' and (member_count <> 2 or direct_key is null or direct_key <>
         (select min(user_id) || ':' || max(user_id) from memberships m where m.room_id = r.id))",
    "select count(*) from rooms where kind <> 'direct' and direct_key is not null",
    "select count(*) from users u where last_seen_at <
         (select max(created_at) from messages m where m.sender_id = u.id) or last_seen_at < created_at",
    "select count(*) from users where username_folded <> lower(username) or email_folded <> lower(email)",
    "select count(*) from reactions a join messages m on m.id = a.message_id where a.created_at < m.created_at
         or not exists (select 1 from memberships s where s.room_id = m.room_id and s.user_id = a.user_id)",
    "select count(*) from notifications n join messages m on m.id = n.message_id
         where n.room_id <> m.room_id or n.actor_id <> m.sender_id or n.user_id = m.sender_id",
    "select count(*) from interests i where sender_id = recipient_id or (status = 'pending') <> (decided_at is null)
         or decided_at < created_at",
    "select count(*) from sessions",
];

/// Each of these is true of a site that has a bit of everything.
const FINDS: [(&str, i64); 14] = [
    ("select count(*) from users", 40),
    ("select count(*) from rooms", 14),
    ("select count(*) from messages", 900),
    ("select count(*) from users where role = 'admin'", 1),
    ("select count(distinct kind) from rooms", 3),
    ("select count(distinct role) from users", 3),
    ("select count(distinct is_active) from users", 2),
    ("select count(distinct kind) from notifications", 4),
    ("select count(distinct status) from interests", 4),
    ("select count(distinct status) from reports", 3),
    ("select count(distinct status) from emails", 3),
    ("select count(*) from password_reset_tokens", 3),
    ("select count(*) from api_tokens", 3),
    ("select min(member_count) - max(member_count) + 38 from rooms", 0),
];

both! {
    async fn an_empty_site_is_filled_as_people_would_have_filled_it(engine: Engine) {
        let database = Database::new(engine).await;
        let said = demo(&database, &["--users", "40", "--messages", "900"]).await;
        assert!(said.starts_with("Made 40 people, 14 rooms with "), "{said}");
        assert!(said.contains(" 900 messages and "), "{said}");
        let site = Site::over(database, 0, Options::default()).await;
        for sql in FAULTS {
            assert_eq!(site.number(sql).await, 0, "{sql}");
        }
        for (sql, number) in FINDS {
            assert_eq!(site.number(sql).await, number, "{sql}");
        }
        let some = site.number("select count(*) from messages where reply_to is not null and html like '<p>%'").await;
        assert!(some > 20 && site.number("select count(*) from reactions").await > 20);
    }
}

both! {
    async fn the_printed_password_opens_it_and_what_is_said_there_goes_on(engine: Engine) {
        let database = Database::new(engine).await;
        let (name, password) = account(&demo(&database, &["--users", "12", "--messages", "200"]).await);
        let process = Process::over(database, "127.0.0.1:0").await;
        let mut admin = Visitor::at(&process.base);
        let page = admin.post("/login", &[("username", &name), ("password", &password)]).await;
        assert_eq!(page.leads_to(), "/chat");
        assert!(admin.get("/chat").await.text.contains("General"));
        admin.say(1, "Now for something real").await;
        let room = admin.get("/chat/rooms/1").await;
        assert!(room.text.contains("Now for something real") && room.text.contains("General"), "{}", room.text);
        assert!(admin.public_room("One more").await > 14, "ids go on");
        Visitor::at(&process.base).register("newcomer").await;
    }
}

both! {
    async fn a_site_that_somebody_uses_is_left_alone(engine: Engine) {
        let database = Database::new(engine).await;
        demo(&database, &["--users", "2", "--rooms", "1", "--messages", "0"]).await;
        let refused = run(&database, &["demo"], "", &[]).await;
        let (said, error) = texts(&refused);
        assert!(!refused.status.success() && said.is_empty());
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        let remedy = if engine == Engine::Sqlite { "test.db-wal" } else { "schema" };
        assert!(error.contains("already") && error.contains(remedy), "{error}");
        let site = Site::over(database, 0, Options::default()).await;
        for (table, count) in [("users", 2), ("rooms", 1), ("messages", 0)] {
            assert_eq!(site.number(&format!("select count(*) from {table}")).await, count, "{table}");
        }
    }
}

/// All that was said, where and by whom, in order.
async fn talk(engine: Engine, seed: &str) -> Vec<String> {
    let database = Database::new(engine).await;
    demo(&database, &["--users", "8", "--rooms", "5", "--messages", "120", "--seed", seed]).await;
    let site = Site::over(database, 0, Options::default()).await;
    let mut conn = site.app.db.read().await.unwrap();
    let sql = "select r.name || '|' || u.username || '|' || m.content || '|' || coalesce(m.reply_to, 0)
               from messages m join users u on u.id = m.sender_id join rooms r on r.id = m.room_id order by m.id";
    switchboard::on_db!(conn, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
}

both! {
    async fn the_same_seed_says_the_same_and_another_one_something_else(engine: Engine) {
        let first = talk(engine, "7").await;
        assert_eq!(first.len(), 120);
        assert_eq!(first, talk(engine, "7").await);
        assert_ne!(first, talk(engine, "8").await);
        let different: std::collections::HashSet<&String> = first.iter().collect();
        assert!(different.len() > 100, "people don't repeat themselves");
    }
}

#[tokio::test]
async fn numbers_that_make_no_site_are_refused_in_one_line_before_anything_is_made() {
    let database = Database::new(Engine::Sqlite).await;
    let cases: [(&[&str], &str); 8] = [
        (&["--users", "0"], "--users takes a whole number from 1 to 1000000, not \"0\""),
        (&["--users", "-5"], "not \"-5\""),
        (&["--users", "99999999999999999999"], "--users takes"),
        (&["--rooms", "0"], "--rooms takes"),
        (&["--messages", "many"], "--messages takes a whole number from 0 to 100000000, not \"many\""),
        (&["--seed", "-1"], "--seed takes"),
        (&["--users", "1"], "--users 4 or more"),
        (&["--users", "50", "--rooms", "20000"], "rooms between two people"),
    ];
    for (numbers, says) in cases {
        let mut arguments = vec!["demo"];
        arguments.extend(numbers);
        let refused = run(&database, &arguments, "", &[]).await;
        let (_, error) = texts(&refused);
        assert!(!refused.status.success() && error.trim_end().lines().count() == 1, "{numbers:?}: {error}");
        assert!(error.contains(says), "{numbers:?}: {error}");
    }
    assert!(!database.folder.path().join("test.db").exists());
}

#[tokio::test]
async fn the_smallest_sites_are_sites_too() {
    for numbers in [
        ["--users", "1", "--rooms", "1", "--messages", "3"],
        ["--users", "4", "--rooms", "14", "--messages", "60"],
        ["--users", "3", "--rooms", "9", "--messages", "1"],
    ] {
        let database = Database::new(Engine::Sqlite).await;
        demo(&database, &numbers).await;
        let site = Site::over(database, 0, Options::default()).await;
        for sql in FAULTS {
            assert_eq!(site.number(sql).await, 0, "{numbers:?}: {sql}");
        }
    }
}
