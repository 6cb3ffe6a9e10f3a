//! What is posted from a room's page: a form with files or without. Called by `web/pages/chat.rs`.

use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use tokio::time::timeout;

use crate::app::App;
use crate::attachments::intake::Intake;
use crate::error::{Error, Result};
use crate::ids::{MessageId, RoomId};
use crate::messages::{self, NewMessage, Posted};
use crate::users::Person;
use crate::web::extract::Fields;
use crate::web::render::PageError;
use crate::web::upload::{self, Typed};

const SENT_BEFORE: &str = msgid!("The message before this one was sent from here already. Send this one now.");

#[derive(Default, Deserialize)]
#[serde(default)]
struct Composer {
    content: String,
    client_id: Option<String>,
    reply_to: Option<MessageId>,
}

/// What was typed, and what came of it.
pub struct Sent {
    pub typed: Typed,
    pub posted: Result<()>,
}

/// Posts what the form says to `room`. Errors: those after which there is no form to show again, one that can't be read
/// above all; the others are in [`Sent::posted`]. Cost: as [`messages::post`], with files as [`Intake::post`].
pub async fn send(app: &App, person: &Person, room: RoomId, request: Request) -> Result<Sent, PageError> {
    if upload::is_multipart(request.headers()) {
        let mut intake = Intake::begin(app, person, room).await?;
        let (mut typed, read) = upload::read(app, &mut intake, request).await;
        let files = intake.digests();
        typed.content = as_typed(&typed.content);
        let posted = match read {
            Ok(()) => intake.post(&typed.content, typed.client_id.clone(), typed.reply_to).await,
            Err(error @ Error::Malformed(_)) => return Err(error.into()),
            Err(error) => Err(error),
        };
        let posted = posted.and_then(|posted| same(&posted, &typed, &files));
        return Ok(Sent { typed, posted });
    }
    let form = timeout(upload::SILENCE, Fields::from_request(request, app)).await;
    let Fields(Composer { content, client_id, reply_to }) = form.map_err(|_| upload::unfinished())??;
    let typed = Typed { content: as_typed(&content), client_id, reply_to };
    let posted = match NewMessage::parse(&typed.content, typed.client_id.clone(), typed.reply_to) {
        Ok(new) => messages::post(app, person, room, new).await,
        Err(error) => Err(error),
    };
    let posted = posted.and_then(|posted| same(&posted, &typed, &[]));
    Ok(Sent { typed, posted })
}

/// Forms send every line end as two characters; one was typed (HTML, "constructing the entry list").
pub fn as_typed(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Back in the browser and something else put into the same form: that is another message, not a repeat.
fn same(posted: &Posted, typed: &Typed, files: &[String]) -> Result<()> {
    let message = &posted.message;
    let is_same =
        message.content == typed.content.trim() && message.attachments.iter().map(|file| &file.sha256).eq(files);
    if posted.new || is_same { Ok(()) } else { Err(Error::Conflict(SENT_BEFORE)) }
}

/// What is wrong, beside the field.
pub fn words(app: &App, error: &Error) -> String {
    match error {
        Error::TooLarge => upload::too_large(app),
        error => error.to_string(),
    }
}
