//! What isn't a page in the reader's language: refusals of forms, of the API and of a socket's frames, letters and pushes.
//! The language `xx` shows every word that is looked up between brackets.

use reqwest::Client;
use reqwest::header::{ACCEPT_LANGUAGE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use switchboard::auth::reset_tokens;
use switchboard::i18n::{self, Language};
use switchboard::ids::UserId;
use switchboard::notifications::digest;
use switchboard::users;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Engine, Options, Site, both};
use crate::support::browser::Browsers;
use crate::support::program::{Program, api};
use crate::support::push::{Browser, Service, seams};

const BOB: &str = "bob@example.org";
const NO_ADDRESS: &str = "This is not an e-mail address.";
const MARKED: [(&str, &str); 1] = [("accept-language", "xx")];

/// Has an account read this language.
async fn choose(site: &Site, name: &str, code: &str) {
    site.sql(&format!("update users set language = '{code}' where username = '{name}'")).await;
}

/// A program that asks for the language `xx`.
fn asking(program: &Program) -> Program {
    let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static("xx"))]);
    let client = Client::builder().default_headers(headers).build().unwrap();
    Program { client, ..program.clone() }
}

async fn refused_registration(site: &Site, language: &str) -> String {
    let fields = [("username", "ann"), ("email", "nowhere"), ("password", PASSWORD)];
    let page = Visitor::new(site).post_with("/register", &fields, &[("accept-language", language)]).await;
    assert_eq!(page.status, 422, "{}", page.text);
    page.text
}

both! {
    async fn a_form_is_refused_in_the_readers_language(engine: Engine) {
        let site = Site::new(engine).await;
        for (asked, said) in [
            ("de-AT,de;q=0.8,en;q=0.2", "Das ist keine E-Mail-Adresse."),
            ("xx", "⟦This is not an e-mail address.⟧"),
            ("fr", NO_ADDRESS),
        ] {
            let page = refused_registration(&site, asked).await;
            assert!(page.contains(&format!(">{said}<")), "{asked}: {page}");
        }
    }
}

both! {
    async fn the_api_refuses_in_the_language_that_is_asked_for_also_what_another_task_found_wrong(engine: Engine) {
        let (site, _) = api(engine).await;
        let english = Program::registered(&site, "ann").await;
        let ann = asking(&english);
        let missing = ann.get("/chat/rooms/999").await.refuses(404, None);
        assert_eq!(missing["detail"], "⟦There is no such room, or it is private to others.⟧");
        let wrong = ann.post("/auth/login", json!({"username": "ann", "password": "wrong"})).await.refuses(401, None);
        assert_eq!(wrong["detail"], "⟦This name and password don't fit together.⟧");
        let room = ann.room(json!({"name": "General"})).await;
        let messages = format!("/chat/rooms/{room}/messages");
        let answer = json!({"content": "Yes", "reply_to": 999});
        let (marked, plain) = tokio::join!(ann.post(&messages, answer.clone()), english.post(&messages, answer));
        let said = |answer: Value| answer["errors"]["reply_to"][0].as_str().unwrap().to_owned();
        assert_eq!(said(marked.refuses(422, Some("reply_to"))), "⟦There is no such message in this room.⟧");
        assert_eq!(said(plain.refuses(422, Some("reply_to"))), "There is no such message in this room.");
        let long = ann.post(&messages, json!({"content": "x".repeat(4001)})).await;
        assert_eq!(long.json()["detail"], "⟦A message has at most 4000 characters; this one has 4001.⟧");
    }
}

/// Fails unless every word of a refusal was looked up.
#[track_caller]
fn is_marked(problem: &Value) {
    let fields = problem["errors"].as_object().into_iter().flat_map(|fields| fields.values());
    let said = fields.flat_map(|told| told.as_array().unwrap()).chain([&problem["title"]]);
    for text in said.map(|text| text.as_str().unwrap()) {
        assert!(text.starts_with('⟦') && text.ends_with('⟧'), "{problem}");
    }
    // That of several fields names them before what is wrong.
    assert!(problem["detail"].as_str().unwrap().ends_with('⟧'), "{problem}");
}

both! {
    async fn every_kind_of_refusal_of_the_api_is_in_the_language_that_is_asked_for(engine: Engine) {
        let (site, _) = api(engine).await;
        let nobody = asking(&Program::new(&site));
        let ann = asking(&Program::of_role(&site, "ann", "admin").await);
        let bob = asking(&Program::registered(&site, "bob").await);
        let long = json!({"content": "a".repeat(300 * 1024)}).to_string();
        let json = Some("application/json");
        for (program, method, path, kind, body, status, field) in [
            (&nobody, "GET", "/auth/me", None, "", 401, None),
            (&nobody, "GET", "/nowhere", None, "", 404, None),
            (&nobody, "PATCH", "/auth/login", None, "", 405, None),
            (&nobody, "POST", "/auth/login", Some("text/plain"), "{}", 415, None),
            (&nobody, "POST", "/auth/login", json, "{", 400, None),
            (&nobody, "POST", "/auth/login", json, "[]", 400, None),
            (&nobody, "POST", "/auth/login", json, r#"{"totp": "1", "totp": "2"}"#, 400, None),
            (&nobody, "POST", "/auth/login", json, r#"{"username": "ann"}"#, 422, Some("password")),
            (&bob, "POST", "/chat/rooms", json, r#"{"name": 1}"#, 422, Some("name")),
            (&bob, "POST", "/chat/rooms", json, r#"{"member_ids": ["x"]}"#, 422, Some("member_ids")),
            (&bob, "POST", "/chat/rooms", json, &long, 413, None),
            (&bob, "GET", "/chat/rooms/x", None, "", 400, None),
            (&bob, "GET", "/chat/rooms?limit=x", None, "", 400, Some("limit")),
            (&bob, "GET", "/chat/rooms?cursor=x", None, "", 400, Some("cursor")),
            (&bob, "GET", "/chat/search?q=a&since=x", None, "", 400, Some("since")),
            (&bob, "GET", "/interests?box=x", None, "", 400, Some("box")),
            (&bob, "GET", "/interests?status=x", None, "", 400, Some("status")),
            (&bob, "GET", "/notifications?unread=x", None, "", 400, Some("unread")),
            (&bob, "GET", "/admin/stats", None, "", 403, None),
            (&ann, "GET", "/admin/users?page=2", None, "", 400, None),
            (&ann, "GET", "/admin/users?nothing=2", None, "", 400, None),
            (&ann, "GET", "/admin/users?created_at=x", None, "", 400, None),
            (&ann, "GET", "/admin/users/x", None, "", 400, None),
            (&ann, "PATCH", "/admin/users/1", json, r#"{"nothing": 1}"#, 422, Some("nothing")),
            (&ann, "PATCH", "/admin/users/1", json, r#"{"is_active": 1}"#, 422, Some("is_active")),
            (&ann, "POST", "/admin/audit-entries/99/revert", None, "", 404, None),
        ] {
            is_marked(&program.send(method, path, kind, body).await.refuses(status, field));
        }
        let plain = bob.client.get(site.url("/api/v1")).header("accept", "text/plain").send().await.unwrap();
        assert_eq!(plain.status(), 406);
        is_marked(&plain.json().await.unwrap());
        let wrong = bob.get("/interests?status=x").await.json();
        assert_eq!(wrong["errors"]["status"][0], "⟦Accepted: one of pending, accepted, rejected, cancelled.⟧");
    }
}

both! {
    async fn a_socket_answers_in_its_persons_language_and_tells_all_the_same(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let bob = Visitor::registered(&site, "bob").await;
        let room = ann.group_with("", 2).await;
        choose(&site, "ann", "xx").await;
        let (mut anns, mut bobs) = (ann.follows(room).await, bob.follows(room).await);
        for (socket, said) in [(&mut anns, "⟦There is no frame of type \"x\".⟧"), (&mut bobs, "There is no frame of type \"x\".")] {
            socket.send(json!({"type": "x"})).await;
            assert_eq!(socket.expect("error").await["content"], said);
        }
        anns.send(json!({"type": "message", "content": "Yes", "reply_to": 999})).await;
        assert_eq!(anns.expect("error").await["content"], "⟦There is no such message in this room.⟧");
        ann.post(&format!("/rooms/{room}/delete"), &[]).await.leads_to();
        for socket in [&mut anns, &mut bobs] {
            assert_eq!(socket.expect("room_deleted").await["message"], "The room Unnamed group was deleted.");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_is_said_in_the_pages_language() {
    let Some(browsers) = Browsers::start().await else { return };
    let site = Site::new(Engine::Sqlite).await;
    let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
    let room = ann.group_with("", 2).await;
    let mut windows = Vec::new();
    for (language, open, close) in [("en", "", ""), ("xx", "⟦", "⟧")] {
        choose(&site, "ann", language).await;
        let window = browsers.window(&site.url(""), 1280, false).await;
        window.fill_log_in("ann").await;
        window.go(&format!("/chat/rooms/{room}")).await;
        window.until_connected().await;
        windows.push((window, open, close));
    }
    let socket = bob.follows(room).await;
    for (window, open, close) in &windows {
        let told = format!("{open}bob joined the room{close}");
        window.until(&format!("document.querySelector('#log .note')?.textContent === '{told}'")).await;
    }
    drop(socket);
    for (window, open, close) in windows {
        let told = format!("{open}bob left the room{close}");
        window.until(&format!("document.querySelector('#log .note')?.textContent === '{told}'")).await;
        window.close().await;
    }
}

both! {
    async fn a_letter_is_in_the_language_of_whom_it_is_for(engine: Engine) {
        let (site, time) = api(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        Visitor::registered(&site, "bob").await;
        let room = ann.group_with("Plans", 2).await;
        assert_eq!(Visitor::new(&site).post_with("/password-reset", &[("email", BOB)], &MARKED).await.status, 303);
        let own = site.letter(BOB, "⟦A new password for Switchboard⟧").await;
        assert!(own.contains("⟦Hello bob,⟧") && own.contains("⟦Choose a new password⟧:"), "{own}");
        site.sql("delete from emails").await;
        // Another's act, in whatever language that is.
        let bob = users::by_id(&mut site.app.db.read().await.unwrap(), UserId(2)).await.unwrap().unwrap();
        let mut work = site.admin().await;
        i18n::within(Language::Marked, reset_tokens::send(&mut work, &bob, "192.0.2.1")).await.unwrap();
        work.commit().await.unwrap();
        let english = site.letter(BOB, "A new password for Switchboard").await;
        assert!(english.starts_with("Hello bob,\n\nSomebody at the address 192.0.2.1 asked"), "{english}");
        // What they chose counts for all.
        choose(&site, "bob", "xx").await;
        site.sql("update users set digest = 'hourly' where username = 'bob'").await;
        time.pass(1);
        ann.say(room, "Look, @bob").await;
        time.pass(3600);
        digest::send_due(&site.app).await.unwrap();
        let missed = site.letter(BOB, "⟦What you missed at Switchboard⟧").await;
        assert!(missed.contains("⟦ann mentioned you in Plans: “Look, @bob”⟧"), "{missed}");
        assert!(missed.contains("⟦Unread messages: ⟦1 in Plans⟧.⟧"), "{missed}");
    }
}

both! {
    async fn a_letter_from_right_to_left_says_so(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "bob").await;
        choose(&site, "bob", "ar").await;
        Visitor::new(&site).post_with("/password-reset", &[("email", BOB)], &MARKED).await.leads_to();
        site.letter(BOB, "").await;
        let html = site.text("select html from emails").await;
        assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">") && html.contains("<div dir=\"rtl\" style="), "{html}");
    }
}

both! {
    async fn a_push_is_in_the_language_of_whose_browser_it_is(engine: Engine) {
        let site = Site::with(engine, Options { seams: seams(), ..Options::default() }).await;
        let mut service = Service::new().await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let mut bob = Visitor::registered(&site, "bob").await;
        let browser = Browser::new(&service, "bob");
        assert_eq!(browser.subscribe(&mut bob).await.status, 204);
        choose(&site, "bob", "xx").await;
        let room = ann.group_with("Plans", 2).await;
        assert_eq!(browser.open(&service.next().await)["title"], "⟦ann added you to Plans⟧");
        ann.say(room, "Tea, @bob?").await;
        let told = browser.open(&service.next().await);
        assert_eq!((&told["title"], &told["body"]), (&json!("⟦ann mentioned you in Plans⟧"), &json!("Tea, @bob?")));
        assert!(bob.get("/notifications").await.text.contains("⟦ann mentioned you in Plans⟧"));
    }
}
