//! `/api/v1/interests` and `/api/v1/notifications`: asking somebody to talk, answering, and being told of it.

use serde_json::{Value, json};

use crate::support::app::{Site, both};
use crate::support::program::{Program, api};

const ANN: i64 = 1;
const BOB: i64 = 2;
const CAT: i64 = 3;

/// Asks somebody; the interest's id.
async fn asked(person: &Program, recipient: i64) -> i64 {
    person.post("/interests", json!({"recipient_id": recipient})).await.is(201).json()["id"].as_i64().unwrap()
}

/// Whatever was rejected was so 30 days earlier.
async fn a_month_passes(site: &Site) {
    site.sql(&format!("update interests set decided_at = decided_at - {}", 30 * 86_400_000_000_i64)).await;
}

async fn ids(person: &Program, path: &str) -> Vec<i64> {
    let list = person.get(path).await.is(200).json();
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

both! {
    async fn who_is_asked_is_told_and_who_asked_is_told_of_the_answer(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let (mut anns, mut bobs) = (ann.socket("/ws/notifications").await, bob.socket("/ws").await);
        let mut cats = cat.socket("/ws").await;
        let sent = ann.post("/interests", json!({"recipient": "BOB", "note": " Shall we\ntalk? "})).await.is(201).json();
        let mut keys: Vec<_> = sent.as_object().unwrap().keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["created_at", "decided_at", "id", "note", "recipient", "recipient_id", "sender", "sender_id", "status"]);
        assert_eq!((&sent["sender_id"], &sent["sender"], &sent["recipient_id"], &sent["recipient"]), (&json!(ANN), &json!("ann"), &json!(BOB), &json!("bob")));
        assert_eq!((&sent["note"], &sent["status"], &sent["decided_at"]), (&json!("Shall we\ntalk?"), &json!("pending"), &Value::Null));
        let note = bobs.expect("notification").await;
        let row = bob.get("/notifications").await.is(200).json()["items"][0].clone();
        let mut frame = row.clone();
        frame["type"] = json!("notification");
        assert_eq!(note, frame, "the row, as the list has it");
        assert_eq!((&row["kind"], &row["actor_id"], &row["room_id"], &row["message_id"], &row["read_at"]),
                   (&json!("interest"), &json!(ANN), &Value::Null, &Value::Null, &Value::Null));
        let mut frame = sent.clone();
        frame["type"] = json!("interest");
        assert_eq!(bobs.expect("interest").await, frame);

        let accepted = bob.send("POST", &format!("/interests/{}/accept", sent["id"]), None, "").await.is(200).json();
        assert_eq!((&accepted["status"], &accepted["note"]), (&json!("accepted"), &sent["note"]));
        assert!(accepted["decided_at"].is_string());
        assert_eq!((&accepted["room"]["kind"], &accepted["room"]["name"]), (&json!("direct"), &json!("ann")));
        let note = anns.expect("notification").await;
        assert_eq!((&note["kind"], &note["actor_id"], &note["room_id"]), (&json!("interest"), &json!(BOB), &accepted["room"]["id"]));
        let mut told = anns.expect("interest").await;
        told["room"] = accepted["room"].clone();
        told.as_object_mut().unwrap().remove("type");
        assert_eq!(told, accepted);
        assert_eq!(anns.expect("room_added").await["room_id"], accepted["room"]["id"]);
        assert_eq!(site.number("select count(*) from notifications").await, 2, "a room that was asked for is no other news");
        assert!(cats.settled().await.iter().all(|frame| frame["type"] != "interest" && frame["type"] != "notification"));
        cat.get(&format!("/chat/rooms/{}", accepted["room"]["id"])).await.refuses(404, None);
    }
}

both! {
    async fn accepting_finds_the_direct_room_that_is_there(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let room = ann.post("/chat/rooms", json!({"member_ids": [BOB]})).await.is(201).json();
        assert_eq!(site.number("select count(*) from notifications where kind = 'added' and user_id = 2 and actor_id = 1").await, 1);
        let id = asked(&ann, BOB).await;
        let accepted = bob.post(&format!("/interests/{id}/accept"), json!({})).await.is(200).json();
        assert_eq!(accepted["room"]["id"], room["id"]);
        assert_eq!(site.number("select count(*) from rooms").await, 1);
    }
}

both! {
    async fn only_who_was_asked_answers_and_only_who_asked_takes_it_back(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let admin = Program::of_role(&site, "root", "admin").await;
        let id = asked(&ann, BOB).await;
        let path = |act: &str| format!("/interests/{id}/{act}");
        for act in ["accept", "reject", "cancel"] {
            let missing = cat.post("/interests/99/accept", json!({})).await.refuses(404, None);
            for other in [&cat, &admin] {
                assert_eq!(other.post(&path(act), json!({})).await.refuses(404, None), missing);
            }
            let wrong = if act == "cancel" { &bob } else { &ann };
            wrong.post(&path(act), json!({})).await.refuses(403, None);
            Program::new(&site).post(&path(act), json!({})).await.refuses(401, None);
        }
        let rejected = bob.post(&path("reject"), json!({})).await.is(200).json();
        assert_eq!((&rejected["status"], rejected.get("room")), (&json!("rejected"), None));
        // Decided is decided; who may not is told that first.
        for act in ["accept", "reject"] {
            bob.post(&path(act), json!({})).await.refuses(409, None);
            ann.post(&path(act), json!({})).await.refuses(403, None);
        }
        ann.post(&path("cancel"), json!({})).await.refuses(409, None);
        bob.post(&path("cancel"), json!({})).await.refuses(403, None);
        assert_eq!(site.number("select count(*) from rooms").await, 0);

        a_month_passes(&site).await;
        let id = asked(&ann, BOB).await;
        let mut bobs = bob.socket("/ws").await;
        assert_eq!(ann.post(&format!("/interests/{id}/cancel"), json!({})).await.is(200).json()["status"], "cancelled");
        assert_eq!(bobs.expect("interest").await["status"], "cancelled");
        bob.post(&format!("/interests/{id}/accept"), json!({})).await.refuses(409, None);
        ann.post("/interests/x/accept", json!({})).await.refuses(400, None);
    }
}

both! {
    async fn of_a_pair_one_interest_is_open_at_a_time(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let id = asked(&ann, BOB).await;
        let says = |problem: Value, words: &str| assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        says(ann.post("/interests", json!({"recipient_id": BOB})).await.refuses(409, None), "pending");
        says(bob.post("/interests", json!({"recipient_id": ANN})).await.refuses(409, None), "asked you already");
        asked(&cat, BOB).await;
        bob.post(&format!("/interests/{id}/accept"), json!({})).await.is(200);
        says(ann.post("/interests", json!({"recipient_id": BOB})).await.refuses(409, None), "accepted");
        says(bob.post("/interests", json!({"recipient": "ann"})).await.refuses(409, None), "accepted");
        // Rejected, after a while, or taken back, it may be asked again, from either side.
        let id = asked(&ann, CAT).await;
        cat.post(&format!("/interests/{id}/reject"), json!({})).await.is(200);
        a_month_passes(&site).await;
        let id = asked(&ann, CAT).await;
        ann.post(&format!("/interests/{id}/cancel"), json!({})).await.is(200);
        let id = asked(&ann, CAT).await;
        ann.post(&format!("/interests/{id}/cancel"), json!({})).await.is(200);
        asked(&cat, ANN).await;
    }
}

both! {
    async fn who_was_rejected_waits_thirty_days_and_the_other_way_round_is_free(engine: Engine) {
        let (site, time) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let day = 86_400;
        let id = asked(&ann, BOB).await;
        time.pass(60);
        bob.post(&format!("/interests/{id}/reject"), json!({})).await.is(200);
        let until = switchboard::clock::Timestamp((time.seconds() + 30 * day) * 1_000_000);
        let told = ann.post("/interests", json!({"recipient_id": BOB})).await.refuses(409, None);
        let words = told["detail"].as_str().unwrap();
        assert!(words.contains(&until.day()) && words.contains(&until.hour_minute()), "{words}");
        asked(&ann, CAT).await;
        asked(&cat, BOB).await;
        let back = asked(&bob, ANN).await;
        bob.post(&format!("/interests/{back}/cancel"), json!({})).await.is(200);

        let (_, token) = site.token(ANN, None).await;
        let ann = ann.with(&token);
        time.pass(30 * day - 2);
        ann.post("/interests", json!({"recipient": "bob"})).await.refuses(409, None);
        time.pass(2);
        asked(&ann, BOB).await;
    }
}

both! {
    async fn two_who_ask_each_other_at_once_have_one_interest(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let (a, b) = tokio::join!(
            ann.post("/interests", json!({"recipient_id": BOB})),
            bob.post("/interests", json!({"recipient_id": ANN})),
        );
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        let id = site.number("select id from interests").await;
        let recipient = if a.status == 201 { &bob } else { &ann };
        let (path, other) = (format!("/interests/{id}/accept"), format!("/interests/{id}/reject"));
        let (a, b) = tokio::join!(recipient.post(&path, json!({})), recipient.post(&other, json!({})));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "decided once");
    }
}

both! {
    async fn who_cannot_be_asked_is_said(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, _, cat] = Program::three(&site).await;
        site.sql("update users set is_active = false where id = 2").await;
        for (body, field) in [
            (json!({}), "recipient_id"),
            (json!({"recipient_id": null, "recipient": null}), "recipient_id"),
            (json!({"recipient_id": 99}), "recipient_id"),
            (json!({"recipient_id": BOB}), "recipient_id"),
            (json!({"recipient_id": "cat"}), "recipient_id"),
            (json!({"recipient": "nobody"}), "recipient"),
            (json!({"recipient": "bob"}), "recipient"),
            (json!({"recipient": ""}), "recipient"),
            (json!({"recipient": "a\u{0}b"}), "recipient"),
            (json!({"recipient": 3}), "recipient"),
            // An address is private: it mustn't be told whose it is.
            (json!({"recipient": "cat@example.org"}), "recipient"),
            (json!({"recipient_id": CAT, "note": "x".repeat(1001)}), "note"),
            (json!({"recipient_id": CAT, "note": "a\u{0}b"}), "note"),
        ] {
            ann.post("/interests", body).await.refuses(422, Some(field));
        }
        for body in [json!({"recipient_id": ANN}), json!({"recipient": "ANN"})] {
            ann.post("/interests", body).await.refuses(400, None);
        }
        assert_eq!(site.number("select count(*) from interests").await, 0);
        // Asked while the account was good, answered when the sender's isn't any more.
        let id = asked(&cat, ANN).await;
        site.sql("update users set is_active = false where id = 3").await;
        ann.post(&format!("/interests/{id}/accept"), json!({})).await.refuses(409, None);
        ann.post(&format!("/interests/{id}/reject"), json!({})).await.is(200);
    }
}

both! {
    async fn interests_are_listed_by_box_and_status_newest_first(engine: Engine) {
        let (site, time) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let first = asked(&ann, BOB).await;
        bob.post(&format!("/interests/{first}/reject"), json!({})).await.is(200);
        time.pass(1);
        let second = asked(&bob, ANN).await;
        let third = asked(&ann, CAT).await;
        assert_eq!(ids(&ann, "/interests?box=out").await, [third, first]);
        assert_eq!(ids(&ann, "/interests?box=in").await, [second]);
        assert_eq!(ids(&ann, "/interests").await, [third, second, first]);
        assert_eq!(ids(&ann, "/interests?box=&status=").await, [third, second, first], "a form that was left empty");
        assert_eq!(ids(&ann, "/interests?box=out&status=pending").await, [third]);
        assert_eq!(ids(&cat, "/interests?status=rejected").await, [0; 0]);
        let page = ann.get("/interests?limit=2").await.is(200).json();
        let rest = ids(&ann, &format!("/interests?limit=2&cursor={}", page["next"].as_str().unwrap())).await;
        assert_eq!(rest, [first]);
        ann.get("/interests?box=both").await.refuses(400, Some("box"));
        ann.get("/interests?status=open").await.refuses(400, Some("status"));
        Program::new(&site).get("/interests").await.refuses(401, None);
    }
}

both! {
    async fn notifications_are_ones_own_and_read_by_whoever_they_are_for(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        for name in ["one", "two", "three"] {
            ann.post("/chat/rooms", json!({"name": name, "member_ids": [BOB, CAT]})).await.is(201);
        }
        let bobs = ids(&bob, "/notifications").await;
        assert_eq!(bobs.len(), 3);
        assert!(bobs.is_sorted_by(|a, b| a > b), "newest first");
        assert_eq!(ids(&ann, "/notifications").await, [0; 0]);
        let page = bob.get("/notifications?limit=2").await.is(200).json();
        assert_eq!(ids(&bob, &format!("/notifications?cursor={}", page["next"].as_str().unwrap())).await, bobs[2..]);

        bob.post("/notifications/read", json!({"ids": [bobs[0]]})).await.is(204);
        assert!(bob.get("/notifications").await.json()["items"][0]["read_at"].is_string());
        assert_eq!(ids(&bob, "/notifications?unread=true").await, bobs[1..]);
        assert_eq!(ids(&bob, "/notifications?unread=false").await, bobs);
        assert_eq!(ids(&bob, "/notifications?unread=").await, bobs);
        // Somebody else's, and what isn't there, are passed over.
        cat.post("/notifications/read", json!({"ids": [bobs[1], 9999, -1]})).await.is(204);
        bob.post("/notifications/read", json!({"ids": []})).await.is(204);
        assert_eq!(ids(&bob, "/notifications?unread=true").await, bobs[1..]);
        assert_eq!(site.number("select count(*) from notifications where read_at is null").await, 5);
        bob.send("POST", "/notifications/read", None, "").await.is(204);
        assert_eq!(ids(&bob, "/notifications?unread=true").await, [0; 0]);
        cat.post("/notifications/read", json!({"ids": null})).await.is(204);
        assert_eq!(site.number("select count(*) from notifications where read_at is null").await, 0);

        bob.post("/notifications/read", json!({"ids": "all"})).await.refuses(422, Some("ids"));
        bob.post("/notifications/read", json!({"ids": vec![1; 1001]})).await.refuses(422, Some("ids"));
        bob.get("/notifications?unread=perhaps").await.refuses(400, Some("unread"));
        bob.get("/notifications?cursor=x").await.refuses(400, Some("cursor"));
        for (method, path) in [("GET", "/notifications"), ("POST", "/notifications/read")] {
            Program::new(&site).send(method, path, None, "").await.refuses(401, None);
        }
    }
}
