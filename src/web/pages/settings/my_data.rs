//! `GET /settings/export`: everything that the site keeps of whoever asks, as a ZIP file.

use std::fs::File;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use tokio::io::AsyncReadExt;

use super::{Section, SettingsPage};
use crate::app::App;
use crate::error::Error;
use crate::users::my_data;
use crate::users::turns::Turn;
use crate::web::extract::SignedIn;
use crate::web::render::PageError;

/// Bytes read from disk at a time.
const PIECE: usize = 64 * 1024;

/// Streamed from a file that has no name, so that nothing of it stays. Cost: see [`my_data::put_together`].
pub async fn export(State(app): State<App>, SignedIn(person): SignedIn) -> Result<Response, PageError> {
    let (file, turn) = match my_data::put_together(&app, person.id).await {
        Ok(made) => made,
        Err(error) => return SettingsPage::load(&app, &person).await?.refused(Section::YourData, error),
    };
    let length = file.metadata().map_err(Error::internal)?.len();
    let name = format!("{}-{}.zip", person.username, app.clock.now().day());
    let headers = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pieces(file, turn))).into_response())
}

/// The file and its owner's turn last until the last byte is sent, or nobody wants it any more.
fn pieces(file: File, turn: Turn) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((tokio::fs::File::from_std(file), turn), |(mut file, turn)| async move {
        let mut piece = vec![0; PIECE];
        let length = file.read(&mut piece).await?;
        piece.truncate(length);
        Ok((length > 0).then(|| (Bytes::from(piece), (file, turn))))
    })
}
