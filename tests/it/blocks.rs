//! Blocking: whom one doesn't want to hear from, and what they can't do any more.

use serde_json::json;

use crate::support::app::both;
use crate::support::program::{Program, api, each};
use crate::support::talk::said;

const ANN: i64 = 1;
const BOB: i64 = 2;
const CAT: i64 = 3;

async fn block(person: &Program, id: i64) {
    person.send("PUT", &format!("/users/{id}/block"), None, "").await.is(204);
}

async fn unblock(person: &Program, id: i64) {
    person.send("DELETE", &format!("/users/{id}/block"), None, "").await.is(204);
}

both! {
    async fn who_is_blocked_cannot_ask_to_talk_and_neither_can_who_blocks(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        block(&ann, BOB).await;
        let told = bob.post("/interests", json!({"recipient_id": ANN})).await.refuses(403, None);
        assert_eq!(told["detail"], "This person can't be asked.");
        let told = ann.post("/interests", json!({"recipient": "bob"})).await.refuses(403, None);
        assert!(told["detail"].as_str().unwrap().contains("unblock them first"), "{told}");
        cat.post("/interests", json!({"recipient_id": ANN})).await.is(201);
        unblock(&ann, BOB).await;
        bob.post("/interests", json!({"recipient_id": ANN})).await.is(201);
    }
}

both! {
    async fn blocking_closes_the_interest_that_is_pending(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        bob.post("/interests", json!({"recipient_id": ANN})).await.is(201);
        ann.post("/interests", json!({"recipient_id": CAT})).await.is(201);
        bob.post("/interests", json!({"recipient_id": CAT})).await.is(201);
        let (mut bobs, mut cats) = (bob.socket("/ws").await, cat.socket("/ws").await);
        block(&ann, BOB).await;
        block(&ann, CAT).await;
        assert_eq!(bobs.expect("interest").await["status"], "rejected");
        assert_eq!(cats.expect("interest").await["status"], "cancelled");
        let list = ann.get("/interests").await.is(200).json();
        assert_eq!(each(&list, "status"), ["cancelled", "rejected"]);
        assert_eq!(each(&cat.get("/interests?status=pending").await.is(200).json(), "sender"), ["bob"], "others' stand");
        assert!(bob.get("/notifications").await.is(200).json().to_string().find("block").is_none(), "nobody is told of the block");
    }
}

both! {
    async fn in_the_direct_room_neither_writes_while_the_block_stands(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let room = ann.room(json!({"member_ids": [BOB]})).await;
        let other = cat.room(json!({"member_ids": [BOB]})).await;
        let hall = ann.room(json!({"name": "Hall", "member_ids": [BOB]})).await;
        let first = said(&bob, room, "hello").await["id"].as_i64().unwrap();
        let hers = said(&ann, room, "hello yourself").await["id"].as_i64().unwrap();
        let mut bobs = bob.socket(&format!("/ws/chat/{room}")).await;
        block(&ann, BOB).await;

        let path = format!("/chat/rooms/{room}/messages");
        let told = bob.post(&path, json!({"content": "why?"})).await.refuses(403, None);
        assert_eq!(told["detail"], "You can't write to this person.");
        let told = ann.post(&path, json!({"content": "because"})).await.refuses(403, None);
        assert!(told["detail"].as_str().unwrap().contains("unblock them first"), "{told}");
        bobs.send(json!({"type": "message", "content": "here?", "client_id": "c1"})).await;
        let error = bobs.expect("error").await;
        assert_eq!((&error["code"], &error["client_id"]), (&json!("forbidden"), &json!("c1")));
        bob.patch(&format!("/chat/messages/{first}"), json!({"content": "insult"})).await.refuses(403, None);
        ann.patch(&format!("/chat/messages/{hers}"), json!({"content": "insult"})).await.refuses(403, None);
        bob.send("PUT", &format!("/chat/messages/{hers}/reactions/%F0%9F%91%8D"), None, "").await.refuses(403, None);
        bob.send("PUT", &format!("/chat/messages/{first}/pin"), None, "").await.refuses(403, None);
        bob.send("DELETE", &format!("/chat/messages/{first}/pin"), None, "").await.refuses(403, None);
        bobs.send(json!({"type": "typing", "is_typing": true})).await;
        assert_eq!(bobs.expect("error").await["code"], "forbidden");
        assert_eq!(bob.get(&path).await.is(200).json()["messages"].as_array().unwrap().len(), 2, "what was said can be read");
        assert_eq!(site.number(&format!("select last_seq from rooms where id = {room}")).await, 2);
        // One's own is one's own: it can be taken back.
        bob.delete(&format!("/chat/messages/{first}"), json!({})).await.is(204);
        let again = bob.post("/chat/rooms", json!({"member_ids": [ANN]})).await.is(200).json();
        assert_eq!(again["id"], room, "the room that is there is found");

        said(&bob, hall, "in the hall I may").await;
        said(&ann, hall, "so may I").await;
        said(&bob, other, "and to others").await;
        unblock(&ann, BOB).await;
        said(&bob, room, "peace").await;
        said(&ann, room, "peace").await;
    }
}

both! {
    async fn no_direct_room_is_opened_while_a_block_stands_not_by_staff_either(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        site.sql("update users set role = 'moderator' where id = 2").await;
        block(&ann, BOB).await;
        bob.post("/chat/rooms", json!({"member_ids": [ANN]})).await.refuses(403, None);
        ann.post("/chat/rooms", json!({"kind": "direct", "member_ids": [BOB]})).await.refuses(403, None);
        assert_eq!(site.number("select count(*) from rooms").await, 0);
        cat.post("/chat/rooms", json!({"member_ids": [ANN]})).await.is(201);
        unblock(&ann, BOB).await;
        bob.post("/chat/rooms", json!({"member_ids": [ANN]})).await.is(201);
    }
}

both! {
    async fn who_is_blocked_adds_the_other_to_no_room_but_the_other_way_round_is_free(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        block(&ann, BOB).await;
        let told = bob.post("/chat/rooms", json!({"name": "Trap", "member_ids": [ANN, CAT]})).await.refuses(422, Some("member_ids"));
        assert!(told.to_string().contains("ann can't be added."), "{told}");
        let trap = bob.room(json!({"name": "Trap", "member_ids": [CAT]})).await;
        let told = bob.post(&format!("/chat/rooms/{trap}/members"), json!({"user_id": ANN})).await.refuses(422, Some("user_id"));
        assert!(told.to_string().contains("ann can't be added."), "{told}");
        let club = cat.room(json!({"name": "Club", "member_ids": [ANN, BOB]})).await;
        said(&bob, club, "with others there we may both be").await;
        ann.room(json!({"name": "Mine", "member_ids": [BOB, CAT]})).await;
    }
}

both! {
    async fn blocked_people_are_listed_to_who_blocked_them_alone(engine: Engine) {
        let (site, time) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        block(&ann, BOB).await;
        time.pass(1);
        block(&ann, CAT).await;
        block(&ann, BOB).await;
        let list = ann.get("/blocks").await.is(200).json();
        assert_eq!(each(&list, "username"), ["cat", "bob"], "the last one first, and a second time changes nothing");
        assert!(list["items"][0].get("email").is_none());
        let page = ann.get("/blocks?limit=1").await.is(200).json();
        let next = ann.get(&format!("/blocks?cursor={}", page["next"].as_str().unwrap())).await.is(200).json();
        assert_eq!(each(&next, "username"), ["bob"]);
        assert_eq!(bob.get("/blocks").await.is(200).json()["items"], json!([]));
        unblock(&cat, ANN).await;
        assert_eq!(site.number("select count(*) from blocks").await, 2, "nobody lifts another's block");
        ann.get("/blocks?cursor=x").await.refuses(400, Some("cursor"));
    }
}

both! {
    async fn oneself_and_nobody_cannot_be_blocked(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let put = async |who: &Program, id: &str| who.send("PUT", &format!("/users/{id}/block"), None, "").await;
        put(&ann, "1").await.refuses(400, None);
        put(&ann, "99").await.refuses(404, None);
        put(&ann, "x").await.refuses(400, None);
        ann.send("DELETE", "/users/99/block", None, "").await.refuses(404, None);
        put(&Program::new(&site), "2").await.refuses(401, None);
        Program::new(&site).get("/blocks").await.refuses(401, None);
        block(&ann, BOB).await;
        site.sql("update users set is_active = false where id = 2").await;
        unblock(&ann, BOB).await;
        put(&ann, "2").await.refuses(404, None);
        drop(bob);
        assert_eq!(site.number("select count(*) from blocks").await, 0);
    }
}

both! {
    async fn after_an_accepted_interest_a_direct_room_can_be_made_anew(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        site.sql("update settings set value = 'after_interest' where key = 'direct_chat'").await;
        site.app.refresh_settings().await.unwrap();
        ann.post("/chat/rooms", json!({"member_ids": [BOB]})).await.refuses(403, None);
        ann.post("/chat/rooms", json!({"kind": "group", "member_ids": [BOB]})).await.refuses(403, None);
        ann.post("/chat/rooms", json!({"kind": "group", "member_ids": [BOB, CAT]})).await.is(201);
        let id = ann.post("/interests", json!({"recipient_id": BOB})).await.is(201).json()["id"].clone();
        ann.post("/chat/rooms", json!({"member_ids": [BOB]})).await.refuses(403, None);
        bob.post(&format!("/interests/{id}/accept"), json!({})).await.is(200);
        site.sql("delete from rooms").await;
        ann.post("/chat/rooms", json!({"member_ids": [BOB]})).await.is(201);
        cat.post("/chat/rooms", json!({"member_ids": [BOB]})).await.refuses(403, None);
    }
}
