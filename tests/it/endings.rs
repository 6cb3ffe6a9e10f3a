//! What ends a socket: log-outs, removals, deleted rooms, readers that don't read. And what doesn't.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};
use crate::support::socket::Socket;

const BOB: i64 = 2;

both! {
    async fn logging_out_being_disabled_and_being_removed_end_the_socket(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.group_with("Plans", BOB).await;
        let mut removed = bob.follows(room).await;
        let mut other = bob.socket("/ws").await;
        ann.post(&format!("/rooms/{room}/members/{BOB}/remove"), &[]).await;
        assert_eq!(removed.close_code().await, 4403);
        bob.post("/logout", &[]).await;
        assert_eq!(other.close_code().await, 4401);
        let mut anns = ann.socket("/ws").await;
        anns.expect("connected").await;
        let user = switchboard::users::find(&mut site.app.db.read().await.unwrap(), "ann").await.unwrap().unwrap();
        site.disable(&user).await;
        assert_eq!(anns.close_code().await, 4401, "found by polling, as from another process");
    }
}

both! {
    async fn logging_out_in_one_browser_leaves_the_other_alone(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let mut elsewhere = Visitor::new(&site);
        elsewhere.post("/login", &[("username", "ann"), ("password", crate::support::actors::PASSWORD)]).await;
        let (mut here, mut there) = (ann.socket("/ws").await, elsewhere.socket("/ws").await);
        here.expect("connected").await;
        ann.post("/logout", &[]).await;
        assert_eq!(here.close_code().await, 4401);
        there.settled().await;
    }
}

both! {
    async fn a_deleted_room_is_told_to_everyone_and_its_feed_ends(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.group_with("Plans", BOB).await;
        let mut follows = bob.follows(room).await;
        let mut elsewhere = bob.socket("/ws").await;
        elsewhere.expect("connected").await;
        ann.post(&format!("/rooms/{room}/delete"), &[]).await;
        for socket in [&mut follows, &mut elsewhere] {
            assert_eq!(socket.expect("room_deleted").await["room_id"], room);
        }
        follows.say("anyone?", "c1").await;
        assert_eq!(follows.expect("error").await["code"], "not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_not_utf8_and_frames_out_of_all_proportion_close_the_socket_and_nothing_else() {
    let site = Site::new(crate::support::app::Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("General").await;
    let mut healthy = ann.follows(room).await;
    let mut huge = ann.follows(room).await;
    let _ = huge.0.send(Message::text("x".repeat(600_000))).await;
    while huge.next().await.is_some() {}
    healthy.say("fine", "c1").await;
    assert_eq!(healthy.expect("message").await["content"], "fine");
}

/// Guarantee 5: a reader that stops reading is closed and can resume; the others are not held up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_closed_with_1013_and_delays_nobody() {
    let site = Site::new(crate::support::app::Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("General").await;
    let mut stopped = Socket::narrow(ann.base(), &format!("/ws/chat/{room}"), ann.cookie()).await.unwrap();
    stopped.expect("connected").await;
    let mut reader: Socket = ann.follows(room).await;
    // 32 KB on the wire each, 13 MB in all: more than the kernel takes for a reader, and the room's log keeps for one.
    let text = "\u{1f980}".repeat(4000);
    for batch in 0..25 {
        for n in 0..16 {
            reader.say(&text, &format!("c{batch}-{n}")).await;
        }
        for _ in 0..16 {
            reader.expect("message").await;
        }
    }
    assert_eq!(stopped.close_code().await, 1013);
    let mut again = ann.socket(&format!("/ws/chat/{room}?after=300")).await;
    let replayed = async {
        let mut count = 0;
        loop {
            let frame: Value = again.next().await.unwrap();
            match frame["type"].as_str() {
                Some("message") => count += 1,
                Some("synced") => return count,
                _ => {}
            }
        }
    };
    assert_eq!(replayed.await, 100);
}

both! {
    async fn logging_in_over_a_session_ends_it_and_its_sockets(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let mut socket = ann.socket("/ws").await;
        socket.expect("connected").await;
        ann.post("/login", &[("username", "ann"), ("password", crate::support::actors::PASSWORD)]).await;
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(site.number("select count(*) from sessions").await, 1);
    }
}

both! {
    async fn who_left_and_came_back_at_once_stays(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut other = Visitor::registered(&site, "bob").await;
        other.post(&format!("/rooms/{room}/join"), &[]).await;
        other.post(&format!("/rooms/{room}/leave"), &[]).await;
        other.post(&format!("/rooms/{room}/join"), &[]).await;
        let mut socket = other.follows(room).await;
        // Somebody logged out after bob left: when that has been heard of here, so has bob's leaving.
        let mut last = ann.socket("/ws").await;
        last.expect("connected").await;
        site.sql("delete from sessions where user_id = 1").await;
        site.sql(&format!(
            "insert into revocations (user_id, session_id, created_at) select 1, 1, {}",
            site.app.clock.now().0
        ))
        .await;
        assert_eq!(last.close_code().await, 4401);
        socket.settled().await;
    }
}

/// A reader that asks for everything again and again and never reads costs bounded memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_that_nobody_reads_are_not_piled_up() {
    let site = Site::new(crate::support::app::Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("General").await;
    let mut writer = ann.follows(room).await;
    for n in 0..400 {
        writer.say(&"x".repeat(4000), &format!("c{n}")).await;
    }
    for _ in 0..400 {
        writer.expect("message").await;
    }
    let mut greedy = ann.socket("/ws").await;
    for _ in 0..30 {
        greedy.send(json!({"type": "subscribe", "room_id": room, "after": 0})).await;
    }
    // It reads nothing at all, so it can't be told; it is cut.
    let cut = async {
        while site.app.hub.open_sockets() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), cut).await.expect("the greedy socket is cut");
}

/// A subscription that fails for a moment leaves the socket where it was: still following, still ended by a removal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_while_asking_again_leaves_no_socket_behind_that_nobody_can_end() {
    let site = Site::new(crate::support::app::Engine::Sqlite).await;
    let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
    let room = ann.group_with("Plans", BOB).await;
    let mut bobs = bob.follows(room).await;
    // Every reader is taken, so looking the room up again fails as it does when the database is away.
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(site.app.db.read().await.unwrap());
    }
    bobs.send(json!({"type": "subscribe", "room_id": room, "after": 0})).await;
    assert_eq!(bobs.expect("error").await["code"], "unavailable");
    drop(readers);
    ann.say(room, "still heard").await;
    assert_eq!(bobs.expect("message").await["content"], "still heard");
    ann.post(&format!("/rooms/{room}/members/{BOB}/remove"), &[]).await;
    assert_eq!(bobs.close_code().await, 4403);
}

/// All that waits is refused together when the database can't be written to, not one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_to_a_database_that_is_away_are_refused_together_and_nothing_is_stored() {
    let site = Site::new(crate::support::app::Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("General").await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(ann.follows(room).await);
    }
    let writing = site.app.db.write().await.unwrap();
    for (n, socket) in sockets.iter_mut().enumerate() {
        socket.say("anybody?", &format!("c{n}")).await;
    }
    // Each waits at most twice the database's five seconds: its own batch's, and what was writing before it.
    for (n, socket) in sockets.iter_mut().enumerate() {
        let error = socket.expect("error").await;
        assert_eq!((&error["code"], &error["client_id"]), (&json!("unavailable"), &json!(format!("c{n}"))));
    }
    drop(writing);
    sockets[0].say("now", "c0").await;
    assert_eq!(sockets[0].expect("message").await["seq"], 1, "nothing of the refused was stored");
}
