//! The JSON API, `/api/v1`, one file an area: a type whose associated functions are the handlers. They extract the
//! [`caller`] and a [`json::Body`], call one domain function, and answer with a model's shape or a [`problem::Problem`].
//! Each area says in [`operation`] what its routes are and what the [`document`] says of them.
//! Served with the setting `API` only; without it there is nothing at these addresses.

pub mod admin;
pub mod auth;
pub mod blocks;
pub mod browse;
pub mod caller;
pub mod docs;
pub mod document;
pub mod index;
pub mod interests;
pub mod json;
pub mod list;
pub mod markdown;
pub mod me;
pub mod members;
pub mod messages;
pub mod negotiation;
pub mod notifications;
pub mod operation;
pub mod params;
pub mod people;
pub mod pins;
pub mod problem;
pub mod reference;
pub mod rooms;
pub mod schema;
pub mod user;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, RANGE, RETRY_AFTER,
};
use axum::http::{HeaderValue, Method};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use tower::{BoxError, ServiceBuilder};
use tower_http::body::UnsyncBoxBody;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use crate::app::App;
use crate::auth::session;
use crate::config::Config;
use crate::error::Result;
use crate::web::guards::Guards;
use crate::web::{headers, request};
use document::Document;
use operation::Area;

/// Where the API stands.
pub const ROOT: &str = "/api/v1";
/// Bytes in a body, where a call doesn't take more.
const MOST_IN_A_BODY: usize = 256 * 1024;

/// Every area, in the order of the document.
const AREAS: [fn() -> Area; 12] = [
    index::area,
    auth::area,
    me::area,
    people::area,
    blocks::area,
    rooms::area,
    members::area,
    messages::area,
    pins::area,
    interests::area,
    notifications::area,
    admin::area,
];

/// Them all. Cost: 4 MB, as long as they are kept.
pub fn areas() -> Vec<Area> {
    AREAS.iter().map(|area| area()).collect()
}

/// The API with what stands around it; in DEBUG with its document, its pages and its reference.
pub fn router(app: &App, session: session::Layer) -> Result<Router<App>> {
    if !app.config.debug {
        return within(app, session, routes());
    }
    let (document, own) = Document::with(&areas(), &app.config);
    let api = within(app, session, routes().merge(own))?;
    Ok(browse::around(app, document.clone(), api).merge(docs::routes()).merge(reference::routes(document)))
}

/// The routes of every area, without what stands around them. What describes them is let go of at once, area by area.
pub fn routes() -> Router<App> {
    AREAS.iter().fold(Router::new(), |api, area| api.merge(area().router))
}

/// `api` with what stands around it.
fn within(app: &App, session: session::Layer, api: Router<App>) -> Result<Router<App>> {
    let unknown = Router::new().fallback(problem::not_found);
    let api = api
        .nest(ROOT, unknown)
        .route(&format!("{ROOT}/"), any(problem::not_found))
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(MOST_IN_A_BODY));
    let api = if app.config.debug { api.layer(from_fn(browse::hand_out)) } else { api };
    let app_of_calls = app.clone();
    let layers = ServiceBuilder::new().layer(headers::cross_site(&app.config)?).layer(session).into_inner();
    let around = ServiceBuilder::new()
        .map_response(|response: Response<UnsyncBoxBody<Bytes, BoxError>>| problem::said(response.map(Body::new)))
        .layer(CatchPanicLayer::custom(headers::panicked))
        .map_request(move |request| caller::by_token_alone(&app_of_calls, request))
        .layer(Guards { layers, spared: caller::is_spared });
    let api = api.layer(around);
    Ok(match cross_origin(&app.config) {
        Some(layer) => api.layer(layer),
        None => api,
    })
}

/// Lets pages of the origins in `CORS_ORIGINS` call and read, with a token and never with a cookie (the Fetch standard, 3.2).
fn cross_origin(config: &Config) -> Option<CorsLayer> {
    let origins: Vec<_> = config.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, IF_MATCH, RANGE, request::HEADER])
        .expose_headers([ETAG, RETRY_AFTER, CONTENT_DISPOSITION, request::HEADER])
        .max_age(Duration::from_secs(3600));
    Some(layer)
}
