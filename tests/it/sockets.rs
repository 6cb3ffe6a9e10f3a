//! The socket: handshakes, frames, limits and errors. What ends one is in `endings.rs`.

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::actors::Visitor;
use crate::support::app::{Options, Site, both};

const BOB: i64 = 2;

both! {
    async fn handshakes_are_refused_to_visitors_other_sites_and_for_rooms_one_cannot_see(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, _bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let cat = Visitor::registered(&site, "cat").await;
        let room = ann.group_with("Plans", BOB).await;
        let own = site.url("");
        for path in ["/ws", "/ws/notifications", "/ws/chat/1"] {
            assert_eq!(Visitor::new(&site).refused(path, Some(&own)).await, 401, "{path}");
            assert_eq!(ann.refused(path, Some("https://evil.example")).await, 403, "{path}");
            assert_eq!(ann.refused(path, None).await, 403, "{path}");
        }
        assert_eq!(cat.refused(&format!("/ws/chat/{room}"), Some(&own)).await, 404);
        assert_eq!(cat.refused("/ws/chat/999", Some(&own)).await, 404);
        assert_eq!(cat.refused("/ws/chat/x", Some(&own)).await, 404);
        assert_eq!(ann.refused(&format!("/ws/chat/{room}?after=x"), Some(&own)).await, 400);
        ann.set_cookie("switchboard=AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(ann.refused("/ws", Some(&own)).await, 401);
    }
}

both! {
    async fn the_first_frame_says_who_and_where(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        ann.say(room, "hello").await;
        let frame = ann.socket(&format!("/ws/chat/{room}")).await.next().await.unwrap();
        assert_eq!(frame, json!({"type": "connected", "user_id": 1, "username": "ann", "room_id": room, "last_seq": 1, "rev": 1}));
        let frame = ann.socket("/ws").await.next().await.unwrap();
        assert_eq!(frame, json!({"type": "connected", "user_id": 1, "username": "ann"}));
    }
}

both! {
    async fn a_message_reaches_everyone_in_the_room_and_nobody_else(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let cat = Visitor::registered(&site, "cat").await;
        let room = ann.group_with("Plans", BOB).await;
        let mut anns = ann.follows(room).await;
        let mut bobs = bob.follows(room).await;
        let mut cats = cat.socket("/ws").await;
        anns.say("hello **bob**", "c1").await;
        for socket in [&mut anns, &mut bobs] {
            let frame = socket.expect("message").await;
            assert_eq!((&frame["content"], &frame["client_id"]), (&json!("hello **bob**"), &json!("c1")));
            assert_eq!(frame["html"], "<p>hello <strong>bob</strong></p>");
            assert_eq!((&frame["seq"], &frame["rev"], &frame["user_id"], &frame["username"]), (&json!(1), &json!(1), &json!(1), &json!("ann")));
            for field in ["id", "room_id", "reply_to", "attachments", "reactions", "edited_at", "deleted_at", "timestamp"] {
                assert!(frame.get(field).is_some(), "{field}");
            }
        }
        assert!(cats.settled().await.iter().all(|frame| frame["type"] == "connected"));
    }
}

both! {
    async fn a_frame_without_type_but_with_content_is_a_message(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut socket = ann.follows(room).await;
        socket.send(json!({"content": "  plain  "})).await;
        assert_eq!(socket.expect("message").await["content"], "plain");
    }
}

both! {
    async fn what_is_wrong_with_a_frame_is_said_and_the_socket_stays_open(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.public_room("General").await;
        let hidden = bob.post("/rooms/new", &[("kind", "group"), ("name", "Hidden")]).await.room();
        let mut socket = ann.follows(room).await;
        let long = "x".repeat(4001);
        for (frame, code) in [
            ("not json".to_owned(), "invalid"),
            ("[]".to_owned(), "invalid"),
            ("\"text\"".to_owned(), "invalid"),
            ("{}".to_owned(), "invalid"),
            (json!({"type": "dance"}).to_string(), "invalid"),
            (json!({"type": "message"}).to_string(), "invalid"),
            (json!({"type": "message", "content": 5}).to_string(), "invalid"),
            (json!({"type": "message", "content": "   "}).to_string(), "invalid"),
            (json!({"type": "message", "content": "a\u{0}b"}).to_string(), "invalid"),
            (json!({"type": "message", "content": "x", "client_id": "y".repeat(65)}).to_string(), "invalid"),
            (json!({"type": "message", "content": "x", "reply_to": 999}).to_string(), "invalid"),
            (json!({"type": "message", "content": "x", "room_id": "1"}).to_string(), "invalid"),
            (json!({"type": "message", "content": long}).to_string(), "too_long"),
            (json!({"type": "message", "content": "x".repeat(70_000)}).to_string(), "too_long"),
            (json!({"type": "message", "content": "x", "room_id": hidden}).to_string(), "not_found"),
            (json!({"type": "message", "content": "x", "room_id": 999}).to_string(), "not_found"),
            (json!({"type": "typing"}).to_string(), "invalid"),
            (json!({"type": "typing", "is_typing": true, "room_id": hidden}).to_string(), "not_found"),
            (json!({"type": "read", "seq": -1}).to_string(), "invalid"),
            (json!({"type": "subscribe"}).to_string(), "invalid"),
            (json!({"type": "subscribe", "room_id": hidden}).to_string(), "not_found"),
            (format!("{}{}", "[".repeat(5000), "]".repeat(5000)), "invalid"),
        ] {
            socket.send_text(&frame).await;
            let error = socket.expect("error").await;
            assert_eq!(error["code"], code, "{}", &frame[..frame.len().min(80)]);
            assert!(error["content"].as_str().unwrap().len() > 10);
        }
        socket.0.send(Message::binary(vec![0xff, 0xfe])).await.unwrap();
        assert_eq!(socket.expect("error").await["code"], "invalid");
        socket.say("still here", "c1").await;
        assert_eq!(socket.expect("message").await["seq"], 1, "nothing was stored by halves");
        assert_eq!(site.number("select count(*) from messages").await, 1);
    }
}

both! {
    async fn an_error_names_the_message_it_is_about(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut socket = ann.follows(room).await;
        socket.say(" ", "c7").await;
        assert_eq!(socket.expect("error").await["client_id"], "c7");
        socket.send(json!({"type": "message", "content": 1, "client_id": "c8"})).await;
        assert_eq!(socket.expect("error").await["client_id"], "c8");
    }
}

both! {
    async fn four_thousand_characters_of_any_script_fit(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut socket = ann.follows(room).await;
        for text in ["😀".repeat(4000), "ש".repeat(4000), "\u{200b}a\u{202e}".repeat(1000)] {
            socket.say(&text, "").await;
            assert_eq!(socket.expect("message").await["content"], text.as_str());
        }
    }
}

both! {
    async fn who_only_looks_into_a_public_room_may_read_but_not_write(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.public_room("General").await;
        let mut bobs = bob.socket("/ws").await;
        bobs.send(json!({"type": "subscribe", "room_id": room})).await;
        bobs.expect("connected").await;
        assert_eq!(bobs.expect("connected").await["room_id"], room);
        ann.say(room, "hello").await;
        assert_eq!(bobs.expect("message").await["content"], "hello");
        bobs.send(json!({"type": "message", "room_id": room, "content": "hi", "client_id": "c1"})).await;
        let error = bobs.expect("error").await;
        assert_eq!((&error["code"], &error["client_id"]), (&json!("forbidden"), &json!("c1")));
        bobs.send(json!({"type": "typing", "room_id": room, "is_typing": true})).await;
        assert_eq!(bobs.expect("error").await["code"], "forbidden");
        let mut joined = bob.follows(room).await;
        joined.say("now I am in", "c2").await;
        assert_eq!(joined.expect("message").await["seq"], 2);
    }
}

both! {
    async fn one_socket_follows_several_rooms_and_at_most_sixty_four(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let mut socket = ann.socket("/ws").await;
        for n in 0..65 {
            let room = ann.public_room(&format!("Room {n}")).await;
            socket.send(json!({"type": "subscribe", "room_id": room})).await;
        }
        let error = socket.expect("error").await;
        assert!(error["content"].as_str().unwrap().contains("64"));
        socket.send(json!({"type": "message", "room_id": 64, "content": "last"})).await;
        assert_eq!(socket.expect("message").await["room_id"], 64);
        socket.send(json!({"type": "unsubscribe", "room_id": 64})).await;
        socket.settled().await;
        ann.say(64, "unheard").await;
        ann.say(63, "heard").await;
        assert_eq!(socket.expect("message").await["content"], "heard");
    }
}

both! {
    async fn writing_too_fast_is_refused_for_a_moment(engine: Engine) {
        let settings = vec![("MESSAGE_RATE", "1/h burst 3")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut socket = ann.follows(room).await;
        for n in 1..=4 {
            socket.say("quick", &format!("c{n}")).await;
        }
        let error = socket.expect("error").await;
        assert_eq!((&error["code"], &error["client_id"]), (&json!("throttled"), &json!("c4")));
        assert_eq!(error["content"], "You are sending messages too fast. Please wait a moment.");
        assert!(error["retry_after_ms"].as_u64().unwrap() > 1000);
        let page = ann.post(&format!("/chat/rooms/{room}"), &[("content", "kept in the form")]).await;
        assert_eq!(page.status, 429);
        assert!(page.text.contains("kept in the form"));
        let other = ann.public_room("Other").await;
        ann.say(other, "another room has its own limit").await;
    }
}

both! {
    async fn unread_counts_come_to_sockets_that_look_elsewhere(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.group_with("Plans", BOB).await;
        let mut bobs = bob.socket("/ws/notifications").await;
        bobs.expect("connected").await;
        ann.say(room, "one").await;
        let frame = bobs.expect("unread").await;
        assert_eq!((&frame["room_id"], &frame["count"], &frame["last_seq"]), (&json!(room), &json!(1), &json!(1)));
        bob.get(&format!("/chat/rooms/{room}")).await;
        assert_eq!(bobs.expect("unread").await["count"], 0, "reading in one place is known in the others");
        bobs.send(json!({"type": "subscribe", "room_id": room})).await;
        assert_eq!(bobs.expect("error").await["code"], "invalid", "this socket carries notices only");
    }
}

both! {
    async fn reading_is_shown_to_the_others_in_a_small_room(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.group_with("Plans", BOB).await;
        let mut anns = ann.follows(room).await;
        let mut bobs = bob.follows(room).await;
        anns.say("one", "c1").await;
        bobs.expect("message").await;
        bobs.send(json!({"type": "read", "seq": 99})).await;
        let frame = anns.expect("read").await;
        assert_eq!((&frame["user_id"], &frame["seq"]), (&json!(BOB), &json!(1)), "never past the last message");
        bobs.send(json!({"type": "read", "seq": 0})).await;
        bobs.settled().await;
        assert_eq!(site.number("select last_read_seq from memberships where user_id = 2").await, 1, "never back");
    }
}

both! {
    async fn asking_again_for_a_room_one_follows_repeats_nothing_and_misses_nothing(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let mut socket = ann.follows(room).await;
        let writer = tokio::spawn({
            let ann = ann.clone();
            async move {
                let mut socket = ann.follows(room).await;
                for n in 0..200 {
                    socket.say("word", &format!("c{n}")).await;
                    socket.expect("message").await;
                }
            }
        });
        let mut seen = 0;
        while seen < 200 {
            socket.send(json!({"type": "subscribe", "room_id": room})).await;
            let frame = socket.expect("message").await;
            seen += 1;
            assert_eq!(frame["rev"], seen);
        }
        writer.await.unwrap();
    }
}

both! {
    async fn a_revision_out_of_all_range_is_a_revision_like_others(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        ann.say(room, "one").await;
        for after in [i64::MIN, -1] {
            let mut socket = ann.socket(&format!("/ws/chat/{room}?after={after}")).await;
            assert_eq!(socket.expect("message").await["seq"], 1);
            assert_eq!(socket.expect("synced").await["rev"], 1);
        }
        let mut socket = ann.socket(&format!("/ws/chat/{room}?after={}", i64::MAX)).await;
        assert_eq!(socket.expect("synced").await["rev"], 1);
    }
}
