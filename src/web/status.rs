//! `/up`, `/health` and `/metrics`: whether the process lives, whether it can do its work, and what it counts of itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::api::caller;
use super::render::Plain;
use crate::app::App;
use crate::metrics::CONTENT_TYPE;
use crate::web::api::operation::{Area, op};

/// How long a part may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the site can do its work.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `healthy` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    database: bool,
    /// Null without Redis.
    #[schema(required = true)]
    redis: Option<bool>,
    version: &'static str,
}

/// `/up`, `/health` and `/metrics`.
pub fn area() -> Area {
    let health = op("Whether it can do its work")
        .about("Whether database and Redis answer within two seconds.")
        .open()
        .answers::<Health>(200, "All that it needs answers.")
        .answers::<Health>(503, "A part is away.");
    let told = op("What the process counts of itself")
        .about("Prometheus' text format. Asks for `METRICS_TOKEN` as a Bearer token, but in DEBUG; without either it isn't there.")
        .open()
        .refuses(404, "There are none: no `METRICS_TOKEN` is set, and `DEBUG` is off.")
        .answers_text("The metrics.");
    Area::outside("Health", "For whatever watches the process.")
        .add(Method::GET, "/up", up, op("Whether the process lives").open().answers_text("It does."))
        .add(Method::GET, "/health", health_of, health)
        .add(Method::GET, "/metrics", metrics, told)
}

/// `GET /metrics`: for Prometheus, with `METRICS_TOKEN`; open in DEBUG, and otherwise not there. Errors: 401, 404. Cost: 1
/// query of bounded counts.
async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, Plain> {
    match (&app.config.metrics_token, app.config.debug) {
        (_, true) => {}
        (None, false) => return Ok(super::headers::not_found().await),
        (Some(token), false) => {
            let shown = caller::bearer(&headers).unwrap_or_default();
            if !bool::from(shown.as_bytes().ct_eq(token.reveal().as_bytes())) {
                let refused = "This takes the metrics' own token, METRICS_TOKEN.\n";
                return Ok((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response());
            }
        }
    }
    let text = app.metrics.text(&app).await.map_err(Plain)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// `GET /up`: 200 while the process lives. Cost: no query.
async fn up() -> &'static str {
    "up\n"
}

/// `GET /health`: 200 when everything it needs answers, else 503. Cost: 1 trivial query.
async fn health_of(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let database = timeout(PATIENCE, app.db.ping()).await.is_ok_and(|answer| answer.is_ok());
    let redis = match &app.redis {
        Some(server) => Some(timeout(PATIENCE, server.ping()).await.is_ok_and(|answer| answer.is_ok())),
        None => None,
    };
    let healthy = database && redis != Some(false);
    let (code, status) =
        if healthy { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "unhealthy") };
    (code, Json(Health { status, database, redis, version: env!("CARGO_PKG_VERSION") }))
}
