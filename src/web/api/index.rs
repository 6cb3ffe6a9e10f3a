//! `/api/v1` itself: where everything is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::Serialize;
use utoipa::ToSchema;

use super::ROOT;
use super::operation::{Area, op};
use crate::app::App;

/// What this is and where to go on.
#[derive(Serialize, ToSchema)]
pub struct Index {
    /// What the site is called.
    #[schema(example = "Switchboard")]
    name: String,
    version: &'static str,
    /// Paths on this site, by what is there.
    links: BTreeMap<&'static str, String>,
}

const LINKS: [(&str, &str); 7] = [
    ("me", "/auth/me"),
    ("rooms", "/chat/rooms"),
    ("search", "/chat/search"),
    ("people", "/users"),
    ("interests", "/interests"),
    ("notifications", "/notifications"),
    ("stats", "/admin/stats"),
];

pub fn area() -> Area {
    let index = op("Where everything is").open().answers::<Index>(200, "Links.");
    Area::new("Index", "The way in.").add(Method::GET, "", show, index)
}

async fn show(State(app): State<App>) -> Json<Index> {
    let mut links: BTreeMap<_, _> = LINKS.iter().map(|(name, path)| (*name, format!("{ROOT}{path}"))).collect();
    if app.config.debug {
        links.insert("document", format!("{ROOT}/openapi.json"));
        links.insert("docs", "/docs".into());
        links.insert("reference", "/redoc".into());
    }
    Json(Index { name: app.settings().site_name.clone(), version: env!("CARGO_PKG_VERSION"), links })
}
