//! The reports to settle: `/admin/queue`, and settling one.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::frame::{Frame, framed};
use super::grant::Staff;
use crate::admin::permission;
use crate::admin::resource::Act;
use crate::error::{Error, Result};
use crate::ids::ReportId;
use crate::reports::admin::RESOURCE;
use crate::reports::queue::{self, MOST_SHOWN, Settlement, Shown};
use crate::web::extract::{Asked, Fields, Id};
use crate::web::render::PageError;
use crate::work::Work;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asking {
    /// The report that the page begins after: its time and its id, a dot between.
    after: String,
    done: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// The message goes, too.
    hide: String,
}

#[derive(Template)]
#[template(path = "admin/queue.html")]
struct QueuePage {
    chrome: Frame,
    reports: Vec<Shown>,
    /// Where the page after begins.
    next: String,
    is_first: bool,
    may_settle: bool,
}

/// `GET /admin/queue`. Cost: 2 indexed queries.
pub async fn show(staff: Staff, Asked(Asking { after, done }): Asked<Asking>) -> Result<Response, PageError> {
    let Staff { app, person, .. } = staff;
    permission::require(&RESOURCE, &person, Act::View)?;
    let place = after.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    let mut conn = app.db.read().await?;
    let mut reports = queue::open(&mut conn, person.id, place.unwrap_or((i64::MIN, i64::MIN))).await?;
    drop(conn);
    let is_more = reports.len() > MOST_SHOWN;
    reports.truncate(MOST_SHOWN);
    let last = reports.last().filter(|_| is_more);
    let next = last.map(|last| format!("{}.{}", last.case.created_at.0, last.case.id)).unwrap_or_default();
    let mut chrome = Frame::new(&app, &person, tr!("Reports to settle")).at("queue");
    chrome.notice = match done.as_str() {
        "hide" => tr!("Hidden; every report of the message is resolved."),
        "warn" => tr!("The author is written to; every report of the message is resolved."),
        "disable" => tr!("The account is disabled; every report of the message is resolved."),
        "dismiss" => tr!("Dismissed."),
        _ => "".into(),
    }
    .into_owned();
    let may_settle = permission::may(&RESOURCE, &person, Act::Change);
    let page = QueuePage { chrome, reports, next, is_first: place.is_none(), may_settle };
    Ok(framed(StatusCode::OK, &page).into_response())
}

/// `POST /admin/queue/{report}/{act}`: `hide`, `warn`, `disable` or `dismiss`. Cost: 1 transaction.
pub async fn settle(
    staff: Staff,
    Path((Id(report), act)): Path<(Id, String)>,
    Fields(sent): Fields<Sent>,
) -> Result<Redirect, PageError> {
    let hide = !sent.hide.is_empty();
    let how = match act.as_str() {
        "hide" => Settlement::Hide,
        "warn" => Settlement::Warn { hide },
        "disable" => Settlement::Disable { hide },
        "dismiss" => Settlement::Dismiss,
        _ => return Err(Error::NotFound(msgid!("A report is settled by hide, warn, disable or dismiss.")))?,
    };
    let mut work = Work::begin(&staff.app, Some(&staff.person)).await?;
    work.ip = staff.ip;
    queue::settle(&mut work, ReportId(report), how).await?;
    work.commit().await?;
    Ok(Redirect::to(&format!("/admin/queue?done={act}")))
}
