//! `/up` and `/health`: whether the process lives, and whether it can do its work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;
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

/// `/up` and `/health`.
pub fn area() -> Area {
    let health = op("Whether it can do its work")
        .about("Whether database and Redis answer within two seconds.")
        .open()
        .answers::<Health>(200, "All that it needs answers.")
        .answers::<Health>(503, "A part is away.");
    Area::outside("Health", "For whatever watches the process.")
        .add(Method::GET, "/up", up, op("Whether the process lives").open().answers_text("It does."))
        .add(Method::GET, "/health", health_of, health)
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
