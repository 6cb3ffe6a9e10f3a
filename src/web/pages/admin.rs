//! The pages of the backoffice: every route, and the handlers an area. All of them stand behind `grant`; what they do
//! is done by `crate::admin`.

pub mod bookmarks;
pub mod cell;
pub mod exports;
pub mod frame;
pub mod grant;
pub mod imports;
pub mod lists;
pub mod sudo;

use axum::Router;
use grant::{get, post};
use lists::ListPages;

use crate::app::App;

/// Every route under `/admin`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin/sudo", post(sudo::confirm))
        .route("/admin/{slug}", get(ListPages::slash))
        .route("/admin/{slug}/", get(ListPages::list))
        .route("/admin/{slug}/export.csv", get(exports::csv))
        .route("/admin/{slug}/export.json", get(exports::json))
        .route("/admin/{slug}/export.jsonl", get(exports::json_lines))
        .route("/admin/{slug}/import", get(imports::form).merge(imports::uploading(post(imports::upload))))
        .route("/admin/{slug}/import/{token}", get(imports::state).merge(post(imports::confirm)))
        .route("/admin/{slug}/import/{token}/drop", post(imports::forget))
        .route("/admin/{slug}/bookmarks", post(bookmarks::add))
        .route("/admin/{slug}/bookmarks/{id}/delete", post(bookmarks::delete))
}
