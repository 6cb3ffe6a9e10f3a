//! Pictures of people: taken in as strangers' bytes, kept as squares, shown to whoever is signed in.

use std::io::Cursor;
use std::path::PathBuf;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, RgbaImage};
use reqwest::multipart::{Form, Part};

use crate::support::actors::{Page, Visitor};
use crate::support::app::{Site, both};

/// Red on the left, blue on the right.
fn halves(width: u32, height: u32) -> DynamicImage {
    let left = |x| if x < width / 2 { Rgb([250, 10, 10]) } else { Rgb([10, 10, 250]) };
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, _| left(x)))
}

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG that says it was taken with the camera on its side, and where.
fn turned_jpeg() -> Vec<u8> {
    let plain = file(&halves(400, 300), ImageFormat::Jpeg);
    // TIFF, little endian: one entry, orientation (0x0112) = 6, a quarter turn clockwise.
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    exif.extend_from_slice(b"taken at home");
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, &exif, &plain[2..]].concat()
}

/// A PNG of a few bytes that says it is `width` pixels wide and as high.
fn claiming_png(width: u32) -> Vec<u8> {
    let mut bytes = file(&halves(8, 8), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&width.to_be_bytes());
    let sum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (0u32.wrapping_sub(sum & 1))))
    })
}

fn gif(frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for number in 0..frames {
        let shade = u8::try_from(number * 90).unwrap();
        encoder.encode_frame(Frame::new(RgbaImage::from_pixel(20, 30, image::Rgba([shade, 9, 9, 255])))).unwrap();
    }
    drop(encoder);
    bytes
}

async fn upload(who: &Visitor, bytes: Vec<u8>) -> Page {
    let part = Part::bytes(bytes).file_name("../../me.exe").mime_str("text/plain").unwrap();
    who.post_multipart("/settings/avatar", Form::new().part("avatar", part)).await
}

/// The address of the picture on one's own page.
async fn address(who: &Visitor) -> String {
    let page = who.get("/settings").await;
    let (_, after) = page.text.split_once("class=\"avatar large\" src=\"").unwrap();
    after.split_once('"').unwrap().0.to_owned()
}

async fn picture(who: &Visitor) -> (Vec<u8>, DynamicImage) {
    let response = who.open(&address(who).await).await;
    assert_eq!(response.status(), 200);
    let bytes = response.bytes().await.unwrap().to_vec();
    let image = image::load_from_memory(&bytes).unwrap();
    (bytes, image)
}

fn kept(site: &Site) -> Vec<PathBuf> {
    match std::fs::read_dir(site.database.folder.path().join("uploads/avatars")) {
        Ok(files) => files.map(|file| file.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    }
}

/// Waits until so many pictures are on disk.
async fn until_kept(site: &Site, count: usize) {
    while kept(site).len() != count {
        tokio::task::yield_now().await;
    }
}

both! {
    async fn a_picture_of_any_kind_becomes_a_square_whatever_it_is_called(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        let (small, large) = (halves(40, 30), halves(1600, 1100));
        for bytes in [
            file(&small, ImageFormat::Png),
            file(&large, ImageFormat::Jpeg),
            file(&small, ImageFormat::WebP),
            gif(1),
        ] {
            assert_eq!(upload(&ann, bytes).await.leads_to(), "/settings#profile");
            let (_, image) = picture(&ann).await;
            assert_eq!((image.width(), image.height()), (256, 256));
        }
        until_kept(&site, 1).await;
        let answer = ann.open(&address(&ann).await).await;
        for (header, value) in [
            ("cache-control", "private, max-age=31536000, immutable"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.headers()[header], value);
        }
        assert!(["image/webp", "image/png"].contains(&answer.headers()["content-type"].to_str().unwrap()));
    }
}

both! {
    async fn a_picture_stands_upright_and_forgets_where_it_was_taken(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        upload(&ann, turned_jpeg()).await.leads_to();
        let (bytes, image) = picture(&ann).await;
        let image = image.into_rgb8();
        let (top, bottom) = (image.get_pixel(128, 20), image.get_pixel(128, 236));
        assert!(top[0] > 200 && top[2] < 60 && bottom[2] > 200 && bottom[0] < 60, "{top:?} {bottom:?}");
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!has(b"Exif") && !has(b"taken at home"));
    }
}

both! {
    async fn what_is_no_picture_is_refused_in_words(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        let png = file(&halves(300, 300), ImageFormat::Png);
        let jpeg = file(&halves(300, 300), ImageFormat::Jpeg);
        let mut wide_gif = gif(1);
        wide_gif[6..10].copy_from_slice(&[255; 4]);
        for (what, bytes) in [
            ("nothing", vec![]),
            ("text", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
            ("half a PNG", png[..png.len() / 2].to_vec()),
            ("a JPEG's beginning", jpeg[..30].to_vec()),
            ("a signature", png[..8].to_vec()),
            ("a WebP's beginning", b"RIFF\x10\0\0\0WEBPVP8 ".to_vec()),
            ("a bomb", claiming_png(60_000)),
            ("a smaller bomb", claiming_png(7_999)),
            ("a wide GIF", wide_gif),
            ("a moving GIF", gif(2)),
            ("noise", (0..5000u32).map(|n| (n * 7919 % 251) as u8).collect()),
        ] {
            let page = upload(&ann, bytes).await;
            assert_eq!(page.status, 422, "{what}");
            assert!(page.text.contains("id=\"avatar-error\""), "{what}");
        }
        let form = Form::new().text("other", "x");
        assert_eq!(ann.post_multipart("/settings/avatar", form).await.status, 422);
        assert_eq!(ann.post_body("/settings/avatar", "text/plain", "x").await.status, 422);
        let page = upload(&ann, vec![0; 9 * 1024 * 1024]).await;
        assert_eq!(page.status, 413);
        assert!(page.text.contains("A picture has at most 8 MiB."));
        assert_eq!(kept(&site).len(), 0);
        assert_eq!(site.number("select count(*) from users where avatar is not null").await, 0);
    }
}

both! {
    async fn a_removed_picture_is_gone_from_the_disk(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        upload(&ann, file(&halves(300, 300), ImageFormat::Png)).await.leads_to();
        until_kept(&site, 1).await;
        assert!(ann.get("/chat").await.text.contains("<img class=\"avatar\" src=\"/avatars/"));
        let before = address(&ann).await;
        assert_eq!(ann.post("/settings/avatar/remove", &[]).await.leads_to(), "/settings#profile");
        until_kept(&site, 0).await;
        assert_eq!(ann.get(&before).await.status, 404);
        assert_eq!(address(&ann).await, "/avatars/initials/A-1.svg");
    }
}

both! {
    async fn pictures_are_shown_to_whoever_is_signed_in_and_nothing_else_is(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        upload(&ann, file(&halves(300, 300), ImageFormat::Png)).await.leads_to();
        let path = address(&ann).await;
        assert_eq!(bob.open(&path).await.status(), 200);
        assert_eq!(Visitor::new(&site).get(&path).await.status, 404);
        let room = ann.public_room("Hall").await;
        assert!(bob.get(&format!("/rooms/{room}/members")).await.text.contains(&path));
        for name in ["..%2Ftest.db", "..%2F..%2Ftest.db", "%2Fetc%2Fpasswd", "x.webp", "0.webp%00", ".part", "%ff"] {
            let status = bob.get(&format!("/avatars/{name}")).await.status;
            assert!(status == 404 || status == 400, "{name}: {status}");
        }
    }
}

both! {
    async fn initials_are_a_picture_for_anyone_in_any_script(engine: Engine) {
        let site = Site::new(engine).await;
        let visitor = Visitor::new(&site);
        for (letters, shown) in [("A", "A"), ("AL", "AL"), ("%D0%96%D0%9B", "ЖЛ"), ("%E6%9D%8E", "李")] {
            let page = visitor.get(&format!("/avatars/initials/{letters}-3.svg")).await;
            assert_eq!(page.status, 200, "{letters}");
            assert_eq!(page.headers["content-type"], "image/svg+xml");
            assert!(page.headers["cache-control"].to_str().unwrap().starts_with("public"));
            assert!(page.text.contains(&format!(">{shown}</text>")), "{}", page.text);
        }
        for name in ["ABC-1.svg", "-1.svg", "A-8.svg", "A-1.png", "A", "%3Cb-1.svg", "A%26-1.svg", "A--1.svg"] {
            assert_eq!(visitor.get(&format!("/avatars/initials/{name}")).await.status, 404, "{name}");
        }
        let mut ann = Visitor::registered(&site, "ann").await;
        ann.post("/settings", &[("first_name", "Żaneta"), ("last_name", "li")]).await.leads_to();
        assert_eq!(address(&ann).await, "/avatars/initials/%C5%BBL-1.svg");
        assert_eq!(ann.get(&address(&ann).await).await.status, 200);
    }
}

both! {
    async fn a_person_uploads_one_picture_at_a_time(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        let turn = site.app.uploads.begin(switchboard::ids::UserId(1));
        let page = upload(&ann, file(&halves(30, 30), ImageFormat::Png)).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("Another picture of yours is on its way."));
        drop(turn);
        upload(&ann, file(&halves(30, 30), ImageFormat::Png)).await.leads_to();
    }
}
