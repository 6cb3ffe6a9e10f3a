//! `/api/v1/chat/rooms`: who finds, makes, changes and deletes rooms, for programs. The same rules on pages are in
//! `rooms.rs`.

use serde_json::{Value, json};
use switchboard::web::api::list::cursor;

use crate::support::app::both;
use crate::support::program::{Program, api, each};

const ANN: i64 = 1;
const BOB: i64 = 2;
const CAT: i64 = 3;

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

both! {
    async fn a_room_is_made_by_what_is_said_of_it(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let public = ann.post("/chat/rooms", json!({"name": " General ", "description": "All of it"})).await.is(201).json();
        assert_eq!(keys(&public), ["created_at", "created_by", "description", "id", "kind", "last_message", "member_count",
                                   "members", "name", "online", "unread_count"]);
        assert_eq!((&public["kind"], &public["name"], &public["description"]), (&json!("public"), &json!("General"), &json!("All of it")));
        assert_eq!((&public["member_count"], &public["created_by"], &public["unread_count"]), (&json!(1), &json!(ANN), &json!(0)));
        assert_eq!((&public["last_message"], &public["online"]), (&Value::Null, &json!([])));
        let member = &public["members"][0];
        assert_eq!(keys(member), ["avatar_url", "first_name", "joined_at", "last_name", "online", "role", "user_id", "username"]);
        assert_eq!((&member["user_id"], &member["role"], &member["online"]), (&json!(ANN), &json!("owner"), &json!(false)));
        let group = ann.post("/chat/rooms", json!({"member_ids": [BOB, CAT, BOB, ANN]})).await.is(201).json();
        assert_eq!((&group["kind"], &group["member_count"]), (&json!("group"), &json!(3)));
        let named = ann.post("/chat/rooms", json!({"name": "Plans", "member_ids": [BOB]})).await.is(201).json();
        assert_eq!(named["kind"], "group");
        let alone = ann.post("/chat/rooms", json!({"kind": "group", "name": "Notes", "member_ids": null})).await.is(201).json();
        assert_eq!((&alone["kind"], &alone["member_count"]), (&json!("group"), &json!(1)));
        // A pair has one direct room, whoever asks.
        let direct = ann.post("/chat/rooms", json!({"member_ids": [BOB]})).await.is(201).json();
        assert_eq!((&direct["kind"], &direct["name"]), (&json!("direct"), &json!("bob")));
        for again in [ann.post("/chat/rooms", json!({"kind": "direct", "member_ids": [BOB]})).await,
                      bob.post("/chat/rooms", json!({"member_ids": [ANN]})).await] {
            assert_eq!(again.is(200).json()["id"], direct["id"]);
        }
        let rooms = cat.get("/chat/rooms").await.is(200).json();
        assert_eq!(each(&rooms, "id"), [group["id"].clone(), public["id"].clone()], "own and public ones");
    }
}

both! {
    async fn a_room_that_cannot_be_made_is_refused_at_its_field(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, ..] = Program::three(&site).await;
        ann.room(json!({"name": "General"})).await;
        site.sql("update users set is_active = false where id = 3").await;
        let many: Vec<i64> = (10..111).collect();
        for (body, field) in [
            (json!({}), "name"),
            (json!({"name": " "}), "name"),
            (json!({"name": "GENERAL"}), "name"),
            (json!({"name": "x".repeat(81)}), "name"),
            (json!({"name": "a\u{0}b"}), "name"),
            (json!({"name": 7}), "name"),
            (json!({"name": "x", "description": "x".repeat(501)}), "description"),
            (json!({"kind": "castle", "name": "x"}), "kind"),
            (json!({"kind": "direct"}), "member_ids"),
            (json!({"kind": "direct", "member_ids": [ANN]}), "member_ids"),
            (json!({"kind": "direct", "member_ids": [BOB, CAT]}), "member_ids"),
            (json!({"member_ids": [77]}), "member_ids"),
            (json!({"member_ids": [-1]}), "member_ids"),
            (json!({"member_ids": [CAT]}), "member_ids"),
            (json!({"name": "x", "member_ids": [BOB, CAT]}), "member_ids"),
            (json!({"member_ids": ["bob"]}), "member_ids"),
            (json!({"member_ids": 2}), "member_ids"),
            (json!({"name": "x", "member_ids": many}), "member_ids"),
        ] {
            ann.post("/chat/rooms", body).await.refuses(422, Some(field));
        }
        assert_eq!(site.number("select count(*) from rooms").await, 1);
        assert_eq!(site.number("select count(*) from notifications").await, 0);
        Program::new(&site).post("/chat/rooms", json!({"name": "x"})).await.refuses(401, None);
    }
}

both! {
    async fn settings_keep_rooms_to_administrators_and_direct_chats_to_accepted_interests(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        site.sql("update settings set value = 'admins' where key = 'room_creation'").await;
        site.sql("update settings set value = 'after_interest' where key = 'direct_chat'").await;
        site.app.refresh_settings().await.unwrap();
        ann.post("/chat/rooms", json!({"name": "x"})).await.refuses(403, None);
        ann.post("/chat/rooms", json!({"member_ids": [BOB]})).await.refuses(403, None);
        let interest = ann.post("/interests", json!({"recipient_id": BOB})).await.is(201).json();
        let accepted = bob.post(&format!("/interests/{}/accept", interest["id"]), json!({})).await.is(200).json();
        let room = ann.post("/chat/rooms", json!({"member_ids": [BOB]})).await.is(200).json();
        assert_eq!(room["id"], accepted["room"]["id"]);
        site.sql("update users set role = 'admin' where id = 1").await;
        ann.post("/chat/rooms", json!({"name": "x"})).await.is(201);
        ann.post("/chat/rooms", json!({"member_ids": [CAT]})).await.is(201);
    }
}

both! {
    async fn the_list_has_own_and_public_rooms_by_their_newest_talk_page_by_page(engine: Engine) {
        let (site, time) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let mut expected = Vec::new();
        for n in 0..7 {
            // Some in the same moment: their ids tell them apart.
            time.pass(n % 2);
            let (maker, body) = match n {
                0 | 3 => (&ann, json!({"name": format!("Public {n}")})),
                1 | 4 => (&bob, json!({"name": format!("Bob's {n}")})),
                5 => (&ann, json!({"name": "Group", "member_ids": [BOB]})),
                6 => (&bob, json!({"kind": "direct", "member_ids": [ANN]})),
                _ => (&bob, json!({"kind": "group", "name": "Bob's own"})),
            };
            let room = maker.room(body).await;
            if n != 2 {
                expected.insert(0, room);
            }
        }
        time.pass(1);
        let oldest = expected.pop().unwrap();
        let mut socket = ann.socket(&format!("/ws/chat/{oldest}")).await;
        socket.say("Hello", "1").await;
        socket.expect("message").await;
        expected.insert(0, oldest);

        let (mut found, mut path) = (Vec::new(), "/chat/rooms?limit=2".to_owned());
        for page in 1..=3 {
            let list = ann.get(&path).await.is(200).json();
            assert_eq!((keys(&list), list["items"].as_array().unwrap().len()), (vec!["items", "next"], 2));
            found.extend(each(&list, "id").iter().map(|id| id.as_i64().unwrap()));
            assert_eq!(list["next"].is_null(), page == 3, "{list}");
            path = format!("/chat/rooms?limit=2&cursor={}", list["next"].as_str().unwrap_or_default());
        }
        assert_eq!(found, expected);
        // Seen by somebody who isn't in it: the same, and nothing unread.
        let rooms = bob.get("/chat/rooms").await.is(200).json();
        assert_eq!(keys(&rooms["items"][0]), ["created_at", "created_by", "description", "id", "kind", "last_message",
                                              "member_count", "name", "unread_count"]);
        assert_eq!((&rooms["items"][0]["last_message"]["content"], &rooms["items"][0]["unread_count"]), (&json!("Hello"), &json!(0)));
        bob.post(&format!("/chat/rooms/{oldest}/members"), json!({})).await.is(201);
        socket.say("Hello Bob", "2").await;
        socket.expect("message").await;
        let room = bob.get(&format!("/chat/rooms/{oldest}")).await.is(200).json();
        assert_eq!((&room["last_message"]["content"], &room["unread_count"]), (&json!("Hello Bob"), &json!(1)));
        for (field, value) in [("limit", "x".into()), ("cursor", "x".into()), ("cursor", cursor(&"x")), ("cursor", cursor(&(1, 2, 3)))] {
            ann.get(&format!("/chat/rooms?{field}={value}")).await.refuses(400, Some(field));
        }
        for clamped in ["limit=0", "limit=1000", "limit="] {
            ann.get(&format!("/chat/rooms?{clamped}")).await.is(200);
        }
    }
}

both! {
    async fn the_last_message_is_the_last_that_is_there(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, ..] = Program::three(&site).await;
        let room = ann.room(json!({"name": "General"})).await;
        let mut socket = ann.socket(&format!("/ws/chat/{room}")).await;
        for n in ["1", "2"] {
            socket.say(n, n).await;
            socket.expect("message").await;
        }
        // As the sweep of old messages does.
        site.sql("delete from messages where seq = 2").await;
        let list = ann.get("/chat/rooms").await.is(200).json();
        assert_eq!(list["items"][0]["last_message"]["content"], "1");
        site.sql("delete from messages").await;
        assert_eq!(ann.get("/chat/rooms").await.is(200).json()["items"][0]["last_message"], Value::Null);
    }
}

both! {
    async fn a_private_room_is_not_there_for_others_staff_included(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, _, cat] = Program::three(&site).await;
        let group = ann.room(json!({"name": "Secret", "member_ids": [BOB]})).await;
        let direct = ann.room(json!({"member_ids": [BOB]})).await;
        let admin = Program::of_role(&site, "dan", "admin").await;
        for person in [&cat, &admin] {
            let missing = person.get("/chat/rooms/99999").await.refuses(404, None);
            for room in [group, direct] {
                let path = format!("/chat/rooms/{room}");
                assert_eq!(person.get(&path).await.refuses(404, None), missing, "private and missing look the same");
                person.patch(&path, json!({"name": "x"})).await.refuses(404, None);
                person.delete(&path, json!({})).await.refuses(404, None);
                person.get(&format!("{path}/members")).await.refuses(404, None);
                for body in [json!({}), json!({"user_id": CAT}), json!({"user_id": 4}), json!({"user_id": 99})] {
                    person.post(&format!("{path}/members"), body).await.refuses(404, None);
                }
                for user in [ANN, CAT, 4, 99] {
                    person.delete(&format!("{path}/members/{user}"), json!({})).await.refuses(404, None);
                }
            }
            assert_eq!(person.get("/chat/rooms").await.json()["items"], json!([]));
        }
        assert_eq!(site.number("select count(*) from memberships").await, 4);
        for path in ["/chat/rooms/x", "/chat/rooms/1.5", "/chat/rooms/x/members", "/chat/rooms/99999999999999999999"] {
            ann.get(path).await.refuses(400, None);
        }
        Program::new(&site).get(&format!("/chat/rooms/{group}")).await.refuses(401, None);
    }
}

both! {
    async fn the_owner_renames_and_deletes_and_others_do_not(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        ann.room(json!({"name": "Taken"})).await;
        let room = ann.room(json!({"name": "General", "description": "Old"})).await;
        let path = format!("/chat/rooms/{room}");
        bob.post(&format!("{path}/members"), json!({})).await.is(201);
        bob.patch(&path, json!({"name": "Bob's"})).await.refuses(403, None);
        bob.delete(&path, json!({})).await.refuses(403, None);
        let renamed = ann.patch(&path, json!({"name": "Lobby"})).await.is(200).json();
        assert_eq!((&renamed["name"], &renamed["description"], &renamed["member_count"]), (&json!("Lobby"), &json!("Old"), &json!(2)));
        let described = ann.patch(&path, json!({"name": null, "description": ""})).await.is(200).json();
        assert_eq!((&described["name"], &described["description"]), (&json!("Lobby"), &json!("")));
        ann.patch(&path, json!({"name": "taken"})).await.refuses(422, Some("name"));
        ann.patch(&path, json!({"name": ""})).await.refuses(422, Some("name"));
        ann.patch(&path, json!({"name": ["x"]})).await.refuses(422, Some("name"));
        assert_eq!(bob.get(&path).await.is(200).json()["name"], "Lobby");
        let moderator = Program::of_role(&site, "mod", "moderator").await;
        moderator.patch(&path, json!({"description": "Kept tidy"})).await.is(200);
        moderator.delete(&path, json!({})).await.refuses(403, None);
        let direct = ann.room(json!({"member_ids": [BOB]})).await;
        ann.patch(&format!("/chat/rooms/{direct}"), json!({"name": "x"})).await.refuses(403, None);
        ann.delete(&format!("/chat/rooms/{direct}"), json!({})).await.refuses(403, None);

        let mut bobs = bob.socket(&format!("/ws/chat/{room}")).await;
        assert_eq!(ann.delete(&path, json!({})).await.is(204).text, "");
        assert_eq!(bobs.expect("room_deleted").await["room_id"], room);
        for person in [&ann, &bob] {
            person.get(&path).await.refuses(404, None);
            person.delete(&path, json!({})).await.refuses(404, None);
        }
        let admin = Program::of_role(&site, "root", "admin").await;
        admin.delete("/chat/rooms/1", json!({})).await.is(204);
    }
}

both! {
    async fn details_say_who_is_in_the_room_and_who_of_them_is_here(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let room = ann.room(json!({"name": "Plans", "member_ids": [CAT, BOB]})).await;
        let _bobs = bob.socket("/ws/notifications").await;
        let dan = Program::registered(&site, "dan").await;
        let _dans = dan.socket("/ws").await;
        let details = cat.get(&format!("/chat/rooms/{room}")).await.is(200).json();
        assert_eq!(details["online"], json!([BOB]), "members only");
        let names: Vec<_> = details["members"].as_array().unwrap().iter().map(|member| &member["username"]).collect();
        assert_eq!(names, ["ann", "bob", "cat"]);
        assert_eq!((&details["members"][0]["online"], &details["members"][1]["online"]), (&json!(false), &json!(true)));
    }
}

both! {
    async fn an_unchanged_list_is_not_sent_twice(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, ..] = Program::three(&site).await;
        ann.room(json!({"name": "General"})).await;
        let tag = ann.get("/chat/rooms").await.is(200).headers["etag"].clone();
        let ask = || {
            let request = ann.client.get(site.url("/api/v1/chat/rooms")).bearer_auth(ann.access.as_ref().unwrap());
            request.header("if-none-match", &tag).send()
        };
        assert_eq!(ask().await.unwrap().status(), 304);
        ann.room(json!({"name": "Another"})).await;
        assert_eq!(ask().await.unwrap().status(), 200);
    }
}
