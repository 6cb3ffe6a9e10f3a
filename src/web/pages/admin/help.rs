//! `/admin/help`: how a site is run, in short; for staff who have no README at hand.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::frame::{Frame, framed};
use super::grant::Staff;
use crate::config::SETTINGS;
use crate::i18n::gettext;

#[derive(Template)]
#[template(path = "admin/help.html")]
struct HelpPage {
    chrome: Frame,
    version: &'static str,
    database: &'static str,
    settings: Vec<Line>,
}

/// A setting of the process; what it is set to is shown to administrators, and never a secret.
struct Line {
    key: &'static str,
    value: Option<String>,
    default: &'static str,
    meaning: String,
}

/// `GET /admin/help`. Cost: no query but who asks.
pub async fn show(Staff { app, person, .. }: Staff) -> Response {
    let masked = app.config.masked();
    let set = |key| masked.iter().find(|(of, _)| *of == key).map(|(_, value)| value.clone());
    let line = |setting: &crate::config::Setting| Line {
        key: setting.key,
        value: if person.is_admin() { set(setting.key) } else { None },
        default: setting.default,
        // Without the marks of Markdown.
        meaning: gettext(setting.meaning).replace('`', ""),
    };
    let page = HelpPage {
        chrome: Frame::new(&app, &person, tr!("Help")).at("help"),
        version: env!("CARGO_PKG_VERSION"),
        database: app.db.engine_name(),
        settings: SETTINGS.iter().map(line).collect(),
    };
    framed(StatusCode::OK, &page).into_response()
}
