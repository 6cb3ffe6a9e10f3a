//! A database that is away, silent, locked or lost in the middle: what waits is stored once or refused whole, sockets stay
//! open, and all of it goes on by itself.

use serde_json::json;
use sqlx::Connection;
use switchboard::on_db;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Options, Site, postgres_url};
use crate::support::program::Program;
use crate::support::proxy::{Mood, Proxy};
use crate::support::socket::Socket;

const STORED: &str = "select count(*) * 1000 + max(last_seq) from messages, rooms";

/// A site behind a proxy with Ann in a room of hers; `None` where there is no PostgreSQL.
async fn behind_a_proxy() -> Option<(Site, Proxy, Visitor, i64)> {
    if postgres_url().is_none() {
        eprintln!("skipped: TEST_POSTGRES_URL isn't set; tests/run sets it");
        return None;
    }
    let options = Options { settings: vec![("API", "true")], ..Options::default() };
    let (site, proxy) = Proxy::site(options).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let hall = ann.public_room("Hall").await;
    Some((site, proxy, ann, hall))
}

/// Says it, and is told once that it can't be stored now.
async fn is_refused(socket: &mut Socket, client_id: &str) {
    socket.say("anybody?", client_id).await;
    let error = socket.expect("error").await;
    assert_eq!((&error["code"], &error["client_id"]), (&json!("unavailable"), &json!(client_id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_while_the_database_restarts_is_stored_once_it_is_back() {
    let Some((site, proxy, ann, hall)) = behind_a_proxy().await else { return };
    let mut socket = ann.follows(hall).await;
    proxy.set(Mood::HangsUp);
    for client_id in ["c1", "c2", "c3"] {
        socket.say("while it is away", client_id).await;
    }
    proxy.turned_away().await;
    proxy.set(Mood::Open);
    for (seq, client_id) in [(1, "c1"), (2, "c2"), (3, "c3")] {
        let message = socket.expect("message").await;
        assert_eq!((&message["seq"], &message["client_id"]), (&json!(seq), &json!(client_id)));
    }
    assert_eq!(site.number(STORED).await, 3003);
}

/// Whatever it is that keeps it away.
async fn is_away_and_comes_back(mood: Mood) {
    let Some((site, proxy, ann, hall)) = behind_a_proxy().await else { return };
    let mut socket = ann.follows(hall).await;
    socket.say("before", "c0").await;
    socket.expect("message").await;
    proxy.set(mood);
    is_refused(&mut socket, "c1").await;
    let page = ann.get(&format!("/chat/rooms/{hall}")).await;
    assert_eq!((page.status.as_u16(), &page.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(page.text.contains("Please try again in a moment."), "{}", page.text);
    assert_eq!(ann.get("/health").await.status, 503);
    assert_eq!(ann.get("/up").await.status, 200);
    proxy.set(Mood::Open);
    socket.say("again", "c1").await;
    let message = socket.expect("message").await;
    assert_eq!((&message["seq"], &message["rev"]), (&json!(2), &json!(2)), "nothing of the refused was stored");
    assert!(ann.get(&format!("/chat/rooms/{hall}")).await.text.contains("again"));
    assert_eq!(ann.get("/health").await.status, 200);
    assert_eq!(site.number(STORED).await, 2002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_shut_down_costs_words_and_no_socket_and_all_goes_on_without_a_restart() {
    is_away_and_comes_back(Mood::Refuses).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_proxy_hangs_up_costs_words_and_no_socket_and_all_goes_on_without_a_restart() {
    is_away_and_comes_back(Mood::HangsUp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_says_nothing_costs_words_and_no_socket_and_all_goes_on_without_a_restart() {
    is_away_and_comes_back(Mood::Silent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_cut_are_replaced_and_nobody_who_writes_notices() {
    let Some((site, proxy, ann, hall)) = behind_a_proxy().await else { return };
    let mut socket = ann.follows(hall).await;
    for n in 1..=20 {
        proxy.cut();
        socket.say("through", &format!("c{n}")).await;
        assert_eq!(socket.expect("message").await["seq"], n);
    }
    assert_eq!(site.number(STORED).await, 20020);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_known_by_a_client_id_is_answered_when_the_word_of_a_commit_is_lost() {
    let Some((site, proxy, ann, hall)) = behind_a_proxy().await else { return };
    let program = Program::logged_in(&site, "ann").await;
    let mut follower = ann.follows(hall).await;
    let path = format!("/chat/rooms/{hall}/messages");
    proxy.lose_a_commit();
    let posted = program.post(&path, json!({"content": "lost on its way", "client_id": "c1"})).await.is(200).json();
    assert_eq!((&posted["seq"], &posted["rev"]), (&json!(1), &json!(1)));
    assert_eq!(follower.expect("message").await["seq"], 1, "it is looked up for who follows the room");
    // Without one it might be stored twice: it is refused, though it stands.
    proxy.lose_a_commit();
    program.post(&path, json!({"content": "nameless"})).await.refuses(503, None);
    assert_eq!(follower.expect("message").await["content"], "nameless");
    assert_eq!(site.number(STORED).await, 2002);
    program.post(&path, json!({"content": "on"})).await.is(201);
    assert_eq!(site.number(STORED).await, 3003);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_another_node_holds_refuses_nothing_in_the_others() {
    let Some((_site, proxy, mut ann, hall)) = behind_a_proxy().await else { return };
    let yard = ann.public_room("Yard").await;
    let (mut halls, mut yards) = (ann.follows(hall).await, ann.follows(yard).await);
    let mut other = sqlx::PgConnection::connect(&proxy.direct).await.unwrap();
    let hold = format!("begin; update rooms set id = id where id = {hall}");
    sqlx::raw_sql(&hold).execute(&mut other).await.unwrap();
    halls.say("held", "c1").await;
    yards.say("free", "c1").await;
    assert_eq!(yards.expect("message").await["seq"], 1);
    assert_eq!(halls.expect("error").await["code"], "unavailable");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    halls.say("free again", "c1").await;
    assert_eq!(halls.expect("message").await["seq"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_has_locked_is_waited_for() {
    let site = Site::new(Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let hall = ann.public_room("Hall").await;
    let mut socket = ann.follows(hall).await;
    let other = rusqlite::Connection::open(site.database.folder.path().join("test.db")).unwrap();
    other.execute_batch("begin immediate").unwrap();
    is_refused(&mut socket, "c1").await;
    let page = ann.post("/rooms/new", &[("kind", "public"), ("name", "Yard")]).await;
    assert_eq!(page.status, 503);
    assert_eq!(ann.get(&format!("/chat/rooms/{hall}")).await.status, 200, "what is there can be read");
    socket.say("waits", "c1").await;
    other.execute_batch("rollback").unwrap();
    assert_eq!(socket.expect("message").await["seq"], 1);
    assert_eq!(site.number(STORED).await, 1001);
}

/// As on a full disk: SQLite ends a transaction that the driver believes to be open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_sqlite_gave_up_by_itself_is_the_last_that_failed() {
    let site = Site::new(Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let hall = ann.public_room("Hall").await;
    for _ in 0..2 {
        let mut tx = site.app.db.write().await.unwrap();
        on_db!(tx, c => sqlx::query("rollback").execute(c).await.map(|_| ())).unwrap();
        drop(tx);
        ann.say(hall, "goes on").await;
    }
    let mut tx = site.app.db.write().await.unwrap();
    on_db!(tx, c => sqlx::query("rollback").execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap_err();
    ann.say(hall, "and on").await;
    assert_eq!(site.number(STORED).await, 3003);
}
