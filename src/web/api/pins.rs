//! `/api/v1/chat/rooms/{id}/pins` and `/api/v1/chat/messages/{id}/pin`: messages that a room keeps at hand.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};

use super::auth::Answer;
use super::caller::Caller;
use super::list::List;
use super::operation::{Area, op};
use super::params::At;
use crate::app::App;
use crate::ids::{MessageId, RoomId};
use crate::messages::{Message, pins};
use crate::rooms;

pub struct PinApi;

const NOT_YOURS: &str = "Only the room's owners, staff who are in it, and in a direct room both, pin messages.";

/// What a room keeps at hand.
pub fn area() -> Area {
    let list = op("List a room's pinned messages")
        .about(
            "The newest pin first; at most 50, all at once. A `pins` frame in the room's feed says that they changed.",
        )
        .id("id", "The room.")
        .polled()
        .answers::<List<Message>>(200, "The messages.");
    let pin = op("Pin a message")
        .about("A second time it changes nothing.")
        .id("id", "The message.")
        .answers_nothing(204, "It is pinned.")
        .refuses(403, NOT_YOURS)
        .refuses(409, "The message is deleted, or 50 are pinned in its room already.");
    let unpin = op("Unpin a message")
        .about("Where there is no pin it changes nothing.")
        .id("id", "The message.")
        .answers_nothing(204, "It isn't pinned.")
        .refuses(403, NOT_YOURS)
        .refuses(409, "The message is deleted.");
    Area::new("Pins", "Messages that a room keeps at hand.")
        .add(Method::GET, "/chat/rooms/{id}/pins", PinApi::list, list)
        .add(Method::PUT, "/chat/messages/{id}/pin", PinApi::pin, pin)
        .add(Method::DELETE, "/chat/messages/{id}/pin", PinApi::unpin, unpin)
}

impl PinApi {
    /// `GET /chat/rooms/{id}/pins`. Cost: 3 to 5 indexed queries besides who calls.
    pub async fn list(State(app): State<App>, caller: Caller, At(room): At<i64>) -> Answer<Json<List<Message>>> {
        let mut conn = app.db.read().await?;
        let room = rooms::see(&mut conn, caller.person.id, RoomId(room)).await?;
        Ok(Json(List { items: pins::of(&mut conn, room.id).await?, next: None }))
    }

    /// `PUT /chat/messages/{id}/pin`.
    pub async fn pin(State(app): State<App>, caller: Caller, At(id): At<i64>) -> Answer<StatusCode> {
        pins::pin(&app, &caller.person, MessageId(id)).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// `DELETE /chat/messages/{id}/pin`.
    pub async fn unpin(State(app): State<App>, caller: Caller, At(id): At<i64>) -> Answer<StatusCode> {
        pins::unpin(&app, &caller.person, MessageId(id)).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}
