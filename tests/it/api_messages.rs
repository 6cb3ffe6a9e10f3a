//! `/api/v1/chat`: what is said in rooms, as programs read, write, change and report it.

use serde_json::{Value, json};

use crate::support::actors::Visitor;
use crate::support::app::both;
use crate::support::program::{Program, api, api_with};
use crate::support::talk::{room, said, seqs};

both! {
    async fn a_message_posted_by_a_program_is_the_one_everybody_sees(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let hall = room(&site, "public", &[1, 2]).await;
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        let path = format!("/chat/rooms/{hall}/messages");
        let body = json!({"content": "  See **you** ", "client_id": "a-1"});
        let message = ann.post(&path, body.clone()).await.is(201).json();
        let mut fields: Vec<_> = message.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, ["attachments", "client_id", "content", "deleted_at", "edited_at", "html", "id", "reactions",
                            "reply_to", "rev", "room_id", "seq", "timestamp", "user_id", "username"]);
        assert_eq!((&message["content"], &message["html"]), (&json!("See **you**"), &json!("<p>See <strong>you</strong></p>")));
        let mut frame = socket.expect("message").await;
        frame.as_object_mut().unwrap().remove("type");
        assert_eq!(frame, message);
        assert_eq!(ann.post(&path, body).await.is(200).json(), message, "sent again it is the first");
        let answer = bob.post(&path, json!({"content": "Yes", "reply_to": message["id"]})).await.is(201).json();
        assert_eq!((&answer["reply_to"], &answer["seq"]), (&message["id"], &json!(2)));
        let page = bob.get(&path).await.is(200).json();
        assert_eq!(page, json!({"room_id": hall, "messages": [message, answer], "has_more": false, "next_before": null,
                                "rev": 2, "source": "database"}));
    }
}

both! {
    async fn who_may_not_post_is_told_why(engine: Engine) {
        let (site, _) = api_with(engine, &[("MESSAGE_RATE", "1/h burst 2")]).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1]).await);
        let post = async |who: &Program, room: i64, body: Value| who.post(&format!("/chat/rooms/{room}/messages"), body).await;
        let hello = || json!({"content": "hello"});
        post(&bob, hall, hello()).await.refuses(403, None);
        post(&bob, den, hello()).await.refuses(404, None);
        post(&bob, 77, hello()).await.refuses(404, None);
        post(&Program::new(&site), hall, hello()).await.refuses(401, None);
        for (body, field) in [
            (json!({}), "content"), (json!({"content": " \n "}), "content"), (json!({"content": "a\0"}), "content"),
            (json!({"content": "x".repeat(4001)}), "content"), (json!({"content": 5}), "content"),
            (json!({"content": "x", "client_id": "y".repeat(65)}), "client_id"),
            (json!({"content": "x", "reply_to": "z"}), "reply_to"),
        ] {
            post(&ann, hall, body).await.refuses(422, Some(field));
        }
        ann.send("POST", &format!("/chat/rooms/{hall}/messages"), Some("text/plain"), "hello").await.refuses(415, None);
        ann.post("/chat/rooms/x/messages", hello()).await.refuses(400, None);
        let id = said(&ann, den, "secret").await["id"].clone();
        post(&ann, hall, json!({"content": "x", "reply_to": id})).await.refuses(422, Some("reply_to"));
        post(&ann, hall, hello()).await.is(201);
        let answer = post(&ann, hall, hello()).await;
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 1000);
        answer.refuses(429, None);
    }
}

both! {
    async fn history_is_read_before_after_and_since(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        for n in 1..=7 {
            said(&ann, hall, &format!("m{n}")).await;
        }
        let read = async |query: &str| ann.get(&format!("/chat/rooms/{hall}/messages{query}")).await.is(200).json();
        for (query, shown, more, next) in [
            ("", vec![1, 2, 3, 4, 5, 6, 7], false, json!(null)),
            ("?limit=3", vec![5, 6, 7], true, json!(5)),
            ("?limit=3&before=5", vec![2, 3, 4], true, json!(2)),
            ("?limit=3&before=2", vec![1], false, json!(null)),
            ("?before=0", vec![], false, json!(null)),
            ("?after=4&limit=2", vec![5, 6], true, json!(null)),
            ("?after=5&limit=2", vec![6, 7], false, json!(null)),
            ("?after=0&limit=1", vec![1], true, json!(null)),
            ("?after=7", vec![], false, json!(null)),
            ("?since_rev=5", vec![6, 7], false, json!(null)),
            ("?since_rev=0&limit=2", vec![1, 2], true, json!(null)),
            ("?limit=0", vec![7], true, json!(7)),
            ("?limit=1000", vec![1, 2, 3, 4, 5, 6, 7], false, json!(null)),
            ("?before=99999999999999999999", vec![1, 2, 3, 4, 5, 6, 7], false, json!(null)),
        ] {
            let page = read(query).await;
            assert_eq!(seqs(&page), shown, "{query}");
            assert_eq!((&page["has_more"], &page["next_before"], &page["rev"]), (&json!(more), &next, &json!(7)), "{query}");
        }
        for query in ["before=-1", "after=-1", "since_rev=-1", "before=x", "after=1.5", "limit=x", "before=1&after=1",
                      "after=1&since_rev=1", "before=1&before=2"] {
            let problem = ann.get(&format!("/chat/rooms/{hall}/messages?{query}")).await;
            assert_eq!(problem.status, 400, "{query}: {}", problem.text);
        }
    }
}

both! {
    async fn what_changed_comes_in_the_order_of_the_changes_and_holes_hide_nothing(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        for n in 1..=5 {
            said(&ann, hall, &format!("m{n}")).await;
        }
        ann.patch("/chat/messages/2", json!({"content": "two"})).await.is(200);
        ann.delete("/chat/messages/1", json!({})).await.is(204);
        ann.send("PUT", "/chat/messages/4/reactions/%F0%9F%91%8D", None, "").await.is(200);
        let path = format!("/chat/rooms/{hall}/messages");
        let changes = ann.get(&format!("{path}?since_rev=5")).await.json();
        assert_eq!((seqs(&changes), &changes["rev"]), (vec![2, 1, 4], &json!(8)));
        assert_eq!(changes["messages"][0]["content"], "two");
        assert!(changes["messages"][1]["deleted_at"].is_string() && changes["messages"][1]["content"] == "");
        assert_eq!(changes["messages"][2]["reactions"], json!([{"emoji": "👍", "count": 1, "user_ids": [1]}]));
        let first = ann.get(&format!("{path}?since_rev=5&limit=1")).await.json();
        assert_eq!((seqs(&first), &first["has_more"]), (vec![2], &json!(true)));
        site.sql("delete from messages where id in (1, 2)").await;
        let page = ann.get(&format!("{path}?limit=3")).await.json();
        assert_eq!((seqs(&page), &page["has_more"], &page["next_before"]), (vec![3, 4, 5], &json!(false), &json!(null)));
    }
}

both! {
    async fn only_those_who_see_a_room_read_it(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let root = Program::of_role(&site, "root", "admin").await;
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1]).await);
        said(&ann, hall, "public").await;
        said(&ann, den, "secret").await;
        root.get(&format!("/chat/rooms/{hall}/messages")).await.is(200);
        root.get(&format!("/chat/rooms/{den}/messages")).await.refuses(404, None);
        root.get("/chat/rooms/77/messages").await.refuses(404, None);
        Program::new(&site).get(&format!("/chat/rooms/{hall}/messages")).await.refuses(401, None);
        root.post(&format!("/chat/rooms/{den}/read"), json!({"seq": 1})).await.refuses(404, None);
        root.post(&format!("/chat/rooms/{hall}/read"), json!({"seq": 1})).await.refuses(403, None);
    }
}

both! {
    async fn a_read_mark_counts_when_it_is_answered_and_never_goes_back(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let hall = room(&site, "public", &[1, 2]).await;
        for n in 1..=3 {
            said(&ann, hall, &format!("m{n}")).await;
        }
        let path = format!("/chat/rooms/{hall}/read");
        for (seq, read) in [(2, 2), (1, 2), (0, 2), (999, 3)] {
            bob.post(&path, json!({"seq": seq})).await.is(204);
            assert_eq!(site.number("select last_read_seq from memberships where user_id = 2").await, read);
        }
        for body in [json!({}), json!({"seq": -1}), json!({"seq": "x"}), json!({"seq": 1.5})] {
            bob.post(&path, body).await.refuses(422, Some("seq"));
        }
    }
}

both! {
    async fn authors_edit_their_messages_and_nobody_else_does(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let root = Program::of_role(&site, "root", "admin").await;
        let (hall, den) = (room(&site, "public", &[1, 2]).await, room(&site, "group", &[1]).await);
        let (said_here, said_there) = (said(&ann, hall, "one").await, said(&ann, den, "secret").await);
        let (here, there) = (format!("/chat/messages/{}", said_here["id"]), format!("/chat/messages/{}", said_there["id"]));
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        let edited = ann.patch(&here, json!({"content": " *two* "})).await.is(200).json();
        assert_eq!((&edited["content"], &edited["html"], &edited["rev"]), (&json!("*two*"), &json!("<p><em>two</em></p>"), &json!(2)));
        assert!(edited["edited_at"].is_string() && edited["seq"] == 1);
        let mut frame = socket.expect("message_edited").await;
        frame.as_object_mut().unwrap().remove("type");
        assert_eq!(frame, edited);
        assert_eq!(ann.patch(&here, json!({"content": "*two*"})).await.is(200).json(), edited, "nothing differs");
        bob.patch(&here, json!({"content": "mine"})).await.refuses(403, None);
        root.patch(&here, json!({"content": "mine"})).await.refuses(403, None);
        for who in [&bob, &root] {
            who.patch(&there, json!({"content": "mine"})).await.refuses(404, None);
            who.patch(&there, json!({"content": ""})).await.refuses(404, None);
        }
        ann.patch("/chat/messages/77", json!({"content": "x"})).await.refuses(404, None);
        Program::new(&site).patch(&here, json!({"content": "x"})).await.refuses(401, None);
        for body in [json!({}), json!({"content": ""}), json!({"content": "x".repeat(4001)}), json!({"content": null})] {
            ann.patch(&here, body).await.refuses(422, Some("content"));
        }
        site.sql(&format!("delete from memberships where room_id = {hall} and user_id = 1")).await;
        ann.patch(&here, json!({"content": "late"})).await.refuses(403, None);
        ann.delete(&there, json!({})).await.is(204);
        ann.patch(&there, json!({"content": "late"})).await.refuses(409, None);
    }
}

both! {
    async fn edits_are_counted_with_messages(engine: Engine) {
        let (site, _) = api_with(engine, &[("MESSAGE_RATE", "1/h burst 2")]).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        said(&ann, hall, "one").await;
        ann.patch("/chat/messages/1", json!({"content": "two"})).await.is(200);
        let answer = ann.patch("/chat/messages/1", json!({"content": "three"})).await;
        assert!(answer.headers.contains_key("retry-after"));
        answer.refuses(429, None);
    }
}

both! {
    async fn authors_and_staff_delete_messages_and_staff_leave_a_trace(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let [moderator, root] = [Program::of_role(&site, "mod", "moderator").await, Program::of_role(&site, "root", "admin").await];
        let (hall, den) = (room(&site, "public", &[1, 2]).await, room(&site, "group", &[1, 2]).await);
        for _ in 0..3 {
            said(&ann, hall, "one").await;
        }
        let secret = format!("/chat/messages/{}", said(&ann, den, "secret").await["id"]);
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        bob.delete("/chat/messages/1", json!({})).await.refuses(403, None);
        ann.delete("/chat/messages/1", json!({})).await.is(204);
        assert_eq!(socket.expect("message_deleted").await, json!({"type": "message_deleted", "id": 1, "room_id": hall, "seq": 1, "rev": 4}));
        ann.delete("/chat/messages/1", json!({})).await.refuses(409, None);
        assert_eq!(site.number("select count(*) from audit_entries").await, 0, "one's own is nobody's business");
        moderator.delete("/chat/messages/2", json!({})).await.is(204);
        root.delete("/chat/messages/3", json!({})).await.is(204);
        assert_eq!(site.number("select count(*) from audit_entries where model = 'messages' and action = 'hide' and actor_id in (3, 4) and ip <> ''").await, 2);
        for staff in [&moderator, &root] {
            staff.delete(&secret, json!({})).await.refuses(404, None);
        }
        bob.delete(&secret, json!({})).await.refuses(403, None);
        bob.delete("/chat/messages/77", json!({})).await.refuses(404, None);
        let page = bob.get(&format!("/chat/rooms/{hall}/messages")).await.json();
        assert!(page["messages"].as_array().unwrap().iter().all(|message| message["content"] == "" && message["html"] == ""));
    }
}

both! {
    async fn members_react_and_see_who_did(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await, Program::registered(&site, "cat").await];
        let (hall, den) = (room(&site, "public", &[1, 2]).await, room(&site, "group", &[1]).await);
        said(&ann, hall, "one").await;
        said(&ann, den, "secret").await;
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        let put = async |who: &Program, id: i64, emoji: &str| {
            let emoji: String = emoji.bytes().map(|byte| format!("%{byte:02X}")).collect();
            who.send("PUT", &format!("/chat/messages/{id}/reactions/{emoji}"), None, "").await
        };
        let thumbs = json!([{"emoji": "👍", "count": 1, "user_ids": [1]}]);
        assert_eq!(put(&ann, 1, "👍").await.is(200).json(), thumbs);
        assert_eq!(put(&ann, 1, "👍").await.is(200).json(), thumbs, "twice is once");
        assert_eq!(put(&bob, 1, "❤️").await.is(200).json()[1], json!({"emoji": "❤️", "count": 1, "user_ids": [2]}));
        let both = json!({"emoji": "👍", "count": 2, "user_ids": [1, 2]});
        assert_eq!(put(&bob, 1, "👍").await.is(200).json()[0], both);
        for rev in 2..=4 {
            let frame = socket.expect("reaction").await;
            assert_eq!((&frame["message_id"], &frame["rev"]), (&json!(1), &json!(rev)));
        }
        let page = ann.get(&format!("/chat/rooms/{hall}/messages")).await.json();
        assert_eq!((&page["messages"][0]["reactions"][0], &page["messages"][0]["rev"]), (&both, &json!(4)));
        put(&cat, 1, "👍").await.refuses(403, None);
        put(&cat, 2, "👍").await.refuses(404, None);
        put(&Program::new(&site), 1, "👍").await.refuses(401, None);
        for other in ["x", "+1", "👍👍", "1", " "] {
            put(&ann, 1, other).await.refuses(422, Some("emoji"));
        }
        put(&ann, 77, "👍").await.refuses(404, None);
        let thumb = "/chat/messages/1/reactions/%F0%9F%91%8D";
        assert_eq!(bob.send("DELETE", thumb, None, "").await.is(200).json(), json!([thumbs[0], {"emoji": "❤️", "count": 1, "user_ids": [2]}]));
        bob.send("DELETE", thumb, None, "").await.is(200);
        cat.send("DELETE", thumb, None, "").await.refuses(403, None);
        assert_eq!(site.number(&format!("select last_rev from rooms where id = {hall}")).await, 5, "nothing else was a change");
        ann.delete("/chat/messages/1", json!({})).await.is(204);
        put(&ann, 1, "👍").await.refuses(409, None);
        let page = ann.get(&format!("/chat/rooms/{hall}/messages")).await.json();
        assert_eq!(page["messages"][0]["reactions"], json!([]));
    }
}

both! {
    async fn one_person_reacts_in_twenty_ways_at_most(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        said(&ann, hall, "one").await;
        for code in 0x80..0x80 + 20 {
            ann.send("PUT", &format!("/chat/messages/1/reactions/%F0%9F%98%{code:02X}"), None, "").await.is(200);
        }
        ann.send("PUT", "/chat/messages/1/reactions/%F0%9F%91%8D", None, "").await.refuses(422, Some("emoji"));
        ann.send("PUT", "/chat/messages/1/reactions/%F0%9F%98%80", None, "").await.is(200);
    }
}

both! {
    async fn whoever_sees_a_message_reports_it_to_the_staff(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1]).await);
        said(&ann, hall, "rude").await;
        said(&ann, den, "secret").await;
        let report = bob.post("/chat/messages/1/report", json!({"reason": " Insults me. "})).await.is(201).json();
        assert_eq!((&report["message_id"], &report["reporter_id"], &report["reason"]), (&json!(1), &json!(2), &json!("Insults me.")));
        assert_eq!((&report["status"], &report["handled_by"]), (&json!("open"), &json!(null)));
        assert!(report["id"].is_i64() && report["created_at"].is_string());
        bob.post("/chat/messages/1/report", json!({"reason": "Again"})).await.refuses(409, None);
        ann.post("/chat/messages/1/report", json!({"reason": "It is mine"})).await.is(201);
        bob.post("/chat/messages/2/report", json!({"reason": "x"})).await.refuses(404, None);
        bob.post("/chat/messages/77/report", json!({"reason": "x"})).await.refuses(404, None);
        Program::new(&site).post("/chat/messages/1/report", json!({"reason": "x"})).await.refuses(401, None);
        for body in [json!({}), json!({"reason": " "}), json!({"reason": "x".repeat(1001)})] {
            site.sql("update reports set status = 'dismissed'").await;
            bob.post("/chat/messages/1/report", body).await.refuses(422, Some("reason"));
        }
        ann.delete("/chat/messages/1", json!({})).await.is(204);
        bob.post("/chat/messages/1/report", json!({"reason": "x"})).await.refuses(409, None);
    }
}

both! {
    async fn polling_programs_are_spared_what_they_have(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        said(&ann, hall, "one").await;
        let path = format!("/chat/rooms/{hall}/messages");
        let tag = ann.get(&path).await.is(200).headers["etag"].to_str().unwrap().to_owned();
        let ask = async || {
            let request = ann.client.get(site.url(&format!("/api/v1{path}"))).bearer_auth(ann.access.as_ref().unwrap());
            request.header("if-none-match", &tag).send().await.unwrap().status().as_u16()
        };
        assert_eq!(ask().await, 304);
        ann.send("PUT", "/chat/messages/1/reactions/%F0%9F%91%8D", None, "").await.is(200);
        assert_eq!(ask().await, 200);
    }
}

both! {
    async fn a_page_shows_what_a_program_posted(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        said(&ann, hall, "from a program").await;
        let visitor = Visitor::logged_in(&site, "ann").await;
        assert!(visitor.get(&format!("/chat/rooms/{hall}")).await.text.contains("from a program"));
    }
}
