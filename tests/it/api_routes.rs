//! The routes of the API and its document are the same: nothing is routed that isn't described, and nothing described that
//! isn't routed.

use std::collections::BTreeSet;

use serde_json::Value;
use switchboard::web::api;

use crate::support::app::{Engine, Options, Site};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

async fn site_and_document() -> (Site, Value) {
    let options = Options { settings: vec![("DEBUG", "true")], ..Options::default() };
    let site = Site::with(Engine::Sqlite, options).await;
    let document = reqwest::get(site.url("/api/v1/openapi.json")).await.unwrap().json().await.unwrap();
    (site, document)
}

/// What is described at each path.
fn described(document: &Value) -> Vec<(&str, BTreeSet<String>)> {
    let methods = |calls: &Value| {
        let names = calls.as_object().unwrap().keys().map(|method| method.to_uppercase());
        names.filter(|method| METHODS.contains(&method.as_str())).collect()
    };
    document["paths"].as_object().unwrap().iter().map(|(path, calls)| (path.as_str(), methods(calls))).collect()
}

/// An address of this form.
fn instance(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_described_call_is_routed_and_allow_names_no_other() {
    let (site, document) = site_and_document().await;
    let client = reqwest::Client::new();
    for (path, methods) in described(&document) {
        let address = site.url(&instance(path));
        for method in METHODS {
            let answer = client.request(method.parse().unwrap(), &address).send().await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let text = answer.text().await.unwrap();
            let nothing = ["There is nothing at this address.", "There is no such page."];
            assert!(!nothing.iter().any(|nothing| text.contains(nothing)), "{method} {path} isn't routed");
            assert_eq!(status == 405, !methods.contains(method), "{method} {path}: {status} {text}");
            if status == 405 {
                let allowed = headers["allow"].to_str().unwrap().split(',').map(|one| one.trim().to_owned());
                let mut expected = methods.clone();
                if methods.contains("GET") {
                    expected.insert("HEAD".into());
                }
                assert_eq!(allowed.collect::<BTreeSet<_>>(), expected, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_routed_that_is_not_described() {
    let (_site, document) = site_and_document().await;
    let described: BTreeSet<_> = described(&document).into_iter().map(|(path, _)| path.to_owned()).collect();
    // axum lists its routes in no other way.
    let listed = format!("{:?}", api::routes());
    let listed = listed.split("\"/").skip(1).map(|rest| rest.split('"').next().unwrap());
    // The first and the last are those of its own fallback.
    let routed = listed.filter(|path| !path.is_empty() && !path.starts_with("{*__private__"));
    let routed: BTreeSet<_> = routed.map(|path| format!("/{path}")).collect();
    assert!(routed.len() > 5, "{routed:?}");
    let own = ["/api/v1/openapi.json", "/up", "/health", "/metrics"].map(str::to_owned);
    let expected: BTreeSet<_> = described.into_iter().filter(|path| !own.contains(path)).collect();
    assert_eq!(routed, expected);
}

#[tokio::test]
async fn everything_that_is_referred_to_is_in_the_document_and_every_call_has_a_name_of_its_own() {
    let (_site, document) = site_and_document().await;
    let mut ids = BTreeSet::new();
    for (path, calls) in document["paths"].as_object().unwrap() {
        for call in calls.as_object().unwrap().values() {
            let id = call["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            let declared: BTreeSet<_> = call["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let named: BTreeSet<_> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(declared, named, "{path}");
            assert!(call["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{path}");
        }
    }
    let text = document.to_string();
    for place in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(place).is_some(), "{place}");
    }
}

/// What programs were promised.
const PROMISED: &[(&str, &[&str])] = &[
    ("POST", &["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout", "/auth/password"]),
    ("POST", &["/auth/two-factor", "/auth/two-factor/confirm", "/auth/password-reset", "/auth/password-reset-confirm"]),
    ("GET", &["/auth/me", "/users", "/users/{id}", "/chat/rooms", "/chat/rooms/{id}", "/chat/rooms/{id}/members"]),
    ("GET", &["/chat/rooms/{id}/messages", "/chat/search", "/chat/attachments/{id}", "/interests", "/notifications"]),
    ("GET", &["/blocks", "/admin/stats", "/openapi.json", "/chat/rooms/{id}/pins"]),
    ("POST", &["/chat/rooms/{id}/notify"]),
    ("POST", &["/chat/rooms", "/chat/rooms/{id}/members", "/chat/rooms/{id}/messages", "/chat/rooms/{id}/read"]),
    ("POST", &["/chat/messages/{id}/report", "/interests", "/notifications/read"]),
    ("POST", &["/interests/{id}/accept", "/interests/{id}/reject", "/interests/{id}/cancel"]),
    ("PUT", &["/chat/messages/{id}/reactions/{emoji}", "/chat/messages/{id}/pin", "/users/{id}/block"]),
    ("PATCH", &["/auth/me", "/chat/rooms/{id}", "/chat/messages/{id}"]),
    ("DELETE", &["/auth/two-factor", "/chat/rooms/{id}", "/chat/rooms/{id}/members/{user_id}", "/chat/messages/{id}"]),
    ("DELETE", &["/chat/messages/{id}/reactions/{emoji}", "/chat/messages/{id}/pin", "/users/{id}/block"]),
];

#[tokio::test]
async fn every_promised_call_is_described() {
    let (_site, document) = site_and_document().await;
    let has = |method: &str, path: &str| document["paths"][path][method.to_lowercase()].is_object();
    for (method, paths) in PROMISED {
        for path in *paths {
            assert!(has(method, &format!("/api/v1{path}")), "{method} {path}");
        }
    }
    let models = [
        "users",
        "rooms",
        "memberships",
        "messages",
        "message-edits",
        "pins",
        "attachments",
        "reactions",
        "interests",
        "blocks",
        "notifications",
        "password-reset-tokens",
        "sessions",
        "api-tokens",
        "emails",
        "reports",
        "audit-entries",
    ];
    for (model, key) in models.map(|model| (model, "id")).into_iter().chain([("settings", "key")]) {
        let (all, one) = (format!("/api/v1/admin/{model}"), format!("/api/v1/admin/{model}/{{{key}}}"));
        assert!(has("GET", &all) && has("POST", &all), "{all}");
        assert!(has("GET", &one) && has("PATCH", &one) && has("DELETE", &one), "{one}");
    }
    assert!(has("GET", "/up") && has("GET", "/health"));
}
