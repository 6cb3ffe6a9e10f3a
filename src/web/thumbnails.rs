//! `/chat/attachments/{id}/thumbnail`: a small picture of a picture, to whoever may see its message.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::attachments::{self, thumbnail};
use crate::ids::AttachmentId;
use crate::web::api::negotiation::is_among;
use crate::web::attachments::kept;
use crate::web::extract::{Id, SignedIn};
use crate::web::render::PageError;

/// `GET /chat/attachments/{id}/thumbnail`. It never changes, but who may see it does: a browser keeps it and asks every
/// time. Cost: 1 indexed query, 1 small file; the first time, see [`thumbnail::of`].
pub async fn get(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(Id(id)): Path<Id>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let file = attachments::see(&mut app.db.read().await?, person.id, AttachmentId(id)).await?;
    let tag = format!("\"small-{}\"", file.sha256);
    if headers.get_all(header::IF_NONE_MATCH).iter().any(|named| is_among(named, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, kept(&tag)).into_response());
    }
    let (bytes, kind) = thumbnail::of(&app, &file).await?;
    let described = [(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((kept(&tag), described, bytes).into_response())
}
