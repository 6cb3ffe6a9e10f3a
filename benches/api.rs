//! The API at 16 connections beside a static route of the same size, and what it costs over the domain call that it makes.
//! `cargo bench --bench api` prints both; the server and who asks it share the machine, so the ratio is what counts.

#[path = "support/site.rs"]
mod site;

use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use axum::routing::get;
use site::{Site, TEXT};
use switchboard::auth::token;
use switchboard::messages::history::{Stretch, history};
use switchboard::messages::{self, NewMessage};
use switchboard::rooms;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const REQUESTS: usize = 4000;

fn main() {
    let site = Site::new();
    (0..60).for_each(|_| site.post());
    let path = format!("/api/v1/chat/rooms/{}/messages", site.room);
    over_the_wire(&site, &path);
    println!("CPU of the whole process, medians of {ROUNDS} rounds");
    reading(&site, &path);
    posting(&site, &path);
}

fn read(site: &Site, path: &str) -> Request<Body> {
    let request = Request::get(format!("{path}?limit=50"));
    request.header(header::AUTHORIZATION, format!("Bearer {}", site.bearer)).body(Body::empty()).unwrap()
}

fn write(site: &Site, path: &str) -> Request<Body> {
    let request = Request::post(path).header(header::AUTHORIZATION, format!("Bearer {}", site.bearer));
    let body = serde_json::json!({"content": TEXT}).to_string();
    request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body)).unwrap()
}

/// Requests a second at 16 connections, each waiting for its answer.
fn over_the_wire(site: &Site, path: &str) {
    let page = site.runtime.block_on(async {
        let response = site.router.clone().oneshot(read(site, path)).await.unwrap();
        to_bytes(response.into_body(), usize::MAX).await.unwrap()
    });
    let bytes = page.clone();
    let same = get(move || async move { ([(header::CONTENT_TYPE, "application/json")], bytes) });
    let listener = site.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let served = site.router.clone().route("/same", same);
    site.runtime.spawn(async move { axum::serve(listener, served).await.unwrap() });
    let headers = format!("host: {address}\r\nauthorization: Bearer {}\r\n", site.bearer);
    let body = serde_json::json!({"content": TEXT}).to_string();
    let kind = format!("content-type: application/json\r\ncontent-length: {}", body.len());
    let cases = [
        ("a static answer", format!("GET /same HTTP/1.1\r\n{headers}\r\n")),
        ("GET …/messages?limit=50", format!("GET {path}?limit=50 HTTP/1.1\r\n{headers}\r\n")),
        ("POST …/messages", format!("POST {path} HTTP/1.1\r\n{headers}{kind}\r\n\r\n{body}")),
    ];
    println!("{CONNECTIONS} connections, {} bytes an answer of GET, medians of {ROUNDS} rounds", page.len());
    let mut rates = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for (rates, (_, request)) in rates.iter_mut().zip(&cases) {
            let begun = Instant::now();
            site.runtime.block_on(async {
                let asking = (0..CONNECTIONS).map(|_| ask(address, request, REQUESTS / CONNECTIONS));
                futures_util::future::join_all(asking).await;
            });
            rates.push(REQUESTS as f64 / begun.elapsed().as_secs_f64());
        }
    }
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    for ((name, _), rate) in cases.iter().zip(&rates) {
        println!("  {name:26} {rate:8.0} a second   {:5.2} of the static answer's", rate / rates[0]);
    }
}

/// One connection that asks `times`, one after the other.
async fn ask(address: std::net::SocketAddr, request: &str, times: usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::with_capacity(64 * 1024);
    for _ in 0..times {
        stream.write_all(request.as_bytes()).await.unwrap();
        buffer.clear();
        let whole = loop {
            assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "closed");
            if let Some(whole) = whole(&buffer) {
                break whole;
            }
        };
        while buffer.len() < whole {
            stream.read_buf(&mut buffer).await.unwrap();
        }
        assert!(buffer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&buffer));
    }
}

/// The length of the answer, once its headers are there.
fn whole(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&buffer[..head]).unwrap();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    Some(head + 4 + length.parse::<usize>().unwrap())
}

/// A read through the router, beside the functions that its handler calls, and the JSON that it writes.
fn reading(site: &Site, path: &str) {
    let domain = || async {
        let person = token::person(&site.app, &site.bearer).await.unwrap();
        let mut conn = site.app.db.read().await.unwrap();
        let room = rooms::see(&mut conn, person.id, site.room).await.unwrap();
        history(&mut conn, None, &room, Stretch::Before(i64::MAX), 50).await.unwrap()
    };
    let talk = site.runtime.block_on(domain());
    let json = || std::hint::black_box(serde_json::to_vec(&talk).unwrap().len());
    let call = || site.runtime.block_on(site.ask(read(site, path)));
    let [call, domain, json] = beside(
        REQUESTS / 2,
        [
            &mut || {
                call();
            },
            &mut || drop(site.runtime.block_on(domain())),
            &mut || {
                json();
            },
        ],
    );
    told("GET …/messages?limit=50", call, domain);
    println!("    of which {json:.0} µs write the JSON");
}

fn posting(site: &Site, path: &str) {
    let domain = || async {
        let person = token::person(&site.app, &site.bearer).await.unwrap();
        let new = NewMessage::parse(TEXT, None, None).unwrap();
        messages::post(&site.app, &person, site.room, new).await.unwrap()
    };
    let call = || site.runtime.block_on(site.ask(write(site, path)));
    let [call, domain] = beside(
        REQUESTS / 8,
        [
            &mut || {
                call();
            },
            &mut || drop(site.runtime.block_on(domain())),
        ],
    );
    told("POST …/messages", call, domain);
}

fn told(name: &str, call: f64, domain: f64) {
    println!("  {name:26} {call:6.0} µs, the domain's calls {domain:6.0} µs, over them {:5.0} µs", call - domain);
}

/// Microseconds of CPU for each of `works`, done `times` in turns.
fn beside<const N: usize>(times: usize, mut works: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut rounds = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (rounds, work) in rounds.iter_mut().zip(&mut works) {
            rounds.push(cpu(|| (0..times).for_each(|_| work())) / times as f64);
        }
    }
    rounds.map(median)
}

/// Microseconds of CPU that the whole process takes for `work`, its other threads' too.
fn cpu(work: impl FnOnce()) -> f64 {
    let before = taken();
    work();
    (taken() - before).as_secs_f64() * 1e6
}

/// By the kernel's count, in ticks of 10 ms.
fn taken() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<u64>().unwrap();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
