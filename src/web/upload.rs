//! A message that comes as a form with files: what was typed, and the files, which go to disk as they come. The same for
//! the page (`web/pages/composer.rs`) and the JSON API (`web/api/messages/post.rs`).

use std::time::Duration;

use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use crate::app::App;
use crate::attachments::intake::{Intake, MOST_FILES};
use crate::error::{Error, Result};
use crate::ids::MessageId;

/// Bytes in a form besides its files.
const MOST_AROUND: u64 = 256 * 1024;
/// Bytes in one of its other fields.
const MOST_IN_A_FIELD: usize = 64 * 1024;
/// How long nothing of a form may come, and how long one without files may take.
pub const SILENCE: Duration = Duration::from_secs(30);
/// How long all of it may take: files may come over slow lines; one that stops coming is given up sooner.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What a form has besides files.
#[derive(Default)]
pub struct Typed {
    pub content: String,
    pub client_id: Option<String>,
    pub reply_to: Option<MessageId>,
}

/// Whether a request is a form that may have files.
pub fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
}

/// [`Error::TooLarge`] of a form with files, in words.
pub fn too_large(app: &App) -> String {
    let most = app.config.upload_max_bytes;
    tr!("A file has at most {most} bytes, and all of them together ten times that.", most = most)
}

/// Reads all of a form into `intake`; what was typed, as far as it came, and whether all is well. Errors:
/// [`Error::Malformed`], [`Error::TooLarge`], [`Error::Invalid`] at a field, and those of [`Intake`].
/// Cost: O(one chunk) of memory and what was typed; the files are written to disk.
pub async fn read(app: &App, intake: &mut Intake, mut request: Request) -> (Typed, Result<()>) {
    let mut typed = Typed::default();
    let most = app.config.upload_max_bytes.saturating_mul(MOST_FILES as u64).saturating_add(MOST_AROUND);
    DefaultBodyLimit::max(usize::try_from(most).unwrap_or(usize::MAX)).apply(&mut request);
    let parts =
        Multipart::from_request(request, app).await.map_err(|error: MultipartRejection| unreadable(&error.body_text()));
    let read = match parts {
        Ok(parts) => read_parts(&mut typed, intake, parts).await,
        Err(error) => Err(error),
    };
    (typed, read)
}

/// To whoever stopped sending.
pub fn unfinished() -> Error {
    Error::Malformed(tr!("The rest of this form didn't come.").into())
}

fn unreadable(why: &str) -> Error {
    Error::Malformed(tr!("This form can't be read: {why}.", why = why))
}

/// Reads on after something was refused: a client that is still sending wouldn't hear of it, and what was typed after a
/// file is shown again.
async fn read_parts(typed: &mut Typed, intake: &mut Intake, mut parts: Multipart) -> Result<()> {
    let mut refused = None;
    while let Some(part) = patiently(parts.next_field()).await? {
        let name = part.name().unwrap_or_default().to_owned();
        let done = match name.as_str() {
            "file" if refused.is_none() => file(intake, part).await,
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
            Err(error) => refused = refused.or(Some(error)),
            Ok(()) => {}
        }
    }
    refused.map_or(Ok(()), Err)
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
            return Err(Error::field(name, tr!("This is too long.")));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| unreadable(&tr!("it isn't UTF-8")))
}

/// The message that is answered; none for an empty field.
fn number(text: &str) -> Result<Option<MessageId>> {
    match text.trim() {
        "" => Ok(None),
        text => {
            let id = text.parse().map_err(|_| Error::field("reply_to", tr!("This is no whole number.")))?;
            Ok(Some(MessageId(id)))
        }
    }
}

async fn patiently<T>(coming: impl Future<Output = Result<T, MultipartError>>) -> Result<T> {
    let coming = timeout(SILENCE, coming).await;
    let coming = coming.map_err(|_| unfinished())?;
    coming.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => unreadable(&error.body_text()),
    })
}
