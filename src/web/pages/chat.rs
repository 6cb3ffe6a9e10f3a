//! The chat page: the list of rooms, and one room's talk. Without JavaScript the composer is a form like any other.

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::auth::random_token;
use crate::error::{Error, Result};
use crate::ids::{RoomId, UserId};
use crate::messages::{self, Message};
use crate::rooms::{self, Room, list};
use crate::users::Person;
use crate::web::extract::{Asked, Id, SignedIn};
use crate::web::pages::composer::{self, Sent};
use crate::web::render::{Chrome, PageError, page};

/// Messages on a page.
const SHOWN: i64 = 50;
/// Rooms in the list at the side, of one's own and to join.
const LISTED: i64 = 100;
const LISTED_TO_JOIN: i64 = 20;

pub struct ChatPages;

/// The list at the side of every chat page.
pub struct Sidebar {
    pub rooms: Vec<Room>,
    pub to_join: Vec<Room>,
    pub current: Option<RoomId>,
}

#[derive(Template)]
#[template(path = "pages/chat.html")]
struct ListPage {
    chrome: Chrome,
    sidebar: Sidebar,
}

#[derive(Template)]
#[template(path = "pages/room.html")]
struct RoomPage {
    chrome: Chrome,
    sidebar: Sidebar,
    person: Person,
    room: Room,
    lines: Vec<Line>,
    /// Where the messages before these are, if there are any.
    older: Option<i64>,
    /// These aren't the newest.
    is_past: bool,
    present: Vec<String>,
    draft: String,
    client_id: String,
    error: String,
}

/// A message on the page, and how it stands to the one above.
struct Line {
    message: Message,
    /// The day, when it is another than the message's above.
    day: Option<String>,
    /// By the same person, soon after: shown without repeating who.
    again: bool,
}

/// Messages by one person within so many microseconds are shown together.
const TOGETHER: i64 = 5 * 60 * 1_000_000;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Before {
    before: Option<i64>,
}

impl ChatPages {
    /// `GET /chat`. Cost: 2 queries, O(rooms shown).
    pub async fn list(State(app): State<App>, SignedIn(person): SignedIn) -> Result<Response, PageError> {
        let sidebar = Sidebar::load(&app, person.id, None).await?;
        Ok(page(StatusCode::OK, &ListPage { chrome: Chrome::new(&app, Some(person)), sidebar }))
    }

    /// `GET /chat/rooms/{id}`. The newest page counts as read. Cost: 4 queries, O(50).
    pub async fn room(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Asked(at): Asked<Before>,
    ) -> Result<Response, PageError> {
        let shown = RoomPage::load(&app, &person, RoomId(id), at.before).await?;
        if at.before.is_none() && shown.room.unread() > 0 {
            messages::read(&app, &person, shown.room.id, shown.room.last_seq).await?;
        }
        Ok(page(StatusCode::OK, &shown))
    }

    /// `POST /chat/rooms/{id}`: posts a message, perhaps with files.
    pub async fn post(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        request: Request,
    ) -> Result<Response, PageError> {
        let room = RoomId(id);
        let Sent { typed, posted } = composer::send(&app, &person, room, request).await?;
        match posted {
            Ok(_) => Ok(Redirect::to(&format!("/chat/rooms/{room}#end")).into_response()),
            Err(error @ (Error::NotFound(_) | Error::Internal(_))) => Err(error.into()),
            Err(error) => {
                let mut shown = RoomPage::load(&app, &person, room, None).await?;
                shown.error = composer::words(&app, &error);
                shown.draft = typed.content;
                // Nobody knows whether it was stored: sent again under the same id it can't be there twice.
                if let (Error::Unavailable, Some(client_id)) = (&error, typed.client_id) {
                    shown.client_id = client_id;
                }
                Ok(page(StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY), &shown))
            }
        }
    }
}

impl Sidebar {
    /// Cost: 2 queries, O(rooms shown).
    pub async fn load(app: &App, person: UserId, current: Option<RoomId>) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let rooms = list::own(&mut conn, person, LISTED).await?;
        let to_join = list::to_join(&mut conn, person, LISTED_TO_JOIN).await?;
        Ok(Self { rooms, to_join, current })
    }

    fn is_current(&self, room: &Room) -> bool {
        self.current == Some(room.id)
    }
}

impl RoomPage {
    async fn load(app: &App, person: &Person, id: RoomId, before: Option<i64>) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let room = rooms::see(&mut conn, person.id, id).await?;
        let before = before.filter(|before| *before > 0);
        let messages = messages::page(&mut conn, id, before.unwrap_or(i64::MAX), SHOWN).await?;
        drop(conn);
        Ok(Self {
            chrome: Chrome::new(app, Some(person.clone())),
            sidebar: Sidebar::load(app, person.id, Some(id)).await?,
            person: person.clone(),
            older: messages.first().map(|first| first.seq).filter(|seq| *seq > 1),
            is_past: before.is_some_and(|before| before <= room.last_seq),
            lines: lines(messages),
            present: app.hub.present(id),
            draft: String::new(),
            client_id: random_token()[..32].to_owned(),
            error: String::new(),
            room,
        })
    }
}

fn lines(messages: Vec<Message>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::with_capacity(messages.len());
    for message in messages {
        let above = lines.last().map(|line| &line.message);
        let day = message.created_at.day();
        let is_new_day = above.is_none_or(|above| above.created_at.day() != day);
        let again = !is_new_day
            && above.is_some_and(|above| {
                above.user_id == message.user_id && message.created_at.0 - above.created_at.0 < TOGETHER
            });
        lines.push(Line { day: is_new_day.then_some(day), again, message });
    }
    lines
}
