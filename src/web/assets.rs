//! The files of every page, inside the binary. Their addresses carry a hash of their content, so browsers keep them
//! for a year and still see every change.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::web::render::error_page;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Assets;

macro_rules! address {
    ($function:ident, $name:literal) => {
        pub fn $function() -> &'static str {
            static ADDRESS: LazyLock<String> = LazyLock::new(|| versioned($name));
            &ADDRESS
        }
    };
}

address!(css, "app.css");
address!(script, "chat.js");
address!(icon, "icon.svg");
address!(admin_css, "admin.css");
address!(admin_script, "admin.js");
address!(api_css, "api.css");

fn versioned(name: &str) -> String {
    let hash = Assets::get(name).map(|file| file.metadata.sha256_hash()).unwrap_or_default();
    let version: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/{name}?v={version}")
}

/// `GET /assets/{name}`. Cost: no query.
pub async fn get(Path(name): Path<String>) -> Response {
    let Some(file) = Assets::get(&name) else {
        return error_page(StatusCode::NOT_FOUND, "There is no such file.".into());
    };
    let headers = [
        (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
    ];
    (headers, file.data.into_owned()).into_response()
}
