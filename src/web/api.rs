//! The JSON API, `/api/v1`, one file an area: a type whose associated functions are the handlers. They extract the
//! [`caller`] and a [`json::Body`], call one domain function, and answer with a model's shape or a [`problem::Problem`].
//! Served with the setting `API` only; without it there is nothing at these addresses.

pub mod auth;
pub mod caller;
pub mod json;
pub mod me;
pub mod problem;
pub mod user;

use auth::AuthApi;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use me::MeApi;

use crate::app::App;

/// Where the API stands.
pub const ROOT: &str = "/api/v1";

/// Every route under [`ROOT`].
pub fn routes() -> Router<App> {
    let api = Router::new()
        .route("/auth/register", post(AuthApi::register))
        .route("/auth/login", post(AuthApi::log_in))
        .route("/auth/refresh", post(AuthApi::refresh))
        .route("/auth/logout", post(AuthApi::log_out))
        .route("/auth/password-reset", post(AuthApi::request_reset))
        .route("/auth/password-reset-confirm", post(AuthApi::reset_password))
        .route("/auth/me", get(MeApi::me).patch(MeApi::change_me))
        .route("/auth/password", post(MeApi::set_password))
        .route("/auth/two-factor", post(MeApi::begin_two_factor).delete(MeApi::disable_two_factor))
        .route("/auth/two-factor/confirm", post(MeApi::confirm_two_factor))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(map_response(uncached));
    Router::new().nest(ROOT, api)
}

/// Answers hold tokens and what is private to one person.
async fn uncached(mut response: Response) -> Response {
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
