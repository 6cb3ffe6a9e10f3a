//! Files that are posted with a room's form, without a script: they reach the room as the API's do, and what is refused shows
//! the form again with what was typed.

use reqwest::multipart::{Form, Part};

use crate::support::actors::{Page, Visitor};
use crate::support::app::{Engine, Options, Site, both};
use crate::support::browser::Browsers;

fn part(name: &str, bytes: impl Into<Vec<u8>>) -> Part {
    Part::bytes(bytes.into()).file_name(name.to_owned())
}

async fn hall(engine: Engine, settings: &[(&'static str, &'static str)]) -> (Site, Visitor, i64) {
    let site = Site::with(engine, Options { settings: settings.to_vec(), ..Options::default() }).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("Hall").await;
    (site, ann, room)
}

async fn send(who: &Visitor, room: i64, form: Form) -> Page {
    who.post_multipart(&format!("/chat/rooms/{room}"), form).await
}

/// The files that lie on disk.
fn kept(site: &Site) -> usize {
    let files = std::fs::read_dir(site.database.folder.path().join("uploads/files"));
    files.into_iter().flatten().filter(|file| file.as_ref().unwrap().file_name() != ".lock").count()
}

both! {
    async fn several_files_go_with_one_message(engine: Engine) {
        let (site, ann, room) = hall(engine, &[]).await;
        let mut socket = ann.follows(room).await;
        let form = Form::new().text("client_id", "f1").part("file", part("a.txt", "one")).part("file", part("b.txt", "two")).text("content", "both of them");
        assert_eq!(send(&ann, room, form).await.leads_to(), format!("/chat/rooms/{room}#end"));
        let message = socket.expect("message").await;
        assert_eq!((&message["content"], message["attachments"].as_array().unwrap().len()), (&"both of them".into(), 2));
        let page = ann.get(&format!("/chat/rooms/{room}")).await;
        assert!(page.text.contains("a.txt") && page.text.contains("b.txt"));
        assert_eq!(ann.get("/chat/attachments/2").await.text, "two");
        let empty = Form::new().part("file", part("", "")).text("content", "no file at all");
        send(&ann, room, empty).await.leads_to();
        assert!(socket.expect("message").await["attachments"].as_array().unwrap().is_empty());
        send(&ann, room, Form::new().part("file", part("c.txt", "three")).text("content", "")).await.leads_to();
        assert_eq!(socket.expect("message").await["content"], "");
        assert_eq!(kept(&site), 3);
    }
}

both! {
    async fn what_is_refused_shows_what_was_typed_and_keeps_nothing(engine: Engine) {
        let (site, ann, room) = hall(engine, &[("UPLOAD_MAX_BYTES", "100000")]).await;
        let file = |size: usize| Form::new().part("file", part("x", vec![0; size])).text("content", "typed with care");
        let page = send(&ann, room, file(100_001)).await;
        assert_eq!(page.status, 413, "{}", page.text);
        assert!(page.text.contains("typed with care</textarea>") && page.text.contains("A file has at most 100000 bytes"), "{}", page.text);
        let many = (0..11).fold(Form::new(), |form, n| form.part("file", part("x", format!("file {n}"))));
        let page = send(&ann, room, many.text("content", "typed with care")).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("typed with care</textarea>") && page.text.contains("at most 10 files"));
        assert_eq!(send(&ann, room, Form::new().part("file", part("", ""))).await.status, 422);
        assert_eq!(send(&ann, room, file(5).text("reply_to", "77")).await.status, 422);
        let bob = Visitor::registered(&site, "bob").await;
        assert_eq!(send(&bob, room, file(5)).await.status, 403);
        assert_eq!(send(&bob, 77, file(5)).await.status, 404);
        assert_eq!(send(&Visitor::new(&site), room, file(5)).await.leads_to(), "/login?next=%2Fchat");
        let broken = ann.post_body(&format!("/chat/rooms/{room}"), "multipart/form-data; boundary=x", "--x\r\nnonsense").await;
        assert_eq!(broken.status, 400);
        let long = ann.post_body(&format!("/chat/rooms/{room}"), "application/x-www-form-urlencoded", format!("content={}", "x".repeat(300_000))).await;
        assert_eq!(long.status, 413, "a form without files is as short as any");
        assert_eq!(site.number("select count(*) from messages").await, 0);
        assert_eq!(kept(&site), 0);
    }
}

both! {
    async fn a_form_sent_twice_is_one_message_and_other_files_are_another(engine: Engine) {
        let (site, ann, room) = hall(engine, &[]).await;
        let form = |text: &'static str| Form::new().text("client_id", "f1").text("content", "here").part("file", part("a.txt", text));
        send(&ann, room, form("one")).await.leads_to();
        send(&ann, room, form("one")).await.leads_to();
        let page = send(&ann, room, form("two")).await;
        assert_eq!(page.status, 409);
        assert!(page.text.contains("here</textarea>"));
        assert_eq!(site.number("select count(*) from messages").await, 1);
        assert_eq!(site.number("select count(*) from attachments").await, 1);
    }
}

both! {
    async fn a_page_of_another_site_posts_no_files(engine: Engine) {
        let (site, mut ann, room) = hall(engine, &[]).await;
        let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        assert_eq!(ann.post_with(&format!("/chat/rooms/{room}"), &[("content", "x")], &foreign).await.status, 403);
        assert_eq!(site.number("select count(*) from messages").await, 0);
        assert_eq!(ann.get("/chat").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_has_a_page_that_people_can_read() {
    let Some(browsers) = Browsers::start().await else { return };
    let axe = std::fs::read_to_string(std::env::var("AXE_JS").unwrap()).unwrap();
    let (site, mut ann, room) = hall(Engine::Sqlite, &[]).await;
    let mut picture = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(1600, 900, |x, y| image::Rgb([(x % 256) as u8, (y % 256) as u8, 90]))
        .write_to(&mut picture, image::ImageFormat::Png)
        .unwrap();
    let form = Form::new()
        .text("content", "**Look** at [this](https://example.org), @ann\n\n> quoted")
        .part("file", part("a picture of something with a long name.png", picture.into_inner()));
    send(&ann, room, form).await.leads_to();
    let mut bob = Visitor::registered(&site, "bob").await;
    bob.post(&format!("/rooms/{room}/join"), &[]).await.leads_to();
    bob.say(room, "/me looks").await;
    for emoji in ["👍", "🎉"] {
        bob.post("/chat/messages/1/react", &[("emoji", emoji)]).await.leads_to();
        ann.post("/chat/messages/1/react", &[("emoji", emoji)]).await.leads_to();
    }
    ann.say(room, "gone").await;
    ann.post("/chat/messages/3/delete", &[]).await.leads_to();
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let window = browsers.window(&site.url(""), width, dark).await;
        let scheme = if dark { "dark" } else { "light" };
        window.fill_log_in("ann").await;
        for (name, path) in [
            ("message", "/chat/messages/1"),
            ("message-of-another", "/chat/messages/2"),
            ("message-deleted", "/chat/messages/3"),
            ("help", "/help"),
        ] {
            window.go(path).await;
            window.wait("main").await;
            window.until("[...document.images].every(image => image.complete)").await;
            crate::accessibility::look_here(&window, &axe, &format!("{name}-{width}-{scheme}")).await;
        }
        window.go("/chat/messages/1").await;
        window.wait("main img").await;
        window.until("(i => i.complete && i.naturalWidth === 480 && i.naturalHeight === 270)(document.querySelector('main img'))").await;
        assert!(window.complaints().await.is_empty());
        window.close().await;
    }
}
