//! Files that go with messages: taken in as strangers' bytes, kept once however often they are posted, given to those who
//! may see their message, gone with the last message that has them.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::time::{Duration, Instant};

use image::{ImageFormat, RgbImage};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};
use crate::support::program::{Answer, Program, api, api_with};
use crate::support::talk::{room, said};

/// SHA-256 of "hello".
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn part(name: &str, bytes: impl Into<Vec<u8>>) -> Part {
    Part::bytes(bytes.into()).file_name(name.to_owned())
}

async fn send(who: &Program, room: i64, form: Form) -> Answer {
    let request = who.client.post(format!("{}/api/v1/chat/rooms/{room}/messages", who.base)).multipart(form);
    let response = request.bearer_auth(who.access.as_deref().unwrap_or("none")).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

async fn upload(who: &Program, room: i64, name: &str, bytes: impl Into<Vec<u8>>) -> Value {
    send(who, room, Form::new().part("file", part(name, bytes))).await.is(201).json()
}

/// The files that lie there, finished and not.
fn kept(site: &Site) -> BTreeSet<String> {
    let files = std::fs::read_dir(site.database.folder.path().join("uploads/files"));
    let names = files.into_iter().flatten().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".lock").collect()
}

async fn until_kept(site: &Site, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while kept(site).len() != count {
        assert!(Instant::now() < deadline, "{:?} and not {count}", kept(site));
        tokio::task::yield_now().await;
    }
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::new(width, height).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A JPEG taken with the camera on its side.
fn turned_jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut plain = Cursor::new(Vec::new());
    RgbImage::new(width, height).write_to(&mut plain, ImageFormat::Jpeg).unwrap();
    let plain = plain.into_inner();
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, exif, &plain[2..]].concat()
}

async fn get(who: &Program, url: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = who.client.get(format!("{}{url}", who.base)).bearer_auth(who.access.as_deref().unwrap_or("none"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

both! {
    async fn a_file_that_looks_like_the_answer_to_a_handshake_comes_back_whole(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        // Of sixteen bytes: each piece that it is sent in begins so.
        let lines = "HTTP/1.1 101 OK\n".repeat(20_000);
        let file = upload(&ann, hall, "answers.txt", lines.as_bytes()).await["attachments"][0].clone();
        let answer = get(&ann, file["url"].as_str().unwrap(), &[]).await;
        assert!(answer.text().await.unwrap() == lines);
    }
}

both! {
    async fn a_message_carries_its_files_wherever_it_is_shown(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let hall = room(&site, "public", &[1, 2]).await;
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        let form = Form::new().text("content", "two of them").text("client_id", "a1").text("reply_to", "")
            .part("file", part("../../plan.exe", png(7, 5))).part("file", part("a.txt", "hello"));
        let message = send(&ann, hall, form).await.is(201).json();
        assert_eq!((&message["content"], &message["client_id"]), (&json!("two of them"), &json!("a1")));
        let size = png(7, 5).len();
        assert_eq!(message["attachments"], json!([
            {"id": 1, "filename": "plan.exe", "content_type": "image/png", "size": size, "width": 7, "height": 5, "url": "/api/v1/chat/attachments/1"},
            {"id": 2, "filename": "a.txt", "content_type": "text/plain", "size": 5, "width": null, "height": null, "url": "/api/v1/chat/attachments/2"},
        ]));
        assert_eq!(socket.expect("message").await["attachments"], message["attachments"]);
        let path = format!("/chat/rooms/{hall}/messages");
        assert_eq!(bob.get(&path).await.json()["messages"][0], message);
        let edited = ann.patch("/chat/messages/1", json!({"content": ""})).await.is(200).json();
        assert_eq!((&edited["content"], &edited["attachments"]), (&json!(""), &message["attachments"]), "files say enough");
        assert_eq!(socket.expect("message_edited").await["attachments"], message["attachments"]);
        let mut late = bob.socket(&format!("/ws/chat/{hall}?after=0")).await;
        assert_eq!(late.expect("message").await["attachments"], message["attachments"]);
        assert_eq!(kept(&site).len(), 2);
        let page = Visitor::logged_in(&site, "ann").await.get(&format!("/chat/rooms/{hall}")).await.text;
        let picture = "href=\"/chat/attachments/1\"><img src=\"/chat/attachments/1/thumbnail\" width=\"7\" height=\"5\" alt=\"plan.exe\"";
        assert!(page.contains(picture), "{page}");
        assert!(page.contains("<bdi>a.txt</bdi> <small>5 bytes</small></a>"));
    }
}

both! {
    async fn a_file_is_given_to_who_sees_its_message_and_can_do_no_harm(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let root = Program::of_role(&site, "root", "admin").await;
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1]).await);
        upload(&ann, hall, "h\u{e9}llo \"1\".txt", "hello").await;
        upload(&ann, den, "secret.txt", "secret").await;
        upload(&ann, hall, "page.html", "<!DOCTYPE html><script>alert(1)</script>").await;
        upload(&ann, hall, "x.svg", "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>").await;
        let path = "/api/v1/chat/attachments/1";
        let answer = get(&bob, path, &[("accept", "image/*"), ("accept-encoding", "gzip, br")]).await;
        assert_eq!(answer.status(), 200);
        for (header, value) in [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", "5"),
            ("etag", &format!("\"{HELLO}\"")),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("cache-control", "private, no-cache"),
            ("accept-ranges", "bytes"),
            ("content-disposition", "inline; filename=\"h_llo _1_.txt\"; filename*=UTF-8''h%C3%A9llo%20%221%22.txt"),
        ] {
            assert_eq!(answer.headers()[header], value, "{header}");
        }
        assert_eq!(answer.text().await.unwrap(), "hello");
        let known = get(&bob, path, &[("if-none-match", &format!("W/\"{HELLO}\""))]).await;
        assert_eq!((known.status().as_u16(), known.content_length()), (304, Some(0)));
        for id in [3, 4] {
            let answer = get(&bob, &format!("/api/v1/chat/attachments/{id}"), &[]).await;
            assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment; "));
        }
        for who in [&bob, &root] {
            who.get("/chat/attachments/2").await.refuses(404, None);
            who.get("/chat/attachments/77").await.refuses(404, None);
        }
        ann.get("/chat/attachments/2").await.is(200);
        ann.get("/chat/attachments/x").await.refuses(400, None);
        Program::new(&site).get("/chat/attachments/1").await.refuses(401, None);
        let (visitor, outside) = (Visitor::logged_in(&site, "ann").await, Visitor::new(&site));
        assert_eq!(visitor.get("/chat/attachments/2").await.text, "secret");
        assert!(outside.get("/chat/attachments/1").await.leads_to().starts_with("/login"));
        assert_eq!(Visitor::logged_in(&site, "bob").await.get("/chat/attachments/2").await.status, 404);
    }
}

both! {
    async fn any_number_of_files_to_be_taken_away_leaves_room_for_others(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = ann.room(json!({"name": "Hall"})).await;
        upload(&ann, hall, "first.txt", "first").await;
        for n in 0..2000 {
            switchboard::attachments::disk::discard(&site.app, vec![format!("{n:064x}")]);
        }
        let file = upload(&ann, hall, "second.txt", "second").await["attachments"][0]["url"].clone();
        assert_eq!(get(&ann, file.as_str().unwrap(), &[]).await.text().await.unwrap(), "second");
        until_kept(&site, 2).await;
    }
}

both! {
    async fn a_part_of_a_file_can_be_asked_for(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        upload(&ann, hall, "x.bin", bytes.clone()).await;
        let url = "/api/v1/chat/attachments/1";
        assert_eq!(get(&ann, url, &[]).await.bytes().await.unwrap(), bytes);
        for (range, part) in [("bytes=0-0", 0..1), ("bytes=100000-100009", 100_000..100_010), ("bytes=199990-", 199_990..200_000),
                              ("bytes=-5", 199_995..200_000), ("bytes=199999-999999999999999999999", 199_999..200_000), ("bytes=-999999", 0..200_000)] {
            let answer = get(&ann, url, &[("range", range)]).await;
            assert_eq!(answer.status(), 206, "{range}");
            assert_eq!(answer.headers()["content-range"], format!("bytes {}-{}/200000", part.start, part.end - 1).as_str());
            assert_eq!(answer.bytes().await.unwrap(), bytes[part]);
        }
        for range in ["bytes=200000-", "bytes=-0"] {
            let answer = get(&ann, url, &[("range", range)]).await;
            assert_eq!((answer.status().as_u16(), answer.headers()["content-range"].to_str().unwrap()), (416, "bytes */200000"));
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        for range in ["bytes=0-1,5-6", "bytes=5-1", "bytes=x-", "lines=0-1", "bytes=-"] {
            assert_eq!(get(&ann, url, &[("range", range)]).await.status(), 200, "{range}");
        }
        assert_eq!(get(&ann, url, &[("range", "bytes=0-0"), ("if-range", "\"other\"")]).await.status(), 200);
    }
}

both! {
    async fn what_is_too_much_is_refused_and_nothing_stays(engine: Engine) {
        let (site, _) = api_with(engine, &[("UPLOAD_MAX_BYTES", "100000")]).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1]).await);
        let file = |size: usize| Form::new().part("file", part("x", vec![0; size]));
        send(&ann, hall, file(100_001)).await.refuses(413, None);
        send(&ann, hall, file(100_001).part("file", part("y", "small"))).await.refuses(413, None);
        send(&ann, hall, file(1_500_000)).await.refuses(413, None);
        let many = |count| (0..count).fold(Form::new(), |form, n| form.part("file", part("x", format!("file {n}"))));
        send(&ann, hall, many(11)).await.refuses(422, Some("file"));
        for (form, field) in [
            (file(5).text("content", "x".repeat(4001)), "content"),
            (file(5).text("client_id", "x".repeat(65)), "client_id"),
            (file(5).text("reply_to", "x"), "reply_to"),
            (file(5).text("reply_to", "77"), "reply_to"),
            (Form::new().text("other", "x"), "content"),
            (Form::new().part("file", part("", "")), "content"),
        ] {
            send(&ann, hall, form).await.refuses(422, Some(field));
        }
        send(&bob, hall, file(5)).await.refuses(403, None);
        send(&bob, den, file(5)).await.refuses(404, None);
        send(&Program::new(&site), hall, file(5)).await.refuses(401, None);
        let kind = Some("multipart/form-data; boundary=x");
        let path = format!("/chat/rooms/{hall}/messages");
        ann.send("POST", &path, Some("multipart/form-data"), "").await.refuses(400, None);
        ann.send("POST", &path, kind, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf").await.refuses(400, None);
        until_kept(&site, 0).await;
        assert_eq!(site.number("select count(*) from messages").await, 0);
        send(&ann, hall, many(10)).await.is(201);
        send(&ann, hall, file(100_000)).await.is(201);
        send(&ann, hall, Form::new().text("content", "just words")).await.is(201);
        assert_eq!((kept(&site).len(), site.number("select last_seq from rooms where id = 1").await), (11, 3));
    }
}

both! {
    async fn the_site_says_what_files_may_be_and_the_content_what_they_are(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        for (name, bytes, kind, width) in [
            ("a.png", turned_jpeg(30, 20), "image/jpeg", json!(20)),
            ("a.txt", png(9, 9), "image/png", json!(9)),
            ("a.png", b"\0\x01\x02".to_vec(), "application/octet-stream", json!(null)),
            ("a.png", png(9, 9)[..20].to_vec(), "image/png", json!(null)),
            ("empty", Vec::new(), "text/plain", json!(null)),
        ] {
            let file = upload(&ann, hall, name, bytes).await["attachments"][0].clone();
            assert_eq!((&file["content_type"], &file["width"]), (&json!(kind), &width), "{file}");
        }
        let mut work = site.admin().await;
        switchboard::settings::set(&mut work, "upload_types", "image/*, text/plain").await.unwrap();
        work.commit().await.unwrap();
        let before = kept(&site);
        for (bytes, status) in [(png(8, 8), 201), (b"words".to_vec(), 201), (b"%PDF-1.7".to_vec(), 422), (vec![0], 422)] {
            assert_eq!(send(&ann, hall, Form::new().part("file", part("x.png", bytes))).await.status, status);
        }
        let refused = send(&ann, hall, Form::new().part("file", part("x.png", "%PDF-1.7")).part("file", part("y", "fine"))).await;
        assert!(refused.refuses(422, Some("file"))["detail"].as_str().unwrap().contains("application/pdf"));
        assert_eq!(kept(&site).len(), before.len() + 2);
    }
}

both! {
    async fn a_file_is_kept_once_and_goes_with_its_last_message(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1]).await);
        for room in [hall, hall, den] {
            upload(&ann, room, "a.txt", "hello").await;
        }
        assert_eq!(kept(&site), BTreeSet::from([HELLO.to_owned()]));
        let again = || Form::new().text("client_id", "same").part("file", part("b.txt", "other"));
        let first = send(&ann, hall, again()).await.is(201).json();
        assert_eq!(send(&ann, hall, again()).await.is(200).json(), first, "sent again it is the first, files and all");
        let changed = Form::new().text("client_id", "same").part("file", part("c.txt", "not stored"));
        assert_eq!(send(&ann, hall, changed).await.is(200).json(), first);
        until_kept(&site, 2).await;
        ann.delete("/chat/messages/4", json!({})).await.is(204);
        until_kept(&site, 1).await;
        ann.get("/chat/attachments/4").await.refuses(404, None);
        ann.delete("/chat/messages/1", json!({})).await.is(204);
        let mut work = site.admin().await;
        switchboard::attachments::delete(&mut work, switchboard::ids::AttachmentId(2)).await.unwrap();
        work.commit().await.unwrap();
        let page = ann.get(&format!("/chat/rooms/{hall}/messages")).await.json();
        assert!(page["messages"].as_array().unwrap().iter().all(|message| message["attachments"] == json!([])), "{page}");
        assert_eq!(get(&ann, "/api/v1/chat/attachments/3", &[]).await.text().await.unwrap(), "hello", "one is left");
        let mut work = site.admin().await;
        let room = switchboard::rooms::change::hold(&mut work, switchboard::ids::RoomId(den)).await.unwrap();
        switchboard::rooms::change::delete(&mut work, &room).await.unwrap();
        work.commit().await.unwrap();
        until_kept(&site, 0).await;
    }
}

both! {
    async fn a_file_uploaded_while_its_last_message_is_deleted_stays(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        let mut last = upload(&ann, hall, "a.txt", "hello").await["id"].as_i64().unwrap();
        for _ in 0..15 {
            let path = format!("/chat/messages/{last}");
            let deleted = ann.delete(&path, json!({}));
            let (deleted, uploaded) = tokio::join!(deleted, upload(&ann, hall, "a.txt", "hello"));
            deleted.is(204);
            let url = uploaded["attachments"][0]["url"].as_str().unwrap();
            // Whoever takes files away has had its turn once it is ours alone.
            let lock = std::fs::File::open(site.database.folder.path().join("uploads/files/.lock")).unwrap();
            tokio::task::spawn_blocking(move || lock.lock()).await.unwrap().unwrap();
            let answer = get(&ann, url, &[]).await;
            assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "hello".to_owned()));
            last = uploaded["id"].as_i64().unwrap();
        }
    }
}

both! {
    async fn names_beyond_ascii_arrive_whichever_way_they_are_sent(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        let body = |disposition: &str| format!("--x\r\nContent-Disposition: form-data; name=\"file\"; {disposition}\r\n\r\nhello\r\n--x--\r\n");
        for (disposition, name) in [
            ("filename=\"\u{17c}\u{f3}\u{142}w.txt\"", "\u{17c}\u{f3}\u{142}w.txt"),
            ("filename*=UTF-8''%C5%BC%C3%B3%C5%82w.txt", "\u{17c}\u{f3}\u{142}w.txt"),
            ("filename=\"plain.txt\"; filename*=utf-8''%C5%BC.txt", "\u{17c}.txt"),
            ("filename=\"C:\\\\Users\\\\ann\\\\cv.txt\"", "cv.txt"),
            ("filename=\"a\u{202e}gpj.exe\"", "agpj.exe"),
        ] {
            let path = format!("/chat/rooms/{hall}/messages");
            let answer = ann.send("POST", &path, Some("multipart/form-data; boundary=x"), &body(disposition)).await.is(201);
            assert_eq!(answer.json()["attachments"][0]["filename"], name, "{disposition}");
        }
    }
}

both! {
    async fn a_message_with_files_can_answer_and_be_answered(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        let first = said(&ann, hall, "look").await;
        let form = Form::new().text("reply_to", first["id"].to_string()).part("file", part("a.txt", "hello"));
        let answer = send(&ann, hall, form).await.is(201).json();
        assert_eq!((&answer["reply_to"], &answer["html"]), (&first["id"], &json!("")));
        ann.post(&format!("/chat/rooms/{hall}/messages"), json!({"content": "x", "reply_to": answer["id"]})).await.is(201);
    }
}

both! {
    async fn a_message_that_was_nothing_but_a_file_goes_with_it(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let root = Program::of_role(&site, "root", "admin").await;
        let hall = room(&site, "public", &[1]).await;
        let file = upload(&ann, hall, "a.txt", "words").await["attachments"][0]["id"].clone();
        let both = Form::new().text("content", "look").part("file", part("b.txt", "more"));
        let other = send(&ann, hall, both).await.is(201).json()["attachments"][0]["id"].clone();
        for id in [file, other] {
            root.delete(&format!("/admin/attachments/{id}"), json!({})).await.is(204);
        }
        let page = ann.get(&format!("/chat/rooms/{hall}/messages")).await.is(200).json();
        assert!(page["messages"][0]["deleted_at"].is_string(), "{page}");
        assert_eq!((&page["messages"][1]["deleted_at"], &page["messages"][1]["content"]), (&json!(null), &json!("look")));
    }
}

both! {
    async fn a_field_beside_the_files_that_is_too_long_is_refused_where_it_is(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        for length in [4001, 70_000] {
            let form = Form::new().text("content", "x".repeat(length)).part("file", part("a.txt", "words"));
            send(&ann, hall, form).await.refuses(422, Some("content"));
        }
        until_kept(&site, 0).await;
    }
}
