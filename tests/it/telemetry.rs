//! Traces for a collector: a span a request, beneath the caller's, without anything that is nobody's business.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::app::{Database, Engine};
use crate::support::process::Process;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A collector, and what it has been sent.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>, Arc<Notify>) {
    let (sent, came) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::new(Notify::new()));
    let (kept, told) = (sent.clone(), came.clone());
    let take = async move |body: Bytes| {
        kept.lock().unwrap().extend_from_slice(&body);
        told.notify_one();
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, sent, came)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_told_to_the_collector_without_their_secrets() {
    let (address, sent, came) = collector().await;
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "20")];
    let mut process = Process::with(Database::new(Engine::Sqlite).await, "127.0.0.1:0", &environment).await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let url = format!("{}/password-reset/confirm?token=a-secret", process.base);
    let answer = reqwest::Client::new().get(url).header("traceparent", parent).send().await.unwrap();
    assert!(answer.status().as_u16() < 500);
    let trace: Vec<u8> = (0..16).map(|n| u8::from_str_radix(&TRACE[2 * n..2 * n + 2], 16).unwrap()).collect();
    let told = async {
        while !contains(&sent.lock().unwrap(), &trace) {
            came.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is told");
    let told = sent.lock().unwrap().clone();
    for part in ["GET /password-reset/confirm", "switchboard", "http.response.status_code", "http.route"] {
        assert!(contains(&told, part.as_bytes()), "{part} isn't told");
    }
    assert!(!contains(&told, b"a-secret"), "a query is nobody's business");
    assert_eq!(process.terminate().await, 0);
}

/// A collector that isn't there is no reason not to serve, or not to end.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_collector_all_goes_on() {
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_BSP_SCHEDULE_DELAY", "20")];
    let mut process = Process::with(Database::new(Engine::Sqlite).await, "127.0.0.1:0", &environment).await;
    let answer = reqwest::get(format!("{}/up", process.base)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(process.terminate().await, 0);
}
