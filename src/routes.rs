//! Every route of the server, a screen an area, and the layers around them. Several layers are one to axum, the outermost
//! first: it boxes a service and its answer for each that it is given by itself.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::auth::session;
use crate::error::Result;
use crate::live::{door, socket};
use crate::web::guards::Guards;
use crate::web::pages::account::AccountPages;
use crate::web::pages::admin;
use crate::web::pages::chat::ChatPages;
use crate::web::pages::mailed::MailedPages;
use crate::web::pages::members::MemberPages;
use crate::web::pages::messages::MessagePages;
use crate::web::pages::notifications::NotificationPages;
use crate::web::pages::people::PeoplePages;
use crate::web::pages::rooms::RoomPages;
use crate::web::pages::search::SearchPages;
use crate::web::pages::second_step::SecondStepPages;
use crate::web::pages::settings;
use crate::web::pages::writing::WritingPages;
use crate::web::{api, assets, attachments, avatars, headers, status, thumbnails, upload};

/// Bytes in a form.
const MOST_IN_A_FORM: usize = 256 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The whole server.
pub async fn router(app: App) -> Result<Router> {
    let session = session::layer(&app.config, app.db.clone());
    let pages = Router::new()
        .merge(account())
        .merge(chat())
        .merge(messages())
        .merge(rooms())
        .merge(people())
        .merge(settings::routes())
        .merge(admin::routes())
        .route("/avatars/{name}", get(avatars::get));
    let pages =
        within(pages, &app, &session, REQUEST_TIMEOUT)?.merge(within(posting(), &app, &session, upload::PATIENCE)?);
    let sockets = sockets().layer(
        ServiceBuilder::new()
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
            .layer(Guards { layers: session.clone(), spared: door::is_spared }),
    );
    let api = if app.config.api { api::router(&app, session)? } else { Router::new() };
    Ok(Router::new()
        .merge(pages)
        .merge(sockets)
        .merge(api)
        .merge(status::area().router)
        .route("/assets/{name}", get(assets::get))
        .route("/assets/{version}/{name}", get(assets::get_of))
        .route("/sw.js", get(assets::service_worker))
        .route("/avatars/initials/{name}", get(avatars::initials))
        .fallback(headers::not_found)
        .method_not_allowed_fallback(headers::wrong_method)
        .layer(
            ServiceBuilder::new()
                .layer(from_fn_with_state(app.clone(), headers::around))
                .layer(CatchPanicLayer::custom(headers::panicked)),
        )
        .with_state(app))
}

/// What may bring files, and takes its time; how much of them is taken is said where they are read.
fn posting() -> Router<App> {
    Router::new().route("/chat/rooms/{id}", post(ChatPages::post))
}

/// `pages` with the limits that hold for all of them.
fn within(pages: Router<App>, app: &App, session: &session::Layer, patience: Duration) -> Result<Router<App>> {
    Ok(pages.layer(
        ServiceBuilder::new()
            .layer(session.clone())
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, patience))
            .layer(headers::cross_site(&app.config)?)
            .layer(DefaultBodyLimit::max(MOST_IN_A_FORM)),
    ))
}

fn account() -> Router<App> {
    Router::new()
        .route("/", get(AccountPages::home))
        .route("/setup", get(AccountPages::setup).post(AccountPages::make_admin))
        .route("/register", get(AccountPages::register).post(AccountPages::make_account))
        .route("/login", get(AccountPages::login).post(AccountPages::log_in))
        .route("/login/two-factor", get(SecondStepPages::show).post(SecondStepPages::check))
        .route("/logout", post(AccountPages::log_out))
        .route("/password-reset", get(MailedPages::form).post(MailedPages::request))
        .route("/password-reset/confirm", get(MailedPages::new_password).post(MailedPages::set_password))
        .route("/settings/email/confirm", get(MailedPages::address).post(MailedPages::confirm_address))
}

fn chat() -> Router<App> {
    Router::new()
        .route("/chat", get(ChatPages::list))
        .route("/chat/rooms/{id}", get(ChatPages::room))
        .route("/chat/rooms/{id}/read", post(ChatPages::read))
        .route("/chat/rooms/{id}/names", get(WritingPages::names))
        .route("/chat/preview", post(WritingPages::preview))
        .route("/help", get(WritingPages::help))
        .route("/chat/attachments/{id}", get(attachments::get))
        .route("/chat/attachments/{id}/thumbnail", get(thumbnails::get))
}

fn messages() -> Router<App> {
    Router::new()
        .route("/chat/messages/{id}", get(MessagePages::show))
        .route("/chat/messages/{id}/edit", post(MessagePages::edit))
        .route("/chat/messages/{id}/delete", post(MessagePages::delete))
        .route("/chat/messages/{id}/react", post(MessagePages::react))
        .route("/chat/messages/{id}/pin", post(MessagePages::pin))
        .route("/chat/messages/{id}/unpin", post(MessagePages::unpin))
        .route("/chat/messages/{id}/report", post(MessagePages::report))
}

fn rooms() -> Router<App> {
    Router::new()
        .route("/rooms/new", get(RoomPages::form).post(RoomPages::create))
        .route("/rooms/{id}/settings", get(RoomPages::settings).post(RoomPages::rename))
        .route("/rooms/{id}/notify", post(RoomPages::notify))
        .route("/rooms/{id}/delete", post(RoomPages::delete))
        .route("/rooms/{id}/join", post(MemberPages::join))
        .route("/rooms/{id}/leave", post(MemberPages::leave))
        .route("/rooms/{id}/members", get(MemberPages::list).post(MemberPages::add))
        .route("/rooms/{id}/members/{user_id}/remove", post(MemberPages::remove))
}

fn people() -> Router<App> {
    Router::new()
        .route("/people", get(PeoplePages::list))
        .route("/people/interests", post(PeoplePages::ask))
        .route("/people/interests/{id}/accept", post(PeoplePages::accept))
        .route("/people/interests/{id}/reject", post(PeoplePages::reject))
        .route("/people/interests/{id}/cancel", post(PeoplePages::cancel))
        .route("/people/{id}/talk", post(PeoplePages::talk))
        .route("/people/{id}/block", post(PeoplePages::block))
        .route("/people/{id}/unblock", post(PeoplePages::unblock))
        .route("/search", get(SearchPages::show))
        .route("/notifications", get(NotificationPages::list))
        .route("/notifications/read", post(NotificationPages::read))
}

fn sockets() -> Router<App> {
    Router::new()
        .route("/ws", get(socket::all))
        .route("/ws/chat/{room_id}", get(socket::chat))
        .route("/ws/notifications", get(socket::notifications))
}
