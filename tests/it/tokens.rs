//! Access and refresh tokens: what they open, for how long, and everything that ends them; attacks on each. Personal
//! tokens are in `personal_tokens.rs`.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Site, both};
use crate::support::program::{Program, api};
use crate::support::socket::Socket;

/// The claims of a token, read without checking anything.
fn claims(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode(token).unwrap().claims
}

fn signed(site: &Site, algorithm: Algorithm, claims: &Value) -> String {
    let key = EncodingKey::from_secret(&site.app.keys.access().unwrap());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

both! {
    async fn an_access_token_says_who_and_until_when_and_is_believed_only_as_it_was_signed(engine: Engine) {
        let (site, time) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let access = ann.access.clone().unwrap();
        let own = claims(&access);
        assert_eq!((&own["sub"], &own["role"], &own["iss"]), (&json!("1"), &json!("user"), &json!(site.url(""))));
        assert_eq!(own["sid"], site.number("select id from sessions").await);
        assert_eq!((own["iat"].as_i64(), own["exp"].as_i64()), (Some(time.seconds()), Some(time.seconds() + 900)));
        assert_eq!(own["jti"].as_str().unwrap().len(), 64);
        // Signed by us, the very same is believed: what follows is refused for what differs.
        assert_eq!(ann.with(&signed(&site, Algorithm::HS256, &own)).me().await, 200);

        let parts: Vec<&str> = access.split('.').collect();
        let none = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0";
        let other_key = EncodingKey::from_secret(b"another key of thirty-two bytes.");
        let without = |claim: &str| {
            let mut bent = own.clone();
            bent.as_object_mut().unwrap().remove(claim);
            signed(&site, Algorithm::HS256, &bent)
        };
        let changed = |claim: &str, value: Value| {
            let mut bent = own.clone();
            bent[claim] = value;
            signed(&site, Algorithm::HS256, &bent)
        };
        let forged = [
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &own, &other_key).unwrap(),
            signed(&site, Algorithm::HS384, &own),
            signed(&site, Algorithm::HS512, &own),
            without("exp"), without("iss"), without("aud"), without("sub"), without("sid"),
            changed("iss", json!("https://evil.example")),
            changed("aud", json!("https://evil.example")),
            changed("exp", json!(time.seconds() - 10)),
            changed("exp", json!("never")),
            changed("sub", json!("2")),
            changed("sid", json!(999)),
            changed("aud", json!("another service")),
            String::new(), "x".into(), "a.b.c".into(), format!("{access}x"), format!("swb_{}", "0".repeat(64)),
        ];
        for token in &forged {
            let answer = ann.with(token).get("/auth/me").await;
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            answer.refuses(401, None);
        }
        assert_eq!(ann.me().await, 200);
    }
}

both! {
    async fn a_token_of_another_persons_session_opens_nothing(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let mut bent = claims(ann.access.as_ref().unwrap());
        bent["sid"] = claims(bob.access.as_ref().unwrap())["sid"].clone();
        assert_eq!(ann.with(&signed(&site, Algorithm::HS256, &bent)).me().await, 401);
        assert_eq!((ann.me().await, bob.me().await), (200, 200));
    }
}

both! {
    async fn an_access_token_runs_out_after_fifteen_minutes_and_a_refresh_token_gets_the_next(engine: Engine) {
        let (site, time) = api(engine).await;
        let mut ann = Program::registered(&site, "ann").await;
        time.pass(15 * 60 - 1);
        assert_eq!(ann.me().await, 200);
        time.pass(10);
        assert_eq!(ann.me().await, 401);
        let before = ann.clone();
        let pair = ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.is(200).json();
        ann.take(&pair);
        assert_eq!((&pair["token_type"], &pair["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_ne!(ann.refresh, before.refresh);
        assert_eq!(ann.me().await, 200);
        assert_eq!(site.number("select count(*) from sessions").await, 1);
        for _ in 0..3 {
            let pair = ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.is(200).json();
            ann.take(&pair);
        }
        assert_eq!(ann.me().await, 200);
    }
}

both! {
    async fn a_refresh_token_used_twice_ends_the_whole_chain(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let elsewhere = Program::logged_in(&site, "ann").await;
        let mut socket = ann.socket("/ws").await;
        let mut thief = ann.clone();
        thief.take(&thief.post("/auth/refresh", json!({"refresh": ann.refresh})).await.is(200).json());
        assert_eq!((thief.me().await, ann.me().await), (200, 200));
        ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.refuses(401, None);
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!((thief.me().await, ann.me().await, elsewhere.me().await), (401, 401, 200));
        for refresh in [&thief.refresh, &ann.refresh] {
            ann.post("/auth/refresh", json!({"refresh": refresh})).await.refuses(401, None);
        }
        elsewhere.post("/auth/refresh", json!({"refresh": elsewhere.refresh})).await.is(200);
    }
}

both! {
    async fn of_two_who_refresh_with_one_token_at_once_one_wins_and_the_chain_ends(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let body = json!({"refresh": ann.refresh});
        let answers = futures_util::future::join_all((0..5).map(|_| ann.post("/auth/refresh", body.clone()))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401, 401, 401]);
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap().json();
        assert_eq!(ann.with(winner["access"].as_str().unwrap()).me().await, 401);
        ann.post("/auth/refresh", json!({"refresh": winner["refresh"]})).await.refuses(401, None);
    }
}

both! {
    async fn a_refresh_token_is_no_access_token_and_the_other_way_round(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        assert_eq!(ann.with(&ann.refresh).me().await, 401);
        for other in [ann.access.as_deref().unwrap(), "", "x", &"0".repeat(64)] {
            ann.post("/auth/refresh", json!({"refresh": other})).await.refuses(401, None);
        }
        ann.post("/auth/refresh", json!({})).await.refuses(422, Some("refresh"));
        assert_eq!(ann.me().await, 200);
        let stored = site.text("select token_hash from refresh_tokens").await;
        assert!(stored != ann.refresh && stored.len() == 64);
    }
}

both! {
    async fn a_session_that_nobody_uses_ends_and_refreshing_counts_as_use(engine: Engine) {
        const DAY: i64 = 24 * 3600;
        let (site, time) = api(engine).await;
        let [mut ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        for _ in 0..2 {
            time.pass(6 * DAY);
            ann.take(&ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.is(200).json());
        }
        bob.post("/auth/refresh", json!({"refresh": bob.refresh})).await.refuses(401, None);
        for _ in 0..3 {
            time.pass(5 * DAY);
            ann.take(&ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.is(200).json());
        }
        time.pass(4 * DAY);
        ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.refuses(401, None);
    }
}

both! {
    async fn logging_out_ends_access_refresh_cookie_and_socket_at_once(engine: Engine) {
        let (site, _) = api(engine).await;
        let mut ann = Program::registered(&site, "ann").await;
        let answer = Program::new(&site).post("/auth/login", json!({"username": "ann", "password": PASSWORD})).await.is(200);
        let other = Program::logged_in(&site, "ann").await;
        ann.take(&answer.json());
        let cookie = answer.cookie().unwrap();
        let mut socket = ann.socket("/ws").await;
        let mut by_cookie = Socket::open(&ann.base, "/ws", Some(&cookie), Some(&ann.base)).await.unwrap();
        by_cookie.expect("connected").await;
        ann.send("POST", "/auth/logout", None, "").await.is(204);
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(by_cookie.close_code().await, 4401);
        assert_eq!(ann.me().await, 401);
        ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.refuses(401, None);
        assert_eq!(Program { cookie: Some(cookie), access: None, ..ann.clone() }.me().await, 401);
        assert_eq!(other.me().await, 200);
        ann.send("POST", "/auth/logout", None, "").await.refuses(401, None);
    }
}

both! {
    async fn logging_out_by_the_cookie_ends_the_tokens_of_that_log_in(engine: Engine) {
        let (site, _) = api(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let answer = Program::new(&site).post("/auth/login", json!({"username": "ann", "password": PASSWORD})).await.is(200);
        let mut ann = Program::new(&site);
        ann.take(&answer.json());
        let mut browser = Visitor::new(&site);
        browser.set_cookie(&answer.cookie().unwrap());
        browser.post("/logout", &[]).await;
        assert_eq!(ann.me().await, 401);
        ann.post("/auth/refresh", json!({"refresh": ann.refresh})).await.refuses(401, None);
    }
}

both! {
    async fn a_refresh_token_given_at_log_out_ends_its_session_only_if_it_is_ones_own(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let anns_other = Program::logged_in(&site, "ann").await;
        bob.post("/auth/logout", json!({"refresh": ann.refresh})).await.is(204);
        assert_eq!((ann.me().await, bob.me().await), (200, 401));
        ann.post("/auth/logout", json!({"refresh": anns_other.refresh})).await.is(204);
        assert_eq!((ann.me().await, anns_other.me().await), (401, 401));
        // A program whose access token has run out logs out by its refresh token.
        let late = Program::logged_in(&site, "ann").await;
        late.with("expired").post("/auth/logout", json!({"refresh": "unknown"})).await.refuses(401, None);
        late.with("expired").post("/auth/logout", json!({"refresh": late.refresh})).await.is(204);
        assert_eq!(late.me().await, 401);
    }
}

both! {
    async fn logging_in_again_with_one_cookie_jar_leaves_the_first_programs_tokens_alone(engine: Engine) {
        let (site, _) = api(engine).await;
        let mut jar = Program::new(&site);
        for name in ["ann", "bob"] {
            jar.register(name).await.is(201);
        }
        let first = jar.post("/auth/login", json!({"username": "ann", "password": PASSWORD})).await.is(200);
        jar.cookie = first.cookie();
        let second = jar.post("/auth/login", json!({"username": "bob", "password": PASSWORD})).await.is(200);
        assert_ne!(first.cookie(), second.cookie());
        assert_eq!(jar.me().await, 401, "the cookie of before is dead");
        for (answer, name) in [(&first, "ann"), (&second, "bob")] {
            let me = jar.with(answer.json()["access"].as_str().unwrap()).get("/auth/me").await.is(200).json();
            assert_eq!(me["username"], name);
        }
    }
}

both! {
    async fn a_token_that_is_there_but_bad_is_refused_even_with_a_good_cookie(engine: Engine) {
        let (site, _) = api(engine).await;
        let browser = Visitor::registered(&site, "ann").await;
        let program = Program { cookie: browser.cookie().map(str::to_owned), ..Program::new(&site) };
        assert_eq!(program.me().await, 200);
        program.with("bad").get("/auth/me").await.refuses(401, None);
        program.with("").get("/auth/me").await.refuses(401, None);
        let ask = || reqwest::Client::new().get(site.url("/api/v1/auth/me")).header("cookie", browser.cookie().unwrap());
        let unreadable = reqwest::header::HeaderValue::from_bytes(b"Bearer \xff").unwrap();
        assert_eq!(ask().header("authorization", unreadable).send().await.unwrap().status(), 401);
        // A proxy's own credentials are none of ours.
        assert_eq!(ask().header("authorization", "Basic YTpi").send().await.unwrap().status(), 200);
    }
}

both! {
    async fn pages_and_cookies_know_no_tokens(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::of_role(&site, "ann", "admin").await;
        let (_, personal) = site.token(1, None).await;
        for token in [ann.access.as_deref().unwrap(), &personal] {
            for path in ["/chat", "/admin/", "/admin/users/export.json"] {
                let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
                let page = client.get(site.url(path)).header("authorization", format!("Bearer {token}")).send().await.unwrap();
                assert_eq!(page.status(), 303, "{path}");
                let page = client.get(site.url(&format!("{path}?token={token}"))).send().await.unwrap();
                assert_eq!(page.status(), 303, "{path}");
            }
            let as_cookie = Program { cookie: Some(format!("switchboard={token}")), ..Program::new(&site) };
            assert_eq!(as_cookie.me().await, 401);
        }
    }
}

both! {
    async fn another_role_and_a_disabled_account_count_at_once_whatever_the_token_says(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::of_role(&site, "ann", "user").await;
        let (_, personal) = site.token(1, None).await;
        let ann = [ann.clone(), ann.with(&personal)];
        let new = |name: &str| json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD, "role": "user"});
        for program in &ann {
            program.post("/auth/register", new("bob")).await.refuses(403, None);
        }
        site.sql("update users set role = 'admin' where id = 1").await;
        for (program, name) in ann.iter().zip(["bob", "cat"]) {
            program.post("/auth/register", new(name)).await.is(201);
            assert_eq!(program.get("/auth/me").await.json()["role"], "admin");
        }
        site.sql("update users set role = 'user' where id = 1").await;
        for program in &ann {
            program.post("/auth/register", new("dan")).await.refuses(403, None);
            assert_eq!(program.me().await, 200);
        }
        let mut sockets = [ann[0].socket("/ws").await, ann[1].socket("/ws").await];
        let user = switchboard::users::find(&mut site.app.db.read().await.unwrap(), "ann").await.unwrap().unwrap();
        site.disable(&user).await;
        for (program, socket) in ann.iter().zip(&mut sockets) {
            assert_eq!(program.me().await, 401);
            assert_eq!(socket.close_code().await, 4401);
        }
        ann[0].post("/auth/refresh", json!({"refresh": ann[0].refresh})).await.refuses(401, None);
    }
}

both! {
    async fn sockets_take_tokens_without_an_origin_and_outlive_the_access_token(engine: Engine) {
        let (site, time) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let room = Visitor::logged_in(&site, "ann").await.public_room("General").await;
        let path = format!("/ws/chat/{room}");
        let mut socket = bob.socket(&path).await;
        let mut again = bob.socket(&format!("{path}?after=0")).await;
        again.expect("synced").await;
        time.pass(16 * 60);
        assert_eq!(bob.me().await, 401);
        socket.say("still here", "c1").await;
        assert_eq!(socket.expect("message").await["username"], "bob");
        // With a bad token a good cookie and Origin don't help, and a token that has run out opens nothing new.
        let cookie = Visitor::logged_in(&site, "ann").await;
        let own = site.url("");
        assert_eq!(cookie.refused("/ws?token=bad", Some(&own)).await, 401);
        assert_eq!(cookie.refused("/ws?token=", Some(&own)).await, 401);
        assert_eq!(cookie.refused(&format!("/ws?token={}", bob.access.as_ref().unwrap()), Some(&own)).await, 401);
        let fresh = Program::logged_in(&site, "ann").await;
        for path in ["/ws", "/ws/notifications"] {
            let from = Some("https://evil.example");
            let path = format!("{path}?token={}", fresh.access.as_ref().unwrap());
            Socket::open(&site.url(""), &path, None, from).await.unwrap().expect("connected").await;
        }
        let private = Visitor::logged_in(&site, "ann").await.group_with("Plans", 2).await;
        let cat = Program::registered(&site, "cat").await;
        let refused = Socket::open(&cat.base, &format!("/ws/chat/{private}?token={}", cat.access.as_ref().unwrap()), None, None).await;
        assert_eq!(refused.err(), Some(404));
        drop(ann);
    }
}

both! {
    async fn a_socket_takes_the_authorization_header(engine: Engine) {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        for (token, opens) in [(ann.access.clone().unwrap(), true), ("bad".into(), false)] {
            let mut request = site.url("/ws").replace("http", "ws").into_client_request().unwrap();
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            assert_eq!(tokio_tungstenite::connect_async(request).await.is_ok(), opens);
        }
    }
}
