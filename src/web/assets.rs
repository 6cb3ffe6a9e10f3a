//! The files of every page, inside the binary. Their addresses carry a hash of their content, so browsers keep them
//! for a year and still see every change. Scripts that load each other stand in a folder named by the hash of them all.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::text::hex;
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
address!(icon, "icon.svg");
address!(admin_css, "admin.css");
address!(admin_script, "admin.js");
address!(api_css, "api.css");

/// The folder of the scripts of the talk: each names the others beside it.
fn scripts() -> &'static str {
    static FOLDER: LazyLock<String> = LazyLock::new(|| {
        let names = Assets::iter().filter(|name| name.ends_with(".js"));
        let hashes = names.filter_map(|name| Assets::get(&name)).map(|file| file.metadata.sha256_hash());
        let version = hashes.fold([0u8; 6], |sum, hash| std::array::from_fn(|i| sum[i] ^ hash[i]));
        format!("/assets/{}", hex(version))
    });
    &FOLDER
}

pub fn script() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| format!("{}/chat.js", scripts()));
    &ADDRESS
}

pub fn push_script() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| format!("{}/push.js", scripts()));
    &ADDRESS
}

/// Every script, for its words.
pub(super) fn script_texts() -> impl Iterator<Item = String> {
    let names = Assets::iter().filter(|name| name.ends_with(".js"));
    names.filter_map(|name| Assets::get(&name)).map(|file| String::from_utf8_lossy(&file.data).into_owned())
}

fn versioned(name: &str) -> String {
    let hash = Assets::get(name).map(|file| file.metadata.sha256_hash()).unwrap_or_default();
    format!("/assets/{name}?v={}", hex(&hash[..6]))
}

/// `GET /assets/{name}`. Cost: no query.
pub async fn get(Path(name): Path<String>) -> Response {
    send(&name, "public, max-age=31536000, immutable")
}

/// `GET /assets/{version}/{name}`. Cost: no query.
pub async fn get_of(Path((_, name)): Path<(String, String)>) -> Response {
    send(&name, "public, max-age=31536000, immutable")
}

/// `GET /sw.js`: what a browser runs while no page is open. Its address says for which pages, so it stays; browsers ask for
/// it again. Cost: no query.
pub async fn service_worker() -> Response {
    send("sw.js", "no-cache")
}

fn send(name: &str, kept: &'static str) -> Response {
    let Some(file) = Assets::get(name) else {
        return error_page(StatusCode::NOT_FOUND, tr!("There is no such file.").into());
    };
    let headers =
        [(header::CONTENT_TYPE, file.metadata.mimetype().to_owned()), (header::CACHE_CONTROL, kept.to_owned())];
    (headers, file.data.into_owned()).into_response()
}
