//! What each member chooses to be told of in a room: by the form, by the API, in the backoffice.

use serde_json::json;

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};
use crate::support::program::{Program, api, each};
use crate::support::talk::{room, said};

async fn chosen(site: &Site, room: i64, user: i64) -> (i64, i64) {
    let of = |column: &str| {
        format!("select count(*) from memberships where room_id = {room} and user_id = {user} and {column}")
    };
    (site.number(&of("muted")).await, site.number(&of("notify_all")).await)
}

both! {
    async fn a_form_shows_the_choice_and_takes_another(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, mut bob) = (Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await);
        let group = ann.group_with("Plans", 2).await;
        let direct = ann.post("/rooms/new", &[("kind", "direct"), ("member_ids", "2")]).await.room();
        let settings = |room: i64| format!("/rooms/{room}/settings");
        let checked = |choice: &str| format!("value=\"{choice}\" checked");
        assert!(bob.get(&settings(group)).await.text.contains(&checked("mentions")));
        assert!(bob.get(&settings(direct)).await.text.contains(&checked("all")));
        for (choice, columns) in [("nothing", (1, 0)), ("all", (0, 1)), ("mentions", (0, 0))] {
            let page = bob.post(&format!("/rooms/{group}/notify"), &[("notify", choice)]).await;
            assert_eq!(page.leads_to(), settings(group));
            assert_eq!(chosen(&site, group, 2).await, columns);
            assert!(bob.get(&settings(group)).await.text.contains(&checked(choice)));
        }
        assert_eq!(chosen(&site, group, 1).await, (0, 0));
        for fields in [&[("notify", "loudly")][..], &[]] {
            let page = bob.post(&format!("/rooms/{group}/notify"), fields).await;
            assert_eq!(page.status, 422);
            assert!(page.text.contains("Choose one: all, mentions or nothing."), "{}", page.text);
        }
    }
}

both! {
    async fn only_members_choose(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let _bob = Visitor::registered(&site, "bob").await;
        let mut cat = Visitor::registered(&site, "cat").await;
        let (group, hall) = (ann.group_with("Plans", 2).await, ann.public_room("Hall").await);
        assert_eq!(cat.post(&format!("/rooms/{group}/notify"), &[("notify", "all")]).await.status, 404);
        assert_eq!(cat.post(&format!("/rooms/{hall}/notify"), &[("notify", "all")]).await.status, 403);
        assert_eq!(cat.post("/rooms/999/notify", &[("notify", "all")]).await.status, 404);
        assert!(!cat.get(&format!("/rooms/{hall}/settings")).await.text.contains("name=\"notify\""));
        let mut visitor = Visitor::new(&site);
        assert!(visitor.post(&format!("/rooms/{hall}/notify"), &[("notify", "all")]).await.leads_to().starts_with("/login"));
    }
}

both! {
    async fn programs_choose_too(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let (id, hall) = (room(&site, "group", &[1, 2]).await, room(&site, "public", &[1]).await);
        let path = format!("/chat/rooms/{id}/notify");
        bob.post(&path, json!({"notify": "nothing"})).await.is(204);
        assert_eq!(chosen(&site, id, 2).await, (1, 0));
        said(&ann, id, "@bob").await;
        let notices = bob.get("/notifications").await.json();
        assert!(each(&notices, "kind").is_empty());
        let rooms = bob.get("/chat/rooms").await.json();
        let own = rooms["items"].as_array().unwrap().iter().find(|room| room["id"] == id).unwrap();
        assert_eq!(own["unread_count"], 1, "a muted room still counts");
        bob.post(&path, json!({"notify": "mentions"})).await.is(204);
        said(&ann, id, "@bob").await;
        assert_eq!(each(&bob.get("/notifications").await.json(), "kind"), ["mention"]);
        for body in [json!({"notify": "none"}), json!({})] {
            bob.post(&path, body).await.refuses(422, Some("notify"));
        }
        cat.post(&path, json!({"notify": "all"})).await.refuses(404, None);
        cat.post(&format!("/chat/rooms/{hall}/notify"), json!({"notify": "all"})).await.refuses(403, None);
        Program::new(&site).post(&path, json!({"notify": "all"})).await.refuses(401, None);
    }
}

both! {
    async fn staff_see_and_change_both_columns(engine: Engine) {
        let (site, _) = api(engine).await;
        let [_, bob, _] = Program::three(&site).await;
        let boss = Program::of_role(&site, "boss", "admin").await;
        let id = room(&site, "group", &[1, 2]).await;
        let membership = site.number(&format!("select id from memberships where room_id = {id} and user_id = 2")).await;
        let path = format!("/admin/memberships/{membership}");
        let row = boss.get(&path).await.is(200).json();
        assert_eq!((&row["muted"], &row["notify_all"]), (&json!(false), &json!(false)));
        boss.patch(&path, json!({"notify_all": true})).await.is(200);
        assert_eq!(chosen(&site, id, 2).await, (0, 1));
        boss.patch(&path, json!({"muted": true})).await.is(200);
        assert_eq!(chosen(&site, id, 2).await, (1, 1));
        bob.patch(&path, json!({"muted": false})).await.refuses(403, None);
    }
}
