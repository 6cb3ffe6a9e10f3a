//! The JSON API, `/api/v1`, one file an area: a type whose associated functions are the handlers. They extract the
//! [`caller`] and a [`json::Body`], call one domain function, and answer with a model's shape or a [`problem::Problem`].
//! Each area says in [`operation`] what its routes are and what the [`document`] says of them.
//! Served with the setting `API` only; without it there is nothing at these addresses.

pub mod auth;
pub mod browse;
pub mod caller;
pub mod docs;
pub mod document;
pub mod index;
pub mod json;
pub mod list;
pub mod markdown;
pub mod me;
pub mod negotiation;
pub mod operation;
pub mod params;
pub mod problem;
pub mod reference;
pub mod schema;
pub mod user;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error::Result;
use crate::web::headers;
use document::Document;
use operation::Area;

/// Where the API stands.
pub const ROOT: &str = "/api/v1";
/// Bytes in a body, where a call doesn't take more.
const MOST_IN_A_BODY: usize = 256 * 1024;

/// Every area, in the order of the document.
pub fn areas() -> Vec<Area> {
    vec![index::area(), auth::area(), me::area()]
}

/// The API with what stands around it; in DEBUG with its document, its pages and its reference.
pub fn router(app: &App) -> Result<Router<App>> {
    if !app.config.debug {
        return within(app, routes());
    }
    let (document, own) = Document::with(&areas(), &app.config);
    let api = within(app, routes().merge(own))?;
    Ok(browse::around(app, document.clone(), api).merge(docs::routes()).merge(reference::routes(document)))
}

/// The routes of every area, without what stands around them.
pub fn routes() -> Router<App> {
    areas().into_iter().fold(Router::new(), |api, area| api.merge(area.router))
}

/// `api` with what stands around it, the outermost last.
fn within(app: &App, api: Router<App>) -> Result<Router<App>> {
    let unknown = Router::new().fallback(problem::not_found);
    Ok(api
        .nest(ROOT, unknown)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(MOST_IN_A_BODY))
        .layer(headers::cross_site(&app.config)?)
        .layer(from_fn(caller::by_token_alone))
        .layer(CatchPanicLayer::custom(headers::panicked))
        .layer(from_fn(problem::around)))
}
