//! `/up` and `/health`: whether the process lives, and whether it can do its work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;

use crate::app::App;
use crate::cli::check::ping_redis;

/// How long a part may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
    database: bool,
    /// `null` without Redis.
    redis: Option<bool>,
    version: &'static str,
}

/// `GET /up`: 200 while the process lives. Cost: no query.
pub async fn up() -> &'static str {
    "up\n"
}

/// `GET /health`: 200 when everything it needs answers, else 503. Cost: 1 trivial query.
pub async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let database = timeout(PATIENCE, app.db.ping()).await.is_ok_and(|answer| answer.is_ok());
    let redis = match &app.config.redis_url {
        Some(url) => Some(timeout(PATIENCE, ping_redis(url.reveal())).await.is_ok_and(|answer| answer.is_ok())),
        None => None,
    };
    let healthy = database && redis != Some(false);
    let (code, status) =
        if healthy { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "unhealthy") };
    (code, Json(Health { status, database, redis, version: env!("CARGO_PKG_VERSION") }))
}
