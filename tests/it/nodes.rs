//! Several nodes that are one site, on PostgreSQL: joined by Redis, without it, and when it goes and comes back.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::actors::Visitor;
use crate::support::app::{Database, Engine, Options, Site, both, postgres_url};
use crate::support::program::{Program, api_with};
use crate::support::socket::Socket;
use crate::support::talk::{room, said, seqs};
use crate::support::work::until;

/// Two nodes over one database; `None`, said in words, where there is no PostgreSQL or Redis to be had.
async fn nodes(redis: Option<String>) -> Option<[Site; 2]> {
    if postgres_url().is_none() {
        eprintln!("skipped: TEST_POSTGRES_URL isn't set; tests/run sets it");
        return None;
    }
    let one = node(Database::new(Engine::Postgres).await, redis.clone()).await;
    let url = one.database.url.clone();
    let two = node(Database { url, folder: tempfile::tempdir().unwrap() }, redis).await;
    Some([one, two])
}

async fn node(database: Database, redis: Option<String>) -> Site {
    let settings = redis.map(|url| ("REDIS_URL", &*url.leak())).into_iter().collect();
    let site = Site::over(database, 0, Options { settings, ..Options::default() }).await;
    if site.app.hub.bus().is_joined() {
        until(|| site.app.hub.bus().is_up()).await;
    }
    site
}

/// Two that share the Redis of `tests/run`.
async fn joined() -> Option<[Site; 2]> {
    let Ok(redis) = std::env::var("TEST_REDIS_URL") else {
        eprintln!("skipped: TEST_REDIS_URL isn't set; tests/run sets it");
        return None;
    };
    nodes(Some(redis)).await
}

/// Ann at the first node and Bob at the second, in a room of Ann's.
async fn ann_and_bob([one, two]: &[Site; 2]) -> (Visitor, Visitor, i64) {
    let mut ann = Visitor::registered(one, "Ann").await;
    let bob = Visitor::registered(two, "Bob").await;
    let room = ann.public_room("General").await;
    (ann, bob, room)
}

async fn message(socket: &mut Socket) -> (String, i64) {
    let frame = socket.expect("message").await;
    (frame["content"].as_str().unwrap().to_owned(), frame["rev"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_at_one_node_is_heard_at_the_other_once_and_in_order() {
    let Some(nodes) = joined().await else { return };
    let (ann, bob, room) = ann_and_bob(&nodes).await;
    let (mut anns, mut bobs) = (ann.follows(room).await, bob.follows(room).await);
    for n in 0..50 {
        anns.say("from one", &format!("a{n}")).await;
        bobs.say("from two", &format!("b{n}")).await;
    }
    for socket in [&mut anns, &mut bobs] {
        for rev in 1..=100 {
            assert_eq!(message(socket).await.1, rev);
        }
    }
    assert!(bobs.settled().await.iter().all(|frame| frame["type"] != "message"), "nothing comes twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_deletions_and_reactions_come_from_the_other_node_too() {
    let Some(nodes) = joined().await else { return };
    let (mut ann, bob, room) = ann_and_bob(&nodes).await;
    let mut bobs = bob.follows(room).await;
    let page = ann.post(&format!("/chat/rooms/{room}"), &[("content", "first")]).await;
    assert_eq!(page.status, 303);
    let id = bobs.expect("message").await["id"].as_i64().unwrap();
    ann.post(&format!("/chat/messages/{id}/edit"), &[("content", "second")]).await;
    let edited = bobs.expect("message_edited").await;
    assert_eq!((&edited["content"], &edited["rev"]), (&json!("second"), &json!(2)));
    ann.post(&format!("/chat/messages/{id}/react"), &[("emoji", "👍")]).await;
    assert_eq!(bobs.expect("reaction").await["rev"], 3);
    ann.post(&format!("/chat/messages/{id}/delete"), &[]).await;
    assert_eq!(bobs.expect("message_deleted").await["rev"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_here_and_who_types_is_told_across_nodes() {
    let Some(nodes) = joined().await else { return };
    let (ann, bob, room) = ann_and_bob(&nodes).await;
    let mut anns = ann.follows(room).await;
    let mut bobs = bob.follows(room).await;
    while bobs.expect("users_list").await["users"] != json!(["Ann", "Bob"]) {}
    while anns.expect("system").await["username"] != "Bob" {}
    while anns.expect("users_list").await["users"] != json!(["Ann", "Bob"]) {}
    bobs.send(json!({"type": "typing", "is_typing": true})).await;
    assert_eq!(anns.expect("typing").await["users"], json!(["Bob"]));
    bobs.say("done", "c1").await;
    assert_eq!(anns.expect("typing").await["users"], json!([]));
    drop(bobs);
    let went = anns.expect("system").await;
    assert_eq!((&went["event"], &went["username"]), (&json!("leave"), &json!("Bob")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_told_of_what_is_theirs_at_whichever_node_they_are() {
    let Some(nodes) = joined().await else { return };
    let (mut ann, mut bob, room) = ann_and_bob(&nodes).await;
    bob.post(&format!("/rooms/{room}/join"), &[]).await;
    let mut bobs = bob.socket("/ws").await;
    bobs.expect("connected").await;
    let bobs_id = switchboard::ids::UserId(nodes[0].number("select id from users where username = 'Bob'").await);
    until(|| nodes[0].app.hub.is_online(bobs_id)).await;
    ann.post(&format!("/chat/rooms/{room}"), &[("content", "@Bob, come")]).await;
    let mut told = [false, false];
    while told != [true, true] {
        let frame = bobs.next().await.expect("the socket closed");
        match frame["type"].as_str() {
            Some("notification") => told[0] = frame["kind"] == "mention",
            Some("unread") => told[1] = (&frame["room_id"], &frame["count"]) == (&json!(room), &json!(1)),
            _ => {}
        }
    }
    drop(bobs);
    until(|| !nodes[0].app.hub.is_online(bobs_id)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_deleted_ends_at_every_node() {
    let Some(nodes) = joined().await else { return };
    let (mut ann, bob, room) = ann_and_bob(&nodes).await;
    let mut bobs = bob.follows(room).await;
    ann.post(&format!("/rooms/{room}/delete"), &[]).await;
    assert_eq!(bobs.expect("room_deleted").await["room_id"], room);
}

/// Redis is never the truth: without it nodes ask the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_nodes_meet_in_the_database() {
    let Some(nodes) = nodes(None).await else { return };
    let (mut ann, bob, room) = ann_and_bob(&nodes).await;
    let mut bobs = bob.follows(room).await;
    for n in 1..=5 {
        ann.post(&format!("/chat/rooms/{room}"), &[("content", &format!("no. {n}"))]).await;
    }
    for n in 1..=5 {
        assert_eq!(message(&mut bobs).await, (format!("no. {n}"), n));
    }
    // Changed twice before anybody looks: it comes once, as it stands, and the talk goes on behind it.
    let id = nodes[0].number("select max(id) from messages").await;
    ann.post(&format!("/chat/messages/{id}/edit"), &[("content", "once")]).await;
    ann.post(&format!("/chat/messages/{id}/edit"), &[("content", "twice")]).await;
    while bobs.expect("message_edited").await["content"] != "twice" {}
    bobs.say("and on", "c1").await;
    assert_eq!(message(&mut bobs).await.0, "and on");
    ann.post(&format!("/rooms/{room}/delete"), &[]).await;
    assert_eq!(bobs.expect("room_deleted").await["room_id"], room);
}

/// A Redis of the test's own.
struct Redis(u16, Option<Child>);

impl Redis {
    async fn start(&mut self) {
        let port = self.0.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--dir", "/tmp"]);
        self.1 = Some(command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap());
    }

    async fn stop(&mut self) {
        self.1.take().unwrap().kill().await.unwrap();
    }
}

async fn health(site: &Site) -> Value {
    serde_json::from_str(&Visitor::new(site).get("/health").await.text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn talk_goes_on_while_redis_is_away_and_as_before_when_it_is_back() {
    if std::env::var("TEST_REDIS_URL").is_err() {
        return eprintln!("skipped: TEST_REDIS_URL isn't set; tests/run sets it");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut redis = Redis(port, None);
    redis.start().await;
    let Some(nodes) = nodes(Some(format!("redis://127.0.0.1:{port}"))).await else { return };
    let (ann, bob, room) = ann_and_bob(&nodes).await;
    let (mut anns, mut bobs) = (ann.follows(room).await, bob.follows(room).await);
    anns.say("before", "a1").await;
    assert_eq!(message(&mut bobs).await, ("before".into(), 1));
    redis.stop().await;
    until(|| nodes.iter().all(|site| !site.app.hub.bus().is_up())).await;
    assert_eq!(health(&nodes[0]).await["redis"], false);
    anns.say("meanwhile", "a2").await;
    assert_eq!(message(&mut bobs).await, ("meanwhile".into(), 2));
    redis.start().await;
    until(|| nodes.iter().all(|site| site.app.hub.bus().is_up())).await;
    assert_eq!(health(&nodes[0]).await["redis"], true);
    for n in 3..10 {
        bobs.say("after", &format!("b{n}")).await;
        anns.say("after", &format!("a{n}")).await;
    }
    for rev in 3..17 {
        assert_eq!(message(&mut bobs).await.1, rev);
    }
}

both! {
    async fn the_newest_messages_are_kept_in_redis_and_never_shown_as_they_were(engine: Engine) {
        let Ok(redis) = std::env::var("TEST_REDIS_URL") else {
            return eprintln!("skipped: TEST_REDIS_URL isn't set; tests/run sets it");
        };
        let (site, _) = api_with(engine, &[("REDIS_URL", redis.leak())]).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        let path = format!("/chat/rooms/{hall}/messages");
        let first = said(&ann, hall, "one").await;
        for text in ["two", "three"] {
            said(&ann, hall, text).await;
        }
        let page = async || ann.get(&path).await.is(200).json();
        let [read, kept] = [page().await, page().await];
        assert_eq!((&read["source"], &kept["source"]), (&json!("database"), &json!("cache")));
        assert_eq!(read["messages"], kept["messages"]);
        ann.patch(&format!("/chat/messages/{}", first["id"]), json!({"content": "uno"})).await.is(200);
        let [read, kept] = [page().await, page().await];
        assert_eq!((&read["source"], &kept["source"]), (&json!("database"), &json!("cache")));
        assert_eq!((&read["messages"][0]["content"], &kept["messages"][0]["content"]), (&json!("uno"), &json!("uno")));
        assert_eq!(ann.get(&format!("{path}?limit=2")).await.json()["messages"], json!(kept["messages"].as_array().unwrap()[1..]));
        // What changes without a revision: a name, and what is erased for good.
        site.sql("update users set username = 'anna', username_folded = 'anna' where id = 1").await;
        let renamed = page().await;
        assert_eq!((&renamed["source"], &renamed["messages"][2]["username"]), (&json!("cache"), &json!("anna")));
        site.sql("delete from messages where seq = 2").await;
        assert_eq!(seqs(&page().await), [1, 3]);
    }
}
