//! A row as its model lays it out, for administrators: `/admin/{slug}/{id}/preview`, and the frame on the row's page that
//! shows it. What it shows may be anybody's HTML, so it can do nothing there: no script, no form, nothing fetched.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::forms::find;
use super::grant::{Grant, View};
use crate::error::{Error, Result};
use crate::web::headers::POLICY;
use crate::web::render::PageError;

const SEALED: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";

/// `GET /admin/{slug}/{id}/preview`. Cost: 1 query.
pub async fn show(grant: Grant<View>, Path((_, id)): Path<(String, String)>) -> Result<Response, PageError> {
    let Grant { app, person, resource, .. } = &grant;
    if !person.is_admin() {
        return Err(Error::Forbidden(msgid!("Your role doesn't see these.")))?;
    }
    let preview = resource.preview.ok_or(Error::NotFound(msgid!("These have no preview.")))?;
    let html = preview(&find(app, person, resource, &id).await?)?;
    let headers = [(header::CONTENT_SECURITY_POLICY, SEALED), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, headers, Html(html)).into_response())
}

/// Lets a page show frames of this site.
pub fn framing(mut page: Response) -> Response {
    if let Ok(policy) = HeaderValue::from_str(&format!("{POLICY}; frame-src 'self'")) {
        page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    page
}
