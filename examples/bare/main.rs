//! The bare server that Switchboard is measured against (`benches/compare`): what fan-out, posts and a page cost when
//! nobody logs in, nothing is rendered and there is one room. It is built as well as it can be, so that the ratio is
//! honest: `room` frames a message once and shares its bytes, `socket` keeps no buffer for a connection that is idle
//! and writes all it owes in one call, `store` commits whatever waits together, with a full-text index like ours.
//!
//! HTTP goes through axum, as Switchboard's does; a socket's handshake is answered there too, then the TCP stream is
//! taken out of hyper, whose buffers go, and belongs to one small task: 3.7 KB a socket that is idle (3.9 with the
//! system's allocator instead of mimalloc), the rest of which is tokio's own and what hyper's pieces leave between.
//!
//! `cargo run --release --example bare -- --memory`, or `-- --durable --data DIR` with `--synchronous full|normal`.

mod page;
mod room;
mod socket;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Parser;
use serde::Deserialize;
use tokio::sync::oneshot;

use room::{Post, Posts, Room};
use store::{Store, Synchronous};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Fault = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Options {
    #[arg(long, default_value_t = 8001)]
    port: u16,
    /// Threads that serve connections
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Keeps nothing
    #[arg(long, conflicts_with = "durable")]
    memory: bool,
    /// Commits before it tells anybody
    #[arg(long)]
    durable: bool,
    #[arg(long, value_enum, default_value = "full")]
    synchronous: Synchronous,
    /// Messages in one transaction at most; 1 is one commit a message
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// How long the page is
    #[arg(long, default_value_t = 18 * 1024)]
    page_bytes: usize,
    /// Where the database goes
    #[arg(long, default_value = "data-bare")]
    data: PathBuf,
}

#[derive(Clone)]
struct Server {
    room: Arc<Room>,
    posts: Posts,
    store: Option<Arc<Store>>,
    page: Arc<page::Page>,
}

fn main() -> Result<(), Fault> {
    let options = Options::parse();
    if options.memory == options.durable {
        return Err("say --memory or --durable".into());
    }
    let mut runtime = match options.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(options.threads.max(1)).enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Fault> {
    let (room, store, posts);
    if options.durable {
        let opened = Arc::new(Store::open(&options.data, options.synchronous)?);
        room = Arc::new(Room::new(opened.last_seq()?));
        posts = opened.start_writer(room.clone(), options.batch.max(1))?;
        store = Some(opened);
    } else {
        room = Arc::new(Room::new(0));
        posts = Posts::InMemory(room.clone());
        store = None;
    }
    let server = Server { room, posts, store, page: Arc::new(page::Page::new(options.page_bytes)?) };
    let routes = Router::new()
        .route("/up", get(async || "ok\n"))
        .route("/ws", get(socket::open))
        .route("/post", post(say))
        .route("/page", get(show))
        .route("/audit", get(audit))
        .with_state(server);
    let listener = tokio::net::TcpSocket::new_v4()?;
    listener.set_reuseaddr(true)?;
    listener.bind(([127, 0, 0, 1], options.port).into())?;
    use axum::serve::ListenerExt;
    let listener = listener.listen(4096)?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await?;
    Ok(())
}

/// `POST /post`: the body is the text.
async fn say(State(server): State<Server>, body: String) -> Response {
    let (reply, answer) = oneshot::channel();
    if !server.posts.send(Post { content: body, client_id: None, reply: Some(reply) }).await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match answer.await {
        Ok(seq) => {
            let json = format!("{{\"id\":{seq},\"seq\":{seq}}}");
            (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], json).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// `GET /page`.
async fn show(State(server): State<Server>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    match accepted.is_some_and(|accepted| accepted.contains("gzip")) {
        true => ([kind, (header::CONTENT_ENCODING, "gzip")], server.page.gzip.clone()).into_response(),
        false => ([kind], server.page.plain.clone()).into_response(),
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: i64,
}

/// `GET /audit?after=SEQ`: what is stored beyond it, as count, last number and sum of the texts' hashes.
async fn audit(State(server): State<Server>, Query(After { after }): Query<After>) -> Response {
    let told = match server.store {
        Some(store) => tokio::task::spawn_blocking(move || store.audit(after)).await.ok().and_then(Result::ok),
        None => Some(server.room.audit()),
    };
    match told {
        Some(told) => axum::Json(told).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Takes a page's bytes without copying them.
fn shared(bytes: Vec<u8>) -> Bytes {
    Bytes::from(bytes)
}
