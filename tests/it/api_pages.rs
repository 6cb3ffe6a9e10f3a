//! The API in a browser, on the real site: who gets a page and who gets JSON, log-in and log-out, other sites' forms, the
//! reference and Swagger UI, and all of it in DEBUG only. What the forms look like is `api_forms`'s; how it looks in
//! Chromium `api_browser`'s.

use reqwest::header::ACCEPT;
use serde_json::Value;

use crate::support::actors::{PASSWORD, Page, Visitor};
use crate::support::app::{Engine, Options, Site, both};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

async fn site(engine: Engine, settings: &[(&'static str, &'static str)]) -> Site {
    Site::with(engine, Options { settings: settings.to_vec(), ..Options::default() }).await
}

async fn get(site: &Site, path: &str, accept: &str, headers: &[(&'static str, &str)]) -> Page {
    let mut request = reqwest::Client::new().get(site.url(path)).header(ACCEPT, accept);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Page::of(request.send().await.unwrap()).await
}

/// As a browser that is signed in.
async fn open(site: &Site, visitor: &Visitor, path: &str) -> Page {
    get(site, path, BROWSER, &[("cookie", visitor.cookie().unwrap_or_default())]).await
}

fn kind(page: &Page) -> &str {
    page.headers["content-type"].to_str().unwrap()
}

#[track_caller]
fn is_page(page: &Page, status: u16) {
    assert_eq!((page.status.as_u16(), kind(page)), (status, "text/html; charset=utf-8"), "{}", page.text);
    assert_eq!(page.headers["cache-control"], "no-store");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.headers.get_all("vary").iter().any(|vary| vary == "accept"));
    assert!(!page.text.contains("<script") && !page.text.contains("style="), "{}", page.text);
}

const PATHS: [(&str, u16); 5] = [
    ("/api/v1", 200),
    ("/api/v1/auth/me", 401),
    ("/api/v1/auth/login", 405),
    ("/api/v1/nowhere", 404),
    ("/api/v1/", 404),
];

#[tokio::test]
async fn a_browser_gets_a_page_with_the_status_of_the_json() {
    let site = site(Engine::Sqlite, &[("DEBUG", "true")]).await;
    for (path, status) in PATHS {
        for accept in [BROWSER, "text/html", "text/html;q=0.9, application/json;q=0.8", "TEXT/HTML, */*"] {
            is_page(&get(&site, path, accept, &[]).await, status);
        }
    }
    is_page(&get(&site, "/api/v1/openapi.json", BROWSER, &[]).await, 200);
}

#[tokio::test]
async fn a_program_gets_json_and_so_does_who_asks_for_it() {
    let site = site(Engine::Sqlite, &[("DEBUG", "true")]).await;
    for (path, status) in PATHS {
        let json = if status == 200 { "application/json" } else { "application/problem+json" };
        for accept in
            ["*/*", "application/json", "application/json, text/plain, */*", "text/html;q=0.5, application/json"]
        {
            let answer = get(&site, path, accept, &[]).await;
            assert_eq!((answer.status.as_u16(), kind(&answer)), (status, json), "{path} {accept}");
            assert!(answer.headers.get_all("vary").iter().any(|vary| vary == "accept"));
        }
        let forced = get(&site, &format!("{path}?format=json"), BROWSER, &[]).await;
        assert_eq!((forced.status.as_u16(), kind(&forced)), (status, json), "{path}");
    }
    let bare = Visitor::new(&site).get("/api/v1").await;
    assert_eq!(kind(&bare), "application/json");
}

#[tokio::test]
async fn without_debug_there_are_no_pages_whatever_is_accepted() {
    let site = site(Engine::Sqlite, &[("API", "true")]).await;
    assert_eq!(get(&site, "/api/v1", "text/html", &[]).await.status, 406);
    let usual = get(&site, "/api/v1", BROWSER, &[]).await;
    assert_eq!((usual.status.as_u16(), kind(&usual)), (200, "application/json"));
    let form =
        Visitor::new(&site).post_with("/api/v1/auth/login", &[("_method", "DELETE")], &[("accept", BROWSER)]).await;
    assert_eq!((form.status.as_u16(), kind(&form)), (415, "application/problem+json"));
    for path in ["/docs", "/docs/swagger-ui.css", "/redoc", "/api/v1/openapi.json"] {
        assert_eq!(get(&site, path, "*/*", &[]).await.status, 404, "{path}");
    }
    let off = self::site(Engine::Sqlite, &[("DEBUG", "true"), ("API", "false")]).await;
    for path in ["/api/v1", "/docs", "/redoc"] {
        assert_eq!(get(&off, path, BROWSER, &[]).await.status, 404, "{path}");
    }
}

both! {
    async fn a_page_says_who_is_signed_in_and_how(engine: Engine) {
        let site = site(engine, &[("DEBUG", "true")]).await;
        let out = get(&site, "/api/v1/auth/me?x=1%26y", BROWSER, &[]).await;
        assert!(out.text.contains("Not signed in") && !out.text.contains("action=\"/logout\""));
        assert!(out.text.contains("href=\"/login?next=%2Fapi%2Fv1%2Fauth%2Fme%3Fx%3D1%2526y\""), "{}", out.text);
        let mut ann = Visitor::registered(&site, "ann").await;
        let page = open(&site, &ann, "/api/v1/auth/me").await;
        is_page(&page, 200);
        assert!(page.text.contains("Signed in as <b>ann</b>, by this browser&#39;s session") || page.text.contains("by this browser's session"));
        assert!(page.text.contains("action=\"/logout\""));
        let hidden = page.text.contains(ann.cookie().unwrap().split('=').nth(1).unwrap());
        assert!(!hidden, "no page shows what signs its reader in");
        // The answer to a log-in by the page's form: a session for the browser, and never its cookie in the page.
        let fields = [("username", "ann"), ("password", PASSWORD)];
        let entered = Visitor::new(&site).post_with("/api/v1/auth/login", &fields, &[("accept", BROWSER)]).await;
        is_page(&entered, 200);
        let cookie = entered.headers["set-cookie"].to_str().unwrap().split([';', '=']).nth(1).unwrap();
        assert!(entered.text.contains("Signed in as <b>ann</b>") && !entered.text.contains(cookie));
        let access = entered.text.split("access").nth(1).unwrap().split("&#34;").nth(2).unwrap();
        let by_token = get(&site, "/api/v1/auth/me", BROWSER, &[("authorization", &format!("Bearer {access}"))]).await;
        is_page(&by_token, 200);
        assert!(by_token.text.contains("by a token") && !by_token.text.contains("action=\"/logout\""), "{}", by_token.text);
        let left = ann.post_with("/api/v1/auth/logout", &[("refresh", "")], &[("accept", BROWSER)]).await;
        is_page(&left, 200);
        assert!(left.text.contains("204 No Content") && left.text.contains("Not signed in"), "{}", left.text);
    }
}

both! {
    async fn a_form_of_another_site_does_nothing(engine: Engine) {
        let site = site(engine, &[("DEBUG", "true")]).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let origin = ("origin", "https://evil.example");
        let fetched = ("sec-fetch-site", "cross-site");
        for foreign in [origin, fetched] {
            for fields in [&[("_method", "PATCH"), ("first_name", "Eve")][..], &[("_method", "PATCH"), ("_body", "{\"first_name\":\"Eve\"}")]] {
                let page = ann.post_with("/api/v1/auth/me", fields, &[("accept", BROWSER), foreign]).await;
                is_page(&page, 403);
                assert!(page.text.contains("This was sent from another site"), "{}", page.text);
            }
        }
        assert_eq!(site.number("select count(*) from users where first_name = 'Eve'").await, 0);
        let own = site.url("");
        let fields = [("_method", "PATCH"), ("first_name", "Ann")];
        let page = ann.post_with("/api/v1/auth/me", &fields, &[("accept", BROWSER), ("origin", &own)]).await;
        is_page(&page, 200);
        assert_eq!(site.number("select count(*) from users where first_name = 'Ann'").await, 1);
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_or_unreadable_is_refused_on_its_page() {
    let site = site(Engine::Sqlite, &[("DEBUG", "true")]).await;
    let send = |kind: &'static str, body: String| {
        let request = reqwest::Client::new().post(site.url("/api/v1/auth/login")).header(ACCEPT, BROWSER);
        let request = request.header("content-type", kind).body(body);
        async move { Page::of(request.send().await.unwrap()).await }
    };
    let form = "application/x-www-form-urlencoded";
    is_page(&send(form, format!("username={}", "x".repeat(300 * 1024))).await, 413);
    is_page(&send(form, format!("username={}", "x".repeat(2 * 1024 * 1024))).await, 413);
    is_page(&send("multipart/form-data", "nothing".into()).await, 400);
    is_page(&send("multipart/form-data; boundary=x", "--x--".into()).await, 415);
    is_page(&send(form, format!("username=ann&password={}", "%FF")).await, 400);
}

#[tokio::test]
async fn a_page_is_never_spared_by_an_etag_and_a_head_has_no_body() {
    let site = site(Engine::Sqlite, &[("DEBUG", "true")]).await;
    let ann = Visitor::registered(&site, "ann").await;
    let cookie = ann.cookie().unwrap();
    let json = get(&site, "/api/v1/auth/me", "*/*", &[("cookie", cookie)]).await;
    let tag = json.headers["etag"].to_str().unwrap();
    let same = get(&site, "/api/v1/auth/me", "*/*", &[("cookie", cookie), ("if-none-match", tag)]).await;
    assert_eq!(same.status, 304);
    let page = get(&site, "/api/v1/auth/me", BROWSER, &[("cookie", cookie), ("if-none-match", tag)]).await;
    is_page(&page, 200);
    assert!(!page.headers.contains_key("etag") && page.text.contains("<dt>etag</dt>"));
    let head = reqwest::Client::new().head(site.url("/api/v1")).header(ACCEPT, BROWSER).send().await.unwrap();
    is_page(&Page::of(head).await, 200);
}

#[tokio::test]
async fn the_reference_has_every_call_and_schema_and_no_link_into_nothing() {
    let site = site(Engine::Sqlite, &[("DEBUG", "true")]).await;
    let page = get(&site, "/redoc", BROWSER, &[]).await;
    assert_eq!((page.status.as_u16(), kind(&page)), (200, "text/html; charset=utf-8"));
    assert!(!page.text.contains("<script"));
    let document: Value = serde_json::from_str(&get(&site, "/api/v1/openapi.json", "*/*", &[]).await.text).unwrap();
    for (path, calls) in document["paths"].as_object().unwrap() {
        for call in calls.as_object().unwrap().values() {
            let id = call["operationId"].as_str().unwrap();
            assert!(page.text.contains(&format!("<article id=\"{id}\"")), "{path} {id}");
            assert!(page.text.contains(&format!("href=\"#{id}\"")), "{path} {id}");
        }
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.text.contains(&format!("<article id=\"schema-{name}\"")), "{name}");
    }
    for link in page.text.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(page.text.matches(&format!(" id=\"{link}\"")).count(), 1, "{link}");
    }
}

#[tokio::test]
async fn swagger_ui_comes_from_here_alone() {
    let site = site(Engine::Sqlite, &[("DEBUG", "true")]).await;
    let page = get(&site, "/docs", BROWSER, &[]).await;
    assert_eq!((page.status.as_u16(), kind(&page)), (200, "text/html; charset=utf-8"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!page.text.contains("://"), "{}", page.text);
    for file in page.text.split("\"/docs/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(get(&site, &format!("/docs/{file}"), "*/*", &[]).await.status, 200, "{file}");
    }
    let start = get(&site, "/docs/swagger-initializer.js", "*/*", &[]).await;
    assert!(start.text.contains("/api/v1/openapi.json") && !start.text.contains("://"), "{}", start.text);
    for nothing in ["/docs/", "/docs/nothing.js", "/docs/..%2Findex.html"] {
        assert_eq!(get(&site, nothing, "*/*", &[]).await.status, 404, "{nothing}");
    }
}
