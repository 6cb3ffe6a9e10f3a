//! Web Push: closed browsers are told, and only those; what services answer; what may be subscribed.

use serde_json::json;

use crate::support::actors::Visitor;
use crate::support::app::{Database, Engine, Options, Site, both};
use crate::support::program::Time;
use crate::support::push::{Browser, Service, seams};

async fn site(engine: Engine) -> Site {
    Site::with(engine, Options { seams: seams(), ..Options::default() }).await
}

async fn count(site: &Site) -> i64 {
    site.number("select count(*) from push_subscriptions").await
}

/// Ann and Bob, who has this browser, with a group and a direct room; of these he was told.
async fn pair(site: &Site, service: &mut Service) -> (Visitor, Visitor, Browser, i64, i64) {
    let mut ann = Visitor::registered(site, "ann").await;
    let mut bob = Visitor::registered(site, "bob").await;
    let browser = Browser::new(service, "bob");
    assert_eq!(browser.subscribe(&mut bob).await.status, 204);
    let group = ann.group_with("Plans", 2).await;
    assert_eq!(browser.open(&service.next().await)["title"], "ann added you to Plans");
    let direct = ann.post("/rooms/new", &[("kind", "direct"), ("member_ids", "2")]).await.room();
    let told = browser.open(&service.next().await);
    assert_eq!(
        told,
        json!({"title": "ann opened a chat with you", "body": "", "url": format!("/chat/rooms/{direct}"),
               "tag": format!("added-{direct}")})
    );
    (ann, bob, browser, group, direct)
}

both! {
    async fn a_mention_reaches_a_closed_browser_and_nobody_else_can_read_it(engine: Engine) {
        let (site, mut service) = (site(engine).await, Service::new().await);
        let (mut ann, bob, browser, group, _) = pair(&site, &mut service).await;
        ann.say(group, "**Well**, @bob: \u{202e}what & why? <b>").await;
        let pushed = service.next().await;
        assert_eq!(
            browser.open(&pushed),
            json!({"title": "ann mentioned you in Plans", "body": "Well, @bob: what & why? <b>",
                   "url": format!("/chat/rooms/{group}?at=1#m1"), "tag": "message-1"})
        );
        assert_eq!(["ttl", "topic", "urgency"].map(|name| pushed.header(name)), ["86400", "message-1", "high"]);
        let key = site.app.push.public_key();
        let settings = bob.get("/settings").await.text;
        assert!(settings.contains(&format!("id=\"notices\" data-key=\"{key}\"")), "{settings}");
        let claims = pushed.claims(key);
        assert_eq!((&claims["aud"], &claims["sub"]), (&json!(service.url), &json!(site.url(""))));
        let left = claims["exp"].as_i64().unwrap() - site.app.clock.now().0 / 1_000_000;
        assert!((1..=24 * 3600).contains(&left), "{left}");
        let sealed = site.number("select count(*) from push_keys where length(sealed) > 40").await;
        assert_eq!(sealed, 1);
    }
}

both! {
    async fn a_reply_is_pushed_with_the_beginning_of_it(engine: Engine) {
        let (site, mut service) = (site(engine).await, Service::new().await);
        let (mut ann, mut bob, browser, group, _) = pair(&site, &mut service).await;
        bob.say(group, "Tea?").await;
        let answer = [("content", "Yes, and a long answer ".repeat(20)), ("reply_to", "1".to_owned())];
        ann.post(&format!("/chat/rooms/{group}"), &answer.each_ref().map(|(name, value)| (*name, value.as_str()))).await.leads_to();
        let told = browser.open(&service.next().await);
        assert_eq!(told["title"], "ann answered you in Plans");
        let body = told["body"].as_str().unwrap();
        assert!(body.ends_with('…') && (115..=121).contains(&body.chars().count()), "{body}");
    }
}

both! {
    async fn a_direct_message_is_pushed_once_a_minute(engine: Engine) {
        let time = Time(std::sync::Arc::new(std::sync::atomic::AtomicI64::new(1_900_000_000_000_000)));
        let mut seams = seams();
        seams.clock = switchboard::clock::Clock::Fixed(time.0.clone());
        let site = Site::with(engine, Options { seams, ..Options::default() }).await;
        let mut service = Service::new().await;
        let (mut ann, _bob, browser, group, direct) = pair(&site, &mut service).await;
        // In a group one is told of what concerns one.
        ann.say(group, "Hello all").await;
        ann.say(direct, "Hello").await;
        let pushed = service.next().await;
        let told = browser.open(&pushed);
        assert_eq!((&told["title"], &told["body"], &told["tag"]), (&json!("ann"), &json!("Hello"), &json!(format!("room-{direct}"))));
        assert_eq!(pushed.header("urgency"), "normal");
        ann.say(direct, "And more").await;
        ann.say(group, "@bob").await;
        assert_eq!(browser.open(&service.next().await)["title"], "ann mentioned you in Plans");
        time.pass(61);
        ann.say(direct, "Later").await;
        assert_eq!(browser.open(&service.next().await)["body"], "Later");
        // Told of it as a mention, not as a message too.
        time.pass(61);
        ann.say(direct, "@bob!").await;
        assert_eq!(browser.open(&service.next().await)["title"], "ann mentioned you");
        time.pass(61);
        ann.say(direct, "The end").await;
        assert_eq!(browser.open(&service.next().await)["body"], "The end");
        assert!(service.is_quiet());
    }
}

both! {
    async fn who_is_here_has_muted_has_left_or_has_logged_out_is_not_pushed(engine: Engine) {
        let (site, mut service) = (site(engine).await, Service::new().await);
        let (mut ann, mut bob, browser, group, direct) = pair(&site, &mut service).await;
        let mut cat = Visitor::registered(&site, "cat").await;
        let watcher = Browser::new(&service, "cat");
        assert_eq!(watcher.subscribe(&mut cat).await.status, 204);
        ann.post(&format!("/rooms/{group}/members"), &[("user_id", "cat")]).await.leads_to();
        assert_eq!(service.next().await.to, "cat");

        let socket = bob.socket("/ws/notifications").await;
        ann.say(group, "@bob and @cat").await;
        assert_eq!(service.next().await.to, "cat");
        drop(socket);
        away(&site, 2).await;
        bob.post(&format!("/rooms/{group}/notify"), &[("notify", "nothing")]).await.leads_to();
        ann.say(group, "@bob and @cat again").await;
        assert_eq!(service.next().await.to, "cat");
        // Deleted before anybody looked.
        bob.post(&format!("/rooms/{group}/notify"), &[("notify", "mentions")]).await.leads_to();
        ann.say(group, "@bob third").await;
        let pushed = service.next().await;
        assert_eq!((pushed.to.as_str(), browser.open(&pushed)["body"].clone()), ("bob", json!("@bob third")));
        bob.post("/logout", &[]).await;
        assert_eq!(count(&site).await, 1);
        ann.say(group, "@bob and @cat for the last time").await;
        ann.say(direct, "Bob?").await;
        assert_eq!(watcher.open(&service.next().await)["body"], "@bob and @cat for the last time");
        assert!(service.is_quiet());
    }
}

both! {
    async fn a_subscription_ends_by_404_and_410_and_by_nothing_else(engine: Engine) {
        let (site, mut service) = (site(engine).await, Service::new().await);
        let (mut ann, mut bob, browser, group, _) = pair(&site, &mut service).await;
        // Busy, broken, then well: told once it can be.
        service.answer(&[429, 500, 503, 201]);
        ann.say(group, "@bob one").await;
        for _ in 0..4 {
            assert_eq!(browser.open(&service.next().await)["body"], "@bob one");
        }
        // Given up after the fourth attempt; refused at once.
        service.answer(&[500, 502, 429, 500, 403, 400, 413, 301]);
        for text in ["@bob two", "@bob three", "@bob four", "@bob five", "@bob six"] {
            ann.say(group, text).await;
            for _ in 0..if text == "@bob two" { 4 } else { 1 } {
                assert_eq!(browser.open(&service.next().await)["body"], text);
            }
        }
        assert!(service.is_quiet());
        assert_eq!(count(&site).await, 1);
        for over in [404, 410] {
            service.answer(&[over]);
            browser.subscribe(&mut bob).await;
            ann.say(group, "@bob over").await;
            service.next().await;
            gone(&site).await;
        }
        ann.say(group, "@bob nobody").await;
        let last = Browser::new(&service, "last");
        last.subscribe(&mut bob).await;
        ann.say(group, "@bob last").await;
        // What was said before the browser was there may reach it as well.
        while last.open(&service.next().await)["body"] != "@bob last" {}
    }
}

async fn gone(site: &Site) {
    let looked = async {
        while count(site).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), looked).await.expect("it is taken off the list");
}

/// Until the server has seen that the last socket of `user` is gone.
async fn away(site: &Site, user: i64) {
    let looked = async {
        while site.app.hub.is_online(switchboard::ids::UserId(user)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), looked).await.expect("the socket is gone");
}

both! {
    async fn what_is_no_browser_is_refused_where_it_is_wrong(engine: Engine) {
        let site = Site::new(engine).await;
        let service = Service::new().await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let browser = Browser::new(&service, "ann");
        let (good, p256dh, auth) = ("https://push.example/x", browser.p256dh(), browser.auth());
        let long = format!("https://push.example/{}", "x".repeat(3000));
        // Not on the curve, not uncompressed, not base64url.
        let off = format!("BA{}", "A".repeat(85));
        for (endpoint, p256dh, auth) in [
            (browser.endpoint.as_str(), p256dh.as_str(), auth.as_str()),
            ("http://push.example/x", &p256dh, &auth),
            ("https://127.0.0.1/x", &p256dh, &auth),
            ("https://[::1]:8000/x", &p256dh, &auth),
            ("https://169.254.169.254/x", &p256dh, &auth),
            ("https://user:pass@push.example/x", &p256dh, &auth),
            ("", &p256dh, &auth),
            ("https://push.example/\0", "", ""),
            (&long, &p256dh, &auth),
            (good, &off, &auth),
            (good, &p256dh[..40], &auth),
            (good, "++++", &auth),
            (good, &p256dh, "AAAA"),
            (good, &p256dh, ""),
        ] {
            let page = ann.post("/settings/push", &[("endpoint", endpoint), ("p256dh", p256dh), ("auth", auth)]).await;
            assert_eq!(page.status, 422, "{endpoint} {p256dh} {auth}");
        }
        assert_eq!(ann.post("/settings/push", &[]).await.status, 422);
        assert_eq!(count(&site).await, 0);
        let padded = format!("{auth}==");
        let page = ann.post("/settings/push", &[("endpoint", good), ("p256dh", &p256dh), ("auth", &padded)]).await;
        assert_eq!((page.status, count(&site).await), (reqwest::StatusCode::NO_CONTENT, 1));
        let mut visitor = Visitor::new(&site);
        assert!(visitor.post("/settings/push", &[("endpoint", good)]).await.leads_to().starts_with("/login"));
    }
}

both! {
    async fn a_person_has_twenty_browsers_and_each_address_once(engine: Engine) {
        let site = site(engine).await;
        let service = Service::new().await;
        let (mut ann, mut bob) = (Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await);
        for n in 0..20 {
            assert_eq!(Browser::new(&service, &format!("b{n}")).subscribe(&mut ann).await.status, 204);
        }
        assert_eq!(Browser::new(&service, "b20").subscribe(&mut ann).await.status, 422);
        assert_eq!(Browser::new(&service, "b19").subscribe(&mut ann).await.status, 204, "the same again");
        assert_eq!(count(&site).await, 20);
        // The browser is Bob's from now on.
        let shared = Browser::new(&service, "b0");
        assert_eq!(shared.subscribe(&mut bob).await.status, 204);
        let of = "select count(*) from push_subscriptions where user_id =";
        assert_eq!((site.number(&format!("{of} 1")).await, site.number(&format!("{of} 2")).await), (19, 1));
        // Nobody takes away another's.
        assert_eq!(ann.post("/settings/push/remove", &[("endpoint", &shared.endpoint)]).await.status, 204);
        assert_eq!(site.number(&format!("{of} 2")).await, 1);
        assert_eq!(bob.post("/settings/push/remove", &[("endpoint", &shared.endpoint)]).await.status, 204);
        assert_eq!(bob.post("/settings/push/remove", &[("endpoint", "a\0b")]).await.status, 204);
        assert_eq!(count(&site).await, 19);
    }
}

both! {
    async fn the_key_is_made_once_and_is_the_same_on_every_node(engine: Engine) {
        let database = Database::new(engine).await;
        let url = database.url.clone();
        let first = Site::over(database, 0, Options::default()).await;
        let key = first.app.push.public_key().to_owned();
        assert_eq!(key.len(), 87);
        let second = Site::over(Database { url, folder: tempfile::tempdir().unwrap() }, 0, Options::default()).await;
        assert_eq!(second.app.push.public_key(), key);
        second.stop().await;
        let database = first.stop().await;
        let other = Options { settings: vec![("SECRET_KEY", "another one, long enough to be taken")], ..Options::default() };
        let third = Site::over(database, 0, other).await;
        assert_ne!(third.app.push.public_key(), key);
    }
}
