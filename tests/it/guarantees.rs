//! The promises of the socket, one by one, under load and with things torn away.

use std::collections::HashSet;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use switchboard::app::Seams;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Options, Site, both};
use crate::support::process::Process;
use crate::support::socket::Socket;

fn numbers(frames: &[Value], field: &str) -> Vec<i64> {
    frames.iter().map(|frame| frame[field].as_i64().unwrap()).collect()
}

async fn messages(socket: &mut Socket, count: usize) -> Vec<Value> {
    let mut frames = Vec::with_capacity(count);
    for _ in 0..count {
        frames.push(socket.expect("message").await);
    }
    frames
}

/// Everything of the replay, to `synced`.
async fn replay(socket: &mut Socket) -> (Vec<Value>, Value) {
    let mut frames = Vec::new();
    loop {
        let frame = socket.next().await.unwrap();
        match frame["type"].as_str() {
            Some("message") => frames.push(frame),
            Some("synced") => return (frames, frame),
            _ => {}
        }
    }
}

both! {
    /// 1: live frames come in `rev` order and messages in `seq` order, without gaps or repeats, to every socket.
    async fn everyone_gets_every_message_once_and_in_order_whoever_writes_at_once(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut readers = Vec::new();
        for _ in 0..5 {
            readers.push(ann.socket(&format!("/ws/chat/{room}")).await);
        }
        for reader in &mut readers {
            reader.expect("connected").await;
        }
        let writers = (0..8).map(|writer| {
            let ann = ann.clone();
            tokio::spawn(async move {
                let mut socket = ann.follows(room).await;
                for n in 0..25 {
                    socket.say("word", &format!("{writer}-{n}")).await;
                }
                messages(&mut socket, 1).await;
                while socket.settled().await.iter().any(|frame| frame["type"] == "message") {}
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        for reader in &mut readers {
            let frames = messages(reader, 200).await;
            assert_eq!(numbers(&frames, "seq"), (1..=200).collect::<Vec<_>>());
            assert_eq!(numbers(&frames, "rev"), (1..=200).collect::<Vec<_>>());
        }
    }
}

both! {
    /// 2: `after` replays what is new, says `synced`, and goes on live with nothing missed between.
    async fn a_socket_that_comes_back_misses_nothing_and_gets_nothing_twice_while_others_write(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        ann.say(room, "first").await;
        let writer = tokio::spawn({
            let ann = ann.clone();
            async move {
                let mut socket = ann.follows(room).await;
                for n in 0..300 {
                    socket.say("word", &format!("w{n}")).await;
                    socket.expect("message").await;
                }
            }
        });
        let mut seen: i64 = 0;
        while seen < 301 {
            let mut socket = ann.socket(&format!("/ws/chat/{room}?after={seen}")).await;
            let (replayed, synced) = replay(&mut socket).await;
            for rev in numbers(&replayed, "rev") {
                seen += 1;
                assert_eq!(rev, seen, "the replay has no gap and no repeat");
            }
            assert_eq!(synced["rev"], seen);
            for _ in 0..20 {
                if seen == 301 {
                    break;
                }
                seen += 1;
                assert_eq!(socket.expect("message").await["rev"], seen, "live goes on where the replay ended");
            }
        }
        writer.await.unwrap();
    }
}

both! {
    /// 2, for what was changed: the message comes again in its present state, once, in its new place by `rev`.
    async fn a_changed_message_is_replayed_in_its_present_state(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        for word in ["one", "two", "three"] {
            ann.say(room, word).await;
        }
        // As an edit does it; the page for that is still to come.
        site.sql("update rooms set last_rev = 4").await;
        site.sql("update messages set content = 'ONE', html = '<p>ONE</p>', rev = 4, edited_at = 1 where seq = 1").await;
        let mut socket = ann.socket(&format!("/ws/chat/{room}?after=2")).await;
        let (replayed, synced) = replay(&mut socket).await;
        assert_eq!((numbers(&replayed, "seq"), numbers(&replayed, "rev")), (vec![3, 1], vec![3, 4]));
        assert_eq!((&replayed[1]["content"], &synced["rev"]), (&json!("ONE"), &json!(4)));
        ann.say(room, "four").await;
        assert_eq!(socket.expect("message").await["rev"], 5);
    }
}

both! {
    async fn who_missed_more_than_five_hundred_changes_is_told_of_the_gap(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut writer = ann.follows(room).await;
        for n in 0..502 {
            writer.say("word", &format!("w{n}")).await;
        }
        messages(&mut writer, 502).await;
        let mut socket = ann.socket(&format!("/ws/chat/{room}?after=1")).await;
        let gap = socket.expect("gap").await;
        assert_eq!((&gap["from"], &gap["to"], &gap["room_id"]), (&json!(2), &json!(502), &json!(room)));
        assert_eq!(socket.expect("synced").await["rev"], 502);
        ann.say(room, "live").await;
        assert_eq!(socket.expect("message").await["rev"], 503);
        let mut socket = ann.socket(&format!("/ws/chat/{room}?after=3")).await;
        assert_eq!(replay(&mut socket).await.0.len(), 500);
        let mut ahead = ann.socket(&format!("/ws/chat/{room}?after=9000")).await;
        assert_eq!(replay(&mut ahead).await.1["rev"], 503, "a revision that isn't yet replays nothing");
    }
}

both! {
    /// 3: sending again with the same `client_id` never makes a second message.
    async fn a_repeated_client_id_is_answered_with_the_first_message(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.public_room("General").await;
        bob.post(&format!("/rooms/{room}/join"), &[]).await;
        let mut reader = bob.follows(room).await;
        let (mut one, mut two) = (ann.socket(&format!("/ws/chat/{room}")).await, ann.socket(&format!("/ws/chat/{room}")).await);
        for _ in 0..5 {
            tokio::join!(one.say("once", "same"), two.say("once", "same"));
        }
        one.say("last", "other").await;
        let heard = messages(&mut reader, 2).await;
        assert_eq!(numbers(&heard, "seq"), [1, 2]);
        while two.settled().await.iter().any(|frame| frame["type"] == "message") {}
        two.say("once", "same").await;
        let again = two.expect("message").await;
        assert_eq!((&again["seq"], &again["content"]), (&json!(1), &json!("once")));
        let form = [("content", "once"), ("client_id", "same")];
        assert_eq!(ann.post(&format!("/chat/rooms/{room}"), &form).await.status, 303);
        bob.post(&format!("/chat/rooms/{room}"), &form).await;
        assert_eq!(reader.expect("message").await["seq"], 3, "another person's client_id is another message");
        assert_eq!(site.number("select count(*) from messages").await, 3);
        assert_eq!(site.number("select last_seq * 1000 + last_rev from rooms").await, 3003);
    }
}

both! {
    /// Whatever number a room is said to have: the refusal is that frame's own, and not "try again".
    async fn a_message_to_a_room_that_no_number_names_is_refused_as_not_found(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut socket = ann.follows(room).await;
        for nowhere in [-1, 0, i64::MIN, i64::MAX] {
            let client_id = format!("to {nowhere}");
            socket.send(json!({"type": "message", "room_id": nowhere, "content": "hello", "client_id": client_id})).await;
            let refused = socket.expect("error").await;
            assert_eq!((&refused["code"], &refused["client_id"]), (&json!("not_found"), &json!(client_id)));
        }
        socket.say("hello", "here").await;
        assert_eq!(socket.expect("message").await["seq"], 1);
    }
}

both! {
    /// 4: the connection is cut between commit and publish; the message is there on resume.
    async fn a_message_whose_sender_is_cut_off_after_the_commit_is_found_on_resume(engine: Engine) {
        let (committed, commit) = mpsc::channel::<()>();
        let (go_on, cut) = mpsc::channel::<()>();
        let (committed, cut) = (Mutex::new(committed), Mutex::new(cut));
        let after_commit: switchboard::messages::writer::AfterCommit = Arc::new(move || {
            // Until the test has torn the connection away, nothing is published or acknowledged.
            if committed.lock().unwrap().send(()).is_ok() {
                let _ = cut.lock().unwrap().recv();
            }
        });
        let seams = Seams { after_commit: Some(after_commit), ..Seams::default() };
        let site = Site::with(engine, Options { seams, ..Options::default() }).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut socket = ann.socket(&format!("/ws/chat/{room}")).await;
        let rev = socket.expect("connected").await["rev"].as_i64().unwrap();
        socket.say("am I there?", "c1").await;
        tokio::task::block_in_place(|| commit.recv().unwrap());
        drop(socket);
        go_on.send(()).unwrap();
        drop(go_on);
        drop(commit);
        let mut again = ann.socket(&format!("/ws/chat/{room}?after={rev}")).await;
        let (replayed, _) = replay(&mut again).await;
        assert_eq!(replayed.len(), 1);
        assert_eq!(replayed[0]["client_id"], "c1");
        again.say("am I there?", "c1").await;
        assert_eq!(again.expect("message").await["seq"], 1, "sending again finds it");
        assert_eq!(site.number("select count(*) from messages").await, 1);
    }
}

both! {
    /// 4: what was acknowledged survives `kill -9` at any moment.
    async fn acknowledged_messages_survive_kill_9(engine: Engine) {
        let mut process = Process::serve(engine).await;
        let mut ann = Visitor::at(&process.base);
        ann.register("ann").await;
        let room = ann.public_room("General").await;
        let mut acknowledged = HashSet::new();
        for round in 0..3 {
            let mut socket = ann.follows(room).await;
            for n in 0..150 {
                socket.say("word", &format!("{round}-{n}")).await;
            }
            for _ in 0..50 + round * 20 {
                acknowledged.insert(socket.expect("message").await["client_id"].as_str().unwrap().to_owned());
            }
            process.kill_9().await;
            while let Some(frame) = socket.next().await {
                if frame["type"] == "message" {
                    acknowledged.insert(frame["client_id"].as_str().unwrap().to_owned());
                }
            }
            process = process.again().await;
        }
        let mut socket = ann.socket(&format!("/ws/chat/{room}?after=0")).await;
        let (stored, _) = replay(&mut socket).await;
        let found: HashSet<_> = stored.iter().map(|frame| frame["client_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found.len(), stored.len(), "none twice");
        assert!(acknowledged.is_subset(&found), "none lost");
        assert_eq!(numbers(&stored, "seq"), (1..=stored.len() as i64).collect::<Vec<_>>(), "none skipped");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_restarts_closes_with_1012_and_has_every_word() {
    let site = Site::new(Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("General").await;
    let mut socket = ann.follows(room).await;
    socket.say("before", "c1").await;
    socket.expect("message").await;
    let port = site.address.port();
    let closing = tokio::spawn(async move { socket.close_code().await });
    let database = site.stop().await;
    assert_eq!(closing.await.unwrap(), 1012);
    let site = Site::over(database, port, Options::default()).await;
    assert!(ann.get(&format!("/chat/rooms/{room}")).await.text.contains("before"), "still signed in, still there");
    assert_eq!(site.number("select count(*) from messages").await, 1);
}
