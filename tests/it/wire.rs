//! The protocol under the socket, byte by byte: RFC 6455 and RFC 7692 as a foreign program may speak them.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};
use crate::support::socket::PATIENCE;

const TEXT: u8 = 0x81;
const PART: u8 = 0x01;
const END: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const PACKED: u8 = 0xc1;

/// A connection whose every byte the test writes itself.
struct Raw {
    stream: TcpStream,
    head: String,
    bytes: Vec<u8>,
}

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = match payload.len() {
        short @ 0..=125 => vec![first, 0x80 | short as u8],
        middle @ 126..=65_535 => [&[first, 0xfe][..], &(middle as u16).to_be_bytes()].concat(),
        long => [&[first, 0xff][..], &(long as u64).to_be_bytes()].concat(),
    };
    let mask = [0x12, 0x34, 0x56, 0x78];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn said(content: &str, client_id: &str) -> Vec<u8> {
    json!({"type": "message", "content": content, "client_id": client_id}).to_string().into_bytes()
}

impl Raw {
    /// Opens a socket of `visitor`, with more headers and with bytes sent right behind them.
    async fn open(site: &Site, visitor: &Visitor, path: &str, more: &str, behind: &[u8]) -> Self {
        let (origin, cookie) = (site.url(""), visitor.cookie().unwrap_or_default());
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
            site.address
        );
        Self::ask(site, &[head.as_bytes(), behind].concat()).await
    }

    async fn ask(site: &Site, bytes: &[u8]) -> Self {
        let stream = TcpStream::connect(site.address).await.unwrap();
        let mut raw = Self { stream, head: String::new(), bytes: Vec::new() };
        raw.send(bytes).await;
        loop {
            assert!(raw.read().await, "no answer");
            if let Some(end) = raw.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                raw.head = String::from_utf8(raw.bytes.drain(..end + 4).collect()).unwrap();
                return raw;
            }
        }
    }

    async fn follow(site: &Site, visitor: &Visitor, room: i64) -> Self {
        Self::open(site, visitor, &format!("/ws/chat/{room}"), "", b"").await
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Reads some; false at the end.
    async fn read(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.bytes)).await.expect("nothing came");
        read.is_ok_and(|read| read > 0)
    }

    /// The next frame: its first byte and its payload. `None` at the end.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let (length, start) = match self.bytes[..] {
                [_, 126, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 4),
                [_, 127, _, _, _, _, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]) as usize, 10),
                [_, short @ 0..=125, ..] => (usize::from(short), 2),
                _ => (usize::MAX / 2, 0),
            };
            if self.bytes.len() >= start + length {
                let frame: Vec<u8> = self.bytes.drain(..start + length).collect();
                return Some((frame[0], frame[start..].to_vec()));
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next frame that begins with this byte.
    async fn expect(&mut self, first: u8) -> Vec<u8> {
        loop {
            match self.next().await {
                Some((byte, payload)) if byte == first => return payload,
                Some(_) => {}
                None => panic!("it ended before a frame of {first:#x}"),
            }
        }
    }

    /// The next text of this type.
    async fn expect_type(&mut self, kind: &str) -> Value {
        loop {
            let text: Value = serde_json::from_slice(&self.expect(TEXT).await).unwrap();
            if text["type"] == kind {
                return text;
            }
        }
    }

    /// The code it is closed with; then nothing comes any more.
    async fn close_code(&mut self) -> u16 {
        let payload = self.expect(CLOSE).await;
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

async fn a_room(site: &Site) -> (Visitor, i64) {
    let mut ann = Visitor::registered(site, "ann").await;
    let room = ann.public_room("General").await;
    (ann, room)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_is_answered_as_the_standard_says_and_anything_else_is_refused() {
    let site = Site::new(Engine::Sqlite).await;
    let (ann, room) = a_room(&site).await;
    let raw = Raw::follow(&site, &ann, room).await;
    assert!(raw.head.starts_with("HTTP/1.1 101 "), "{}", raw.head);
    assert!(raw.head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{}", raw.head);
    assert!(!raw.head.contains("sec-websocket-extensions"), "nothing was offered");
    let (cookie, origin) = (ann.cookie().unwrap(), site.url(""));
    let ask = |method: &str, headers: &str| {
        format!(
            "{method} /ws HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n{headers}\r\n",
            site.address
        )
    };
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (request, status) in [
        (ask("GET", ""), "400"),
        (ask("GET", "Connection: Upgrade\r\nUpgrade: h2c\r\n"), "400"),
        (ask("GET", &format!("{upgrade}{key}")), "400"),
        (ask("GET", &format!("{upgrade}{key}Sec-WebSocket-Version: 8\r\n")), "400"),
        (ask("GET", &format!("{upgrade}Sec-WebSocket-Version: 13\r\n")), "400"),
        (ask("HEAD", &format!("{upgrade}{key}Sec-WebSocket-Version: 13\r\n")), "405"),
    ] {
        let refused = Raw::ask(&site, request.as_bytes()).await;
        assert!(refused.head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{}", refused.head);
        assert!(refused.head.contains("sec-websocket-version: 13"), "it says what is spoken: {}", refused.head);
    }
}

both! {
    async fn the_answer_to_a_handshake_comes_with_the_first_frame(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("Hall").await;
        for path in [format!("/ws/chat/{room}"), "/ws".to_owned(), "/ws/notifications".to_owned()] {
            let raw = Raw::open(&site, &ann, &path, "", b"").await;
            assert!(raw.head.starts_with("HTTP/1.1 101 "), "{}", raw.head);
            assert_eq!(raw.bytes.first(), Some(&TEXT), "one write brings both");
        }
    }
}

both! {
    async fn a_message_in_parts_is_one_message_and_a_ping_between_them_is_echoed(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, room) = a_room(&site).await;
        let mut raw = Raw::follow(&site, &ann, room).await;
        let text = said("in three parts: €", "c1");
        let cut = text.len() - 5;
        let (one, rest) = text.split_at(10);
        let (two, three) = rest.split_at(cut - 10);
        raw.send(&[frame(PART, one), frame(PING, b"still there?"), frame(0, two)].concat()).await;
        assert_eq!(raw.expect(PONG).await, b"still there?");
        // The rest comes byte by byte, as slow lines bring it.
        for byte in frame(END, three) {
            raw.send(&[byte]).await;
        }
        assert_eq!(raw.expect_type("message").await["content"], "in three parts: €");
        assert_eq!(site.number("select count(*) from messages").await, 1);
    }
}

both! {
    async fn a_frame_right_behind_the_handshake_is_heard(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, room) = a_room(&site).await;
        let behind = [frame(TEXT, &said("early", "c1")), frame(PING, b"")].concat();
        let mut raw = Raw::open(&site, &ann, &format!("/ws/chat/{room}"), "", &behind).await;
        assert_eq!(raw.expect_type("connected").await["last_seq"], 0);
        assert_eq!(raw.expect_type("message").await["content"], "early");
    }
}

both! {
    async fn many_messages_at_once_are_numbered_in_the_order_they_came(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, room) = a_room(&site).await;
        let mut raw = Raw::follow(&site, &ann, room).await;
        let mut burst: Vec<u8> = (0..200).flat_map(|n| frame(TEXT, &said(&format!("m{n}"), &format!("c{n}")))).collect();
        burst.extend(frame(TEXT, &said("", "empty")));
        burst.extend(frame(TEXT, &said("after", "c200")));
        burst.extend(frame(TEXT, br#"{"type":"ping"}"#));
        raw.send(&burst).await;
        let mut seen = Vec::new();
        let mut refused = None;
        loop {
            let text: Value = serde_json::from_slice(&raw.expect(TEXT).await).unwrap();
            match text["type"].as_str().unwrap() {
                "message" => seen.push((text["seq"].as_u64().unwrap(), text["content"].as_str().unwrap().to_owned())),
                "error" => refused = Some(text["client_id"].clone()),
                "pong" => break,
                _ => {}
            }
        }
        let mut wanted: Vec<_> = (0..200).map(|n| (n + 1, format!("m{n}"))).collect();
        wanted.push((201, "after".into()));
        assert_eq!(seen, wanted, "and the ping is answered after all of them");
        assert_eq!(refused, Some(json!("empty")), "what is wrong with one hurts none of the others");
    }
}

both! {
    async fn who_says_something_and_hangs_up_has_said_it(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, room) = a_room(&site).await;
        let mut reader = ann.follows(room).await;
        for (n, last) in [frame(CLOSE, &1001_u16.to_be_bytes()), Vec::new()].into_iter().enumerate() {
            let mut raw = Raw::follow(&site, &ann, room).await;
            raw.expect_type("connected").await;
            let words: Vec<u8> = (0..3).flat_map(|m| frame(TEXT, &said("bye", &format!("{n}-{m}")))).collect();
            let read = frame(TEXT, format!("{{\"type\":\"read\",\"seq\":{}}}", n * 3 + 1).as_bytes());
            raw.send(&[words, read, last].concat()).await;
            raw.stream.shutdown().await.unwrap();
            for _ in 0..3 {
                assert_eq!(reader.expect("message").await["content"], "bye");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_the_protocol_is_told_by_a_code() {
    let site = Site::new(Engine::Sqlite).await;
    let (ann, room) = a_room(&site).await;
    let mut unmasked = vec![TEXT, 2];
    unmasked.extend(b"{}");
    for (bytes, code, why) in [
        (unmasked, 1002, "not masked"),
        (frame(0xa1, b"{}"), 1002, "a reserved bit"),
        (frame(PACKED, b"{}"), 1002, "packed without agreement"),
        (frame(0x83, b"{}"), 1002, "a reserved opcode"),
        (frame(0x8b, b""), 1002, "a reserved control opcode"),
        (frame(0x09, b""), 1002, "a ping in parts"),
        (frame(PING, &[b'x'; 126]), 1002, "a long ping"),
        (frame(END, b"{}"), 1002, "the end of nothing"),
        ([frame(PART, b"{"), frame(TEXT, b"{}")].concat(), 1002, "two at once"),
        (frame(CLOSE, b"x"), 1002, "half a code"),
        (frame(CLOSE, &1005_u16.to_be_bytes()), 1002, "a code that is never sent"),
        (frame(TEXT, b"{\"content\": \"\xff\"}"), 1007, "no UTF-8"),
        ([frame(PART, b"\xe2"), frame(END, b"\x28")].concat(), 1007, "no UTF-8 in parts"),
        (frame(TEXT, &vec![b'x'; 262_145]), 1009, "too big"),
        ([frame(PART, &vec![b'x'; 200_000]), frame(END, &vec![b'x'; 200_000])].concat(), 1009, "too big in parts"),
    ] {
        let mut raw = Raw::follow(&site, &ann, room).await;
        raw.expect_type("connected").await;
        // The server may have hung up before all of it is sent.
        let _ = raw.stream.write_all(&bytes).await;
        assert_eq!(raw.close_code().await, code, "{why}");
        assert_eq!(raw.next().await, None, "{why}");
    }
    assert_eq!(site.number("select count(*) from messages").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_is_answered_with_its_own_code_and_the_connection_ends() {
    let site = Site::new(Engine::Sqlite).await;
    let (ann, room) = a_room(&site).await;
    for payload in [&b""[..], &[0x03, 0xe8], b"\x03\xe9going away", &[0x0f, 0xa0]] {
        let mut raw = Raw::follow(&site, &ann, room).await;
        raw.expect_type("connected").await;
        raw.send(&frame(CLOSE, payload)).await;
        assert_eq!(raw.expect(CLOSE).await, payload[..payload.len().min(2)]);
        assert_eq!(raw.next().await, None);
    }
}

fn unpacked(packed: &[u8]) -> Value {
    let mut inflate = flate2::Decompress::new(false);
    let mut plain = Vec::with_capacity(1 << 20);
    for input in [packed, &[0, 0, 0xff, 0xff]] {
        inflate.decompress_vec(input, &mut plain, flate2::FlushDecompress::Sync).unwrap();
    }
    serde_json::from_slice(&plain).unwrap()
}

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    let mut packed = Vec::with_capacity(plain.len() + 100);
    deflate.compress_vec(plain, &mut packed, flate2::FlushCompress::Sync).unwrap();
    packed.truncate(packed.len() - 4);
    packed
}

both! {
    async fn messages_are_packed_for_those_who_offer_it_and_plain_for_the_others(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, room) = a_room(&site).await;
        let path = format!("/ws/chat/{room}");
        // As Chromium and Firefox offer it.
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        let mut packs = Raw::open(&site, &ann, &path, offer, b"").await;
        let agreed = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";
        assert!(packs.head.contains(agreed), "{}", packs.head);
        let narrow = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n";
        let mut plain = Raw::open(&site, &ann, &path, narrow, b"").await;
        assert!(!plain.head.contains("sec-websocket-extensions"), "a narrow window can't be kept to: {}", plain.head);
        plain.expect_type("connected").await;
        let text = "the same words ".repeat(100);
        // Twice: neither side keeps anything between messages. In two parts, of which only the first says so.
        for n in 0..2 {
            let bytes = packed(&said(&text, &format!("c{n}")));
            let (one, two) = bytes.split_at(9);
            packs.send(&[frame(0x41, one), frame(PING, b"between"), frame(END, two)].concat()).await;
            let got = packs.expect(PACKED).await;
            assert!(got.len() < text.len() / 3, "{}", got.len());
            assert_eq!((&unpacked(&got)["content"], &unpacked(&got)["seq"]), (&json!(text.trim()), &json!(n + 1)));
            assert_eq!(plain.expect_type("message").await["content"], text.trim());
        }
        packs.send(&frame(TEXT, br#"{"type":"ping"}"#)).await;
        assert_eq!(packs.expect_type("pong").await, json!({"type": "pong"}), "a short one isn't worth it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packed_bomb_rubbish_and_a_packed_ping_end_the_socket() {
    let site = Site::new(Engine::Sqlite).await;
    let (ann, room) = a_room(&site).await;
    let offer = "Sec-WebSocket-Extensions: foo, permessage-deflate; server_max_window_bits=15, permessage-deflate\r\n";
    let bomb = packed(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < 60_000);
    for (bytes, code, why) in [
        (frame(PACKED, &bomb), 1009, "a bomb"),
        (frame(PACKED, &packed(b"{\"content\": \"\xff\"}")), 1007, "no UTF-8"),
        (frame(PACKED, &[0xff; 20]), 1007, "rubbish"),
        (frame(0xc9, b""), 1002, "a packed ping"),
        ([frame(0x41, b""), frame(0xc0, b"")].concat(), 1002, "RSV1 on a continuation"),
    ] {
        let mut raw = Raw::open(&site, &ann, &format!("/ws/chat/{room}"), offer, b"").await;
        assert!(raw.head.contains("server_max_window_bits=15\r\n"), "{}", raw.head);
        raw.send(&bytes).await;
        assert_eq!(raw.close_code().await, code, "{why}");
    }
}

/// Nobody reads the answers: they must not pile up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_and_a_flood_of_them_waits() {
    let site = Site::new(Engine::Sqlite).await;
    let (ann, room) = a_room(&site).await;
    let mut raw = Raw::follow(&site, &ann, room).await;
    let flood: Vec<u8> = (0..60_u8).flat_map(|n| frame(PING, &[n])).collect();
    raw.send(&flood).await;
    let mut last = 0;
    while last < 59 {
        let pong = raw.expect(PONG).await[0];
        assert!(pong >= last, "in order");
        last = pong;
    }
}
