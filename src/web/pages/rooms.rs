//! Making a room, and its settings: rename, describe, delete.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{RoomId, UserId};
use crate::rooms::members::notify::{Notify, set_notify};
use crate::rooms::{self, NewRoom, Room, RoomForm};
use crate::users::{Person, User};
use crate::web::extract::{Asked, Fields, Id, SignedIn};
use crate::web::render::{Chrome, PageError, page};

pub struct RoomPages;

#[derive(Template)]
#[template(path = "pages/new_room.html")]
struct NewRoomPage {
    chrome: Chrome,
    form: RoomForm,
    errors: FieldErrors,
    q: String,
    people: Vec<User>,
}

#[derive(Template)]
#[template(path = "pages/room_settings.html")]
struct SettingsPage {
    chrome: Chrome,
    person: Person,
    room: Room,
    form: Names,
    errors: FieldErrors,
}

/// What was typed so far, when people are looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Search {
    q: String,
    kind: String,
    name: String,
    description: String,
    member_ids: Vec<UserId>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Names {
    name: String,
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    notify: String,
}

impl RoomPages {
    /// `GET /rooms/new?kind=&q=…`: `q` is the start of a name, to find people by; the rest is what was typed so far.
    pub async fn form(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Asked(search): Asked<Search>,
    ) -> Result<Response, PageError> {
        let Search { q, kind, name, description, member_ids } = search;
        let form = RoomForm { kind, name, description, member_ids };
        Ok(page(StatusCode::OK, &NewRoomPage::load(&app, person, form, FieldErrors::default(), q).await?))
    }

    /// `POST /rooms/new`: makes the room, or finds the pair's direct one, and goes there.
    pub async fn create(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Fields(form): Fields<RoomForm>,
    ) -> Result<Response, PageError> {
        let made = match NewRoom::parse(&person, &form) {
            Ok(new) => rooms::create(&app, &person, new).await,
            Err(error) => Err(error),
        };
        match made {
            Ok((room, _)) => Ok(Redirect::to(&format!("/chat/rooms/{room}")).into_response()),
            Err(Error::Invalid(errors)) => {
                let shown = NewRoomPage::load(&app, person, form, errors, String::new()).await?;
                Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &shown))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// `GET /rooms/{id}/settings`.
    pub async fn settings(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
    ) -> Result<Response, PageError> {
        let room = rooms::see(&mut app.db.read().await?, person.id, RoomId(id)).await?;
        let form = Names { name: room.name.clone(), description: room.description.clone() };
        let shown = SettingsPage::new(&app, person, room, form, FieldErrors::default());
        Ok(page(StatusCode::OK, &shown))
    }

    /// `POST /rooms/{id}/settings`: changes name and description.
    pub async fn rename(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(names): Fields<Names>,
    ) -> Result<Response, PageError> {
        let id = RoomId(id);
        match rooms::rename(&app, &person, id, Some(&names.name), Some(&names.description)).await {
            Ok(()) => Ok(Redirect::to(&format!("/chat/rooms/{id}")).into_response()),
            Err(Error::Invalid(errors)) => {
                let room = rooms::see(&mut app.db.read().await?, person.id, id).await?;
                let shown = SettingsPage::new(&app, person, room, names, errors);
                Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &shown))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// `POST /rooms/{id}/notify`: what the person is told of there.
    pub async fn notify(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(Choice { notify }): Fields<Choice>,
    ) -> Result<Response, PageError> {
        let id = RoomId(id);
        match Notify::parse(&notify) {
            Ok(notify) => {
                set_notify(&app, &person, id, notify).await?;
                Ok(Redirect::to(&format!("/rooms/{id}/settings")).into_response())
            }
            Err(Error::Invalid(errors)) => {
                let room = rooms::see(&mut app.db.read().await?, person.id, id).await?;
                let form = Names { name: room.name.clone(), description: room.description.clone() };
                let shown = SettingsPage::new(&app, person, room, form, errors);
                Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &shown))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// `POST /rooms/{id}/delete`.
    pub async fn delete(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
    ) -> Result<Redirect, PageError> {
        rooms::delete(&app, &person, RoomId(id)).await?;
        Ok(Redirect::to("/chat"))
    }
}

impl NewRoomPage {
    async fn load(app: &App, person: Person, mut form: RoomForm, errors: FieldErrors, q: String) -> Result<Self> {
        if !["group", "direct"].contains(&form.kind.as_str()) {
            form.kind = "public".to_owned();
        }
        let people = rooms::candidates(&mut app.db.read().await?, &person, &q, &form.member_ids).await?;
        Ok(Self { chrome: Chrome::new(app, Some(person)), form, errors, q, people })
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.form.kind == kind
    }

    fn is_chosen(&self, id: &UserId) -> bool {
        self.form.member_ids.contains(id)
    }
}

impl SettingsPage {
    fn new(app: &App, person: Person, room: Room, form: Names, errors: FieldErrors) -> Self {
        Self { chrome: Chrome::new(app, Some(person.clone())), person, room, form, errors }
    }
}
