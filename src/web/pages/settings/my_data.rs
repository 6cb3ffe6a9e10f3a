//! `GET /settings/export`.

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::error::Error;
use crate::web::extract::SignedIn;
use crate::web::render::PageError;

pub async fn export(State(_): State<App>, SignedIn(_): SignedIn) -> Result<Response, PageError> {
    Err(Error::Unavailable.into())
}
