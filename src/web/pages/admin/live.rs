//! The open connections: `/admin/live`, and ending one of them.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::frame::{Frame, framed};
use super::grant::Staff;
use super::lists::form_pair;
use crate::admin::connections::{self, Connection, MOST_SHOWN};
use crate::auth::user_agent;
use crate::error::{Error, Result};
use crate::i18n::number as shown;
use crate::web::extract::{Asked, Fields, Id};
use crate::web::render::PageError;
use crate::work::Work;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asking {
    q: String,
    done: String,
}

#[derive(Template)]
#[template(path = "admin/live.html")]
struct LivePage {
    chrome: Frame,
    q: String,
    connections: Vec<Connection>,
    total: usize,
    people: usize,
    node: String,
}

impl LivePage {
    fn device(&self, connection: &Connection) -> String {
        let device = user_agent::short(&connection.user_agent);
        if device.is_empty() { "–".into() } else { device }
    }

    fn counted(&self, count: &usize) -> String {
        shown(*count)
    }

    fn is_cut(&self) -> bool {
        self.total > MOST_SHOWN
    }
}

/// `GET /admin/live?q=`. Cost: 3 or 4 queries by keys, O(open sockets).
pub async fn show(staff: Staff, Asked(Asking { q, done }): Asked<Asking>) -> Result<Response, PageError> {
    let Staff { app, person, .. } = staff;
    // No name is longer.
    let q: String = q.trim().chars().take(32).collect();
    let (connections, total) = connections::open(&app, &person, &q).await?;
    let mut chrome = Frame::new(&app, &person, tr!("Open connections")).at("live");
    chrome.notice = match done.as_str() {
        "disconnected" => tr!("Disconnected. Who may still come in can come back at once."),
        "logged-out" => tr!("Logged out."),
        "gone" => tr!("This connection was gone already."),
        _ => "".into(),
    }
    .into_owned();
    let page = LivePage { chrome, q, connections, total, people: app.hub.people_online(), node: node() };
    Ok(framed(StatusCode::OK, &page).into_response())
}

/// `POST /admin/live/{socket}/disconnect`. Cost: 1 transaction of 6 statements.
pub async fn disconnect(
    staff: Staff,
    Path(Id(socket)): Path<Id>,
    Fields(asking): Fields<Asking>,
) -> Result<Redirect, PageError> {
    let mut work = begin(&staff).await?;
    let done = connections::disconnect(&mut work, number(socket)).await;
    finish(work, done, "disconnected", &asking.q).await
}

/// `POST /admin/live/{socket}/log-out`: administrators only. Cost: 1 transaction of 8 statements.
pub async fn log_out(
    staff: Staff,
    Path(Id(socket)): Path<Id>,
    Fields(asking): Fields<Asking>,
) -> Result<Redirect, PageError> {
    let mut work = begin(&staff).await?;
    let done = connections::log_out(&mut work, number(socket)).await;
    finish(work, done, "logged-out", &asking.q).await
}

/// The number of a socket; of what is none, one that no socket has.
fn number(socket: i64) -> u64 {
    u64::try_from(socket).unwrap_or(u64::MAX)
}

async fn begin(staff: &Staff) -> Result<Work> {
    let mut work = Work::begin(&staff.app, Some(&staff.person)).await?;
    work.ip = staff.ip.clone();
    Ok(work)
}

/// Back to the list. Somebody who closed their window meanwhile is no failure.
async fn finish(work: Work, done: Result<()>, code: &str, q: &str) -> Result<Redirect, PageError> {
    let code = match done {
        Ok(()) => {
            work.commit().await?;
            code
        }
        Err(Error::NotFound(_)) => "gone",
        Err(error) => return Err(error.into()),
    };
    let q = if q.is_empty() { String::new() } else { format!("{}&", form_pair("q", q)) };
    Ok(Redirect::to(&format!("/admin/live?{q}done={code}")))
}

/// This machine's name.
fn node() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
