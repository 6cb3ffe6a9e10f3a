//! The section Sessions: where the person is logged in, and ending that.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::{Section, done};
use crate::app::App;
use crate::auth::{session, user_agent};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::i18n;
use crate::ids::SessionId;
use crate::users::Person;
use crate::web::extract::{Id, SignedIn};
use crate::web::once::Once;
use crate::web::render::PageError;
use crate::work::Work;

/// Sessions shown.
const LISTED: i64 = 100;

pub struct Line {
    pub id: SessionId,
    /// `Firefox on Linux`.
    pub device: String,
    pub ip: String,
    pub since: String,
    pub used: String,
    pub is_this: bool,
}

/// The sessions of `person`: this one first, then the last used. Cost: 1 indexed query, O(sessions).
pub async fn lines(conn: &mut Conn, person: &Person, now: Timestamp) -> Result<Vec<Line>> {
    let own = session::own(conn, person.id, now, LISTED).await?;
    let mut lines: Vec<Line> = own
        .into_iter()
        .map(|session| Line {
            id: session.id,
            device: user_agent::short(&session.user_agent),
            ip: session.ip,
            since: moment(session.created_at),
            used: moment(session.last_seen_at),
            is_this: person.session() == Some(session.id),
        })
        .collect();
    lines.sort_by_key(|line| !line.is_this);
    Ok(lines)
}

/// `2026-01-31 10:30 UTC`.
pub fn moment(at: Timestamp) -> String {
    tr!("{} UTC", i18n::date_time(at))
}

/// `POST /settings/sessions/{id}/end`. Their own current one logs them out.
pub async fn end(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(Id(id)): Path<Id>,
) -> Result<Response, PageError> {
    let id = SessionId(id);
    let mut work = Work::begin(&app, Some(&person)).await?;
    session::end_of(&mut work, person.id, id).await?;
    work.commit().await?;
    if person.session() == Some(id) {
        return Ok(Redirect::to("/login").into_response());
    }
    done(&app, &person, Section::Sessions, Once::notice(tr!("That session has ended.")))
}

/// `POST /settings/sessions/end`.
pub async fn end_others(State(app): State<App>, SignedIn(person): SignedIn) -> Result<Response, PageError> {
    let mut work = Work::begin(&app, Some(&person)).await?;
    session::end_others(&mut work, &person).await?;
    work.commit().await?;
    done(&app, &person, Section::Sessions, Once::notice(tr!("You are logged out everywhere else.")))
}
