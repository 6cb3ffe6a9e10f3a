//! `/api/v1/users`: who finds whom, and what of them.

use serde_json::{Value, json};
use switchboard::web::api::list::cursor;

use crate::support::app::both;
use crate::support::program::{Program, api};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

both! {
    async fn people_are_listed_by_name_page_by_page_and_found_by_the_beginning_of_any_of_theirs(engine: Engine) {
        let (site, _) = api(engine).await;
        let mut ann = None;
        for (name, first, last) in [("Zoe", "Ann", "Lee"), ("ann", "", ""), ("bob", "Émile", "Zola"), ("Cat", "Lea", "anders"), ("dan", "%", "_")] {
            let body = json!({"username": name, "email": format!("{name}@example.org"), "password": "correct horse battery",
                              "first_name": first, "last_name": last});
            Program::new(&site).post("/auth/register", body).await.is(201);
            if name == "ann" {
                ann = Some(Program::logged_in(&site, name).await);
            }
        }
        let ann = ann.unwrap();
        let first = ann.get("/users?limit=3").await.is(200).json();
        assert_eq!(names(&first), ["ann", "bob", "Cat"]);
        let second = ann.get(&format!("/users?limit=3&cursor={}", first["next"].as_str().unwrap())).await.is(200).json();
        assert_eq!((names(&second), &second["next"]), (vec!["dan", "Zoe"], &Value::Null));
        for (q, found) in [
            ("ann", vec!["ann", "Zoe"]),
            ("AN", vec!["ann", "Cat", "Zoe"]),
            ("%C3%A9M", vec!["bob"]),
            ("zo", vec!["bob", "Zoe"]),
            ("+lea+", vec!["Cat"]),
            ("nn", vec![]),
            ("%25", vec!["dan"]),
            ("_", vec!["dan"]),
            ("%00", vec![]),
            ("'", vec![]),
            ("ann@example.org", vec![]),
            ("", vec!["ann", "bob", "Cat", "dan", "Zoe"]),
        ] {
            assert_eq!(names(&ann.get(&format!("/users?q={q}")).await.is(200).json()), found, "{q}");
        }
        let first = ann.get("/users?q=an&limit=1").await.is(200).json();
        let rest = ann.get(&format!("/users?q=an&cursor={}", first["next"].as_str().unwrap())).await.is(200).json();
        assert_eq!((names(&first), names(&rest)), (vec!["ann"], vec!["Cat", "Zoe"]));
        // Cursors that nobody was given.
        ann.get(&format!("/users?cursor={}", cursor(&7))).await.refuses(400, Some("cursor"));
        assert_eq!(names(&ann.get(&format!("/users?cursor={}", cursor(&"a\0"))).await.is(200).json()), [""; 0]);
        Program::new(&site).get("/users").await.refuses(401, None);
    }
}

both! {
    async fn a_person_is_shown_with_whether_they_are_here_and_nothing_private(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let bob = Program::registered(&site, "bob").await;
        let public = json!(["avatar_url", "bio", "created_at", "first_name", "id", "last_name", "last_seen_at", "online", "username"]);
        let keys = |user: &Value| json!(user.as_object().unwrap().keys().collect::<std::collections::BTreeSet<_>>());
        let seen = ann.get("/users/2").await.is(200).json();
        assert_eq!((keys(&seen), &seen["online"], &seen["username"]), (public.clone(), &json!(false), &json!("bob")));
        let socket = bob.socket("/ws").await;
        assert_eq!(ann.get("/users/2").await.is(200).json()["online"], true);
        let list = ann.get("/users?q=bob").await.is(200).json();
        assert_eq!((keys(&list["items"][0]), &list["items"][0]["online"]), (public, &json!(true)));
        drop(socket);
        // Oneself, and staff, see all.
        assert_eq!(ann.get("/users/1").await.is(200).json()["email"], "ann@example.org");
        site.sql("update users set role = 'moderator' where id = 2").await;
        let seen = bob.get("/users/1").await.is(200).json();
        assert_eq!((&seen["email"], &seen["role"], &seen["is_active"]), (&json!("ann@example.org"), &json!("user"), &json!(true)));
        assert!(!seen.to_string().contains("hash"));
        ann.get("/users/99").await.refuses(404, None);
        ann.get("/users/bob").await.refuses(400, None);
        Program::new(&site).get("/users/1").await.refuses(401, None);
    }
}

both! {
    async fn a_disabled_account_is_there_for_staff_only(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let moderator = Program::of_role(&site, "mod", "moderator").await;
        Program::registered(&site, "cat").await;
        site.sql("update users set is_active = false where username = 'cat'").await;
        let missing = ann.get("/users/99").await.refuses(404, None);
        assert_eq!(ann.get("/users/3").await.refuses(404, None), missing);
        assert_eq!(names(&ann.get("/users").await.is(200).json()), ["ann", "mod"]);
        assert_eq!(names(&ann.get("/users?q=c").await.is(200).json()), [""; 0]);
        assert_eq!(moderator.get("/users/3").await.is(200).json()["is_active"], false);
        assert_eq!(names(&moderator.get("/users").await.is(200).json()), ["ann", "cat", "mod"]);
        assert_eq!(names(&moderator.get("/users?q=c").await.is(200).json()), ["cat"]);
    }
}
