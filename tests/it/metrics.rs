//! `/metrics`: who may read it, what it counts, and that the dashboard in `deploy/` asks for nothing else.

use std::collections::BTreeSet;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::support::app::{Engine, Site, both};
use crate::support::program::{Program, api_with};
use crate::support::talk::{room, said};

const TOKEN: &str = "a token for the metrics alone";

async fn asked(site: &Site, token: Option<&str>) -> (StatusCode, String) {
    let request = Client::new().get(site.url("/metrics"));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// The value of a series, as it stands in the text.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
}

async fn with_token(engine: Engine) -> Site {
    api_with(engine, &[("METRICS_TOKEN", TOKEN)]).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_and_debug_there_are_no_metrics() {
    let (site, _) = api_with(Engine::Sqlite, &[]).await;
    assert_eq!(asked(&site, None).await.0, 404);
    assert_eq!(asked(&site, Some("")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_debug_anybody_reads_them() {
    let (site, _) = api_with(Engine::Sqlite, &[("DEBUG", "true")]).await;
    let answer = Client::new().get(site.url("/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_them_but_with_their_own_token() {
    let site = with_token(Engine::Sqlite).await;
    let root = Program::of_role(&site, "root", "admin").await;
    for wrong in [None, Some(""), Some("a token for the metrics"), root.access.as_deref()] {
        let answer = asked(&site, wrong).await;
        assert!(answer.0 == 401 && !answer.1.contains("switchboard_"), "{wrong:?}: {answer:?}");
    }
    assert_eq!(asked(&site, Some(TOKEN)).await.0, 200);
}

both! {
    async fn what_happens_is_counted(engine: Engine) {
        let site = with_token(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let id = room(&site, "group", &[1, 2, 3]).await;
        let mut socket = bob.socket(&format!("/ws/chat/{id}")).await;
        said(&ann, id, "counted").await;
        socket.expect("message").await;
        ann.get("/chat/rooms/77").await.refuses(404, None);
        let (_, text) = asked(&site, Some(TOKEN)).await;

        assert_eq!(value(&text, "switchboard_messages_stored_total"), 1.0);
        assert_eq!(value(&text, "switchboard_sockets_open"), 1.0);
        assert!(value(&text, "switchboard_deliveries_total") >= 1.0);
        assert!(value(&text, "switchboard_fan_out_duration_seconds_count") >= 1.0);
        assert!(value(&text, "switchboard_commit_duration_seconds_count") >= 1.0);
        let route = "method=\"GET\",route=\"/api/v1/chat/rooms/{id}\"";
        assert_eq!(value(&text, &format!("switchboard_http_requests_total{{{route},status=\"404\"}}")), 1.0);
        assert_eq!(value(&text, &format!("switchboard_http_request_duration_seconds_count{{{route}}}")), 1.0);
        assert_eq!(value(&text, "switchboard_outbox_mails{status=\"failed\"}"), 0.0);
        assert!(value(&text, "process_resident_memory_bytes") > 1e6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_label_holds_what_a_visitor_typed() {
    let site = with_token(Engine::Sqlite).await;
    for path in ["/no-such-secret", "/chat/rooms/secret", "/avatars/secret?secret=1"] {
        Client::new().get(site.url(path)).send().await.unwrap();
    }
    let method = "SECRET".parse().unwrap();
    Client::new().request(method, site.url("/login")).send().await.unwrap();
    let (_, text) = asked(&site, Some(TOKEN)).await;
    assert!(!text.to_lowercase().contains("secret"), "{text}");
    assert!(text.contains("route=\"none\""), "{text}");
    assert!(text.contains("method=\"other\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_the_server_closes_is_counted_by_its_code() {
    let site = with_token(Engine::Sqlite).await;
    let [ann, ..] = Program::three(&site).await;
    let mut socket = ann.socket("/ws").await;
    ann.post("/auth/logout", json!({})).await.is(204);
    assert_eq!(socket.close_code().await, 4401);
    drop(socket);
    while value(&asked(&site, Some(TOKEN)).await.1, "switchboard_sockets_open") > 0.0 {
        tokio::task::yield_now().await;
    }
    let (_, text) = asked(&site, Some(TOKEN)).await;
    assert_eq!(value(&text, "switchboard_sockets_closed_total{code=\"4401\"}"), 1.0);
}

/// The names of metrics in a query, in the way of PromQL: words that are no function, label or key word.
fn named(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("switchboard_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_asks_for_metrics_that_there_are() {
    let site = with_token(Engine::Sqlite).await;
    let [ann, ..] = Program::three(&site).await;
    // What is counted by label is there once something is.
    let mut socket = ann.socket("/ws").await;
    ann.post("/auth/logout", json!({})).await.is(204);
    socket.close_code().await;
    while !asked(&site, Some(TOKEN)).await.1.contains("sockets_closed_total{") {
        tokio::task::yield_now().await;
    }
    let (_, text) = asked(&site, Some(TOKEN)).await;
    let told: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    let queries: Vec<&str> = targets.flatten().map(|target| target["expr"].as_str().unwrap()).collect();
    let wanted: BTreeSet<String> = queries.iter().flat_map(|query| named(query)).collect();
    assert!(wanted.len() > 15, "{wanted:?}");
    let missing: Vec<&String> = wanted.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // And the other way: what is told of the site is shown.
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for family in families.filter(|family| family.starts_with("switchboard_")) {
        assert!(queries.iter().any(|query| query.contains(family)), "{family} is on no panel");
    }
}
