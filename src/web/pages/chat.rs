//! The chat page: the list of rooms, and one room's talk. Without JavaScript the composer is a form like any other.

pub mod kept;
pub mod lines;

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::auth::random_token;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::messages;
use crate::messages::pins;
use crate::messages::quote::{Quote, quote};
use crate::messages::talk::{Talk, Told, talk};
use crate::rooms::list::{self, Side};
use crate::rooms::members::Reader;
use crate::rooms::{self, Room};
use crate::users::Person;
use crate::web::extract::{Asked, Fields, Id, SignedIn};
use crate::web::pages::composer::{self, Sent};
use crate::web::render::{Chrome, PageError, page};
use lines::{Line, first_new, lines};

/// Messages on a page.
const SHOWN: i64 = 50;
/// Of these, so many from a message on that is jumped to.
const BELOW: i64 = SHOWN / 2;
/// Rooms in the list at the side, of one's own and to join.
const LISTED: i64 = 100;
const LISTED_TO_JOIN: i64 = 20;

pub struct ChatPages;

/// The list at the side of every chat page.
pub struct Sidebar {
    pub rooms: Vec<Room>,
    pub to_join: Vec<Room>,
    pub current: Option<RoomId>,
    /// Notifications that aren't read.
    pub notices: i64,
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
    pins: Vec<Quote>,
    /// What is said, as `kept::render` makes it.
    log: String,
    is_empty: bool,
    blank: Line,
    /// Where the messages before these are, if there are any.
    older: Option<i64>,
    /// Where the messages after these are: these aren't the newest.
    newer: Option<i64>,
    /// The last that the reader has seen, where what is new begins before these.
    unseen: Option<i64>,
    present: Vec<String>,
    /// Who has read how far, in a small room.
    readers: Vec<Reader>,
    draft: String,
    /// What is being answered.
    reply: Option<Quote>,
    client_id: String,
    error: String,
}

/// Which stretch of the talk is asked for, and what is to be answered.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Place {
    /// What is before this message.
    before: Option<i64>,
    /// What is around it.
    at: Option<i64>,
    /// The last message that was seen, for the line where the new ones begin.
    seen: Option<i64>,
    reply: Option<MessageId>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Beside {
    room_id: Option<i64>,
}

#[derive(Deserialize)]
pub struct Seen {
    seq: i64,
}

impl ChatPages {
    /// `GET /chat`; `room_id` names the room that a script shows beside the list. Cost: 1 query, O(rooms shown).
    pub async fn list(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Asked(beside): Asked<Beside>,
    ) -> Result<Response, PageError> {
        let mut conn = app.db.read().await?;
        let (sidebar, _) = Sidebar::load(&mut conn, person.id, beside.room_id.map(RoomId)).await?;
        drop(conn);
        Ok(page(StatusCode::OK, &ListPage { chrome: Chrome::new(&app, Some(person)), sidebar }))
    }

    /// `GET /chat/rooms/{id}`. The newest page counts as read when all that is new is on it. Cost: as
    /// [`kept::Pages::newest`]; for other pages 2 queries, O(50).
    pub async fn room(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Asked(place): Asked<Place>,
        headers: HeaderMap,
    ) -> Result<Response, PageError> {
        let id = RoomId(id);
        if place == Place::default() {
            return Ok(app.pages.newest(&app, &person, id, &headers).await?);
        }
        let shown = RoomPage::load(&app, &person, id, place).await?;
        shown.mark_read(&app).await?;
        Ok(page(StatusCode::OK, &shown))
    }

    /// `POST /chat/rooms/{id}/read`: marks the room as read up to `seq`.
    pub async fn read(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(Seen { seq }): Fields<Seen>,
    ) -> Result<Redirect, PageError> {
        messages::mark_read(&app, &person, RoomId(id), seq).await?;
        Ok(Redirect::to(&format!("/chat/rooms/{id}#end")))
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
                let place = Place { reply: typed.reply_to, ..Place::default() };
                let mut shown = RoomPage::load(&app, &person, room, place).await?;
                shown.error = composer::words(&app, &error);
                shown.draft = typed.content;
                // Nobody knows whether it was stored: sent again under the same id it can't be there twice.
                if let (Error::Unavailable, Some(client_id)) = (&error, typed.client_id) {
                    shown.client_id = client_id;
                }
                let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
                let wait = error.retry_after().map(|seconds| [(RETRY_AFTER, seconds.to_string())]);
                Ok((wait, page(status, &shown)).into_response())
            }
        }
    }
}

impl Sidebar {
    /// The list at the side for `person`, and the room that is open if it is there; whether they may see it isn't asked.
    /// Cost: 1 query, O(rooms shown).
    async fn load(conn: &mut Conn, person: UserId, current: Option<RoomId>) -> Result<(Self, Option<Room>)> {
        Ok(Self::of(list::side(conn, person, LISTED, LISTED_TO_JOIN, current).await?, current))
    }

    fn of(side: Side, current: Option<RoomId>) -> (Self, Option<Room>) {
        let Side { own, to_join, notices, room } = side;
        (Self { rooms: own, to_join, current, notices }, room)
    }

    fn is_current(&self, room: &Room) -> bool {
        self.current == Some(room.id)
    }
}

impl RoomPage {
    /// Cost: 2 queries, 1 more with something to answer.
    async fn load(app: &App, person: &Person, id: RoomId, place: Place) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let (sidebar, room) = Sidebar::load(&mut conn, person.id, Some(id)).await?;
        let mut shown = Self::around(app, person, sidebar, rooms::open(room)?);
        let before = place.at.map(|at| at.saturating_add(BELOW)).or(place.before).filter(|before| *before > 0);
        let talk = talk(&mut conn, id, before.unwrap_or(i64::MAX), SHOWN + 1).await?;
        if let Some(message) = place.reply {
            shown.reply = quote(&mut conn, id, message).await?;
        }
        drop(conn);
        let newer = before.filter(|before| *before <= shown.room.last_seq);
        let (messages, seen) = shown.arrange(&talk, newer);
        let new = first_new(messages, person.id, place.seen.or(seen));
        shown.log = kept::render(&lines(messages, person.id, new))?;
        Ok(shown)
    }

    /// Puts beside the talk what goes with it; `newer`: where what comes after it begins. Its messages as they are shown, and
    /// the last that was seen, if there are newer ones in the room.
    fn arrange<'a>(&mut self, talk: &'a Talk, newer: Option<i64>) -> (&'a [Told], Option<i64>) {
        let (has_older, messages) = talk.newest(SHOWN);
        let first = messages.first().map(|first| first.message.seq);
        let seen = self.room.last_read_seq.filter(|read| *read < self.room.last_seq);
        self.older = first.filter(|_| has_older);
        self.unseen = seen.filter(|seen| newer.is_none() && first.is_some_and(|first| first > seen + 1));
        self.newer = newer.map(|newer| newer + BELOW);
        self.is_empty = messages.is_empty();
        (self.readers, self.pins) = (talk.readers.clone(), talk.pins.clone());
        (messages, seen)
    }

    /// Marks the room as read when all that is new is on the page; whether anything was.
    async fn mark_read(&self, app: &App) -> Result<bool> {
        if self.newer.is_some() || self.unseen.is_some() || self.room.unread() == 0 {
            return Ok(false);
        }
        match messages::read(app, &self.person, self.room.id, self.room.last_seq).await {
            // Too much waits to be written: it can be read all the same.
            Ok(()) | Err(Error::Unavailable) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// What stands around the talk in `room`.
    fn around(app: &App, person: &Person, sidebar: Sidebar, room: Room) -> Self {
        Self {
            chrome: Chrome::new(app, Some(person.clone())),
            sidebar,
            person: person.clone(),
            pins: Vec::new(),
            log: String::new(),
            is_empty: true,
            blank: Line::blank(),
            older: None,
            newer: None,
            unseen: None,
            present: app.hub.present(room.id),
            readers: Vec::new(),
            draft: String::new(),
            reply: None,
            client_id: random_token()[..32].to_owned(),
            error: String::new(),
            room,
        }
    }

    /// Whether somebody else has read to the end.
    fn has_been_seen(&self) -> bool {
        let others = self.readers.iter().filter(|reader| reader.user_id != self.person.id);
        self.room.last_seq > 0 && others.into_iter().any(|reader| reader.last_read_seq >= self.room.last_seq)
    }

    fn may_pin(&self) -> bool {
        pins::may_pin(&self.room, &self.person)
    }

    /// Deletes what others wrote.
    fn may_hide(&self) -> bool {
        self.person.is_staff()
    }
}
