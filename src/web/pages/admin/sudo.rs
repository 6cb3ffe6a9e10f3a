//! The password, asked for again before what would hurt most in the wrong hands; then not for 15 minutes in the same
//! session. What was typed comes along as it is, so that nothing is typed twice but secrets.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::frame::{Frame, framed};
use super::grant::Staff;
use crate::admin::form::Sent;
use crate::admin::resource::Password;
use crate::app::App;
use crate::auth;
use crate::error::Result;
use crate::users::Person;
use crate::web::extract::{Fields, local_path};
use crate::web::render::PageError;

/// The field it is typed into.
pub const FIELD: &str = "sudo_password";

#[derive(Template)]
#[template(path = "admin/sudo.html")]
struct SudoPage {
    chrome: Frame,
    /// Where the form goes: back where it came from.
    action: String,
    why: String,
    kept: Vec<(String, String)>,
    again: Vec<&'static Password>,
    wrong: bool,
}

/// `None` when the password was asked for lately, or came along and is right; else the page that asks for it.
/// Cost: nothing, or 1 argon2 hash and 1 write transaction.
pub async fn ask(
    app: &App,
    person: &Person,
    sent: &Sent,
    action: &str,
    why: &str,
    secrets: &'static [Password],
) -> Result<Option<Response>> {
    if auth::is_confirmed(person, app.clock.now()) {
        return Ok(None);
    }
    let mut wrong = false;
    if let Some(password) = sent.get(FIELD).filter(|password| !password.is_empty()) {
        if auth::ask_again(app, person, password.to_owned()).await? {
            return Ok(None);
        }
        wrong = true;
    }
    let is_secret = |name: &str| name == FIELD || secrets.iter().any(|secret| secret.name == name);
    let kept = sent.0.iter().filter(|(name, _)| !is_secret(name)).cloned().collect();
    let typed = |secret: &&'static Password| sent.get(secret.name).is_some_and(|text| !text.is_empty());
    let again = secrets.iter().filter(|secret| typed(secret)).collect();
    let chrome = Frame::new(app, person, tr!("Your password, please"));
    let page = SudoPage { chrome, action: action.to_owned(), why: why.to_owned(), kept, again, wrong };
    Ok(Some(framed(StatusCode::FORBIDDEN, &page)))
}

/// `POST /admin/sudo`: for what is asked by address, an export: then back there.
pub async fn confirm(staff: Staff, Fields(pairs): Fields<Vec<(String, String)>>) -> Result<Response, PageError> {
    let sent = Sent(pairs);
    let why = tr!("What you asked for needs your password again.");
    match ask(&staff.app, &staff.person, &sent, "/admin/sudo", &why, &[]).await? {
        Some(page) => Ok(page),
        None => Ok(Redirect::to(local_path(sent.get("next").unwrap_or("/admin/"))).into_response()),
    }
}
