//! What holds for every page: headers, assets, health, and bad input answered in words.

use reqwest::multipart::Form;

use crate::support::actors::Visitor;
use crate::support::app::{Options, Site, both};

both! {
    async fn up_and_health_say_how_it_is(engine: Engine) {
        let site = Site::new(engine).await;
        let visitor = Visitor::new(&site);
        assert_eq!(visitor.get("/up").await.status, 200);
        let health = visitor.get("/health").await;
        let json: serde_json::Value = serde_json::from_str(&health.text).unwrap();
        assert_eq!((health.status.as_u16(), &json["status"], &json["database"]), (200, &"healthy".into(), &true.into()));
        assert!(json["redis"].is_null() && json["version"].is_string());
    }
}

both! {
    async fn health_says_when_a_part_is_away(engine: Engine) {
        let settings = vec![("REDIS_URL", "redis://127.0.0.1:1")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        let health = Visitor::new(&site).get("/health").await;
        let json: serde_json::Value = serde_json::from_str(&health.text).unwrap();
        assert_eq!((health.status.as_u16(), &json["status"], &json["redis"]), (503, &"unhealthy".into(), &false.into()));
        site.app.db.close().await;
        let health = Visitor::new(&site).get("/health").await;
        let json: serde_json::Value = serde_json::from_str(&health.text).unwrap();
        assert_eq!((health.status.as_u16(), &json["database"]), (503, &false.into()));
        assert_eq!(Visitor::new(&site).get("/up").await.status, 200, "the process lives");
    }
}

both! {
    async fn a_database_that_is_away_is_said_in_words_and_the_process_goes_on(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        site.app.db.close().await;
        let page = ann.get("/chat").await;
        assert_eq!(page.status, 503);
        assert!(page.text.contains("Please try again in a moment."));
        assert_eq!(ann.post("/login", &[("username", "ann"), ("password", "whatever")]).await.status, 503);
        assert_eq!(Visitor::new(&site).get("/up").await.status, 200);
    }
}

both! {
    async fn every_page_carries_the_headers_and_only_signed_in_people_get_past_the_door(engine: Engine) {
        let site = Site::new(engine).await;
        let visitor = Visitor::new(&site);
        for path in ["/chat", "/chat/rooms/1", "/rooms/new", "/rooms/1/settings", "/rooms/1/members"] {
            assert_eq!(visitor.get(path).await.leads_to(), format!("/login?next={}", path.replace('/', "%2F")), "{path}");
        }
        for path in ["/login", "/register", "/nowhere", "/assets/app.css"] {
            let page = visitor.get(path).await;
            let policy = page.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
            assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{path}");
            assert_eq!(page.headers["x-content-type-options"], "nosniff");
            assert_eq!(page.headers["referrer-policy"], "same-origin");
            assert!(page.headers.contains_key("permissions-policy"));
            assert!(!page.headers.contains_key("strict-transport-security"), "this site has no https");
        }
    }
}

both! {
    async fn no_cache_keeps_a_page_and_https_is_for_good(engine: Engine) {
        let settings = vec![("BASE_URL", "https://chat.example.org")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("Hall").await;
        let room = format!("/chat/rooms/{room}");
        let past = format!("{room}?before=9");
        for path in ["/login", "/password-reset", "/chat", &past, "/rooms/new", "/nowhere", "/health"] {
            let page = ann.get(path).await;
            assert_eq!(page.headers["cache-control"], "no-store", "{path}");
            assert_eq!(page.headers["strict-transport-security"], "max-age=31536000", "{path}");
        }
    }
}

both! {
    async fn an_answer_is_compressed_where_its_reader_takes_that(engine: Engine) {
        let site = Site::new(engine).await;
        let visitor = Visitor::new(&site);
        let plain = visitor.get("/help").await;
        for (accepted, encoding) in [("gzip", "gzip"), ("gzip, br", "br"), ("br;q=0, gzip;q=0.1", "gzip")] {
            let packed = visitor.get_with("/help", &[("accept-encoding", accepted)]).await;
            assert_eq!((packed.status.as_u16(), &packed.headers["content-encoding"]), (200, &encoding.parse().unwrap()));
            assert!(packed.text.len() < plain.text.len(), "{accepted}");
            assert!(!packed.headers.contains_key("content-length"), "of the page as it was");
        }
        for accepted in ["identity", "deflate", "gzip;q=0", ""] {
            let page = visitor.get_with("/help", &[("accept-encoding", accepted)]).await;
            assert!(!page.headers.contains_key("content-encoding") && page.text == plain.text, "{accepted}");
            assert!(page.headers.get_all("vary").iter().any(|vary| vary == "accept-encoding"), "{accepted}");
        }
        let none = visitor.get_with("/help", &[("accept-encoding", "identity;q=0")]).await;
        assert_eq!(none.status, 406, "there is no way to send it");
        let short = visitor.get_with("/up", &[("accept-encoding", "gzip, br")]).await;
        assert!(short.status == 200 && !short.headers.contains_key("content-encoding"), "it would only grow");
    }
}

both! {
    async fn a_form_that_cannot_be_read_is_refused_in_words(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let path = format!("/chat/rooms/{room}");
        let urlencoded = "application/x-www-form-urlencoded";
        for (kind, body) in [
            (urlencoded, b"content=%ff%fe".to_vec()),
            (urlencoded, b"content=\xff\xfe".to_vec()),
            (urlencoded, b"content=x&reply_to=seven".to_vec()),
            ("multipart/form-data; boundary=x", b"--y\r\n".to_vec()),
        ] {
            let page = ann.post_body(&path, kind, body).await;
            assert_eq!(page.status, 400, "{kind}");
            assert!(page.text.contains("This form can&#39;t be read"), "{}", page.text);
        }
        assert_eq!(ann.post_body(&path, urlencoded, vec![b'x'; 300_000]).await.status, 413);
        assert_eq!(ann.post_body(&path, "application/json", "{\"content\":\"x\"}").await.status, 415);
        for (content, says) in [(" ", "Write something first"), ("a\0b", "NUL"), (&"x".repeat(4001), "at most 4000 characters")] {
            let page = ann.post(&path, &[("content", content)]).await;
            assert_eq!(page.status, 422);
            assert!(page.text.contains(says), "{says}");
        }
        assert_eq!(site.number("select count(*) from messages").await, 0);
    }
}

both! {
    async fn the_back_button_loses_no_message(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let path = format!("/chat/rooms/{room}");
        assert_eq!(ann.post(&path, &[("content", "first"), ("client_id", "form")]).await.status, 303);
        assert_eq!(ann.post(&path, &[("content", "first"), ("client_id", "form")]).await.status, 303, "a double click");
        let page = ann.post(&path, &[("content", "second"), ("client_id", "form")]).await;
        assert_eq!(page.status, 409);
        assert!(page.text.contains(">second</textarea>") && !page.text.contains("value=\"form\""));
        assert_eq!(site.number("select count(*) from messages").await, 1);
    }
}

both! {
    async fn a_form_may_be_sent_as_multipart(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("General").await;
        let form = Form::new().text("content", "in parts").text("client_id", "m1");
        let page = ann.post_multipart(&format!("/chat/rooms/{room}"), form).await;
        assert_eq!(page.leads_to(), format!("/chat/rooms/{room}#end"));
    }
}

both! {
    async fn what_people_type_is_shown_as_text(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hostile = "<script>alert(1)</script>";
        let fields = [("kind", "public"), ("name", hostile), ("description", hostile)];
        let room = ann.post("/rooms/new", &fields).await.room();
        ann.say(room, hostile).await;
        for path in [format!("/chat/rooms/{room}"), "/chat".into(), format!("/rooms/{room}/settings"), format!("/rooms/{room}/members")] {
            assert!(!ann.get(&path).await.text.contains("<script>alert"), "{path}");
        }
    }
}

both! {
    async fn addresses_that_are_none_are_not_found_and_wrong_methods_are_said_to_be(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        for path in ["/chat/rooms/x", "/chat/rooms/-1", "/chat/rooms/99999999999999999999", "/nowhere", "/assets/none.js"] {
            assert_eq!(ann.get(path).await.status, 404, "{path}");
        }
        assert_eq!(ann.get("/logout").await.status, 405);
        assert_eq!(ann.post("/chat", &[]).await.status, 405);
        assert_eq!(ann.get("/chat/rooms/1?before=x").await.status, 400);
    }
}

/// Bytes of the talk's script and of all that it loads.
async fn scripts_of_the_talk(visitor: &Visitor) -> usize {
    let (mut known, mut length, mut looked_at) = (vec!["chat.js".to_owned()], 0, 0);
    while let Some(name) = known.get(looked_at).cloned() {
        looked_at += 1;
        let script = visitor.get(&format!("/assets/{name}")).await;
        assert_eq!(script.status, 200, "{name}");
        length += script.text.len();
        let loaded = script.text.lines().filter_map(|line| line.strip_prefix("import ")?.split("\"./").nth(1));
        for name in loaded.map(|rest| rest.trim_end_matches("\";").to_owned()).collect::<Vec<_>>() {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    assert!(known.len() >= 7, "{known:?}");
    length
}

both! {
    async fn assets_are_kept_by_browsers_and_small(engine: Engine) {
        let site = Site::new(engine).await;
        let visitor = Visitor::new(&site);
        let script = visitor.get("/assets/chat.js").await;
        assert!(script.headers["cache-control"].to_str().unwrap().contains("immutable"));
        assert!(scripts_of_the_talk(&visitor).await <= 24 * 1024);
        assert_eq!(visitor.get("/assets/app.css").await.headers["content-type"], "text/css");
    }
}
