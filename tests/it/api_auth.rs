//! `/api/v1/auth`: accounts and signing in for programs, and how the API refuses. Tokens are in `tokens.rs`, the second
//! factor in `two_factor.rs`.

use serde_json::json;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Site, both};
use crate::support::program::{Program, api};

both! {
    async fn a_program_registers_logs_in_by_name_or_address_and_sees_itself(engine: Engine) {
        let (site, _) = api(engine).await;
        let program = Program::new(&site);
        let user = program.register("Ann").await.is(201).json();
        assert_eq!((&user["username"], &user["role"], &user["is_active"]), (&json!("Ann"), &json!("user"), &json!(true)));
        for who in [json!({"username": "ann"}), json!({"email": "ANN@example.org"}), json!({"username": "ann@example.org"})] {
            let mut body = who.clone();
            body["password"] = json!(PASSWORD);
            let answer = program.post("/auth/login", body).await.is(200);
            assert_eq!(answer.headers["cache-control"], "no-store");
            let tokens = answer.json();
            assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
            assert_eq!(tokens["user"]["username"], "Ann");
            assert!(!tokens["refresh"].as_str().unwrap().is_empty());
            let me = program.with(tokens["access"].as_str().unwrap()).get("/auth/me").await.is(200);
            let mut fields: Vec<_> = me.json().as_object().unwrap().keys().cloned().collect();
            fields.sort();
            assert_eq!(fields, ["avatar_url", "bio", "created_at", "email", "first_name", "id", "is_active", "last_name",
                                "last_seen_at", "role", "username"]);
            // The cookie is of the same session.
            let by_cookie = Program { cookie: answer.cookie(), ..program.clone() };
            assert_eq!(by_cookie.me().await, 200);
            let mut browser = Visitor::new(&site);
            browser.set_cookie(&answer.cookie().unwrap());
            assert_eq!(browser.get("/chat").await.status, 200);
        }
        assert_eq!(site.number("select count(*) from sessions").await, 3);
    }
}

both! {
    async fn who_logs_in_while_they_show_a_token_gets_a_cookie_all_the_same(engine: Engine) {
        let (site, _) = api(engine).await;
        let program = Program::new(&site);
        program.register("ann").await.is(201);
        let body = json!({"username": "ann", "password": PASSWORD});
        let access = program.post("/auth/login", body.clone()).await.is(200).json()["access"].as_str().unwrap().to_owned();
        for token in [access.as_str(), "long-gone"] {
            let cookie = program.with(token).post("/auth/login", body.clone()).await.is(200).cookie().unwrap();
            let by_cookie = Program { cookie: Some(cookie.clone()), ..program.clone() };
            assert_eq!(by_cookie.me().await, 200);
            let both = Program { cookie: Some(cookie), ..program.with("long-gone") };
            assert_eq!(both.me().await, 401, "a token that is shown is what counts");
        }
    }
}

both! {
    async fn a_wrong_password_and_an_unknown_name_are_one_401(engine: Engine) {
        let (site, _) = api(engine).await;
        let program = Program::new(&site);
        program.register("ann").await.is(201);
        let mut told = Vec::new();
        for (name, password) in [("ann", "not this one"), ("bob", PASSWORD), ("a\0b", PASSWORD), ("", ""), ("ann", "")] {
            let answer = program.post("/auth/login", json!({"username": name, "password": password})).await;
            assert!(answer.cookie().is_none());
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            told.push(answer.refuses(401, None));
        }
        assert!(told.iter().all(|problem| *problem == told[0]), "{told:?}");
        program.post("/auth/login", json!({"password": PASSWORD})).await.refuses(422, Some("username"));
        program.post("/auth/login", json!({"username": "ann"})).await.refuses(422, Some("password"));
    }
}

both! {
    async fn without_the_setting_there_is_no_api(engine: Engine) {
        let site = Site::new(engine).await;
        let program = Program::new(&site);
        assert_eq!(program.me().await, 404);
        assert_eq!(program.register("ann").await.status, 404);
        let (site, _) = api(engine).await;
        assert_eq!(Program::new(&site).me().await, 401);
    }
}

both! {
    async fn refusals_are_problems_with_the_right_status(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let json = Some("application/json");
        for (body, status) in [("{", 400), ("", 400), ("[]", 400), ("\"text\"", 400), ("{\"username\": \"\u{0}\"}", 400)] {
            ann.send("POST", "/auth/login", json, body).await.refuses(status, None);
        }
        ann.send("POST", "/auth/login", json, &format!("{{\"a\":{}}}", "[".repeat(5000))).await.refuses(400, None);
        for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            ann.send("POST", "/auth/login", kind, "{}").await.refuses(415, None);
        }
        ann.send("POST", "/auth/login", Some("application/json; charset=utf-8"), "{}").await.is(422);
        ann.send("POST", "/auth/login", json, &format!("\"{}\"", "x".repeat(300_000))).await.refuses(413, None);
        ann.get("/nothing").await.refuses(404, None);
        ann.get("/auth").await.refuses(404, None);
        let answer = ann.get("/auth/login").await;
        assert_eq!(answer.headers["allow"], "POST");
        answer.refuses(405, None);
        let answer = ann.send("PUT", "/auth/me", json, "{}").await;
        assert!(answer.headers["allow"].to_str().unwrap().contains("PATCH"));
        answer.refuses(405, None);
        let problem = ann.post("/auth/login", json!({"username": "ann", "password": 12345678})).await;
        let problem = problem.refuses(422, Some("password"));
        assert!(!problem.to_string().contains("12345678"), "a password never comes back: {problem}");
        Program::new(&site).get("/auth/me").await.refuses(401, None);
    }
}

both! {
    async fn a_refused_registration_says_what_is_wrong_with_each_field(engine: Engine) {
        let (site, _) = api(engine).await;
        let program = Program::new(&site);
        let bad = json!({"username": "a b", "email": "nowhere", "password": "short", "first_name": "x".repeat(101)});
        let problem = program.post("/auth/register", bad).await.is(422).json();
        let fields: Vec<_> = problem["errors"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["email", "first_name", "password", "username"]);
        assert!(!problem.to_string().contains("short"));
        program.register("ann").await.is(201);
        let problem = program.register("ANN").await.is(422).json();
        assert!(problem["errors"]["username"].is_array() && problem["errors"]["email"].is_array(), "{problem}");
        assert_eq!(site.number("select count(*) from users").await, 1);
        site.sql("update settings set value = 'closed' where key = 'registration'").await;
        site.app.refresh_settings().await.unwrap();
        program.register("bob").await.refuses(403, None);
    }
}

both! {
    async fn only_an_administrator_says_what_role_an_account_has(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, mod_, bob] = [
            Program::of_role(&site, "ann", "admin").await,
            Program::of_role(&site, "mod", "moderator").await,
            Program::registered(&site, "bob").await,
        ];
        let new = |name: &str, role: &str| {
            json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD, "role": role})
        };
        for (who, role) in [(&mod_, "admin"), (&bob, "admin"), (&bob, "user"), (&Program::new(&site), "moderator")] {
            who.post("/auth/register", new("cat", role)).await.refuses(403, None);
        }
        ann.with("forged").post("/auth/register", new("cat", "admin")).await.refuses(401, None);
        assert_eq!(site.number("select count(*) from users").await, 3);
        ann.post("/auth/register", new("cat", "emperor")).await.refuses(422, Some("role"));
        let cat = ann.post("/auth/register", new("cat", "moderator")).await.is(201).json();
        assert_eq!(cat["role"], "moderator");
        // What isn't a field of this form changes nothing.
        let mut body = new("dan", "user");
        body["is_active"] = json!(false);
        body["totp_enabled"] = json!(true);
        assert_eq!(ann.post("/auth/register", body).await.is(201).json()["is_active"], true);
    }
}

both! {
    async fn a_browser_makes_staff_through_the_api_only_after_the_password_was_said_again(engine: Engine) {
        let (site, _) = api(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let program = Program { cookie: ann.cookie().map(str::to_owned), ..Program::new(&site) };
        let new = json!({"username": "cat", "email": "cat@example.org", "password": PASSWORD, "role": "admin"});
        program.post("/auth/register", new.clone()).await.refuses(403, None);
        ann.confirms().await;
        program.post("/auth/register", new).await.is(201);
    }
}

both! {
    async fn people_change_what_their_account_says_of_them_and_nothing_else(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let edit = json!({"first_name": " Ann ", "bio": "Hello\nthere", "role": "admin", "is_active": false, "username": "x"});
        let me = ann.patch("/auth/me", edit).await.is(200).json();
        assert_eq!((&me["first_name"], &me["bio"], &me["role"], &me["username"]), (&json!("Ann"), &json!("Hello\nthere"), &json!("user"), &json!("ann")));
        let me = ann.patch("/auth/me", json!({"last_name": "Lee", "bio": null})).await.is(200).json();
        assert_eq!((&me["first_name"], &me["last_name"], &me["bio"]), (&json!("Ann"), &json!("Lee"), &json!("Hello\nthere")));
        ann.patch("/auth/me", json!({"first_name": "x".repeat(101)})).await.refuses(422, Some("first_name"));
        ann.patch("/auth/me", json!({"bio": 7})).await.refuses(422, Some("bio"));
        Program::new(&site).patch("/auth/me", json!({"bio": "?"})).await.refuses(401, None);
    }
}

both! {
    async fn a_new_password_takes_the_old_one_and_ends_every_other_session(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let other = Program::logged_in(&site, "ann").await;
        let bob = Program::registered(&site, "bob").await;
        let (mut here, mut there) = (ann.socket("/ws").await, other.socket("/ws").await);
        let new = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
        ann.post("/auth/password", new("not this one", "a new horse battery")).await.refuses(422, Some("current_password"));
        ann.post("/auth/password", new(PASSWORD, "short")).await.refuses(422, Some("new_password"));
        ann.post("/auth/password", json!({"new_password": "a new horse battery"})).await.refuses(422, Some("current_password"));
        assert_eq!(other.me().await, 200);
        ann.post("/auth/password", new(PASSWORD, "a new horse battery")).await.is(204);
        assert_eq!(there.close_code().await, 4401);
        here.settled().await;
        assert_eq!((ann.me().await, other.me().await, bob.me().await), (200, 401, 200));
        other.post("/auth/refresh", json!({"refresh": other.refresh})).await.refuses(401, None);
        ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.is(200);
        let log_in = |password: &str| json!({"username": "ann", "password": password});
        ann.post("/auth/login", log_in(PASSWORD)).await.refuses(401, None);
        ann.post("/auth/login", log_in("a new horse battery")).await.is(200);
        assert_eq!(site.number("select count(*) from emails where subject like 'Your password at%was changed'").await, 1);
    }
}

both! {
    async fn who_has_only_a_session_cannot_find_the_password_by_trying(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let guess = json!({"current_password": "not this one", "new_password": "a new horse battery"});
        for _ in 0..4 {
            ann.post("/auth/password", guess.clone()).await.refuses(422, Some("current_password"));
        }
        ann.post("/auth/password", guess.clone()).await.refuses(403, None);
        assert_eq!(ann.me().await, 401);
        assert_eq!(Program::logged_in(&site, "ann").await.me().await, 200);
    }
}

both! {
    async fn what_another_site_sends_with_a_cookie_is_refused_as_a_problem(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        let send = |header: (&'static str, &'static str)| {
            let request = reqwest::Client::new().patch(site.url("/api/v1/auth/me")).header("cookie", ann.cookie().unwrap());
            request.header(header.0, header.1).json(&json!({"bio": "planted"})).send()
        };
        for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let answer = send(header).await.unwrap();
            assert_eq!(answer.status(), 403);
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        assert_eq!(send(("sec-fetch-site", "same-origin")).await.unwrap().status(), 200);
        // A token isn't sent by any browser of its own accord; with one, the cookie counts for nothing.
        let bob = Program::registered(&site, "bob").await;
        let by_token = |token: &str| {
            let request = reqwest::Client::new().patch(site.url("/api/v1/auth/me")).header("cookie", ann.cookie().unwrap());
            let request = request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
            request.bearer_auth(token).json(&json!({"bio": "by token"})).send()
        };
        let changed = by_token(bob.access.as_deref().unwrap()).await.unwrap();
        assert_eq!(changed.json::<serde_json::Value>().await.unwrap()["username"], "bob");
        assert_eq!(by_token("bad").await.unwrap().status(), 401);
        let page = reqwest::Client::new().post(site.url("/rooms/new")).header("cookie", ann.cookie().unwrap());
        let page = page.header("origin", "https://evil.example").bearer_auth(bob.access.as_deref().unwrap());
        assert_eq!(page.send().await.unwrap().status(), 403, "pages know no tokens");
    }
}
