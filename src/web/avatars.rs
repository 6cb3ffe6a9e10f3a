//! `/avatars/…`: the pictures of people, to whoever is signed in, and initials as pictures, to anyone.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::users::avatar::{self, picture};
use crate::web::extract::Visitor;
use crate::web::render::error_page;

/// As in the stylesheet: the eight hues of people without a picture.
const HUES: [u16; 8] = [215, 160, 25, 285, 340, 190, 55, 120];

/// `GET /avatars/{name}`. Others than those signed in are told that there is none. Cost: 2 indexed queries, 1 file.
pub async fn get(State(app): State<App>, Visitor(person): Visitor, Path(name): Path<String>) -> Response {
    let path = person.and_then(|_| avatar::path(&app.config, &name));
    let kind = name.rsplit_once('.').and_then(|(_, extension)| picture::content_type(extension));
    let (Some(path), Some(kind)) = (path, kind) else { return none() };
    match tokio::fs::read(path).await {
        Ok(bytes) => {
            let cache = "private, max-age=31536000, immutable";
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], bytes).into_response()
        }
        Err(_) => none(),
    }
}

/// `GET /avatars/initials/{letters}-{hue}.svg`. Cost: no query.
pub async fn initials(Path(name): Path<String>) -> Response {
    let Some((letters, hue)) = parse(&name) else { return none() };
    let headers =
        [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    // Letters and digits only: there is nothing to escape.
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\">\
         <rect width=\"64\" height=\"64\" fill=\"hsl({hue},45%,88%)\"/>\
         <text x=\"32\" y=\"32\" dy=\".35em\" text-anchor=\"middle\" font-family=\"system-ui,sans-serif\" \
         font-size=\"26\" font-weight=\"600\" fill=\"hsl({hue},60%,24%)\">{letters}</text></svg>"
    );
    (headers, svg).into_response()
}

/// One or two letters or digits of any script (`?` for nobody knows whom), and a hue.
fn parse(name: &str) -> Option<(&str, u16)> {
    let (letters, hue) = name.strip_suffix(".svg")?.rsplit_once('-')?;
    let hue = HUES.get(hue.parse::<usize>().ok()?)?;
    let is_short = (1..=2).contains(&letters.chars().count());
    let fits = is_short && letters.chars().all(|letter| letter.is_alphanumeric() || letter == '?');
    fits.then_some((letters, *hue))
}

fn none() -> Response {
    error_page(StatusCode::NOT_FOUND, tr!("There is no such picture.").into())
}
