//! The backoffice over a large site: every kind of list page, page after page, and a whole export.
//! `cargo bench --bench backoffice`, with `BENCH_DATABASE_URL` for a database of one's own (PostgreSQL too; an empty one
//! is filled first, as `switchboard demo` does), `BENCH_MESSAGES` and `BENCH_USERS` for other sizes.
//!
//! It prints, for each address, the median, the 99th hundredth and the most queries of a page, and fails when a
//! page's queries depend on what is found.

#[path = "support/door.rs"]
mod door;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use futures_util::StreamExt;
use switchboard::app::{App, Seams};
use switchboard::config::{Config, Sources};
use switchboard::demo::{Plan, Site, store};
use switchboard::users::{self, NewUser, Registration, Role};
use switchboard::{on_db, routes};
use tower::ServiceExt;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const NAME: &str = "bench.keeper";
const PASSWORD: &str = "correct horse battery";
const ROUNDS: usize = 20;
const PAGES: usize = 6;

/// Lists as people look at them; `{…}` stands for an id or a date of this site.
const ADDRESSES: &[&str] = &[
    "/admin/messages/",
    "/admin/messages/?sort=created_at",
    "/admin/messages/?per=200",
    "/admin/messages/?room_id={busy_room}",
    "/admin/messages/?room_id={quiet_room}",
    "/admin/messages/?sender_id={busy_user}",
    "/admin/messages/?sender_id={busy_user}&room_id={busy_room}",
    "/admin/messages/?sender_id={busy_user}&sort=created_at",
    "/admin/messages/?created_at={day}",
    "/admin/messages/?created_at={day}&room_id={busy_room}",
    "/admin/messages/?q=the",
    "/admin/messages/?q=the&room_id={quiet_room}",
    "/admin/messages/?q=the&sender_id={busy_user}",
    "/admin/messages/?q=garden",
    "/admin/messages/?q=quincunx",
    "/admin/messages/?q=%22the+garden%22",
    "/admin/messages/?sort=-edited_at",
    "/admin/messages/?deleted_at.empty=true",
    "/admin/messages/?created_at.from={day}",
    "/admin/users/",
    "/admin/users/?sort=username",
    "/admin/users/?sort=-last_seen_at,username",
    "/admin/users/?sort=-created_at,username",
    "/admin/users/?sort=role,username",
    "/admin/users/?sort=email&role=user",
    "/admin/users/?role=admin&sort=username",
    "/admin/users/?role=user&is_active=true",
    "/admin/users/?role=user&is_active=false",
    "/admin/users/?q=a",
    "/admin/users/?q=an&sort=email",
    "/admin/users/?q=zz",
    "/admin/users/?last_seen_at={day}",
    "/admin/memberships/",
    "/admin/memberships/?room_id={busy_room}",
    "/admin/memberships/?user_id={busy_user}",
    "/admin/memberships/?role=owner",
    "/admin/memberships/?q=a",
    "/admin/rooms/?sort=-last_seq",
    "/admin/reactions/",
    "/admin/notifications/?kind=mention",
    "/admin/reports/",
    "/admin/emails/?status=queued",
    "/admin/messages/{message}/",
    "/admin/users/{busy_user}/",
    "/admin/rooms/{busy_room}/",
    "/admin/",
    "/admin/search?q=an",
];

/// Counts the statements that are sent to the database.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicU64>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn main() {
    let statements = Statements::default();
    tracing_subscriber::registry().with(statements.clone()).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(statements));
}

async fn run(statements: Statements) {
    let folder = tempfile::tempdir().unwrap();
    let url = std::env::var("BENCH_DATABASE_URL")
        .unwrap_or_else(|_| format!("sqlite://{}", folder.path().join("bench.db").display()));
    let flags = [("DATABASE_URL".to_owned(), url), ("MESSAGE_RATE".to_owned(), "off".to_owned())].into();
    let config = Config::load(&Sources { folder: folder.path().into(), environment: false, flags }).unwrap();
    let app = App::start(config, Seams::default()).await.unwrap();
    fill(&app).await;
    let router = routes::router(app.clone()).await.unwrap();
    let browser = Browser { cookie: door::log_in(&router, NAME, PASSWORD).await, router, statements };
    let places = places(&app).await;
    println!("{:<58} {:>8} {:>8} {:>8}", format!("{} list pages", app.db.engine_name()), "p50 ms", "p99 ms", "queries");
    for address in ADDRESSES {
        let mut path = (*address).to_owned();
        for (name, value) in &places {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        browser.measure(&path).await;
    }
    browser.export("/admin/messages/export.csv").await;
}

struct Browser {
    router: Router,
    cookie: String,
    statements: Statements,
}

impl Browser {
    async fn get(&self, path: &str) -> axum::response::Response {
        let request = Request::get(path).header(header::COOKIE, &self.cookie).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Page after page, several times over.
    async fn measure(&self, path: &str) {
        let (mut times, mut most) = (Vec::new(), 0);
        for round in 0..ROUNDS {
            let mut next = Some(path.to_owned());
            for _ in 0..PAGES {
                let Some(path) = next.take() else { break };
                let before = self.statements.0.load(Ordering::Relaxed);
                let begun = Instant::now();
                let response = self.get(&path).await;
                let status = response.status();
                let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
                assert_eq!(status, 200, "{path}");
                // The first round warms the caches.
                if round > 0 {
                    times.push(begun.elapsed());
                    most = most.max(self.statements.0.load(Ordering::Relaxed) - before);
                }
                next = following(std::str::from_utf8(&body).unwrap(), &path);
            }
        }
        times.sort();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
        println!("{path:<58} {:>8.2} {:>8.2} {most:>8}", at(0.5), at(0.99));
    }

    /// A whole export, with how much memory it takes.
    async fn export(&self, path: &str) {
        let before = resident();
        let begun = Instant::now();
        let response = self.get(path).await;
        if response.status() != 200 {
            return println!("{path}: {}", response.status());
        }
        let (mut bytes, mut most) = (0, before);
        let mut stream = response.into_body().into_data_stream();
        while let Some(chunk) = stream.next().await {
            bytes += chunk.unwrap().len();
            most = most.max(resident());
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{path}: {:.1} MB in {seconds:.1} s, {:.1} MB of memory",
            bytes as f64 / 1e6,
            (most - before) as f64 / 1e6
        );
    }
}

/// Where the page's link to the next one leads.
fn following(html: &str, path: &str) -> Option<String> {
    let (_, rest) = html.split_once("rel=\"next\" href=\"")?;
    let query = rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&");
    Some(format!("{}{query}", path.split('?').next()?))
}

/// Bytes of memory in use.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn size(name: &str, usual: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| usual.to_owned())
}

async fn fill(app: &App) {
    if store::is_empty(&mut app.db.read().await.unwrap()).await.unwrap() {
        let (users, messages) = (size("BENCH_USERS", "100000"), size("BENCH_MESSAGES", "1000000"));
        let plan = Plan::parse(&users, "2000", &messages, "1").unwrap();
        let begun = Instant::now();
        let site = Site::invent(plan, app.clock.now());
        store::fill(app, site, "nobody logs in with this", |_| {}).await.unwrap();
        println!("Filled with {users} people and {messages} messages in {:.0} s", begun.elapsed().as_secs_f64());
    }
    let form = Registration {
        username: NAME.into(),
        email: format!("{NAME}@example.org"),
        password: PASSWORD.into(),
        ..Registration::default()
    };
    if users::find(&mut app.db.read().await.unwrap(), NAME).await.unwrap().is_none() {
        users::add(app, NewUser::parse(&form, "Switchboard").unwrap(), Role::Admin).await.unwrap();
    }
    app.db.checkpoint().await.unwrap();
    // What PostgreSQL's planner knows of a table is what its own housekeeping found out, minutes later.
    if app.db.engine_name() == "PostgreSQL" {
        let mut conn = app.db.read().await.unwrap();
        on_db!(conn, c => sqlx::query("analyze").execute(c).await.map(|_| ())).unwrap();
    }
}

/// The site's busiest and quietest places.
async fn places(app: &App) -> BTreeMap<&'static str, String> {
    let mut conn = app.db.read().await.unwrap();
    let mut places = BTreeMap::new();
    for (name, sql) in [
        ("busy_room", "select id from rooms order by last_seq desc limit 1"),
        ("quiet_room", "select id from rooms where last_seq > 0 order by last_seq limit 1"),
        ("busy_user", "select sender_id from messages group by sender_id order by count(*) desc limit 1"),
        ("message", "select max(id) from messages"),
        ("day", "select created_at from messages order by id limit 1 offset 500000"),
    ] {
        let number: Option<i64> = on_db!(conn, c => sqlx::query_scalar(sql).fetch_optional(c).await).unwrap();
        let number = number.unwrap_or(0);
        let text = if name == "day" { switchboard::clock::Timestamp(number).day() } else { number.to_string() };
        places.insert(name, text);
    }
    places
}
