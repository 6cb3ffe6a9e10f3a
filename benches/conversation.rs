//! What a conversation asks for besides posting: text rendered, words found in a million messages, a large file taken in.
//! `cargo bench --bench conversation`, with `BENCH_DATABASE_URL` for a database of one's own (PostgreSQL too; an empty one
//! is filled first, as `switchboard demo` does), `BENCH_MESSAGES` and `BENCH_USERS` for other sizes.

#[path = "support/site.rs"]
mod site;

use std::sync::LazyLock;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use divan::{Bencher, black_box};
use site::{Site, TEXT, door};
use switchboard::app::{App, Seams};
use switchboard::auth::password;
use switchboard::cli::serve::serve;
use switchboard::config::{Config, Sources};
use switchboard::demo::{self, Plan, store};
use switchboard::messages::markup::render;
use switchboard::{on_db, routes};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tower::ServiceExt;

const MIB: usize = 1024 * 1024;
const FILE: usize = 25 * MIB;
const PASSWORD: &str = "nobody else logs in with this";

/// What is asked of the search; `{…}` stands for an id of this site.
const SEARCHES: &[&str] = &[
    "q=the",
    "q=the&limit=100",
    "q=quincunx",
    "q=gard",
    "q=%22the+garden%22",
    "q=the+garden",
    "q=the&room_id={busy_room}",
    "q=garden&room_id={quiet_room}",
    "q=the&from={busy_user}",
    "q=garden&from={busy_user}&room_id={busy_room}",
];

/// Texts that cost the most: each is as long as a message may be.
const WORST: &[&str] =
    &["*", "*a_", "[x](", "[a]: b\n\n", "> ", "- ", "`", "@here ", "https://a.example ", "\u{2067}", "😀"];

fn main() {
    divan::main();
}

#[divan::bench]
fn render_an_ordinary_message() -> String {
    render(black_box(TEXT))
}

#[divan::bench(args = WORST)]
fn render_4000_characters(bencher: Bencher, sign: &str) {
    let wall: String = sign.chars().cycle().take(4000).collect();
    bencher.bench_local(|| render(black_box(&wall)));
}

/// The whole request: session, form, text.
#[divan::bench]
fn preview_a_message(bencher: Bencher) {
    let site = Site::new();
    bencher.bench_local(|| {
        let request = Request::post("/chat/preview")
            .header(header::COOKIE, &site.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        site.runtime.block_on(site.ask(request.body(Body::from("content=**Hello**+there")).unwrap()))
    });
}

/// The whole request, by somebody who is in many rooms.
#[divan::bench(args = SEARCHES)]
fn search_a_million_messages(bencher: Bencher, search: &str) {
    let path = LARGE.path(search);
    bencher.bench_local(|| LARGE.runtime.block_on(LARGE.get(&path)));
}

/// From the first byte to the message on disk, over a socket; prints how far memory grows meanwhile.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn take_in_25_mib(bencher: Bencher) {
    let site = Site::new();
    site.post();
    let (listener, address) = site.runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    });
    let app = site.app.clone();
    site.runtime.spawn(async move { serve(app, listener, std::future::pending()).await.unwrap() });
    let piece = vec![7; 64 * 1024];
    let mut most = 0;
    let mut round = 0_u64;
    bencher.bench_local(|| {
        round += 1;
        most = most.max(site.runtime.block_on(upload(address, &site, &piece, round)));
    });
    println!("taking in 25 MiB: {:.2} MiB of memory at most", most as f64 / MIB as f64);
}

/// Sends a file that nobody has sent before; by how many bytes memory grew at most meanwhile.
async fn upload(address: std::net::SocketAddr, site: &Site, piece: &[u8], round: u64) -> u64 {
    let before = resident();
    let head =
        format!("--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"large.bin\"\r\n\r\n{round:020}");
    let tail = "\r\n--b--\r\n";
    let mut socket = TcpStream::connect(address).await.unwrap();
    let (room, token, length) = (site.room, &site.bearer, head.len() + FILE / piece.len() * piece.len() + tail.len());
    let request = format!(
        "POST /api/v1/chat/rooms/{room}/messages HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{head}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut most = before;
    for _ in 0..FILE / piece.len() {
        socket.write_all(piece).await.unwrap();
        most = most.max(resident());
    }
    socket.write_all(tail.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    most.max(resident()) - before
}

/// Bytes of memory in use.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

static LARGE: LazyLock<Large> = LazyLock::new(Large::new);

/// A site with a million messages, and somebody who is in many of its rooms.
struct Large {
    runtime: Runtime,
    router: Router,
    cookie: String,
    places: Vec<(&'static str, i64)>,
    _folder: TempDir,
}

impl Large {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = std::env::var("BENCH_DATABASE_URL")
            .unwrap_or_else(|_| format!("sqlite://{}", folder.path().join("bench.db").display()));
        let settings = [("DATABASE_URL", url.as_str()), ("API", "true"), ("LOGIN_RATE", "off")];
        let flags = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let config = Config::load(&Sources { folder: folder.path().into(), environment: false, flags }).unwrap();
        let (router, cookie, places) = runtime.block_on(async {
            let app = App::start(config, Seams::default()).await.unwrap();
            fill(&app).await;
            let router = routes::router(app.clone()).await.unwrap();
            let cookie = door::log_in(&router, &most_rooms(&app).await, PASSWORD).await;
            (router, cookie, places(&app).await)
        });
        Self { runtime, router, cookie, places, _folder: folder }
    }

    fn path(&self, search: &str) -> String {
        let named = |path: String, (name, id): &(&str, i64)| path.replace(&format!("{{{name}}}"), &id.to_string());
        self.places.iter().fold(format!("/api/v1/chat/search?{search}"), named)
    }

    /// The length of the answer, which has to be a good one.
    async fn get(&self, path: &str) -> usize {
        let request = Request::get(path).header(header::COOKIE, &self.cookie).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        to_bytes(response.into_body(), usize::MAX).await.unwrap().len()
    }
}

async fn fill(app: &App) {
    if !store::is_empty(&mut app.db.read().await.unwrap()).await.unwrap() {
        return;
    }
    let size = |name, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let plan = Plan::parse(&size("BENCH_USERS", "100000"), "2000", &size("BENCH_MESSAGES", "1000000"), "1").unwrap();
    let begun = Instant::now();
    let hash = password::hash(PASSWORD.into()).await.unwrap();
    store::fill(app, demo::Site::invent(plan, app.clock.now()), &hash, |_| {}).await.unwrap();
    println!("filled in {:.0} s", begun.elapsed().as_secs_f64());
    app.db.checkpoint().await.unwrap();
    // What PostgreSQL's planner knows of a table is what its own housekeeping found out, minutes later.
    if app.db.engine_name() == "PostgreSQL" {
        let mut conn = app.db.read().await.unwrap();
        on_db!(conn, c => sqlx::query("analyze").execute(c).await.map(|_| ())).unwrap();
    }
}

/// Who is in the most rooms.
async fn most_rooms(app: &App) -> String {
    let mut conn = app.db.read().await.unwrap();
    on_db!(conn, c => sqlx::query_scalar(
        "select u.username from users u join memberships m on m.user_id = u.id where u.is_active and not u.totp_enabled
         group by u.id, u.username order by count(*) desc, u.id limit 1").fetch_one(c).await)
    .unwrap()
}

/// The site's busiest and quietest places, of public rooms: everybody may search there.
async fn places(app: &App) -> Vec<(&'static str, i64)> {
    let mut conn = app.db.read().await.unwrap();
    let mut places = Vec::new();
    for (name, sql) in [
        ("busy_room", "select id from rooms where kind = 'public' order by last_seq desc limit 1"),
        ("quiet_room", "select id from rooms where kind = 'public' and last_seq > 0 order by last_seq limit 1"),
        ("busy_user", "select sender_id from messages group by sender_id order by count(*) desc limit 1"),
    ] {
        let id: Option<i64> = on_db!(conn, c => sqlx::query_scalar(sql).fetch_optional(c).await).unwrap();
        places.push((name, id.unwrap_or(0)));
    }
    places
}
