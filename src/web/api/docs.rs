//! `/docs`: Swagger UI out of the binary, on the API's own document, under the same policy as every page of the site: no
//! inline script or style, nothing from elsewhere. In DEBUG only.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, serve};

use super::ROOT;
use crate::app::App;
use crate::web::render::error_page;

/// The page, and the files that it asks for below it.
pub fn routes() -> Router<App> {
    Router::new().route("/docs", get(page)).route("/docs/{file}", get(file))
}

async fn page() -> Response {
    Html(include_str!("../../../templates/api/docs.html")).into_response()
}

/// Cost: no query; the initialiser alone is put together for each request.
async fn file(Path(name): Path<String>) -> Response {
    let config = Config::from(format!("{ROOT}/openapi.json"))
        .use_base_layout()
        .deep_linking(true)
        .display_request_duration(true)
        .filter(true)
        .try_it_out_enabled(true)
        .validator_url("none");
    let found = serve(&name, Arc::new(config)).ok().flatten().filter(|_| name != "index.html");
    let Some(file) = found else { return error_page(StatusCode::NOT_FOUND, tr!("There is no such file.").into()) };
    let headers = [(header::CONTENT_TYPE, file.content_type), (header::CACHE_CONTROL, "private, max-age=600".into())];
    (headers, file.bytes.into_owned()).into_response()
}
