//! Exports: `/admin/{slug}/export.csv`, `.json` and `.jsonl`, of exactly what the list with the same query shows.

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, RawQuery};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};

use super::grant::{Export, Grant, View};
use super::sudo;
use crate::admin::export::{self, Format};
use crate::admin::form::Sent;
use crate::admin::permission;
use crate::admin::query::Query;
use crate::admin::resource::{Act, Resource};
use crate::admin::value::Key;
use crate::app::App;
use crate::error::Result;
use crate::i18n::gettext;
use crate::web::render::PageError;

const WHY: &str = msgid!("An export takes many people's data out of this site.");

/// `GET /admin/{slug}/export.csv`.
pub async fn csv(grant: Grant<Export>, uri: OriginalUri, query: RawQuery) -> Result<Response, PageError> {
    export(grant, uri, query, Format::Csv).await
}

/// `GET /admin/{slug}/export.json`.
pub async fn json(grant: Grant<Export>, uri: OriginalUri, query: RawQuery) -> Result<Response, PageError> {
    export(grant, uri, query, Format::Json).await
}

/// `GET /admin/{slug}/export.jsonl`.
pub async fn json_lines(grant: Grant<Export>, uri: OriginalUri, query: RawQuery) -> Result<Response, PageError> {
    export(grant, uri, query, Format::JsonLines).await
}

async fn export(
    grant: Grant<Export>,
    OriginalUri(uri): OriginalUri,
    RawQuery(asked): RawQuery,
    format: Format,
) -> Result<Response, PageError> {
    let Grant { app, person, ip, resource, .. } = grant;
    let query = Query::parse(resource, &person, &asked.unwrap_or_default())?;
    if resource.export_sudo {
        let back = uri.path_and_query().map_or("/admin/", |path| path.as_str());
        let sent = Sent(vec![("next".into(), back.into())]);
        if let Some(page) = sudo::ask(&app, &person, &sent, "/admin/sudo", &gettext(WHY), &[]).await? {
            return Ok(page);
        }
    }
    let pieces = export::stream(&app, &person, resource, &query, None, format).await?;
    let text = query.with("", "");
    let asked = if text.is_empty() { text } else { format!("?{text}") };
    export::remember(&app, &person, &ip, resource, &format!("export.{}{asked}", format.extension())).await?;
    Ok(file(&app, resource, format, pieces))
}

/// The rows that were ticked, as CSV. Errors: [`Error::Forbidden`] without the right to export. Cost: as an export.
pub async fn of_ticked(grant: &Grant<View>, sent: &Sent, keys: Vec<Key>) -> Result<Response, PageError> {
    let Grant { app, person, ip, resource, .. } = grant;
    permission::require(resource, person, Act::Export)?;
    if resource.export_sudo {
        let path = format!("/admin/{}/action", resource.slug);
        if let Some(page) = sudo::ask(app, person, sent, &path, &gettext(WHY), &[]).await? {
            return Ok(page);
        }
    }
    let query = Query::all(resource, person)?;
    let label = format!("export.csv of {} ticked", keys.len());
    let pieces = export::stream(app, person, resource, &query, Some(keys), Format::Csv).await?;
    export::remember(app, person, ip, resource, &label).await?;
    Ok(file(app, resource, Format::Csv, pieces))
}

/// The pieces as a file to keep. An error in them breaks the connection, so that no browser takes half a file for one.
pub fn file(
    app: &App,
    resource: &Resource,
    format: Format,
    pieces: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Response {
    let slug = resource.slug;
    let pieces = pieces.inspect(move |piece| {
        if let Err(error) = piece {
            tracing::error!(%error, cause = ?error, model = slug, "an export broke off");
        }
    });
    let name = format!("{slug}-{}.{}", app.clock.now().day(), format.extension());
    let headers = [
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}
