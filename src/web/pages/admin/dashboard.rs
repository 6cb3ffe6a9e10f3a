//! The first page of the backoffice, `/admin/`: what needs somebody, the site in numbers, what was done last.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::cell::grouped;
use super::frame::{Frame, framed};
use super::grant::Staff;
use crate::admin::dashboard::warning::{self, Warning, bytes};
use crate::admin::dashboard::{self, MOST_COUNTED, Stats};
use crate::admin::resource::Act;
use crate::admin::{find, permission};
use crate::audit::{self, Told};
use crate::error::Result;
use crate::users::Person;
use crate::web::chart::Chart;
use crate::web::render::PageError;

/// Entries of history shown.
const RECENT: i64 = 10;

/// A number with what it counts and where to see more.
struct Figure {
    what: &'static str,
    value: String,
    note: String,
    href: &'static str,
}

/// Something done, and where its history is.
struct Done {
    entry: Told,
    singular: &'static str,
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
    links: Vec<(&'static str, &'static str)>,
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
        chrome: Frame::new(&app, &person, "Dashboard"),
        warnings: warning::all(&app, &person, &stats),
        figures: figures(&person, &stats),
        charts: [
            Chart::of("messages-a-day", "Messages a day", "messages", &stats.messages_by_day),
            Chart::of("signups-a-day", "Sign-ups a day", "sign-ups", &stats.signups_by_day),
        ],
        recent: told.into_iter().map(done).collect(),
        links: links(&person),
        counted_at: stats.counted_at.hour_minute(),
    };
    Ok(framed(StatusCode::OK, &page).into_response())
}

/// The models whose history `person` sees. What moderators can't see of a row as it is they don't see as it was.
fn remembered(person: &Person) -> Vec<&'static str> {
    let whole = |resource: &&_| {
        let resource: &crate::admin::resource::Resource = resource;
        resource.columns.iter().all(|column| permission::sees(person, column) || column.is_count())
    };
    permission::visible(person).filter(whole).map(|resource| resource.slug).collect()
}

fn done(entry: Told) -> Done {
    let href = format!("/admin/{}/{}/history", entry.model, entry.object_id);
    Done { singular: find(&entry.model).map_or("record", |resource| resource.singular), href, entry }
}

/// A count that was capped, in words.
fn capped(count: i64) -> String {
    if count > MOST_COUNTED { format!("{}+", grouped(MOST_COUNTED)) } else { grouped(count) }
}

fn figures(person: &Person, stats: &Stats) -> Vec<Figure> {
    let size = |size: i64| bytes(u64::try_from(size).unwrap_or(0));
    let figure = |what, value: String, note: String, href| Figure { what, value, note, href };
    let number = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
    let plural = if stats.open_sockets == 1 { "" } else { "s" };
    let connections = format!("{} connection{plural}", number(stats.open_sockets));
    let queues = &stats.queues;
    let mut figures = vec![
        figure("People online", number(stats.people_online), connections, "/admin/live"),
        figure("People", grouped(stats.users), String::new(), "/admin/users/"),
        figure("Rooms", grouped(stats.rooms), String::new(), "/admin/rooms/"),
        figure("Messages", grouped(stats.messages), String::new(), "/admin/messages/"),
        figure("Reports to settle", capped(queues.reports_open), String::new(), "/admin/queue"),
        figure(
            "Mails waiting",
            capped(queues.mails_queued),
            format!("{} failed", capped(queues.mails_failed)),
            "/admin/emails/",
        ),
        figure("Database", size(stats.storage.database_bytes), String::new(), ""),
        figure("Uploads", size(stats.storage.upload_bytes), String::new(), "/admin/attachments/"),
    ];
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
fn links(person: &Person) -> Vec<(&'static str, &'static str)> {
    let all = [
        ("Add person", "/admin/users/add", "users", Act::Add),
        ("Add room", "/admin/rooms/add", "rooms", Act::Add),
        ("Reports to settle", "/admin/queue", "reports", Act::View),
        ("Outbox", "/admin/emails/", "emails", Act::View),
        ("Settings", "/admin/settings/", "settings", Act::View),
    ];
    all.into_iter().filter(|(.., slug, act)| may(person, slug, *act)).map(|(name, href, ..)| (name, href)).collect()
}
