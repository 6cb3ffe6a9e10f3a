//! A site to measure: SQLite, `synchronous=FULL`, one person in one room.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use switchboard::app::{App, Seams};
use switchboard::config::{Config, Sources};
use switchboard::ids::{RoomId, SessionId};
use switchboard::messages::{self, NewMessage};
use switchboard::rooms::{self, NewRoom, RoomForm};
use switchboard::users::{self, NewUser, Person, Registration, Role, Via};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

pub const TEXT: &str =
    "Has anybody seen the **release notes**? They were in `docs/` yesterday, see https://example.org/notes";
pub const PASSWORD: &str = "correct horse battery";

/// A site on SQLite, `synchronous=FULL`, with one person in one room.
pub struct Site {
    pub runtime: Runtime,
    pub app: App,
    pub ann: Person,
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
        let (app, ann, room) = runtime.block_on(async {
            let app = App::start(config, Seams::default()).await.unwrap();
            let form = Registration {
                username: "ann".into(),
                email: "ann@example.org".into(),
                password: PASSWORD.into(),
                ..Registration::default()
            };
            let id = users::add(&app, NewUser::parse(&form, "Switchboard").unwrap(), Role::User).await.unwrap();
            let (username, role) = ("ann".to_owned(), Role::User);
            let via = Via::Session(SessionId(0));
            let ann = Person {
                id,
                username,
                role,
                via,
                signed_in_at: None,
                confirmed_at: None,
                avatar: None,
                held_back: false,
            };
            let form = RoomForm { name: "General".into(), ..RoomForm::default() };
            let (room, _) = rooms::create(&app, &ann, NewRoom::parse(&ann, &form).unwrap()).await.unwrap();
            (app, ann, room)
        });
        Self { runtime, app, ann, room, _folder: folder }
    }

    pub fn post(&self) {
        let new = NewMessage::parse(TEXT, None, None).unwrap();
        self.runtime.block_on(messages::post(&self.app, &self.ann, self.room, new)).unwrap();
    }

    /// A signed-in browser's cookie.
    pub fn cookie(&self, router: &Router) -> String {
        let body = format!("username=ann&password={}", PASSWORD.replace(' ', "+"));
        let form = "application/x-www-form-urlencoded";
        let request = Request::post("/login").header(header::CONTENT_TYPE, form).body(Body::from(body)).unwrap();
        let response = self.runtime.block_on(router.clone().oneshot(request)).unwrap();
        response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
    }
}
