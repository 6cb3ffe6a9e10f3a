//! One connection: the handshake, then a task that writes what the room owes it and reads what it says.

use std::cell::RefCell;
use std::io;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::Server;
use super::room::{Post, Written};

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HELLO: &str = r#"{"type":"connected","user_id":1,"username":"admin","room_id":1}"#;
/// The longest frame taken.
const LONGEST: usize = 64 * 1024;

thread_local! {
    /// All connections of a thread read into this one; what is no whole frame yet is kept by its connection.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; 2 * LONGEST]);
}

/// `GET /ws` (RFC 6455, section 4.2.2).
pub async fn open(State(server): State<Server>, mut request: Request) -> Response {
    let Some(key) = request.headers().get("sec-websocket-key") else { return StatusCode::BAD_REQUEST.into_response() };
    let mut hash = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(GUID.as_bytes());
    let accept = HeaderValue::from_str(&STANDARD.encode(hash.finish())).unwrap_or(HeaderValue::from_static(""));
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let Ok(parts) = downcast::<TokioIo<TcpStream>>(upgraded) else { return };
        let early = parts.read_buf.to_vec();
        // A task of its own: the one that waited for the handshake is larger.
        tokio::spawn(run(server, parts.io.into_inner(), early));
    });
    let headers = [
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn run(server: Server, stream: TcpStream, mut partial: Vec<u8>) {
    let (mut place, mut more) = server.room.follow();
    // What only this socket is to get, whole frames.
    let mut own = [&[0x81, HELLO.len() as u8], HELLO.as_bytes()].concat();
    let mut posts = Vec::new();
    loop {
        let _ = more.borrow_and_update();
        let mut blocked = false;
        if place.is_between() && !own.is_empty() {
            blocked = !matches!(write_own(&stream, &mut own), Ok(true));
        }
        if !blocked {
            match place.write(&server.room, &stream) {
                Ok(Written::All) => {}
                Ok(Written::Part) => blocked = true,
                Ok(Written::TooSlow) | Err(_) => return,
            }
        }
        tokio::select! {
            _ = more.changed() => {}
            ready = stream.writable(), if blocked => if ready.is_err() { return },
            ready = stream.readable() => {
                if ready.is_err() || !matches!(read(&stream, &mut partial, &mut own, &mut posts), Ok(true)) {
                    return;
                }
                for post in std::mem::take(&mut posts) {
                    if !server.posts.send(post).await {
                        return;
                    }
                }
            }
        }
    }
}

/// Whether all of it is written.
fn write_own(stream: &TcpStream, own: &mut Vec<u8>) -> io::Result<bool> {
    let sent = match stream.try_write(own) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        sent => sent?,
    };
    if sent == own.len() {
        *own = Vec::new();
    } else {
        own.drain(..sent);
    }
    Ok(own.is_empty())
}

/// Reads once. `false` when the other side is gone or breaks the protocol.
fn read(stream: &TcpStream, partial: &mut Vec<u8>, own: &mut Vec<u8>, posts: &mut Vec<Post>) -> io::Result<bool> {
    READ.with_borrow_mut(|buffer| {
        let held = partial.len();
        if held > LONGEST + 14 {
            return Ok(false);
        }
        buffer[..held].copy_from_slice(partial);
        let got = match stream.try_read(&mut buffer[held..]) {
            Ok(0) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            got => got?,
        };
        let mut rest = &mut buffer[..held + got];
        while let Some((opcode, length, header)) = head(rest) {
            if length > LONGEST {
                return Ok(false);
            }
            if rest.len() < header + length {
                break;
            }
            let (frame, after) = rest.split_at_mut(header + length);
            rest = after;
            let (head, payload) = frame.split_at_mut(header);
            let mask = &head[header - 4..];
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            match opcode {
                1 => posts.extend(message(payload)),
                9 if length < 126 => own.extend([&[0x8a, length as u8], &*payload].concat()),
                10 => {}
                _ => return Ok(false),
            }
        }
        *partial = rest.to_vec();
        Ok(true)
    })
}

/// Opcode, length of the payload and of what stands before it (RFC 6455, section 5.2); `None` when it isn't all there.
fn head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let opcode = bytes.first()? & 0x0f;
    Some(match bytes.get(1)? & 0x7f {
        126 => (opcode, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 8),
        127 => (opcode, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 14),
        short => (opcode, usize::from(short), 6),
    })
}

#[derive(Deserialize)]
struct Said {
    content: String,
    client_id: Option<String>,
}

/// The same frame that Switchboard takes: `{"type":"message","content","client_id"}`.
fn message(payload: &[u8]) -> Option<Post> {
    let Said { content, client_id } = serde_json::from_slice(payload).ok()?;
    Some(Post { content, client_id, reply: None })
}
