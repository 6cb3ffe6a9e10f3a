//! The chat page: the list of rooms, and one room's talk. Without JavaScript the composer is a form like any other.

pub mod talk;

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::auth::random_token;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId, UserId};
use crate::messages;
use crate::messages::pins;
use crate::messages::quote::{Quote, quotes};
use crate::notifications;
use crate::rooms::members::{self, Reader};
use crate::rooms::{self, Room, list};
use crate::users::Person;
use crate::web::extract::{Asked, Fields, Id, SignedIn};
use crate::web::pages::composer::{self, Sent};
use crate::web::render::{Chrome, PageError, page};
use talk::{Line, lines};

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
    lines: Vec<Line>,
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
#[derive(Clone, Copy, Default, Deserialize)]
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
    /// `GET /chat`; `room_id` names the room that a script shows beside the list. Cost: 3 queries, O(rooms shown).
    pub async fn list(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Asked(beside): Asked<Beside>,
    ) -> Result<Response, PageError> {
        let sidebar = Sidebar::load(&app, person.id, beside.room_id.map(RoomId)).await?;
        Ok(page(StatusCode::OK, &ListPage { chrome: Chrome::new(&app, Some(person)), sidebar }))
    }

    /// `GET /chat/rooms/{id}`. The newest page counts as read when all that is new is on it. Cost: 6 to 10 queries, O(50).
    pub async fn room(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Asked(place): Asked<Place>,
    ) -> Result<Response, PageError> {
        let shown = RoomPage::load(&app, &person, RoomId(id), place).await?;
        if shown.newer.is_none() && shown.unseen.is_none() && shown.room.unread() > 0 {
            match messages::read(&app, &person, shown.room.id, shown.room.last_seq).await {
                // Too much waits to be written: it can be read all the same.
                Ok(()) | Err(Error::Unavailable) => {}
                Err(error) => return Err(error.into()),
            }
        }
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
    /// Cost: 2 queries, O(rooms shown).
    pub async fn load(app: &App, person: UserId, current: Option<RoomId>) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let rooms = list::own(&mut conn, person, LISTED).await?;
        let to_join = list::to_join(&mut conn, person, LISTED_TO_JOIN).await?;
        let notices = notifications::unread(&mut conn, person).await?;
        Ok(Self { rooms, to_join, current, notices })
    }

    fn is_current(&self, room: &Room) -> bool {
        self.current == Some(room.id)
    }
}

impl RoomPage {
    async fn load(app: &App, person: &Person, id: RoomId, place: Place) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let room = rooms::see(&mut conn, person.id, id).await?;
        let before = place.at.map(|at| at.saturating_add(BELOW)).or(place.before).filter(|before| *before > 0);
        // One more tells whether there are older ones: numbers can't, where messages were erased.
        let mut messages = messages::page(&mut conn, id, before.unwrap_or(i64::MAX), SHOWN + 1).await?;
        let has_older = messages.len() as i64 > SHOWN;
        if has_older {
            messages.remove(0);
        }
        let first = messages.first().map(|first| first.seq);
        let newer = before.filter(|before| *before <= room.last_seq);
        let seen = room.last_read_seq.filter(|read| *read < room.last_seq);
        let lines = lines(&mut conn, person.id, messages, place.seen.or(seen)).await?;
        let readers = members::readers(&mut conn, &room).await?;
        let pins = pins::of(&mut conn, id).await?.into_iter().map(Quote::from).collect();
        let reply = match place.reply {
            Some(id) => answered(&mut conn, &room, id).await?,
            None => None,
        };
        drop(conn);
        Ok(Self {
            chrome: Chrome::new(app, Some(person.clone())),
            sidebar: Sidebar::load(app, person.id, Some(id)).await?,
            person: person.clone(),
            older: first.filter(|_| has_older),
            unseen: seen.filter(|seen| newer.is_none() && first.is_some_and(|first| first > seen + 1)),
            newer: newer.map(|newer| newer + BELOW),
            lines,
            blank: Line::blank(),
            present: app.hub.present(id),
            readers,
            pins,
            draft: String::new(),
            reply,
            client_id: random_token()[..32].to_owned(),
            error: String::new(),
            room,
        })
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

/// What is being answered, when it is in this room. Cost: 1 to 4 indexed queries.
async fn answered(conn: &mut Conn, room: &Room, id: MessageId) -> Result<Option<Quote>> {
    let is_here = messages::is_in(conn, room.id, id).await?;
    Ok(if is_here { quotes(conn, &[id]).await?.remove(&id) } else { None })
}
