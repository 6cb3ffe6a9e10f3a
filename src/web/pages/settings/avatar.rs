//! The picture in the section Profile: uploading one, taking it away.

use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Section, SettingsPage, done};
use crate::app::App;
use crate::error::{Error, FieldErrors, Result};
use crate::users::Person;
use crate::users::avatar::{self, MOST_BYTES};
use crate::web::extract::SignedIn;
use crate::web::once::Once;
use crate::web::render::{PageError, page};

/// Bytes that are read of a request. More than may be kept: a browser that is cut off while it still sends shows its
/// own error page in place of ours.
pub const MOST_READ: usize = 8 * MOST_BYTES;

/// `POST /settings/avatar`, multipart with the field `avatar`.
pub async fn upload(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    parts: Result<Multipart, MultipartRejection>,
) -> Result<Response, PageError> {
    match take_in(&app, &person, parts).await {
        Ok(()) => done(&app, &person, Section::Profile, Once::notice(tr!("Your picture is saved."))),
        Err(Error::TooLarge) => {
            let mut shown = SettingsPage::load(&app, &person).await?;
            let errors = FieldErrors::one("avatar", tr!("A picture has at most 8 MiB."));
            shown.wrong = Some((Section::Profile, errors));
            Ok(page(StatusCode::PAYLOAD_TOO_LARGE, &shown))
        }
        Err(error) => SettingsPage::load(&app, &person).await?.refused(Section::Profile, error),
    }
}

async fn take_in(app: &App, person: &Person, parts: Result<Multipart, MultipartRejection>) -> Result<()> {
    let turn = app.uploads.begin(person.id);
    let _turn = turn.ok_or_else(|| Error::field("avatar", tr!("Another picture of yours is on its way.")))?;
    let bytes = read(parts).await?;
    avatar::set(app, person, bytes).await
}

/// `POST /settings/avatar/remove`.
pub async fn remove(State(app): State<App>, SignedIn(person): SignedIn) -> Result<Response, PageError> {
    avatar::remove(&app, &person).await?;
    done(&app, &person, Section::Profile, Once::notice(tr!("Your picture is removed.")))
}

/// The bytes of the field `avatar`. Errors: [`Error::TooLarge`], [`Error::Invalid`] for what is no form with a file.
async fn read(parts: Result<Multipart, MultipartRejection>) -> Result<Vec<u8>> {
    let mut parts = parts.map_err(|_| Error::field("avatar", tr!("Choose a picture first.")))?;
    let (mut bytes, mut is_too_large) = (Vec::new(), false);
    while let Some(mut part) = parts.next_field().await.map_err(broken)? {
        let is_picture = part.name() == Some("avatar");
        while let Some(chunk) = part.chunk().await.map_err(broken)? {
            is_too_large |= is_picture && bytes.len() + chunk.len() > MOST_BYTES;
            if is_picture && !is_too_large {
                bytes.extend_from_slice(&chunk);
            }
        }
    }
    if is_too_large { Err(Error::TooLarge) } else { Ok(bytes) }
}

fn broken(error: MultipartError) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Error::TooLarge
    } else {
        Error::field("avatar", tr!("The picture didn't arrive in one piece. Please try again."))
    }
}
