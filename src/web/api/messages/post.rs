//! `POST /chat/rooms/{id}/messages`: as JSON, or as a form with files, which go to disk as they come.

use std::time::Duration;

use axum::Json;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::MessageApi;
use crate::app::App;
use crate::attachments::intake::{Intake, MOST_FILES};
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId};
use crate::messages::{self, Message, Posted};
use crate::web::api::auth::Answer;
use crate::web::api::caller::Caller;
use crate::web::api::json::Body;
use crate::web::api::params::At;
use crate::web::api::problem::Problem;

/// Bytes in a form besides its files.
const MOST_AROUND: u64 = 256 * 1024;
/// Bytes in one of its other fields.
const MOST_IN_A_FIELD: usize = 64 * 1024;
/// How long nothing of a form may come.
const SILENCE: Duration = Duration::from_secs(30);

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
        let Posted { message, new } = if is_form(request.headers()) {
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

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
}

/// What a form has besides files.
#[derive(Default)]
struct Typed {
    content: String,
    client_id: Option<String>,
    reply_to: Option<MessageId>,
}

async fn take_in(app: &App, mut intake: Intake, mut request: Request) -> Answer<Posted> {
    let most = app.config.upload_max_bytes.saturating_mul(MOST_FILES as u64).saturating_add(MOST_AROUND);
    DefaultBodyLimit::max(usize::try_from(most).unwrap_or(usize::MAX)).apply(&mut request);
    let parts = Multipart::from_request(request, app).await.map_err(|error: MultipartRejection| {
        Problem::from(Error::Malformed(format!("This form can't be read: {}.", error.body_text())))
    })?;
    let taken = read(&mut intake, parts).await;
    let posted = match taken {
        Ok(Typed { content, client_id, reply_to }) => intake.post(&content, client_id, reply_to).await,
        Err(error) => Err(error),
    };
    posted.map_err(|error| match error {
        Error::TooLarge => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "A file has at most {} bytes, and all of them together ten times that.",
                app.config.upload_max_bytes
            ),
        ),
        error => error.into(),
    })
}

/// Reads all of the form, also after a file was refused: a client that is still sending wouldn't hear of it.
async fn read(intake: &mut Intake, mut parts: Multipart) -> Result<Typed> {
    let mut typed = Typed::default();
    let mut refused = None;
    while let Some(part) = patiently(parts.next_field()).await? {
        let name = part.name().unwrap_or_default().to_owned();
        let done = match name.as_str() {
            _ if refused.is_some() => Ok(()),
            "file" => file(intake, part).await,
            "content" => text(part, "content").await.map(|content| typed.content = content),
            "client_id" => text(part, "client_id").await.map(|id| typed.client_id = Some(id)),
            "reply_to" => text(part, "reply_to").await.and_then(|id| {
                typed.reply_to = number(&id)?;
                Ok(())
            }),
            _ => Ok(()),
        };
        match done {
            // Nothing comes any more.
            Err(error @ (Error::Malformed(_) | Error::Internal(_))) => return Err(error),
            Err(error) => refused = Some(error),
            Ok(()) => {}
        }
    }
    refused.map_or(Ok(typed), Err)
}

/// One file. A browser's empty choice of files is none.
async fn file(intake: &mut Intake, mut part: Field<'_>) -> Result<()> {
    let name = file_name(&part);
    let mut first = patiently(part.chunk()).await?;
    while first.as_ref().is_some_and(|first| first.is_empty()) {
        first = patiently(part.chunk()).await?;
    }
    if first.is_none() && name.is_empty() {
        return Ok(());
    }
    let mut incoming = intake.file(&name).await?;
    let mut next = first;
    while let Some(bytes) = next {
        incoming.write(&bytes).await?;
        next = patiently(part.chunk()).await?;
    }
    intake.add(incoming).await
}

/// What the part calls its file: `filename*` (RFC 8187), which some programs send for names beyond ASCII, or `filename`.
fn file_name(part: &Field<'_>) -> String {
    let disposition = part.headers().get(header::CONTENT_DISPOSITION).map(|value| value.as_bytes());
    let disposition = String::from_utf8_lossy(disposition.unwrap_or_default());
    let extended = disposition.split(';').map(str::trim).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("filename*").then(|| value.trim())
    });
    let decoded = extended.and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, text) = rest.split_once('\'')?;
        let bytes = percent_decode_str(text.trim_matches('"'));
        charset.eq_ignore_ascii_case("utf-8").then(|| bytes.decode_utf8_lossy().into_owned())
    });
    decoded.or_else(|| part.file_name().map(str::to_owned)).unwrap_or_default()
}

async fn text(mut part: Field<'_>, name: &'static str) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = patiently(part.chunk()).await? {
        if bytes.len() + chunk.len() > MOST_IN_A_FIELD {
            return Err(Error::field(name, "This is too long."));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Error::Malformed("This form can't be read: it isn't UTF-8.".into()))
}

/// The message that is answered; none for an empty field.
fn number(text: &str) -> Result<Option<MessageId>> {
    match text.trim() {
        "" => Ok(None),
        text => {
            let id = text.parse().map_err(|_| Error::field("reply_to", "This is no whole number."))?;
            Ok(Some(MessageId(id)))
        }
    }
}

async fn patiently<T>(coming: impl Future<Output = Result<T, MultipartError>>) -> Result<T> {
    let coming = timeout(SILENCE, coming).await;
    let coming = coming.map_err(|_| Error::Malformed("The rest of this form didn't come.".into()))?;
    coming.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => Error::Malformed(format!("This form can't be read: {}.", error.body_text())),
    })
}
