//! Devices that an account knows, and the letter about a sign-in from one that it doesn't.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use switchboard::app::Seams;
use switchboard::auth::devices::{self, Caller};
use switchboard::auth::session::Device;
use switchboard::clock::Clock;
use switchboard::ids::UserId;
use switchboard::users::change;
use switchboard::work::Work;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Options, Site, both};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const DAY: i64 = 24 * 3600 * 1_000_000;
const LETTERS: &str = "select count(*) from emails where subject = 'New sign-in to your account'";

async fn log_in(visitor: &mut Visitor) {
    visitor.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await.leads_to();
}

fn at(ip: &str, user_agent: &str, token: Option<&str>) -> Device {
    Device { ip: ip.into(), user_agent: user_agent.into(), token: token.map(str::to_owned) }
}

async fn greet(site: &Site, device: &Device, caller: Caller) -> String {
    let mut work = Work::begin(&site.app, None).await.unwrap();
    let token = devices::greet(&mut work, UserId(1), device, caller).await.unwrap();
    work.commit().await.unwrap();
    token
}

async fn is_known(site: &Site, token: Option<&str>, ip: &str) -> bool {
    let (mut conn, now) = (site.app.db.read().await.unwrap(), site.app.clock.now());
    devices::is_known(&mut conn, UserId(1), token, ip, now).await.unwrap()
}

both! {
    async fn a_sign_in_from_a_new_browser_is_told_in_a_letter_and_from_a_known_one_is_not(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        ann.post("/logout", &[]).await;
        log_in(&mut ann).await;
        assert_eq!(site.number("select count(*) from emails").await, 0, "registering and coming back are no news");
        let mut other = Visitor::new(&site);
        other.agent = FIREFOX.into();
        log_in(&mut other).await;
        assert_eq!(site.number(LETTERS).await, 1);
        let text = site.text("select text from emails").await;
        for part in ["Hello ann", "With: Firefox on Linux", "From the address: 127.0.0.1", " UTC", "choose another password"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(site.text("select \"to\" from emails").await, "ann@example.org");
        other.post("/logout", &[]).await;
        log_in(&mut other).await;
        assert_eq!(site.number(LETTERS).await, 1, "known from now on");
        let mut wrong = Visitor::new(&site);
        wrong.post("/login", &[("username", "ann"), ("password", "not this one")]).await.is(422, "fit together");
        assert_eq!(site.number(LETTERS).await, 1, "nobody signed in");
    }
}

both! {
    async fn the_first_sign_in_of_an_account_somebody_else_made_is_no_news(engine: Engine) {
        let site = Site::new(engine).await;
        let form = switchboard::users::Registration { username: "ann".into(), email: "ann@example.org".into(), password: PASSWORD.into(), ..Default::default() };
        switchboard::users::add(&site.app, switchboard::users::NewUser::parse(&form, "Switchboard").unwrap(), switchboard::users::Role::User).await.unwrap();
        log_in(&mut Visitor::new(&site)).await;
        assert_eq!(site.number("select count(*) from emails").await, 0);
        log_in(&mut Visitor::new(&site)).await;
        assert_eq!(site.number(LETTERS).await, 1);
    }
}

both! {
    async fn the_devices_cookie_is_apart_from_the_sessions_and_stored_as_a_hash(engine: Engine) {
        let fields = [("username", "ann"), ("email", "ann@example.org"), ("password", PASSWORD)];
        for (base, name, secure) in [("http://127.0.0.1", "switchboard-device", false), ("https://chat.example.org", "__Host-switchboard-device", true)] {
            let site = Site::with(engine, Options { settings: vec![("BASE_URL", base)], ..Options::default() }).await;
            let mut ann = Visitor::new(&site);
            let page = ann.post("/register", &fields).await;
            let cookies: Vec<&str> = page.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
            assert_eq!(cookies.len(), 2, "{cookies:?}");
            let cookie = cookies[1];
            assert!(cookie.starts_with(&format!("{name}=")) && cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            assert!(cookie.contains("; Path=/; Max-Age=34560000") && cookie.contains("; Secure") == secure, "{cookie}");
            let token = ann.cookie_of(name).unwrap().split_once('=').unwrap().1.to_owned();
            assert_eq!(token.len(), 64);
            let hash = switchboard::auth::token_hash(&token);
            assert_eq!(site.number(&format!("select count(*) from known_devices where token_hash = '{hash}'")).await, 1);
            assert_eq!(site.number(&format!("select count(*) from known_devices where token_hash = '{token}'")).await, 0);
        }
    }
}

both! {
    async fn a_cookie_that_somebody_planted_is_replaced_and_one_browser_serves_two_people(engine: Engine) {
        let site = Site::new(engine).await;
        let mut shared = Visitor::registered(&site, "bob").await;
        let first = shared.cookie_of("switchboard-device").unwrap().to_owned();
        Visitor::registered(&site, "ann").await;
        log_in(&mut shared).await;
        assert_eq!(site.number(LETTERS).await, 1, "ann didn't know bob's browser");
        assert_ne!(shared.cookie_of("switchboard-device").unwrap(), first);
        log_in(&mut shared).await;
        shared.post("/login", &[("username", "bob"), ("password", PASSWORD)]).await.leads_to();
        assert_eq!(site.number(LETTERS).await, 1, "both know it now");
        let mut planter = Visitor::new(&site);
        planter.set_cookie(&first);
        log_in(&mut planter).await;
        assert_eq!(site.number(LETTERS).await, 2, "the cookie before is worth nothing");
    }
}

both! {
    async fn logging_out_keeps_a_device_and_a_new_password_or_ending_all_sessions_forgets_all(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        for password in [Some("another good pass phrase"), None] {
            assert!(is_known(&site, None, "127.0.0.1").await);
            let mut work = Work::begin(&site.app, None).await.unwrap();
            let user = change::hold(&mut work, UserId(1)).await.unwrap();
            match password {
                Some(password) => change::set_password(&mut work, &user, password.to_owned()).await.unwrap(),
                None => change::end_sessions(&mut work, &user).await.unwrap(),
            }
            work.commit().await.unwrap();
            assert_eq!(site.number("select count(*) from known_devices").await, 0);
            assert!(!is_known(&site, None, "127.0.0.1").await);
            let letters = site.number(LETTERS).await;
            ann.post("/login", &[("username", "ann"), ("password", "another good pass phrase")]).await.leads_to();
            assert_eq!(site.number(LETTERS).await, letters + 1);
        }
    }
}

both! {
    async fn a_program_is_known_by_its_address_and_name_and_an_address_for_thirty_days(engine: Engine) {
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let seams = Seams { clock: Clock::Fixed(clock.clone()), ..Seams::default() };
        let site = Site::with(engine, Options { seams, ..Options::default() }).await;
        Visitor::registered(&site, "ann").await;
        let bot = at("203.0.113.7", "bot/1.0 http://evil.example/x", None);
        greet(&site, &bot, Caller::Program).await;
        greet(&site, &bot, Caller::Program).await;
        assert_eq!(site.number(LETTERS).await, 1);
        let text = site.text("select text from emails").await;
        assert!(text.contains("With: a program, bot\n") && !text.contains("evil"), "{text}");
        greet(&site, &at("203.0.113.8", "bot/1.0", None), Caller::Program).await;
        assert_eq!(site.number(LETTERS).await, 2, "elsewhere it is another");
        assert!(is_known(&site, None, "203.0.113.7").await && !is_known(&site, None, "203.0.113.9").await);
        assert!(!is_known(&site, None, "").await);
        let made_up = "203.0.113.7\nbot/1.0 http://evil.example/x";
        assert!(!is_known(&site, Some(made_up), "203.0.113.9").await, "what stands for a program is no browser's token");
        let token = greet(&site, &at("203.0.113.7", FIREFOX, None), Caller::Browser).await;
        clock.fetch_add(31 * DAY, Ordering::Relaxed);
        assert!(!is_known(&site, None, "203.0.113.7").await);
        assert!(is_known(&site, Some(&token), "203.0.113.9").await);
        assert!(!is_known(&site, Some(&switchboard::auth::random_token()), "203.0.113.9").await);
    }
}

both! {
    async fn at_most_fifty_are_kept_a_person_and_none_longer_than_four_hundred_days(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        for number in 0..60 {
            greet(&site, &at(&format!("203.0.113.{number}"), "bot/1.0", None), Caller::Program).await;
        }
        assert_eq!(site.number("select count(*) from known_devices").await, 50);
        assert!(is_known(&site, None, "203.0.113.59").await && !is_known(&site, None, "203.0.113.1").await);
        let mut tx = site.app.db.write().await.unwrap();
        let now = site.app.clock.now();
        devices::sweep(&mut tx, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(site.number("select count(*) from known_devices").await, 50);
        let mut tx = site.app.db.write().await.unwrap();
        devices::sweep(&mut tx, now.plus(devices::LIFETIME)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(site.number("select count(*) from known_devices").await, 0);
    }
}
