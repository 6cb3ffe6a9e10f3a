//! `POST /chat/rooms/{id}/messages`: as JSON, or as a form with files.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::MessageApi;
use crate::app::App;
use crate::attachments::intake::Intake;
use crate::error::Error;
use crate::ids::{MessageId, RoomId};
use crate::messages::{self, Message, Posted};
use crate::web::api::auth::Answer;
use crate::web::api::caller::Caller;
use crate::web::api::json::Body;
use crate::web::api::params::At;
use crate::web::api::problem::Problem;
use crate::web::upload::{self, Typed};

#[derive(Default, Deserialize, ToSchema)]
pub struct NewMessage {
    /// Markdown-light; counted after trimming.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 4000, example = "See you at **ten**")]
    content: Option<String>,
    /// A name of your own, unique among your messages in this room.
    #[schema(max_length = 64, example = "phone-17")]
    client_id: Option<String>,
    /// The id of the message that this one answers.
    #[schema(example = json!(null))]
    reply_to: Option<MessageId>,
}

/// The same with files.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read part by part; this is for the document")]
pub struct NewMessageWithFiles {
    /// Up to ten.
    #[schema(max_items = 10, inline)]
    file: Vec<File>,
    /// May be empty beside files.
    #[schema(max_length = 4000)]
    content: Option<String>,
    #[schema(max_length = 64)]
    client_id: Option<String>,
    reply_to: Option<MessageId>,
}

#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "for the document")]
pub struct File(Vec<u8>);

impl MessageApi {
    /// `POST /chat/rooms/{id}/messages`.
    pub async fn post(
        State(app): State<App>,
        caller: Caller,
        At(room): At<i64>,
        request: Request,
    ) -> Answer<(StatusCode, Json<Message>)> {
        let Caller { person, .. } = caller;
        let room = RoomId(room);
        let Posted { message, new } = if upload::is_multipart(request.headers()) {
            let intake = Intake::begin(&app, &person, room).await?;
            take_in(&app, intake, request).await?
        } else {
            let Body(NewMessage { content, client_id, reply_to }) = Body::from_request(request, &app).await?;
            let new = messages::NewMessage::parse(&content.unwrap_or_default(), client_id, reply_to)?;
            messages::post(&app, &person, room, new).await?
        };
        Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, Json(message)))
    }
}

async fn take_in(app: &App, mut intake: Intake, request: Request) -> Answer<Posted> {
    let (Typed { content, client_id, reply_to }, read) = upload::read(app, &mut intake, request).await;
    let posted = match read {
        Ok(()) => intake.post(&content, client_id, reply_to).await,
        Err(error) => Err(error),
    };
    posted.map_err(|error| match error {
        Error::TooLarge => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, upload::too_large(app)),
        error => error.into(),
    })
}
