//! Small pictures of large ones: made once, upright, for whoever may see the message; nothing of what strangers send runs,
//! swells or stays.

use std::io::Cursor;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use reqwest::Response;
use reqwest::multipart::{Form, Part};

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn plain(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgba8(RgbaImage::from_pixel(width, height, Rgba([200, 40, 40, 255])))
}

fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(&plain(width, height), ImageFormat::Png)
}

/// A PNG that says it is so large, with nothing in it.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(1, 1);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    // The checksum of the header, by the algorithm of the PNG specification, D.
    let mut crc = u32::MAX;
    for byte in &bytes[12..29] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        }
    }
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

/// A JPEG taken with the camera on its side.
fn turned(width: u32, height: u32) -> Vec<u8> {
    let plain = encoded(&DynamicImage::ImageRgb8(plain(width, height).into_rgb8()), ImageFormat::Jpeg);
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, exif, &plain[2..]].concat()
}

async fn hall(engine: Engine) -> (Site, Visitor, i64) {
    let site = Site::new(engine).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("Hall").await;
    (site, ann, room)
}

/// Posts a file; its thumbnail's address.
async fn posted(site: &Site, who: &Visitor, room: i64, bytes: Vec<u8>) -> String {
    let form = Form::new().part("file", Part::bytes(bytes).file_name("x.png"));
    who.post_multipart(&format!("/chat/rooms/{room}"), form).await.leads_to();
    format!("/chat/attachments/{}/thumbnail", site.number("select max(id) from attachments").await)
}

async fn shown(answer: Response) -> (DynamicImage, String) {
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (image::load_from_memory(&answer.bytes().await.unwrap()).unwrap(), kind)
}

fn kept(site: &Site) -> usize {
    std::fs::read_dir(site.database.folder.path().join("uploads/thumbnails")).into_iter().flatten().count()
}

both! {
    async fn pictures_of_every_kind_become_small_and_stay_upright(engine: Engine) {
        let (site, ann, room) = hall(engine).await;
        let mut clear = plain(1000, 1000).into_rgba8();
        clear.put_pixel(0, 0, Rgba([0, 0, 0, 0]));
        for (bytes, width, height) in [
            (png(1920, 1080), 480, 270), (png(30, 20), 30, 20), (turned(1600, 800), 180, 360), (turned(60, 20), 20, 60),
            (encoded(&DynamicImage::ImageRgb8(plain(500, 3000).into_rgb8()), ImageFormat::Jpeg), 60, 360),
            (encoded(&plain(960, 360), ImageFormat::WebP), 480, 180), (encoded(&plain(960, 960), ImageFormat::Gif), 360, 360),
            (encoded(&DynamicImage::ImageRgba8(clear), ImageFormat::Png), 360, 360), (png(8000, 1), 480, 1),
        ] {
            let path = posted(&site, &ann, room, bytes).await;
            let (image, kind) = shown(ann.open(&path).await).await;
            assert_eq!((image.width(), image.height()), (width, height), "{kind}");
            assert!(["image/jpeg", "image/webp", "image/png"].contains(&kind.as_str()), "{kind}");
        }
        assert_eq!(kept(&site), 9);
        let page = ann.get("/chat/messages/1").await;
        assert!(page.text.contains("src=\"/chat/attachments/1/thumbnail\" width=\"480\" height=\"270\""), "{}", page.text);
    }
}

both! {
    async fn it_is_given_to_who_sees_its_message_and_asked_for_every_time(engine: Engine) {
        let (site, mut ann, _) = hall(engine).await;
        let [bob, cat] = [Visitor::registered(&site, "bob").await, Visitor::registered(&site, "cat").await];
        let den = ann.group_with("Den", 2).await;
        let path = posted(&site, &ann, den, png(600, 600)).await;
        let answer = bob.open(&path).await;
        for (header, value) in [
            ("cache-control", "private, no-cache"), ("x-content-type-options", "nosniff"), ("vary", "authorization, cookie"),
        ] {
            assert_eq!(answer.headers()[header], value, "{header}");
        }
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
        let tag = answer.headers()["etag"].clone();
        shown(answer).await;
        let client = reqwest::Client::new();
        let again = |who: &Visitor| client.get(site.url(&path)).header("cookie", who.cookie().unwrap()).header("if-none-match", &tag).send();
        assert_eq!(again(&bob).await.unwrap().status(), 304);
        assert_eq!(again(&cat).await.unwrap().status(), 404, "who isn't in the room");
        assert_eq!(cat.get(&path).await.status, 404);
        assert!(Visitor::new(&site).get(&path).await.leads_to().starts_with("/login"));
        ann.post(&format!("/rooms/{den}/members/2/remove"), &[]).await.leads_to();
        assert_eq!(again(&bob).await.unwrap().status(), 404, "who isn't there any more");
        assert_eq!(ann.get("/chat/attachments/77/thumbnail").await.status, 404);
    }
}

both! {
    async fn it_goes_with_the_last_message_that_has_the_file(engine: Engine) {
        let (site, mut ann, room) = hall(engine).await;
        let first = posted(&site, &ann, room, png(600, 600)).await;
        let second = posted(&site, &ann, room, png(600, 600)).await;
        shown(ann.open(&first).await).await;
        shown(ann.open(&second).await).await;
        assert_eq!(kept(&site), 1, "one for both");
        ann.post("/chat/messages/1/delete", &[]).await.leads_to();
        assert_eq!(ann.get(&first).await.status, 404);
        shown(ann.open(&second).await).await;
        ann.post("/chat/messages/2/delete", &[]).await.leads_to();
        let deadline = Instant::now() + Duration::from_secs(20);
        while kept(&site) > 0 {
            assert!(Instant::now() < deadline, "it is still there");
            tokio::task::yield_now().await;
        }
        assert_eq!(ann.get(&second).await.status, 404);
    }
}

both! {
    async fn bombs_fragments_and_chimeras_have_none(engine: Engine) {
        let (site, ann, room) = hall(engine).await;
        let whole = png(600, 600);
        let animal = [b"GIF89a/*\x01\x00\x01\x00".to_vec(), b"*/=1;alert(1)//<script>alert(2)</script>".to_vec()].concat();
        for (bytes, what) in [
            (claiming(8001, 1), "too wide"), (claiming(60_000, 60_000), "a bomb"), (claiming(8000, 8000), "too many pixels"),
            (claiming(7000, 4000), "an empty promise"), (whole[..whole.len() / 2].to_vec(), "cut off"), (whole[..40].to_vec(), "a beginning"),
            (b"just words".to_vec(), "text"), (animal.clone(), "a GIF that is a script"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>".to_vec(), "a drawing"),
        ] {
            let path = posted(&site, &ann, room, bytes).await;
            for _ in 0..2 {
                assert_eq!(ann.get(&path).await.status, 404, "{what}");
            }
            let file = ann.get(path.strip_suffix("/thumbnail").unwrap()).await;
            assert_eq!(file.headers["x-content-type-options"], "nosniff", "{what}");
            assert!(file.headers["content-security-policy"].to_str().unwrap().contains("sandbox"), "{what}");
            assert!(!["text/html", "text/javascript", "image/svg+xml"].contains(&file.headers["content-type"].to_str().unwrap()), "{what}");
        }
        assert_eq!(ann.get("/chat").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_ask_at_once_get_the_same_one() {
    let (site, ann, room) = hall(Engine::Sqlite).await;
    let path = posted(&site, &ann, room, png(3000, 2000)).await;
    let answers =
        futures_util::future::join_all((0..8).map(|_| async { ann.open(&path).await.bytes().await.unwrap() })).await;
    assert!(answers.iter().all(|bytes| *bytes == answers[0] && !bytes.is_empty()));
    assert_eq!(kept(&site), 1);
}
