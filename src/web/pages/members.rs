//! Who is in a room: the list, joining, leaving, adding and removing.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{RoomId, UserId};
use crate::rooms::members::{self, Member, Whom};
use crate::rooms::{self, Room};
use crate::users::Person;
use crate::web::extract::{Asked, Fields, Id, SignedIn};
use crate::web::render::{Chrome, PageError, page};

const SHOWN: usize = 100;

pub struct MemberPages;

#[derive(Template)]
#[template(path = "pages/members.html")]
struct MembersPage {
    chrome: Chrome,
    person: Person,
    room: Room,
    members: Vec<Member>,
    /// The name after which the next page begins.
    next: Option<String>,
    typed: String,
    errors: FieldErrors,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: String,
}

/// `user_id` holds an id, or the name that a person would type.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NewMember {
    user_id: String,
}

impl MemberPages {
    /// `GET /rooms/{id}/members`. Cost: 2 queries, O(members).
    pub async fn list(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Asked(After { after }): Asked<After>,
    ) -> Result<Response, PageError> {
        let shown = MembersPage::load(&app, person, RoomId(id), &after).await?;
        Ok(page(StatusCode::OK, &shown))
    }

    /// `POST /rooms/{id}/join`: becomes a member of a public room.
    pub async fn join(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
    ) -> Result<Redirect, PageError> {
        members::join(&app, &person, RoomId(id)).await?;
        Ok(Redirect::to(&format!("/chat/rooms/{id}")))
    }

    /// `POST /rooms/{id}/leave`.
    pub async fn leave(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
    ) -> Result<Redirect, PageError> {
        members::remove(&app, &person, RoomId(id), person.id).await?;
        Ok(Redirect::to("/chat"))
    }

    /// `POST /rooms/{id}/members`: adds a person.
    pub async fn add(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(new): Fields<NewMember>,
    ) -> Result<Response, PageError> {
        match members::add(&app, &person, RoomId(id), Whom::Typed(&new.user_id)).await {
            Ok(_) => Ok(Redirect::to(&format!("/rooms/{id}/members")).into_response()),
            Err(Error::Invalid(errors)) => {
                let mut shown = MembersPage::load(&app, person, RoomId(id), "").await?;
                shown.errors = errors;
                shown.typed = new.user_id;
                Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &shown))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// `POST /rooms/{id}/members/{user_id}/remove`.
    pub async fn remove(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path((Id(id), Id(user))): Path<(Id, Id)>,
    ) -> Result<Redirect, PageError> {
        members::remove(&app, &person, RoomId(id), UserId(user)).await?;
        Ok(Redirect::to(&format!("/rooms/{id}/members")))
    }
}

impl MembersPage {
    async fn load(app: &App, person: Person, id: RoomId, after: &str) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let room = rooms::see(&mut conn, person.id, id).await?;
        let mut members = members::page(&mut conn, id, after, SHOWN as i64 + 1).await?;
        let more = members.len() > SHOWN;
        members.truncate(SHOWN);
        let next = members.last().filter(|_| more).map(|last| last.username.clone());
        let (typed, errors) = Default::default();
        Ok(Self { chrome: Chrome::new(app, Some(person.clone())), person, room, members, next, typed, errors })
    }
}
