//! The pages of the backoffice: every route, and the handlers an area. All of them stand behind `grant`; what they do
//! is done by `crate::admin`.

pub mod acting;
pub mod bookmarks;
pub mod cell;
pub mod choosing;
pub mod deleting;
pub mod fields;
pub mod forms;
pub mod frame;
pub mod grant;
pub mod histories;
pub mod inlines;
pub mod lists;
pub mod sudo;

use axum::Router;
use axum::routing::MethodRouter;
use forms::FormPages;
use grant::{get, post};
use lists::ListPages;

use crate::app::App;

/// Makes the router, and the same as a table for the test that walks every route as everyone.
macro_rules! routes {
    ($($path:literal => $($method:ident($handler:expr))+;)*) => {
        /// Every route under `/admin`: its path, and its methods in lower case.
        pub const ROUTES: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),+])),*];

        /// Every route under `/admin`.
        pub fn routes() -> Router<App> {
            Router::new()$(.route($path, MethodRouter::new()$(.merge($method($handler)))+))*
        }
    };
}

routes! {
    "/admin/sudo" => post(sudo::confirm);
    "/admin/revert/{entry}" => post(histories::revert);
    "/admin/{slug}" => get(ListPages::slash);
    "/admin/{slug}/" => get(ListPages::list);
    "/admin/{slug}/add" => get(FormPages::add) post(FormPages::create);
    "/admin/{slug}/action" => post(acting::act);
    "/admin/{slug}/choose" => get(choosing::for_list);
    "/admin/{slug}/lookup" => get(choosing::offers);
    "/admin/{slug}/bookmarks" => post(bookmarks::add);
    "/admin/{slug}/bookmarks/{id}/delete" => post(bookmarks::delete);
    "/admin/{slug}/{id}/" => get(FormPages::change) post(FormPages::save);
    "/admin/{slug}/{id}/delete" => get(deleting::ask) post(deleting::delete);
    "/admin/{slug}/{id}/history" => get(histories::show);
}
