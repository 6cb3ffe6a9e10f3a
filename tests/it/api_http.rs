//! What every call of the API has in common: what it takes, what it refuses, what it says about itself.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::support::actors::PASSWORD;
use crate::support::app::{Engine, Site, both};
use crate::support::process::Process;
use crate::support::program::{Answer, Program, api, api_with};

const LOGIN: &str = "/auth/login";

async fn ask(site: &Site, method: &str, path: &str, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let method: Method = method.parse().unwrap();
    let mut request = Client::new().request(method, site.url(&format!("/api/v1{path}"))).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.send().await.unwrap()).await
}

async fn answer(response: Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_router_refuses_is_a_problem_too() {
    let (site, _) = api(Engine::Sqlite).await;
    for path in ["/", "/nothing", "/auth", "/auth/me/", "/auth/login/x", "/chat/rooms%2f1"] {
        ask(&site, "GET", path, &[], "").await.refuses(404, None);
    }
    let refused = ask(&site, "GET", LOGIN, &[], "").await;
    assert_eq!(text(&refused.headers, "allow"), "POST");
    refused.refuses(405, None);
    let refused = ask(&site, "PUT", "/auth/me", &[], "").await;
    assert_eq!(text(&refused.headers, "allow"), "GET,HEAD,PATCH");
    refused.refuses(405, None);
    for accept in [
        "image/png",
        "text/html",
        "application/json;q=0",
        "text/*, application/json; q=0.0",
        "application/json;q=0, */*",
    ] {
        ask(&site, "GET", "", &[("accept", accept)], "").await.refuses(406, None);
    }
    for accept in [
        "",
        " ",
        "*/*",
        "application/json",
        "application/json, */*;q=0",
        "image/png, application/*;q=0.1",
        "text/html, */*;q=0.8",
    ] {
        ask(&site, "GET", "", &[("accept", accept)], "").await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_object_are_refused_whatever_they_are() {
    let (site, _) = api(Engine::Sqlite).await;
    let json = [("content-type", "application/json")];
    let deep = format!("{{\"username\":{}", "[".repeat(100_000));
    let broken = ["", "{", "null", "[]", "[1]", "\"a\"", "{\"a\":1}x", "{\"username\":\"\\ud800\"}", "{a:1}", &deep];
    for body in broken {
        ask(&site, "POST", LOGIN, &json, body).await.refuses(400, None);
    }
    let twice = r#"{"username":"ann","password":"x","username":"bob"}"#;
    let refused = ask(&site, "POST", LOGIN, &json, twice).await.refuses(400, None);
    assert_eq!(refused["detail"], "“username” is in the body twice.");
    let huge = json!({"username": "a".repeat(300 * 1024)}).to_string();
    ask(&site, "POST", LOGIN, &json, &huge).await.refuses(413, None);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        ask(&site, "POST", LOGIN, &[("content-type", kind)], "{}").await.refuses(415, None);
    }
    for wrong in [json!(1), json!(["ann"]), json!({"a": 1}), json!(true), json!(1.5)] {
        let body = json!({"username": wrong, "password": "x"}).to_string();
        let refused = ask(&site, "POST", LOGIN, &json, &body).await.refuses(422, Some("username"));
        assert_eq!(refused["errors"]["username"][0], "This is of the wrong kind: expected a string.");
    }
    let ann = Program::registered(&site, "ann").await;
    let refused = ann.get("/users?limit=many").await.refuses(400, Some("limit"));
    assert_eq!(refused["errors"]["limit"][0], "This is no whole number.");
    let refused = ann.get("/interests?box=up").await.refuses(400, Some("box"));
    assert_eq!(refused["errors"]["box"][0], "Accepted: in or out.");
    let refused = ann.post("/chat/rooms", json!({"member_ids": "ann"})).await.refuses(422, Some("member_ids"));
    assert_eq!(refused["errors"]["member_ids"][0], "This is of the wrong kind: expected a list.");
    // What a refused field held stays out of the answer.
    let secret = json!({"username": "ann", "password": 31_415_926}).to_string();
    let refused = ask(&site, "POST", LOGIN, &json, &secret).await.refuses(422, Some("password"));
    assert!(!refused.to_string().contains("31415926"), "{refused}");
}

both! {
    async fn an_unchanged_answer_is_sent_once(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let bearer = format!("Bearer {}", ann.access.as_ref().unwrap());
        let me = |tag: String| {
            let (site, bearer) = (&site, &bearer);
            async move { ask(site, "GET", "/auth/me", &[("authorization", bearer), ("if-none-match", &tag)], "").await }
        };
        let first = me(String::new()).await.is(200);
        let tag = text(&first.headers, "etag").to_owned();
        assert!(tag.starts_with("W/\"") && text(&first.headers, "cache-control") == "private, no-cache", "{tag}");
        for tag in [tag.clone(), format!("\"other\", {tag}"), tag.replace("W/", ""), "*".into()] {
            let again = me(tag).await.is(304);
            assert_eq!(again.text, "");
            assert_eq!(again.headers["etag"], first.headers["etag"]);
        }
        ann.patch("/auth/me", json!({"first_name": "Ann"})).await.is(200);
        assert_eq!(me(tag.clone()).await.is(200).json()["first_name"], "Ann");
        // Who may not see it isn't told that it is unchanged.
        ask(&site, "GET", "/auth/me", &[("if-none-match", "*")], "").await.refuses(401, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_the_name_it_came_with_if_a_log_can_hold_it() {
    let (site, _) = api(Engine::Sqlite).await;
    let mine = ask(&site, "GET", "/nothing", &[("x-request-id", "order-66_a.b")], "").await;
    assert_eq!(text(&mine.headers, "x-request-id"), "order-66_a.b");
    let long = "a".repeat(65);
    let mut given = Vec::new();
    for bad in ["", "two words", "a\"b", "é", &long] {
        let answer = ask(&site, "GET", "", &[("x-request-id", bad)], "").await;
        given.push(text(&answer.headers, "x-request-id").to_owned());
    }
    given.sort();
    given.dedup();
    assert!(given.len() == 5 && given.iter().all(|id| id.len() == 16), "{given:?}");
    // Pages too.
    let page = Client::new().get(site.url("/login")).header("x-request-id", "p1").send().await.unwrap();
    assert_eq!(page.headers()["x-request-id"], "p1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_about_a_request_has_its_name() {
    let mut process = Process::with(crate::support::app::Database::new(Engine::Sqlite).await, "127.0.0.1:0", &[]).await;
    let request = Client::new().get(format!("{}/login?token=hidden", process.base)).header("x-request-id", "find-me");
    request.send().await.unwrap();
    let line = process.logs("find-me").await.pop().unwrap();
    assert!(line.contains("access - request method=GET path=/login status=200"), "{line}");
    assert!(line.ends_with(" request_id=find-me") && !line.contains("hidden"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_for_programs_is_an_object_whatever_somebody_typed() {
    let database = crate::support::app::Database::new(Engine::Sqlite).await;
    let mut process = Process::with(database, "127.0.0.1:0", &[("LOG_FORMAT", "json")]).await;
    let request = Client::new().get(format!("{}/%0a%22what", process.base)).header("x-request-id", "find-me");
    request.send().await.unwrap();
    let line: Value = serde_json::from_str(&process.logs("find-me").await.pop().unwrap()).unwrap();
    let mut keys: Vec<_> = line.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["fields", "level", "request_id", "target", "timestamp"]);
    assert_eq!((&line["request_id"], &line["level"]), (&json!("find-me"), &json!("INFO")));
    let fields = &line["fields"];
    assert_eq!((&fields["message"], &fields["path"]), (&json!("request"), &json!("/%0a%22what")));
    assert_eq!(fields["status"], 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_says_who_asked_by_id() {
    let database = crate::support::app::Database::new(Engine::Sqlite).await;
    let mut process = Process::with(database, "127.0.0.1:0", &[("API", "true")]).await;
    let mut ann = Program::at(&process.base);
    ann.register("ann").await.is(201);
    ann.log_in("ann").await;
    let token = ann.access.clone().unwrap();
    let request = Client::new().get(format!("{}/api/v1/auth/me", process.base)).bearer_auth(&token);
    request.header("x-request-id", "who-asks").send().await.unwrap();
    let line = process.logs("who-asks").await.pop().unwrap();
    assert!(line.ends_with(" user=1 request_id=who-asks") && !line.contains(&token), "{line}");
}

const THEIRS: &str = "https://app.example.org";

async fn preflight(site: &Site, origin: &str) -> HeaderMap {
    let wish = [("origin", origin), ("access-control-request-method", "PATCH")];
    let wish = [&wish[..], &[("access-control-request-headers", "authorization,content-type")]].concat();
    ask(site, "OPTIONS", "/auth/me", &wish, "").await.headers
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_listed_origin_may_call_with_a_token_and_never_with_a_cookie() {
    let (site, _) = api_with(Engine::Sqlite, &[("CORS_ORIGINS", "https://app.example.org, https://b.example")]).await;
    let ann = Program::registered(&site, "ann").await;
    let allowed = preflight(&site, THEIRS).await;
    assert_eq!(text(&allowed, "access-control-allow-origin"), THEIRS);
    assert!(text(&allowed, "access-control-allow-methods").contains("PATCH"), "{allowed:?}");
    assert!(text(&allowed, "access-control-allow-headers").contains("authorization"), "{allowed:?}");
    assert_eq!(text(&allowed, "access-control-allow-credentials"), "");
    for other in ["https://evil.example", "http://app.example.org", "https://app.example.org.evil.example", "null"] {
        assert_eq!(text(&preflight(&site, other).await, "access-control-allow-origin"), "", "{other}");
    }

    let json = ("content-type", "application/json");
    let body = json!({"username": "ann", "password": PASSWORD}).to_string();
    let login = ask(&site, "POST", LOGIN, &[("origin", THEIRS), ("sec-fetch-site", "cross-site"), json], &body).await;
    assert_eq!(text(&login.headers, "access-control-allow-origin"), THEIRS);
    let login: Value = login.is(200).json();
    let bearer = format!("Bearer {}", login["access"].as_str().unwrap());
    let headers = [("origin", THEIRS), ("authorization", &bearer), json];
    ask(&site, "PATCH", "/auth/me", &headers, r#"{"bio":"from elsewhere"}"#).await.is(200);
    // A browser that is logged in here doesn't act for a page from there.
    let cookie = ann.post(LOGIN, json!({"username": "ann", "password": PASSWORD})).await.cookie().unwrap();
    let headers = [("origin", THEIRS), ("cookie", cookie.as_str()), json];
    ask(&site, "PATCH", "/auth/me", &headers, r#"{"bio":"stolen"}"#).await.refuses(401, None);
    // Nor is anybody else let in.
    let headers = [("origin", "https://evil.example"), json];
    let refused = ask(&site, "POST", LOGIN, &headers, &body).await;
    assert_eq!(text(&refused.headers, "access-control-allow-origin"), "");
    refused.refuses(403, None);
    assert!(
        Client::new()
            .get(site.url("/login"))
            .header("origin", THEIRS)
            .send()
            .await
            .unwrap()
            .headers()
            .get("access-control-allow-origin")
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_no_other_origin_is_told_anything() {
    let (site, _) = api(Engine::Sqlite).await;
    assert_eq!(text(&preflight(&site, THEIRS).await, "access-control-allow-origin"), "");
    ask(&site, "OPTIONS", "/auth/me", &[], "").await.refuses(405, None);
}
