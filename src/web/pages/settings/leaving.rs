//! `POST /settings/delete`.

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::error::Error;
use crate::web::extract::SignedIn;
use crate::web::render::PageError;

pub async fn delete(State(_): State<App>, SignedIn(_): SignedIn) -> Result<Response, PageError> {
    Err(Error::Unavailable.into())
}
