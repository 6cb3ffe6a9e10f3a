//! Programs: what speaks JSON to `/api/v1` and opens sockets with tokens, without a browser's cookies unless told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use switchboard::app::Seams;
use switchboard::auth::api_tokens;
use switchboard::clock::{Clock, Timestamp};
use switchboard::ids::{ApiTokenId, UserId};
use switchboard::work::Work;
use totp_rs::{Builder, Secret};

use super::actors::PASSWORD;
use super::app::{Engine, Options, Site};
use super::socket::Socket;

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text))
    }

    /// Fails unless it has this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Fails unless it is a problem of this status; with a field, one whose errors are at that field alone.
    #[track_caller]
    pub fn refuses(self, status: u16, field: Option<&str>) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["cache-control"], "no-store");
        let problem = self.json();
        assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        let fields: Vec<_> = problem["errors"].as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
        assert_eq!(fields, field.into_iter().collect::<Vec<_>>(), "{problem}");
        problem
    }

    pub fn cookie(&self) -> Option<String> {
        let cookie = self.headers.get(SET_COOKIE)?.to_str().unwrap();
        cookie.split(';').next().map(str::to_owned)
    }
}

/// This field of each item of a list.
#[track_caller]
pub fn each(list: &Value, field: &str) -> Vec<Value> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}

/// A program, perhaps signed in.
#[derive(Clone)]
pub struct Program {
    pub client: Client,
    pub base: String,
    pub access: Option<String>,
    pub refresh: String,
    pub cookie: Option<String>,
}

impl Program {
    pub fn new(site: &Site) -> Self {
        Self::at(&site.url(""))
    }

    pub fn at(base: &str) -> Self {
        Self { client: Client::new(), base: base.to_owned(), access: None, refresh: String::new(), cookie: None }
    }

    /// The same with another token.
    pub fn with(&self, token: &str) -> Self {
        Self { access: Some(token.to_owned()), ..self.clone() }
    }

    /// Registers `name`, who isn't signed in.
    pub async fn register(&self, name: &str) -> Answer {
        let email = format!("{name}@example.org");
        self.post("/auth/register", json!({"username": name, "email": email, "password": PASSWORD})).await
    }

    /// Registers `name` and logs in, without keeping the cookie.
    pub async fn registered(site: &Site, name: &str) -> Self {
        Self::new(site).register(name).await.is(201);
        Self::logged_in(site, name).await
    }

    pub async fn logged_in(site: &Site, name: &str) -> Self {
        let mut program = Self::new(site);
        program.log_in(name).await;
        program
    }

    /// Logs in as `name` without keeping the cookie.
    pub async fn log_in(&mut self, name: &str) {
        let answer = self.post("/auth/login", json!({"username": name, "password": PASSWORD})).await.is(200);
        self.take(&answer.json());
    }

    /// Registers `name`, who is given a role.
    pub async fn of_role(site: &Site, name: &str, role: &str) -> Self {
        let program = Self::registered(site, name).await;
        site.sql(&format!("update users set role = '{role}' where username = '{name}'")).await;
        program
    }

    /// Ann, Bob and Cat, whose ids are 1, 2 and 3.
    pub async fn three(site: &Site) -> [Self; 3] {
        let mut people = Vec::new();
        for name in ["ann", "bob", "cat"] {
            people.push(Self::registered(site, name).await);
        }
        people.try_into().ok().unwrap()
    }

    /// Makes a room and says its id.
    pub async fn room(&self, body: Value) -> i64 {
        self.post("/chat/rooms", body).await.is(201).json()["id"].as_i64().unwrap()
    }

    /// Takes the pair of tokens of an answer.
    pub fn take(&mut self, tokens: &Value) {
        self.access = Some(tokens["access"].as_str().unwrap().to_owned());
        self.refresh = tokens["refresh"].as_str().unwrap().to_owned();
    }

    pub async fn send(&self, method: &str, path: &str, kind: Option<&str>, body: &str) -> Answer {
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.base)).body(body.to_owned());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        if let Some(access) = &self.access {
            request = request.header("authorization", format!("Bearer {access}"));
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some("application/json"), &body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some("application/json"), &body.to_string()).await
    }

    pub async fn delete(&self, path: &str, body: Value) -> Answer {
        self.send("DELETE", path, Some("application/json"), &body.to_string()).await
    }

    /// The status of asking who one is.
    pub async fn me(&self) -> u16 {
        self.get("/auth/me").await.status
    }

    /// Opens a socket with this program's token in its address, without an `Origin`.
    pub async fn socket(&self, path: &str) -> Socket {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}token={}", self.access.as_ref().unwrap());
        let mut socket = Socket::open(&self.base, &path, None, None).await.unwrap();
        socket.expect("connected").await;
        socket
    }
}

impl Site {
    /// A personal token of this account, as the settings page makes it.
    pub async fn token(&self, user: i64, expires: Option<Timestamp>) -> (ApiTokenId, String) {
        let mut work = Work::begin(&self.app, None).await.unwrap();
        let made = api_tokens::make(&mut work, UserId(user), "My bot", expires).await.unwrap();
        work.commit().await.unwrap();
        made
    }
}

/// A site with the API whose clock stands still until it is moved.
pub async fn api_with(engine: Engine, settings: &[(&'static str, &'static str)]) -> (Site, Time) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let time = Time(Arc::new(AtomicI64::new(i64::try_from(now.as_micros()).unwrap())));
    let seams = Seams { clock: Clock::Fixed(time.0.clone()), ..Seams::default() };
    let settings = [&[("API", "true")], settings].concat();
    (Site::with(engine, Options { settings, seams }).await, time)
}

pub async fn api(engine: Engine) -> (Site, Time) {
    api_with(engine, &[]).await
}

/// The site's clock.
#[derive(Clone)]
pub struct Time(pub Arc<AtomicI64>);

impl Time {
    pub fn seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed) / 1_000_000
    }

    pub fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// What an authenticator app with this secret shows `steps` of 30 seconds from now.
    pub fn code(&self, secret: &str, steps: i64) -> String {
        let totp = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap();
        totp.generate(u64::try_from(self.seconds() + 30 * steps).unwrap()).to_string()
    }
}
