//! `/api/v1/chat/rooms/{id}/members`: who is in a room, who joins and leaves, adds and removes, for programs. The same rules
//! on pages are in `rooms.rs`.

use serde_json::{Value, json};
use switchboard::web::api::list::cursor;

use crate::support::app::both;
use crate::support::program::{Program, api, each};

const ANN: i64 = 1;
const BOB: i64 = 2;
const CAT: i64 = 3;

both! {
    async fn members_are_listed_by_name_page_by_page(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let room = ann.room(json!({"name": "General"})).await;
        let members = format!("/chat/rooms/{room}/members");
        for person in [&cat, &bob] {
            person.post(&members, json!({})).await.is(201);
        }
        let first = ann.get(&format!("{members}?limit=2")).await.is(200).json();
        assert_eq!(each(&first, "username"), ["ann", "bob"]);
        let next = first["next"].as_str().unwrap();
        let second = ann.get(&format!("{members}?limit=2&cursor={next}")).await.is(200).json();
        assert_eq!((each(&second, "username"), &second["next"]), (vec![json!("cat")], &Value::Null));
        // What nobody was given: a text with a NUL.
        let forged = ann.get(&format!("{members}?cursor={}", cursor(&"a\0"))).await.is(200).json();
        assert_eq!(forged["items"], json!([]));
        // A public room's members are there for whoever sees it.
        let dan = Program::registered(&site, "dan").await;
        assert_eq!(dan.get(&members).await.is(200).json()["items"].as_array().unwrap().len(), 3);
    }
}

both! {
    async fn who_joins_a_public_room_is_in_it_once(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let room = ann.room(json!({"name": "General"})).await;
        let members = format!("/chat/rooms/{room}/members");
        let joined = bob.send("POST", &members, None, "").await.is(201).json();
        assert_eq!((&joined["user_id"], &joined["username"], &joined["role"]), (&json!(BOB), &json!("bob"), &json!("member")));
        for body in [json!({}), json!({"user_id": null}), json!({"user_id": BOB})] {
            assert_eq!(bob.post(&members, body).await.is(200).json(), joined, "in it already");
        }
        assert_eq!(ann.post(&members, json!({})).await.is(200).json()["role"], "owner");
        cat.post(&members, json!({"user_id": CAT})).await.is(201);
        assert_eq!(bob.get(&format!("/chat/rooms/{room}")).await.json()["member_count"], 3);
        assert_eq!(site.number("select count(*) from notifications").await, 0, "nobody is told of what they did themselves");
        bob.send("POST", &members, Some("text/plain"), "x").await.refuses(415, None);
        bob.post("/chat/rooms/99/members", json!({})).await.refuses(404, None);
        bob.delete(&format!("{members}/{BOB}"), json!({})).await.is(204);
        bob.delete(&format!("{members}/{BOB}"), json!({})).await.refuses(404, None);
        assert_eq!(ann.get(&format!("/chat/rooms/{room}")).await.json()["member_count"], 2);
    }
}

both! {
    async fn the_owner_and_staff_add_and_remove_people_and_members_do_not(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let group = ann.room(json!({"name": "Plans", "member_ids": [BOB]})).await;
        let members = format!("/chat/rooms/{group}/members");
        bob.post(&members, json!({"user_id": CAT})).await.refuses(403, None);
        bob.post(&members, json!({"user_id": 99})).await.refuses(403, None);
        bob.delete(&format!("{members}/{ANN}"), json!({})).await.refuses(403, None);
        for (body, field) in [(json!({"user_id": 99}), "user_id"), (json!({"user_id": "cat"}), "user_id"), (json!({"user_id": 1.5}), "user_id")] {
            ann.post(&members, body).await.refuses(422, Some(field));
        }
        let mut cats = cat.socket("/ws/notifications").await;
        let added = ann.post(&members, json!({"user_id": CAT})).await.is(201).json();
        assert_eq!((&added["user_id"], &added["role"]), (&json!(CAT), &json!("member")));
        let told = cats.expect("notification").await;
        assert_eq!((&told["kind"], &told["room_id"], &told["actor_id"]), (&json!("added"), &json!(group), &json!(ANN)));
        assert_eq!(ann.post(&members, json!({"user_id": CAT})).await.is(200).json(), added);
        assert_eq!(site.number("select count(*) from notifications where user_id = 3").await, 1);
        ann.delete(&format!("{members}/99"), json!({})).await.refuses(404, None);
        ann.delete(&format!("{members}/{CAT}"), json!({})).await.is(204);
        cat.get(&members).await.refuses(404, None);

        let public = ann.room(json!({"name": "General"})).await;
        let moderator = Program::of_role(&site, "mod", "moderator").await;
        let members = format!("/chat/rooms/{public}/members");
        cat.post(&members, json!({"user_id": BOB})).await.refuses(403, None);
        moderator.post(&members, json!({"user_id": CAT})).await.is(201);
        moderator.delete(&format!("{members}/{CAT}"), json!({})).await.is(204);
        site.sql("update users set is_active = false where id = 3").await;
        ann.post(&members, json!({"user_id": CAT})).await.refuses(422, Some("user_id"));
    }
}

both! {
    async fn a_direct_chat_stays_with_both_and_takes_no_third(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, _, _] = Program::three(&site).await;
        let members = format!("/chat/rooms/{}/members", ann.room(json!({"member_ids": [BOB]})).await);
        ann.post(&members, json!({"user_id": CAT})).await.refuses(403, None);
        ann.delete(&format!("{members}/{ANN}"), json!({})).await.refuses(409, None);
        ann.delete(&format!("{members}/{BOB}"), json!({})).await.refuses(403, None);
        assert_eq!(ann.post(&members, json!({})).await.is(200).json()["user_id"], ANN);
        assert_eq!(ann.get(&members).await.is(200).json()["items"].as_array().unwrap().len(), 2);
    }
}

both! {
    async fn when_the_only_owner_leaves_the_longest_member_owns_the_room(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let room = ann.room(json!({"name": "Plans", "member_ids": [BOB, CAT]})).await;
        ann.delete(&format!("/chat/rooms/{room}/members/{ANN}"), json!({})).await.is(204);
        ann.get(&format!("/chat/rooms/{room}")).await.refuses(404, None);
        cat.patch(&format!("/chat/rooms/{room}"), json!({"name": "Cat's"})).await.refuses(403, None);
        bob.patch(&format!("/chat/rooms/{room}"), json!({"name": "Bob's"})).await.is(200);
    }
}
