//! The pages of the backoffice: every route, and the handlers an area. All of them stand behind `grant`; what they do
//! is done by `crate::admin`.

pub mod acting;
pub mod bookmarks;
pub mod cell;
pub mod choosing;
pub mod dashboard;
pub mod deleting;
pub mod exports;
pub mod fields;
pub mod forms;
pub mod frame;
pub mod grant;
pub mod histories;
pub mod imports;
pub mod inlines;
pub mod lists;
pub mod live;
pub mod queue;
pub mod search;
pub mod sudo;

use axum::Router;
use forms::FormPages;
use grant::{get, post};
use lists::ListPages;

use crate::app::App;

/// Every route under `/admin`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin", get(dashboard::slash))
        .route("/admin/", get(dashboard::show))
        .route("/admin/search", get(search::show))
        .route("/admin/live", get(live::show))
        .route("/admin/live/{socket}/disconnect", post(live::disconnect))
        .route("/admin/live/{socket}/log-out", post(live::log_out))
        .route("/admin/queue", get(queue::show))
        .route("/admin/queue/{report}/{act}", post(queue::settle))
        .route("/admin/sudo", post(sudo::confirm))
        .route("/admin/revert/{entry}", post(histories::revert))
        .route("/admin/{slug}", get(ListPages::slash))
        .route("/admin/{slug}/", get(ListPages::list))
        .route("/admin/{slug}/add", get(FormPages::add).merge(post(FormPages::create)))
        .route("/admin/{slug}/action", post(acting::act))
        .route("/admin/{slug}/choose", get(choosing::for_list))
        .route("/admin/{slug}/lookup", get(choosing::offers))
        .route("/admin/{slug}/export.csv", get(exports::csv))
        .route("/admin/{slug}/export.json", get(exports::json))
        .route("/admin/{slug}/export.jsonl", get(exports::json_lines))
        .route("/admin/{slug}/import", get(imports::form).merge(imports::uploading(post(imports::upload))))
        .route("/admin/{slug}/import/{token}", get(imports::state).merge(post(imports::confirm)))
        .route("/admin/{slug}/import/{token}/drop", post(imports::forget))
        .route("/admin/{slug}/bookmarks", post(bookmarks::add))
        .route("/admin/{slug}/bookmarks/{id}/delete", post(bookmarks::delete))
        .route("/admin/{slug}/{id}/", get(FormPages::change).merge(post(FormPages::save)))
        .route("/admin/{slug}/{id}/delete", get(deleting::ask).merge(post(deleting::delete)))
        .route("/admin/{slug}/{id}/history", get(histories::show))
}
