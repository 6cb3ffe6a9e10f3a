//! The first page of the backoffice, `/admin/`: what needs somebody, the site in numbers, what was done last.

use std::borrow::Cow;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::frame::{Frame, framed};
use super::grant::Staff;
use crate::admin::dashboard::warning::{self, Warning, bytes};
use crate::admin::dashboard::{self, MOST_COUNTED, Stats};
use crate::admin::resource::{Act, Resource};
use crate::admin::{find, permission};
use crate::audit::{self, Told};
use crate::error::Result;
use crate::i18n::{date_time, gettext, number, time_of_day};
use crate::users::Person;
use crate::web::chart::{Chart, Counted};
use crate::web::render::PageError;

/// Entries of history shown.
const RECENT: i64 = 10;

/// A number with what it counts and where to see more.
struct Figure {
    what: Cow<'static, str>,
    value: String,
    note: String,
    href: &'static str,
}

/// Something done, and where its history is.
struct Done {
    entry: Told,
    action: String,
    singular: Cow<'static, str>,
    href: String,
}

#[derive(Template)]
#[template(path = "admin/dashboard.html")]
struct DashboardPage {
    chrome: Frame,
    warnings: Vec<Warning>,
    figures: Vec<Figure>,
    charts: [Chart; 2],
    recent: Vec<Done>,
    links: Vec<(Cow<'static, str>, &'static str)>,
    counted_at: String,
}

/// `GET /admin`: the page has a slash at its end.
pub async fn slash(_: Staff) -> Redirect {
    Redirect::to("/admin/")
}

/// `GET /admin/`. Cost: 4 indexed queries, and what the numbers cost (see `admin::dashboard`).
pub async fn show(staff: Staff) -> Result<Response, PageError> {
    let Staff { app, person, .. } = staff;
    let stats = dashboard::stats(&app).await?;
    let mut conn = app.db.read().await?;
    let told = audit::recent(&mut conn, &remembered(&person), RECENT).await?;
    drop(conn);
    let page = DashboardPage {
        chrome: Frame::new(&app, &person, tr!("Dashboard")).at("dashboard"),
        warnings: warning::all(&app, &person, &stats),
        figures: figures(&person, &stats),
        charts: [
            Chart::of(Counted::Messages, &stats.messages_by_day),
            Chart::of(Counted::SignUps, &stats.signups_by_day),
        ],
        recent: told.into_iter().map(done).collect(),
        links: links(&person),
        counted_at: time_of_day(stats.counted_at),
    };
    Ok(framed(StatusCode::OK, &page).into_response())
}

/// The models whose history `person` sees. What moderators can't see of a row as it is they don't see as it was.
fn remembered(person: &Person) -> Vec<&'static str> {
    let whole = |resource: &&_| {
        let resource: &Resource = resource;
        resource.columns.iter().all(|column| permission::sees(person, column) || column.is_count())
    };
    permission::visible(person).filter(whole).map(|resource| resource.slug).collect()
}

fn done(entry: Told) -> Done {
    let href = format!("/admin/{}/{}/history", entry.model, entry.object_id);
    let singular = find(&entry.model).map_or_else(|| tr!("record"), Resource::singular);
    Done { action: gettext(&entry.action).into_owned(), singular, href, entry }
}

/// A count that was capped, in words.
fn capped(count: i64) -> String {
    if count > MOST_COUNTED { format!("{}+", number(MOST_COUNTED)) } else { number(count) }
}

fn figures(person: &Person, stats: &Stats) -> Vec<Figure> {
    let size = |size: i64| bytes(u64::try_from(size).unwrap_or(0));
    let figure = |what, value: String, note: String, href| Figure { what, value, note, href };
    let connections = tr!("{n} connection" | "{n} connections" % stats.open_sockets);
    let queues = &stats.queues;
    let mut figures = vec![
        figure(tr!("People online"), number(stats.people_online), connections, "/admin/live"),
        figure(tr!("People"), number(stats.users), String::new(), "/admin/users/"),
        figure(tr!("Rooms"), number(stats.rooms), String::new(), "/admin/rooms/"),
        figure(tr!("Messages"), number(stats.messages), String::new(), "/admin/messages/"),
        figure(tr!("Reports to settle"), capped(queues.reports_open), String::new(), "/admin/queue"),
        figure(
            tr!("Mails waiting"),
            capped(queues.mails_queued),
            tr!("{} failed", capped(queues.mails_failed)),
            "/admin/emails/",
        ),
        figure(tr!("Database"), size(stats.storage.database_bytes), String::new(), ""),
        figure(tr!("Uploads"), size(stats.storage.upload_bytes), String::new(), "/admin/attachments/"),
    ];
    if let Some((at, size)) = stats.last_backup {
        figures.push(figure(tr!("Last backup"), date_time(at), bytes(size), ""));
    }
    for figure in &mut figures {
        let slug = figure.href.trim_start_matches("/admin/").trim_end_matches('/');
        if figure.href.ends_with('/') && !may(person, slug, Act::View) {
            figure.href = "";
        }
    }
    figures
}

fn may(person: &Person, slug: &str, act: Act) -> bool {
    find(slug).is_some_and(|resource| permission::may(resource, person, act))
}

/// Where one goes most, as far as one may.
fn links(person: &Person) -> Vec<(Cow<'static, str>, &'static str)> {
    let all = [
        (tr!("Add person"), "/admin/users/add", "users", Act::Add),
        (tr!("Add room"), "/admin/rooms/add", "rooms", Act::Add),
        (tr!("Reports to settle"), "/admin/queue", "reports", Act::View),
        (tr!("Outbox"), "/admin/emails/", "emails", Act::View),
        (tr!("Settings"), "/admin/settings/", "settings", Act::View),
    ];
    all.into_iter().filter(|(.., slug, act)| may(person, slug, *act)).map(|(name, href, ..)| (name, href)).collect()
}
