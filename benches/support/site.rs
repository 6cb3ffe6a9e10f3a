//! A site to measure: SQLite, `synchronous=FULL`, one person in one room.

pub mod door;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use switchboard::app::{App, Seams};
use switchboard::auth::token;
use switchboard::config::{Config, Sources};
use switchboard::ids::RoomId;
use switchboard::messages::{self, NewMessage};
use switchboard::rooms::{self, NewRoom, RoomForm};
use switchboard::routes;
use switchboard::users::{self, NewUser, Person, Registration, Role};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

pub const TEXT: &str =
    "Has anybody seen the **release notes**? They were in `docs/` yesterday, see https://example.org/notes";
const PASSWORD: &str = "correct horse battery";

/// A site on SQLite, `synchronous=FULL`, with one person in one room.
pub struct Site {
    pub runtime: Runtime,
    pub app: App,
    pub router: Router,
    pub ann: Person,
    /// An access token of hers; each bench uses this or the cookie.
    #[allow(dead_code)]
    pub bearer: String,
    /// Her session, as `name=value`.
    #[allow(dead_code)]
    pub cookie: String,
    pub room: RoomId,
    _folder: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("bench.db").display());
        let settings = [("DATABASE_URL", url.as_str()), ("MESSAGE_RATE", "off"), ("API", "true")];
        let flags = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let config = Config::load(&Sources { folder: folder.path().into(), environment: false, flags }).unwrap();
        let (app, router, ann, bearer, cookie, room) = runtime.block_on(async {
            let app = App::start(config, Seams::default()).await.unwrap();
            let router = routes::router(app.clone()).await.unwrap();
            let (username, email) = ("ann".to_owned(), "ann@example.org".to_owned());
            let form = Registration { username, email, password: PASSWORD.into(), ..Registration::default() };
            users::add(&app, NewUser::parse(&form, "Switchboard").unwrap(), Role::User).await.unwrap();
            let (bearer, cookie) = log_in(&router).await;
            let ann = token::person(&app, &bearer).await.unwrap();
            let form = RoomForm { name: "General".into(), ..RoomForm::default() };
            let (room, _) = rooms::create(&app, &ann, NewRoom::parse(&ann, &form).unwrap()).await.unwrap();
            (app, router, ann, bearer, cookie, room)
        });
        Self { runtime, app, router, ann, bearer, cookie, room, _folder: folder }
    }

    pub fn post(&self) {
        let new = NewMessage::parse(TEXT, None, None).unwrap();
        self.runtime.block_on(messages::post(&self.app, &self.ann, self.room, new)).unwrap();
    }

    /// The length of the answer to `request`, which has to be a good one.
    pub async fn ask(&self, request: Request<Body>) -> usize {
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        to_bytes(response.into_body(), usize::MAX).await.unwrap().len()
    }
}

async fn log_in(router: &Router) -> (String, String) {
    let body = format!(r#"{{"username":"ann","password":"{PASSWORD}"}}"#);
    let request = Request::post("/api/v1/auth/login").header(header::CONTENT_TYPE, "application/json");
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let cookie = door::cookie(&response);
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let tokens: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (tokens["access"].as_str().unwrap().to_owned(), cookie)
}
