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
pub mod help;
pub mod histories;
pub mod imports;
pub mod inlines;
pub mod lists;
pub mod live;
pub mod previews;
pub mod queue;
pub mod search;
pub mod sudo;

use axum::Router;
use axum::routing::MethodRouter;
use forms::FormPages;
use grant::{get, post};
use lists::ListPages;

use crate::app::App;

/// Makes the router, and the same as a table for the test that walks every route as everyone.
macro_rules! routes {
    ($($path:literal => $($method:ident($handler:expr))+ $(, $around:path)?;)*) => {
        /// Every route under `/admin`: its path, and its methods in lower case.
        pub const ROUTES: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),+])),*];

        /// Every route under `/admin`.
        pub fn routes() -> Router<App> {
            Router::new()$(.route($path, $($around)?(MethodRouter::new()$(.merge($method($handler)))+)))*
        }
    };
}

routes! {
    "/admin" => get(dashboard::slash);
    "/admin/" => get(dashboard::show);
    "/admin/search" => get(search::show);
    "/admin/help" => get(help::show);
    "/admin/live" => get(live::show);
    "/admin/live/{socket}/disconnect" => post(live::disconnect);
    "/admin/live/{socket}/log-out" => post(live::log_out);
    "/admin/queue" => get(queue::show);
    "/admin/queue/{report}/{act}" => post(queue::settle);
    "/admin/sudo" => post(sudo::confirm);
    "/admin/revert/{entry}" => post(histories::revert);
    "/admin/{slug}" => get(ListPages::slash);
    "/admin/{slug}/" => get(ListPages::list);
    "/admin/{slug}/add" => get(FormPages::add) post(FormPages::create);
    "/admin/{slug}/action" => post(acting::act);
    "/admin/{slug}/choose" => get(choosing::for_list);
    "/admin/{slug}/lookup" => get(choosing::offers);
    "/admin/{slug}/export.csv" => get(exports::csv);
    "/admin/{slug}/export.json" => get(exports::json);
    "/admin/{slug}/export.jsonl" => get(exports::json_lines);
    "/admin/{slug}/import" => get(imports::form) post(imports::upload), imports::uploading;
    "/admin/{slug}/import/{token}" => get(imports::state) post(imports::confirm);
    "/admin/{slug}/import/{token}/drop" => post(imports::forget);
    "/admin/{slug}/bookmarks" => post(bookmarks::add);
    "/admin/{slug}/bookmarks/{id}/delete" => post(bookmarks::delete);
    "/admin/{slug}/{id}/" => get(FormPages::change) post(FormPages::save);
    "/admin/{slug}/{id}/delete" => get(deleting::ask) post(deleting::delete);
    "/admin/{slug}/{id}/preview" => get(previews::show);
    "/admin/{slug}/{id}/history" => get(histories::show);
}
