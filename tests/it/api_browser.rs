//! The API's pages in Chromium: axe looks at every page that can be opened, calls are made through their forms, with
//! scripts switched off, and Swagger UI runs without a complaint on its console.

use std::time::Duration;

use fantoccini::Locator;
use serde_json::{Value, json};

use crate::accessibility::{look, look_here};
use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Engine, Options, Site};
use crate::support::browser::{Browsers, Window};
use crate::support::program::{Time, api_with};

async fn site() -> Site {
    Site::with(Engine::Sqlite, Options { settings: vec![("DEBUG", "true")], ..Options::default() }).await
}

/// The addresses that a browser may open: every described GET, with what there is in the place of parameters. The models'
/// are made alike, so one stands for all.
async fn addresses(site: &Site) -> Vec<String> {
    let document: Value = reqwest::get(site.url("/api/v1/openapi.json")).await.unwrap().json().await.unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let is_new = |path: &str| match path.strip_prefix("/api/v1/admin/") {
        Some(model) => ["users", "stats"].contains(&model.split('/').next().unwrap()),
        None => path.starts_with("/api/v1"),
    };
    let read = paths.filter(|(path, calls)| is_new(path) && calls.get("get").is_some());
    let filled = |path: &str| {
        path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/")
    };
    read.map(|(path, _)| filled(path)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_any_page_of_the_api() {
    let Some(browsers) = Browsers::start().await else { return };
    let axe = std::fs::read_to_string(std::env::var("AXE_JS").unwrap()).unwrap();
    let site = site().await;
    let mut ann = Visitor::admin(&site, "ann").await;
    let room = ann.public_room("General").await;
    ann.say(room, "Morning! Who has the **release notes**?").await;
    let some =
        ["/api/v1/nowhere", "/api/v1/auth/me", "/api/v1/auth/register", "/api/v1/auth/two-factor"].map(str::to_owned);
    let all = [&addresses(&site).await[..], &["/redoc".to_owned()], &some].concat();
    for (width, dark, pages) in [(1280, false, &all[..]), (1280, true, &some), (360, false, &some), (360, true, &all)] {
        let window = browsers.window(&site.url(""), width, dark).await;
        window.fill_log_in("ann").await;
        let scheme = if dark { "dark" } else { "light" };
        for path in pages {
            look(&window, &axe, path, &format!("api{}-{width}-{scheme}", path.replace('/', "-"))).await;
        }
        window.go("/api/v1/auth/register").await;
        register(&window, "x").await;
        window.wait("[aria-invalid=true]").await;
        look_here(&window, &axe, &format!("api-refused-{width}-{scheme}")).await;
        window.close().await;
    }
}

async fn register(window: &Window, name: &str) {
    window.fill("username", name).await;
    window.fill("email", "bob@example.org").await;
    window.fill("password", PASSWORD).await;
    window.fill("first_name", "Bob").await;
    window.click("form:has([name=username]) button").await;
}

/// Waits until the page shows this status: the one before may still stand for a moment after a click.
async fn shows(window: &Window, status: &str) {
    let shown = format!("//*[contains(@class, 'status')]//b[normalize-space() = '{status}']");
    let waiting = window.client.wait().at_most(Duration::from_secs(30));
    waiting.for_element(Locator::XPath(&shown)).await.unwrap_or_else(|error| panic!("{status}: {error}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_made_through_their_forms_with_scripts_off() {
    let Some(browsers) = Browsers::start().await else { return };
    let (site, time): (Site, Time) = api_with(Engine::Sqlite, &[("DEBUG", "true")]).await;
    let window = browsers.window_without_scripts(&site.url("")).await;
    window.go("/api/v1/auth/register").await;
    shows(&window, "405 Method Not Allowed").await;
    register(&window, "b").await;
    shows(&window, "422 Unprocessable Entity").await;
    window.wait("#post-fields-username-error").await;
    let typed = window.wait("[name=first_name]").await.prop("value").await.unwrap();
    let password = window.wait("[name=password]").await.prop("value").await.unwrap();
    assert_eq!((typed.as_deref(), password.as_deref()), (Some("Bob"), Some("")));
    register(&window, "bob").await;
    shows(&window, "201 Created").await;

    window.go("/api/v1/auth/login").await;
    window.fill("username", "bob").await;
    window.fill("password", PASSWORD).await;
    window.click("form:has([name=username]) button").await;
    shows(&window, "200 OK").await;
    assert!(window.wait(".who").await.text().await.unwrap().contains("Signed in as bob"));

    window.go("/api/v1/auth/two-factor").await;
    window.click("#post ~ .way button").await;
    shows(&window, "200 OK").await;
    let shown: Value = serde_json::from_str(&window.wait(".json").await.text().await.unwrap()).unwrap();
    window.go("/api/v1/auth/two-factor/confirm").await;
    window.fill("code", &time.code(shown["secret"].as_str().unwrap(), 0)).await;
    window.click("form:has([name=code]) button").await;
    shows(&window, "200 OK").await;

    window.go("/api/v1/auth/two-factor").await;
    let confirm = window.wait(".destroy").await;
    assert!(!confirm.is_displayed().await.unwrap(), "what deletes is asked for first");
    window.click("#delete ~ details summary").await;
    window.fill("password", PASSWORD).await;
    window.click(".destroy").await;
    shows(&window, "204 No Content").await;
    assert_eq!(site.number("select count(*) from users where totp_enabled").await, 0);
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swagger_ui_starts_at_our_document_and_tries_calls_out() {
    let Some(browsers) = Browsers::start().await else { return };
    let site = site().await;
    Visitor::registered(&site, "ann").await;
    let window = browsers.window(&site.url(""), 1280, false).await;
    window.fill_log_in("ann").await;
    window.complaints().await;
    window.go("/docs").await;
    window.until("document.querySelectorAll('.opblock').length > 5").await;
    window.click("#operations-My_account-getAuthMe button.opblock-summary-control").await;
    window.click("#operations-My_account-getAuthMe .execute").await;
    window.until("[...document.querySelectorAll('.live-responses-table .response-col_status')].some(e => e.innerText.startsWith('200'))").await;
    if let Some(folder) = std::env::var_os("SCREENSHOTS") {
        let picture = window.client.screenshot().await.unwrap();
        std::fs::write(std::path::Path::new(&folder).join("api-docs.png"), picture).unwrap();
    }
    assert_eq!(window.complaints().await, Vec::<Value>::new());
    let elsewhere =
        "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).map(e => e.name)";
    let elsewhere = window.eval(elsewhere).await.unwrap();
    assert!(
        elsewhere.as_array().unwrap().iter().all(|name| name.as_str().unwrap().starts_with("data:")),
        "{elsewhere}"
    );
    let name =
        window.eval("document.querySelector('#swagger-ui .info .title').innerText.includes('Switchboard')").await;
    assert_eq!(name.unwrap(), json!(true));
    window.close().await;
}
