//! `/api/v1/interests`: asking somebody to talk, and answering.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Answer;
use super::caller::Caller;
use super::json::Body;
use super::list::{List, Paging};
use super::operation::{Area, Call, op};
use super::params::{At, Params};
use crate::app::App;
use crate::clock::Timestamp;
use crate::ids::{InterestId, UserId};
use crate::interests::list::{Entry, Folder, Look};
use crate::interests::{self, NewInterest, Status};
use crate::rooms;

pub struct InterestApi;

/// Whom to ask, by id or by name.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NewInterest)]
pub struct NewInterestBody {
    #[schema(example = 2)]
    recipient_id: Option<UserId>,
    /// A user name, in the place of `recipient_id`.
    #[schema(example = "tomas")]
    recipient: Option<String>,
    #[schema(max_length = 1000, example = "Shall we talk about the garden?")]
    note: Option<String>,
}

/// An interest, and the room that came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedInterest)]
pub struct Accepted {
    #[serde(flatten)]
    interest: Entry,
    /// The direct room of the two.
    room: rooms::list::Entry,
}

/// `in`: what one was sent; `out`: what one sent.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Side {
    In,
    Out,
}

#[derive(Deserialize)]
pub struct Asked {
    r#box: Option<Side>,
    status: Option<Status>,
}

/// Asking somebody to talk.
pub fn area() -> Area {
    let list = op("List interests")
        .about("Newest first.")
        .query::<Side>("box", "`in`: what you were sent; `out`: what you sent. Both when left out.")
        .query::<Status>("status", "Only those of this status.")
        .paged()
        .polled()
        .answers::<List<Entry>>(200, "A page of interests.");
    let send = op("Ask somebody to talk")
        .about("They are told by an `interest` frame and a notification. Of you two one interest is pending or accepted at a \
                time, whoever asked.")
        .body::<NewInterestBody>()
        .answers::<Entry>(201, "The interest, pending.")
        .refuses(400, "The body can't be read, or you ask yourself.")
        .refuses(403, "One of you two has blocked the other.")
        .refuses(
            409,
            "An interest of you two is pending or accepted, or they rejected your last one less than 30 days ago; `detail` \
             says which.",
        );
    let accept = decision("Accept an interest")
        .about("You two have a direct room from then on. Who asked is told.")
        .answers::<Accepted>(200, "The interest, and the room.")
        .refuses(403, "Only who was asked accepts, and while neither of you two has blocked the other.");
    let reject = decision("Reject an interest")
        .about("Who asked is told.")
        .answers::<Entry>(200, "The interest.")
        .refuses(403, "Only who was asked rejects.");
    let cancel = decision("Take an interest back")
        .answers::<Entry>(200, "The interest.")
        .refuses(403, "Only who asked takes it back.");
    Area::new("Interests", "Asking somebody to talk, and answering.")
        .add(Method::GET, "/interests", InterestApi::list, list)
        .add(Method::POST, "/interests", InterestApi::send, send)
        .add(Method::POST, "/interests/{id}/accept", InterestApi::accept, accept)
        .add(Method::POST, "/interests/{id}/reject", InterestApi::reject, reject)
        .add(Method::POST, "/interests/{id}/cancel", InterestApi::cancel, cancel)
}

fn decision(summary: &'static str) -> Call {
    op(summary)
        .id("id", "The interest's id.")
        .refuses(404, "There is no such interest, or it is between others.")
        .refuses(409, "It was decided already, or taken back.")
}

impl InterestApi {
    /// `GET /interests`.
    pub async fn list(
        State(app): State<App>,
        caller: Caller,
        Params(Asked { r#box, status }): Params<Asked>,
        paging: Paging,
    ) -> Answer<Json<List<Entry>>> {
        let folder = match r#box {
            Some(Side::In) => Folder::In,
            Some(Side::Out) => Folder::Out,
            None => Folder::Both,
        };
        let before = paging.after::<(i64, InterestId)>()?.map(|(time, id)| (Timestamp(time), id));
        let look = Look { folder, status, before };
        let found = interests::list::of(&mut app.db.read().await?, caller.person.id, look, paging.limit + 1).await?;
        Ok(Json(List::page(found, paging.limit, |entry| (entry.created_at.0, entry.id), |entry| entry)))
    }

    /// `POST /interests`.
    pub async fn send(
        State(app): State<App>,
        caller: Caller,
        Body(new): Body<NewInterestBody>,
    ) -> Answer<(StatusCode, Json<Entry>)> {
        let note = new.note.unwrap_or_default();
        let new = NewInterest::parse(new.recipient_id, new.recipient, &note)?;
        Ok((StatusCode::CREATED, Json(interests::send(&app, &caller.person, new).await?)))
    }

    /// `POST /interests/{id}/accept`.
    pub async fn accept(State(app): State<App>, caller: Caller, At(id): At<InterestId>) -> Answer<Json<Accepted>> {
        let (interest, room) = interests::accept(&app, &caller.person, id).await?;
        Ok(Json(Accepted { interest, room }))
    }

    /// `POST /interests/{id}/reject`.
    pub async fn reject(State(app): State<App>, caller: Caller, At(id): At<InterestId>) -> Answer<Json<Entry>> {
        Ok(Json(interests::reject(&app, &caller.person, id).await?))
    }

    /// `POST /interests/{id}/cancel`.
    pub async fn cancel(State(app): State<App>, caller: Caller, At(id): At<InterestId>) -> Answer<Json<Entry>> {
        Ok(Json(interests::cancel(&app, &caller.person, id).await?))
    }
}
