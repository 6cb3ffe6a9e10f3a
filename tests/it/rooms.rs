//! Rooms: who sees, joins, changes and leaves them.

use serde_json::Value;

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};

async fn three(site: &Site) -> [Visitor; 3] {
    let mut people = Vec::new();
    for name in ["ann", "bob", "cat"] {
        people.push(Visitor::registered(site, name).await);
    }
    people.try_into().ok().unwrap()
}

const BOB: i64 = 2;
const CAT: i64 = 3;

both! {
    async fn a_public_room_is_found_joined_written_in_and_left(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, _] = three(&site).await;
        let room = ann.public_room("General").await;
        assert!(bob.get("/chat").await.text.contains("General"));
        let looking_in = bob.get(&format!("/chat/rooms/{room}")).await;
        assert!(looking_in.text.contains("Join General") && !looking_in.text.contains("id=\"content\""));
        assert_eq!(bob.post(&format!("/chat/rooms/{room}"), &[("content", "hi")]).await.status, 403);
        assert_eq!(bob.post(&format!("/rooms/{room}/join"), &[]).await.leads_to(), format!("/chat/rooms/{room}"));
        bob.say(room, "hi all").await;
        assert!(ann.get(&format!("/chat/rooms/{room}")).await.text.contains("hi all"));
        assert_eq!(bob.post(&format!("/rooms/{room}/leave"), &[]).await.leads_to(), "/chat");
        assert_eq!(site.number("select member_count from rooms").await, 1);
    }
}

both! {
    async fn a_group_is_private_to_its_members_on_every_page(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob, mut cat] = three(&site).await;
        let room = ann.group_with("Secret plans", BOB).await;
        assert!(bob.get("/chat").await.text.contains("Secret plans"));
        assert!(!cat.get("/chat").await.text.contains("Secret plans"));
        for path in ["", "/settings", "/members"] {
            let base = if path.is_empty() { "/chat" } else { "" };
            let private = cat.get(&format!("{base}/rooms/{room}{path}")).await;
            let missing = cat.get(&format!("{base}/rooms/99999{path}")).await;
            assert_eq!((private.status.as_u16(), missing.status.as_u16()), (404, 404), "{path}");
            assert_eq!(private.text, missing.text, "private and missing look the same");
        }
        for path in ["join", "leave", "delete", "settings", "members", "members/2/remove"] {
            let page = cat.post(&format!("/rooms/{room}/{path}"), &[("name", "x"), ("user_id", "cat")]).await;
            assert_eq!(page.status, 404, "{path}");
        }
        assert_eq!(cat.post(&format!("/chat/rooms/{room}"), &[("content", "hi")]).await.status, 404);
        assert_eq!(site.number("select count(*) from messages").await, 0);
    }
}

both! {
    async fn a_pair_has_one_direct_room_whoever_asks_and_however_often(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, _] = three(&site).await;
        let fields = [("kind", "direct"), ("member_ids", "2")];
        let room = ann.post("/rooms/new", &fields).await.room();
        assert_eq!(ann.post("/rooms/new", &[("member_ids", "2")]).await.room(), room);
        assert_eq!(bob.post("/rooms/new", &[("kind", "direct"), ("member_ids", "1")]).await.room(), room);
        assert!(ann.get("/chat").await.text.contains("<span class=\"name\">bob</span>"));
        assert!(bob.get("/chat").await.text.contains("<span class=\"name\">ann</span>"));
        assert_eq!(ann.post(&format!("/rooms/{room}/leave"), &[]).await.status, 409);
        assert_eq!(ann.post(&format!("/rooms/{room}/delete"), &[]).await.status, 403);
    }
}

both! {
    async fn a_pair_that_opens_its_direct_room_at_once_gets_one(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, _] = three(&site).await;
        let (a, b) = ([("member_ids", "2")], [("member_ids", "1")]);
        let (first, second) = tokio::join!(ann.post("/rooms/new", &a), bob.post("/rooms/new", &b));
        assert_eq!(first.room(), second.room());
        assert_eq!(site.number("select count(*) from memberships").await, 2);
    }
}

both! {
    async fn a_refused_room_keeps_what_was_typed(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, ..] = three(&site).await;
        ann.public_room("General").await;
        for (fields, says) in [
            (vec![("kind", "public"), ("name", "GENERAL"), ("description", "again")], "There is a public room with this name."),
            (vec![("kind", "public"), ("name", " "), ("description", "again")], "A public room needs a name."),
            (vec![("kind", "castle"), ("name", "x"), ("description", "again")], "A room is public, group or direct."),
            (vec![("kind", "direct"), ("member_ids", "1"), ("description", "again")], "exactly one other person"),
            (vec![("kind", "group"), ("member_ids", "77"), ("description", "again")], "no active account with the id 77"),
        ] {
            let page = ann.post("/rooms/new", &fields).await;
            assert_eq!(page.status, 422, "{fields:?}");
            assert!(page.text.contains(says), "{says}");
            assert!(page.text.contains("value=\"again\""), "{fields:?}");
        }
        assert_eq!(site.number("select count(*) from rooms").await, 1);
    }
}

both! {
    async fn looking_for_people_keeps_what_was_typed_and_chosen(engine: Engine) {
        let site = Site::new(engine).await;
        let [ann, ..] = three(&site).await;
        let page = ann.get("/rooms/new?kind=group&name=Plans&member_ids=2&q=c").await.text;
        assert!(page.contains("value=\"Plans\"") && page.contains("value=\"2\" checked") && page.contains("> cat</label>"));
        assert!(!page.contains("> ann</label>"), "not oneself");
        site.sql("update users set last_name_folded = 'zimmer' where id = 3").await;
        assert!(ann.get("/rooms/new?kind=group&q=Zim").await.text.contains("> cat</label>"), "by any of their names");
        let page = ann.get("/rooms/new?kind=direct&q=zz").await.text;
        assert!(page.contains("Nobody's name begins with “zz”"), "{page}");
    }
}

both! {
    async fn the_owner_renames_and_deletes_and_others_do_not(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, _] = three(&site).await;
        let room = ann.public_room("General").await;
        bob.post(&format!("/rooms/{room}/join"), &[]).await;
        let (settings, delete) = (format!("/rooms/{room}/settings"), format!("/rooms/{room}/delete"));
        assert_eq!(bob.post(&settings, &[("name", "Bob's")]).await.status, 403);
        assert_eq!(bob.post(&delete, &[]).await.status, 403);
        assert_eq!(ann.post(&settings, &[("name", "Lobby"), ("description", "All of it")]).await.leads_to(), format!("/chat/rooms/{room}"));
        assert!(bob.get(&format!("/chat/rooms/{room}")).await.text.contains("All of it"));
        bob.say(room, "last words").await;
        assert_eq!(ann.post(&delete, &[]).await.leads_to(), "/chat");
        assert_eq!(bob.get(&format!("/chat/rooms/{room}")).await.status, 404);
        assert_eq!(site.number("select (select count(*) from messages) + (select count(*) from memberships)").await, 0);
    }
}

both! {
    async fn the_owner_adds_and_removes_people_and_members_do_not(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, cat] = three(&site).await;
        let room = ann.group_with("Plans", BOB).await;
        let members = format!("/rooms/{room}/members");
        assert_eq!(bob.post(&members, &[("user_id", "cat")]).await.status, 403);
        assert_eq!(bob.post(&format!("{members}/1/remove"), &[]).await.status, 403);
        assert_eq!(ann.post(&members, &[("user_id", "nobody")]).await.status, 422);
        // Whose an address is, is for staff to know.
        assert_eq!(ann.post(&members, &[("user_id", "cat@example.org")]).await.status, 422);
        assert_eq!(ann.post(&members, &[("user_id", "Cat")]).await.leads_to(), members);
        assert!(cat.get(&members).await.text.contains("bob"));
        assert_eq!(ann.post(&format!("{members}/{CAT}/remove"), &[]).await.leads_to(), members);
        assert_eq!(cat.get(&members).await.status, 404);
        assert_eq!(site.number("select member_count from rooms").await, 2);
    }
}

both! {
    async fn a_name_of_digits_is_a_name_and_no_id(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, ..] = three(&site).await;
        Visitor::registered(&site, "003").await;
        let room = ann.group_with("Plans", BOB).await;
        ann.post(&format!("/rooms/{room}/members"), &[("user_id", "003")]).await;
        assert_eq!(site.number("select max(user_id) from memberships").await, 4);
        ann.post(&format!("/rooms/{room}/members"), &[("user_id", "3")]).await;
        assert_eq!(site.number("select count(*) from memberships").await, 4);
    }
}

both! {
    async fn when_the_owner_leaves_the_longest_member_owns_the_room(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, mut cat] = three(&site).await;
        let room = ann.public_room("General").await;
        bob.post(&format!("/rooms/{room}/join"), &[]).await;
        cat.post(&format!("/rooms/{room}/join"), &[]).await;
        ann.post(&format!("/rooms/{room}/leave"), &[]).await;
        assert_eq!(cat.post(&format!("/rooms/{room}/settings"), &[("name", "Cat's")]).await.status, 403);
        assert_eq!(bob.post(&format!("/rooms/{room}/settings"), &[("name", "Bob's")]).await.status, 303);
    }
}

both! {
    async fn the_list_has_unread_counts_and_the_newest_talk_first(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, _] = three(&site).await;
        let first = ann.group_with("First", BOB).await;
        let second = ann.group_with("Second", BOB).await;
        ann.say(first, "one").await;
        ann.say(first, "two").await;
        let list = bob.get("/chat").await.text;
        assert!(list.find("First").unwrap() < list.find("Second").unwrap(), "newest talk first");
        let unread = |page: &str| page.split_once("id=\"rooms\"").unwrap().1.contains("<span class=\"count\">2</span>");
        assert!(unread(&list));
        assert!(!unread(&ann.get("/chat").await.text), "one's own words are read");
        bob.get(&format!("/chat/rooms/{first}")).await;
        site.app.writer.flush().await.unwrap();
        assert!(!unread(&bob.get("/chat").await.text), "seen is read");
        bob.say(second, "three").await;
        let list = bob.get("/chat").await.text;
        assert!(list.find("Second").unwrap() < list.find("First").unwrap());
    }
}

both! {
    async fn history_is_paged_by_links_newest_fifty_first(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        for n in 1..=120 {
            ann.say(room, &format!("message number {n}.")).await;
        }
        let page = ann.get(&format!("/chat/rooms/{room}")).await.text;
        assert!(page.contains("message number 71.") && page.contains("message number 120.") && !page.contains("number 70."));
        let older = ann.get(&format!("/chat/rooms/{room}?before=71")).await.text;
        assert!(page.contains(&format!("/chat/rooms/{room}?before=71")) && older.contains("number 21.") && !older.contains("number 71."));
        let oldest = ann.get(&format!("/chat/rooms/{room}?before=21")).await.text;
        assert!(oldest.contains("number 1.") && !oldest.contains("id=\"older\""));
    }
}

both! {
    async fn a_setting_keeps_rooms_to_administrators(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, ..] = three(&site).await;
        site.sql("update settings set value = 'admins' where key = 'room_creation'").await;
        site.app.refresh_settings().await.unwrap();
        assert_eq!(ann.post("/rooms/new", &[("kind", "public"), ("name", "x")]).await.status, 403);
        assert!(ann.post("/rooms/new", &[("member_ids", "2")]).await.status == 303, "a direct chat is no such room");
        site.sql("update users set role = 'admin' where id = 1").await;
        assert_eq!(ann.post("/rooms/new", &[("kind", "public"), ("name", "x")]).await.status, 303);
    }
}

both! {
    async fn who_is_added_is_told_on_any_socket(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob, cat] = three(&site).await;
        let (mut bobs, mut cats) = (bob.socket("/ws/notifications").await, cat.socket("/ws").await);
        bobs.expect("connected").await;
        let room = ann.group_with("Plans", BOB).await;
        let frame = bobs.expect("room_added").await;
        assert_eq!(frame["room_id"], room);
        assert_eq!((frame["id"].as_i64(), frame["kind"].as_str(), frame["name"].as_str()), (Some(room), Some("group"), Some("Plans")));
        assert_eq!((&frame["unread_count"], &frame["last_message"]), (&Value::from(0), &Value::Null));
        assert!(cats.settled().await.iter().all(|frame| frame["type"] != "room_added"), "others are not");
    }
}
