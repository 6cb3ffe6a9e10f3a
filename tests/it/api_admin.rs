//! The backoffice for programs: every model by the same calls, the same rules and the same history as its pages.

use serde_json::{Value, json};
use switchboard::admin::RESOURCES;

use crate::support::actors::PASSWORD;
use crate::support::app::{Engine, Site, both};
use crate::support::program::{Answer, Program, api};

async fn office(engine: Engine) -> (Site, Program) {
    let (site, _) = api(engine).await;
    let root = Program::of_role(&site, "root", "admin").await;
    (site, root)
}

async fn ids(program: &Program, path: &str) -> Vec<i64> {
    let page = program.get(path).await.is(200).json();
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

async fn number(program: &Program, name: &str) -> i64 {
    let found = program.get(&format!("/admin/users?q={name}")).await.is(200).json();
    found["items"][0]["id"].as_i64().unwrap()
}

async fn with(program: &Program, method: &str, path: &str, header: (&'static str, &str), body: Value) -> Answer {
    let request = program.client.request(method.parse().unwrap(), format!("{}/api/v1{path}", program.base));
    let request = request.bearer_auth(program.access.as_ref().unwrap()).header(header.0, header.1).json(&body);
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

both! {
    async fn every_model_is_listed_to_administrators_and_to_nobody_without_the_right(engine: Engine) {
        let (site, root) = office(engine).await;
        let (mona, ann) = (Program::of_role(&site, "mona", "moderator").await, Program::registered(&site, "ann").await);
        let stranger = Program::new(&site);
        ann.post("/auth/password-reset", json!({"email": "ann@example.org"})).await.is(202);
        site.token(3, None).await;
        for resource in RESOURCES {
            let path = format!("/admin/{}", resource.slug);
            let page = root.get(&path).await.is(200).json();
            assert!(page["items"].is_array() && page.get("next").is_some(), "{page}");
            for secret in ["password_hash", "token_hash", "secret", "$argon2"] {
                assert!(!page.to_string().contains(secret), "{page}");
            }
            mona.get(&path).await.is(if resource.moderator.view { 200 } else { 403 });
            ann.get(&path).await.refuses(403, None);
            stranger.get(&path).await.refuses(401, None);
            for method in ["POST", "PATCH", "DELETE"] {
                let path = if method == "POST" { path.clone() } else { format!("{path}/1") };
                let answer = ann.send(method, &path, Some("application/json"), "{}").await;
                answer.refuses(403, None);
            }
        }
        ann.get("/admin/stats").await.refuses(403, None);
        assert_eq!(mona.get("/admin/stats").await.is(200).json()["users"], 3);
        root.get("/admin/nothing").await.refuses(404, None);
    }
}

both! {
    async fn a_list_is_searched_narrowed_sorted_and_leafed_through(engine: Engine) {
        let (site, root) = office(engine).await;
        for name in ["carl", "anna", "bert", "anton"] {
            Program::new(&site).register(name).await.is(201);
        }
        assert_eq!(ids(&root, "/admin/users?q=an&sort=username").await, [3, 5]);
        assert_eq!(ids(&root, "/admin/users?sort=-username&role=user").await, [2, 4, 5, 3]);
        assert_eq!(ids(&root, "/admin/users?role=admin").await, [1]);
        assert_eq!(ids(&root, "/admin/users?created_at.to=2001-01-01").await, [0; 0]);
        assert_eq!(ids(&root, "/admin/users?created_at.from=2001&sort=created_at").await, [1, 2, 3, 4, 5]);
        let (mut seen, mut next) = (Vec::new(), String::new());
        for _ in 0..3 {
            let page = root.get(&format!("/admin/users?sort=username&limit=2&cursor={next}")).await.is(200).json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["username"].as_str().unwrap().to_owned()));
            next = page["next"].as_str().unwrap_or_default().to_owned();
        }
        assert_eq!((seen.join(" ").as_str(), next.as_str()), ("anna anton bert carl root", ""));
        for unreadable in [
            "nothing=1", "password_hash=x", "sort=password_hash", "sort=bio", "role=king", "bio=x", "page=2", "after=[1]",
            "limit=many", "cursor=bm9uZQ", "cursor=%00", "is_active=maybe", "created_at.from=yesterday",
        ] {
            let refused = root.get(&format!("/admin/users?{unreadable}")).await;
            assert_eq!((refused.status, unreadable), (400, unreadable), "{}", refused.text);
        }
        // Of another order.
        let page = root.get("/admin/users?sort=username&limit=2").await.json();
        root.get(&format!("/admin/users?sort=created_at&cursor={}", page["next"].as_str().unwrap())).await.refuses(400, None);
    }
}

both! {
    async fn a_record_is_made_read_changed_and_deleted_and_history_tells_it(engine: Engine) {
        let (_site, root) = office(engine).await;
        let new = json!({"username": "mia", "email": "mia@example.org", "password": PASSWORD, "role": "moderator"});
        let made = root.post("/admin/users", new).await.is(201);
        assert_eq!(made.headers["location"], "/api/v1/admin/users/2");
        let mia = made.json();
        assert_eq!((&mia["id"], &mia["role"], &mia["is_active"], &mia["avatar"]), (&json!(2), &json!("moderator"), &json!(true), &json!(null)));
        assert_eq!(root.get("/admin/users/2").await.is(200).json(), mia);

        let changed = root.patch("/admin/users/2", json!({"bio": "Here since May", "is_active": false})).await.is(200).json();
        assert_eq!((&changed["bio"], &changed["is_active"]), (&json!("Here since May"), &json!(false)));
        // As it was read, with one field changed.
        let mut whole = changed.clone();
        whole["first_name"] = json!("Mia");
        assert_eq!(root.patch("/admin/users/2", whole).await.is(200).json()["first_name"], "Mia");
        root.delete("/admin/users/2", json!({})).await.is(204);
        root.get("/admin/users/2").await.refuses(404, None);

        let history = root.get("/admin/audit-entries?model=users&sort=created_at").await.is(200).json();
        let told: Vec<_> = history["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(told, ["create", "change", "change", "delete"]);
        assert_eq!(history["items"][1]["changes"]["bio"], json!({"before": "", "after": "Here since May"}));
        assert!(!history.to_string().contains(PASSWORD), "{history}");
    }
}

both! {
    async fn what_cannot_be_set_is_refused_at_its_field_and_nothing_is_stored(engine: Engine) {
        let (site, root) = office(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let refuses = async |body: Value, field: &str| {
            root.patch("/admin/users/2", body).await.refuses(422, Some(field));
        };
        refuses(json!({"password_hash": "x", "bio": "new"}).clone(), "password_hash").await;
        refuses(json!({"nothing": 1}), "nothing").await;
        refuses(json!({"id": 3}), "id").await;
        refuses(json!({"created_at": "2026-01-01T00:00:00.000Z"}), "created_at").await;
        refuses(json!({"rooms": 3}), "rooms").await;
        refuses(json!({"username": 3}), "username").await;
        refuses(json!({"username": null}), "username").await;
        refuses(json!({"role": "king"}), "role").await;
        refuses(json!({"is_active": "yes"}), "is_active").await;
        refuses(json!({"bio": ["a"]}), "bio").await;
        refuses(json!({"username": "root"}), "username").await;
        refuses(json!({"email": "no address"}), "email").await;
        assert_eq!(site.number("select count(*) from users where bio <> ''").await, 0);
        root.send("PATCH", "/admin/users/2", Some("application/json"), r#"{"bio":"a","bio":"b"}"#).await.refuses(400, None);
        root.patch("/admin/users/x", json!({})).await.refuses(400, None);
        root.patch("/admin/users/99", json!({})).await.refuses(404, None);
        let needed = root.post("/admin/users", json!({})).await;
        let needed: Vec<_> = needed.json()["errors"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(needed, ["email", "password", "username"]);
        root.post("/admin/audit-entries", json!({})).await.refuses(403, None);
        root.delete("/admin/audit-entries/1", json!({})).await.refuses(403, None);
    }
}

both! {
    async fn two_who_change_one_record_do_not_undo_each_other(engine: Engine) {
        let (site, root) = office(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let read = root.get("/admin/users/2").await.is(200);
        let tag = read.headers["etag"].to_str().unwrap().to_owned();
        with(&root, "PATCH", "/admin/users/2", ("if-match", &tag), json!({"bio": "first"})).await.is(200);
        with(&root, "PATCH", "/admin/users/2", ("if-match", &tag), json!({"bio": "second"})).await.refuses(409, None);
        with(&root, "PATCH", "/admin/users/2", ("if-match", "*"), json!({"bio": "third"})).await.is(200);
        assert_eq!(root.get("/admin/users/2").await.json()["bio"], "third");
    }
}

both! {
    async fn the_rules_of_the_pages_hold(engine: Engine) {
        let (site, root) = office(engine).await;
        let mona = Program::of_role(&site, "mona", "moderator").await;
        Program::new(&site).register("ann").await.is(201);
        let me = number(&root, "root").await;
        for own in [json!({"role": "user"}), json!({"is_active": false})] {
            root.patch(&format!("/admin/users/{me}"), own).await.refuses(409, None);
        }
        root.delete(&format!("/admin/users/{me}"), json!({})).await.refuses(409, None);
        mona.patch("/admin/users/3", json!({"role": "admin"})).await.refuses(403, None);
        mona.get("/admin/sessions/1").await.refuses(403, None);
        mona.get("/admin/settings/site_name").await.refuses(403, None);

        assert_eq!(root.get("/admin/settings/site_name").await.is(200).json()["value"], "Switchboard");
        assert_eq!(root.patch("/admin/settings/site_name", json!({"value": "Club"})).await.is(200).json()["value"], "Club");
        root.patch("/admin/settings/registration", json!({"value": "perhaps"})).await.refuses(422, Some("value"));
        root.get("/admin/settings/nothing").await.refuses(404, None);
        root.delete("/admin/settings/site_name", json!({})).await.refuses(403, None);

        let room = root.post("/admin/rooms", json!({"kind": "public", "name": "Lobby"})).await.is(201).json();
        let member = json!({"room_id": room["id"], "user_id": "ann"});
        assert_eq!(root.post("/admin/memberships", member).await.is(201).json()["user_id"], 3);
        root.post("/admin/memberships", json!({"room_id": 99, "user_id": 3})).await.refuses(422, Some("room_id"));
    }
}

both! {
    async fn a_browser_says_its_password_again_where_a_page_would_ask_and_a_program_does_not(engine: Engine) {
        let (site, root) = office(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let log_in = json!({"username": "root", "password": PASSWORD});
        let cookie = root.post("/auth/login", log_in).await.is(200).cookie();
        let browser = Program { access: None, cookie, ..root.clone() };
        browser.patch("/admin/users/2", json!({"bio": "fine"})).await.is(200);
        let refused = browser.patch("/admin/users/2", json!({"role": "admin"})).await.refuses(403, None);
        assert!(refused["detail"].as_str().unwrap().contains("password"), "{refused}");
        root.patch("/admin/users/2", json!({"role": "moderator"})).await.is(200);
        let (_, token) = site.token(1, None).await;
        root.with(&token).patch("/admin/users/2", json!({"role": "user"})).await.is(200);
    }
}

both! {
    async fn a_record_unread_since_is_not_sent_again(engine: Engine) {
        let (_site, root) = office(engine).await;
        for path in ["/admin/users", "/admin/users/1"] {
            let tag = root.get(path).await.is(200).headers["etag"].to_str().unwrap().to_owned();
            with(&root, "GET", path, ("if-none-match", &tag), json!({})).await.is(304);
        }
    }
}

both! {
    async fn what_a_page_does_to_a_record_a_program_does_too_and_undoes(engine: Engine) {
        let (site, root) = office(engine).await;
        let mona = Program::of_role(&site, "mona", "moderator").await;
        let ann = Program::registered(&site, "ann").await;
        let disabled = mona.post("/admin/users/3/actions/disable", json!({})).await.is(200).json();
        assert_eq!((&disabled["is_active"], ann.me().await), (&json!(false), 401));
        mona.post("/admin/users/3/actions/disable", json!({})).await.is(200);
        mona.post("/admin/users/1/actions/disable", json!({})).await.refuses(403, None);
        mona.post("/admin/users/3/actions/end-sessions", json!({})).await.refuses(403, None);
        root.post("/admin/users/3/actions/nothing", json!({})).await.refuses(404, None);
        ann.post("/admin/users/3/actions/enable", json!({})).await.refuses(401, None);

        let entry = root.get("/admin/audit-entries?action=disable&sort=created_at").await.json()["items"][0]["id"].clone();
        root.post(&format!("/admin/audit-entries/{entry}/revert"), json!({})).await.is(204);
        assert_eq!(root.get("/admin/users/3").await.json()["is_active"], true);
        root.post("/admin/audit-entries/999/revert", json!({})).await.refuses(404, None);
        root.delete("/admin/users/3", json!({})).await.is(204);
        let entry = root.get("/admin/audit-entries?action=delete").await.json()["items"][0]["id"].clone();
        mona.post(&format!("/admin/audit-entries/{entry}/revert"), json!({})).await.refuses(409, None);
        root.post(&format!("/admin/audit-entries/{entry}/revert"), json!({})).await.is(204);
        assert_eq!(root.get("/admin/users/3").await.json()["username"], "ann");
    }
}
