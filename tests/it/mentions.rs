//! Who is told of a message, and who isn't: names, answers and `@here`, read marks and deletions.

use serde_json::{Value, json};

use crate::support::app::both;
use crate::support::program::{Program, api, each};
use crate::support::talk::{room, said, spoil};

/// What they were told of and haven't read, newest first.
async fn unread(who: &Program) -> Value {
    who.get("/notifications?unread=true").await.is(200).json()
}

async fn kinds(who: &Program) -> Vec<Value> {
    each(&unread(who).await, "kind")
}

both! {
    async fn whoever_is_named_is_told_on_every_socket_and_in_the_list(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let id = room(&site, "group", &[1, 2, 3]).await;
        let mut notices = bob.socket("/ws/notifications").await;
        let mut elsewhere = bob.socket("/ws").await;
        let message = said(&ann, id, "Have a look, @BOB.").await;
        let frame = notices.expect("notification").await;
        assert_eq!(frame, elsewhere.expect("notification").await);
        let told = unread(&bob).await["items"][0].clone();
        assert_eq!(
            told,
            json!({"id": told["id"], "kind": "mention", "room_id": id, "message_id": message["id"], "actor_id": 1,
                   "created_at": message["timestamp"], "read_at": null})
        );
        let mut expected = told;
        expected["type"] = json!("notification");
        assert_eq!(frame, expected);
        assert!(kinds(&cat).await.is_empty() && kinds(&ann).await.is_empty());
    }
}

both! {
    async fn whoever_is_answered_is_told_and_once_when_they_are_named_too(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let id = room(&site, "direct", &[1, 2]).await;
        let path = format!("/chat/rooms/{id}/messages");
        let first = said(&bob, id, "Tea?").await;
        ann.post(&path, json!({"content": "Yes", "reply_to": first["id"]})).await.is(201);
        assert_eq!(kinds(&bob).await, ["reply"]);
        ann.post(&path, json!({"content": "Yes @bob @Bob **@bob**", "reply_to": first["id"]})).await.is(201);
        assert_eq!(kinds(&bob).await, ["mention", "reply"]);
        // Their own words concern nobody else.
        bob.post(&path, json!({"content": "I meant me, @bob", "reply_to": first["id"]})).await.is(201);
        assert_eq!((kinds(&bob).await.len(), kinds(&ann).await.len()), (2, 0));
    }
}

both! {
    async fn nobody_is_told_who_is_outside_has_muted_the_room_blocks_the_sender_or_is_gone(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let dan = Program::registered(&site, "dan").await;
        let eve = Program::registered(&site, "eve").await;
        let id = room(&site, "public", &[1, 2, 3, 4]).await;
        let mut outside = eve.socket("/ws/notifications").await;
        site.sql("update memberships set muted = true where user_id = 2").await;
        site.sql("insert into blocks (user_id, blocked_id, created_at) values (3, 1, 1)").await;
        site.sql("update users set is_active = false where id = 4").await;
        let answered = said(&cat, id, "Who comes?").await["id"].clone();
        let new = json!({"content": "@bob @cat @dan @eve @ann @nobody_is_called_so", "reply_to": answered});
        ann.post(&format!("/chat/rooms/{id}/messages"), new).await.is(201);
        assert_eq!(site.number("select count(*) from notifications").await, 0);
        assert!(outside.settled().await.is_empty());
        for who in [&ann, &bob, &cat, &eve] {
            assert!(kinds(who).await.is_empty());
        }
        drop(dan);
        // The other way round a block says nothing.
        said(&cat, id, "@ann and @dan").await;
        assert_eq!(kinds(&ann).await, ["mention"]);
    }
}

both! {
    async fn here_tells_the_members_who_are_online_and_nobody_in_a_direct_room(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let dan = Program::registered(&site, "dan").await;
        let (group, direct) = (room(&site, "group", &[1, 2, 3]).await, room(&site, "direct", &[1, 2]).await);
        let _sockets = [ann.socket("/ws").await, bob.socket("/ws/notifications").await, dan.socket("/ws").await];
        said(&ann, direct, "@here").await;
        assert!(kinds(&bob).await.is_empty());
        let message = said(&ann, group, "@here, @HERE and @bob: it begins").await;
        let told = unread(&bob).await;
        assert_eq!((each(&told, "kind"), each(&told, "message_id")), (vec![json!("mention")], vec![message["id"].clone()]));
        for who in [&ann, &cat, &dan] {
            assert!(kinds(who).await.is_empty());
        }
        said(&ann, group, "`@here` is a word").await;
        assert_eq!(kinds(&bob).await.len(), 1);
    }
}

both! {
    async fn a_name_a_thousand_times_tells_once_and_fifty_people_are_the_most(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        site.people(60).await;
        let id = room(&site, "group", &[1, 2]).await;
        site.sql(&format!(
            "insert into memberships (room_id, user_id, joined_at) select {id}, id, 1 from users where id > 3 and is_active"
        ))
        .await;
        said(&ann, id, &"@bob ".repeat(790)).await;
        assert_eq!(kinds(&bob).await.len(), 1);
        let all: Vec<String> = (1..=60).filter(|n| n % 7 != 0).map(|n| format!("@p{n:0>2}")).collect();
        site.sql("update users set username_folded = 'p0' || substr(username_folded, 2) where username_folded like 'p_'").await;
        said(&ann, id, &all.join(" ")).await;
        assert_eq!(site.number("select count(*) from notifications where user_id > 3").await, 50);
    }
}

both! {
    async fn names_in_code_and_in_edits_tell_nobody(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let id = room(&site, "group", &[1, 2]).await;
        for content in ["`@bob`", "```\n@bob\n```", "bob@example.org @", "ann@bob"] {
            said(&ann, id, content).await;
        }
        let message = said(&ann, id, "Well").await;
        let path = format!("/chat/messages/{}", message["id"]);
        ann.patch(&path, json!({"content": "Well, @bob"})).await.is(200);
        assert!(kinds(&bob).await.is_empty());
    }
}

both! {
    async fn a_deleted_message_takes_back_what_was_not_read_of_it(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let id = room(&site, "group", &[1, 2, 3]).await;
        let message = said(&ann, id, "@bob @cat").await;
        cat.post("/notifications/read", json!({})).await.is(204);
        ann.delete(&format!("/chat/messages/{}", message["id"]), json!({})).await.is(204);
        assert!(each(&bob.get("/notifications").await.json(), "kind").is_empty());
        assert_eq!(each(&cat.get("/notifications").await.json(), "kind"), ["mention"]);
    }
}

both! {
    async fn reading_a_room_reads_what_one_was_told_of_it_up_to_there(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let made = ann.room(json!({"name": "Plans", "kind": "group", "member_ids": [2]})).await;
        let (id, other) = (room(&site, "group", &[1, 2, 3]).await, room(&site, "group", &[1, 2]).await);
        said(&ann, other, "@bob").await;
        for _ in 0..3 {
            said(&ann, id, "@bob @cat").await;
        }
        let read = format!("/chat/rooms/{id}/read");
        bob.post(&read, json!({"seq": 2})).await.is(204);
        assert_eq!(each(&unread(&bob).await, "room_id"), [json!(id), json!(other), json!(made)]);
        assert_eq!(kinds(&cat).await.len(), 3);
        // Whoever writes has read so far; the mark that comes then doesn't move any more.
        said(&bob, id, "I see").await;
        bob.post(&read, json!({"seq": 4})).await.is(204);
        assert_eq!(each(&unread(&bob).await, "room_id"), [json!(other), json!(made)]);
        // Whoever was put in is told, and hasn't read that by reading.
        bob.post(&format!("/chat/rooms/{made}/read"), json!({"seq": 9})).await.is(204);
        assert_eq!(kinds(&bob).await, ["mention", "added"]);
    }
}

both! {
    async fn the_same_message_sent_again_tells_nobody_again(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let id = room(&site, "group", &[1, 2]).await;
        let new = json!({"content": "@bob", "client_id": "once"});
        let path = format!("/chat/rooms/{id}/messages");
        ann.post(&path, new.clone()).await.is(201);
        ann.post(&path, new).await.is(200);
        assert_eq!(kinds(&bob).await.len(), 1);
    }
}

both! {
    /// The first of a batch spoils its transaction, so each is stored by itself.
    async fn a_batch_that_is_tried_again_tells_once(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let id = room(&site, "group", &[1, 2, 3]).await;
        let mut notices = bob.socket("/ws/notifications").await;
        spoil(&site, engine).await;
        let path = format!("/chat/rooms/{id}/messages");
        // At once, so that they wait together.
        let posts = (0..20).map(|n| {
            let content = if n % 5 == 4 { "spoil" } else { "@bob" };
            let (who, path) = (if n % 2 == 0 { ann.clone() } else { cat.clone() }, path.clone());
            async move { (content, who.post(&path, json!({"content": content})).await.status) }
        });
        for (content, status) in futures_util::future::join_all(posts).await {
            assert_eq!(status, if content == "spoil" { 503 } else { 201 });
        }
        assert_eq!(kinds(&bob).await.len(), 16);
        let told = notices.settled().await.into_iter().filter(|frame| frame["type"] == "notification");
        assert_eq!(told.count(), 16);
    }
}
