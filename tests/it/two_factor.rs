//! The second factor: setting it up, being asked for it, losing it, and what the site may ask of its staff.

use serde_json::json;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Engine, Site, both};
use crate::support::program::{Answer, Program, Time, api};

/// Ann with two-factor on, her secret and her recovery codes; the code of this moment is used up.
async fn protected(engine: Engine) -> (Site, Time, Program, String, Vec<String>) {
    let (site, time) = api(engine).await;
    let ann = Program::registered(&site, "ann").await;
    let (secret, codes) = turn_on(&time, &ann).await;
    (site, time, ann, secret, codes)
}

async fn turn_on(time: &Time, program: &Program) -> (String, Vec<String>) {
    let setup = program.send("POST", "/auth/two-factor", None, "").await.is(200).json();
    let secret = setup["secret"].as_str().unwrap().to_owned();
    let answer = program.post("/auth/two-factor/confirm", json!({"code": time.code(&secret, 0)})).await.is(200).json();
    (secret, serde_json::from_value(answer["recovery_codes"].clone()).unwrap())
}

async fn log_in(site: &Site, totp: &str) -> Answer {
    let body = json!({"username": "ann", "password": PASSWORD, "totp": totp});
    Program::new(site).post("/auth/login", body).await
}

/// The password given in a browser: what comes back, and the browser.
async fn first_step(site: &Site, next: &str) -> (String, Visitor) {
    let mut browser = Visitor::new(site);
    let fields = [("username", "ann"), ("password", PASSWORD), ("next", next)];
    let page = browser.post("/login", &fields).await;
    (page.leads_to().to_owned(), browser)
}

both! {
    async fn it_is_set_up_with_a_secret_a_picture_and_the_first_code(engine: Engine) {
        let (site, time) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        ann.post("/auth/two-factor/confirm", json!({"code": "123456"})).await.refuses(409, None);
        let first = ann.post("/auth/two-factor", json!({})).await.is(200).json();
        let setup = ann.send("POST", "/auth/two-factor", None, "").await.is(200).json();
        let secret = setup["secret"].as_str().unwrap();
        assert_ne!(first["secret"], setup["secret"], "begun anew");
        assert_eq!(secret.len(), 32, "160 bits");
        let url = setup["otpauth_url"].as_str().unwrap();
        assert!(url.starts_with("otpauth://totp/Switchboard:ann?") && url.contains(secret) && url.contains("issuer=Switchboard"), "{url}");
        let svg = setup["qr_svg"].as_str().unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>") && !svg.contains("style"), "{svg}");
        // Nothing is asked for until the first code was right.
        Program::logged_in(&site, "ann").await;
        for wrong in [&*time.code(secret, 5), "", "abc", &time.code(first["secret"].as_str().unwrap(), 0)] {
            ann.post("/auth/two-factor/confirm", json!({"code": wrong})).await.refuses(422, Some("code"));
        }
        ann.post("/auth/two-factor/confirm", json!({})).await.refuses(422, Some("code"));
        let codes = ann.post("/auth/two-factor/confirm", json!({"code": time.code(secret, 0)})).await.is(200).json();
        let codes: Vec<String> = serde_json::from_value(codes["recovery_codes"].clone()).unwrap();
        assert_eq!(codes.len(), 10);
        assert!(codes.iter().all(|code| code.len() == 11 && code.as_bytes()[5] == b'-'), "{codes:?}");
        ann.post("/auth/two-factor", json!({})).await.refuses(409, None);
        ann.post("/auth/two-factor/confirm", json!({"code": time.code(secret, 1)})).await.refuses(409, None);
        let stored = site.text("select secret from two_factors").await;
        assert!(!stored.contains(secret), "sealed");
        let hashes = site.text("select code_hash from recovery_codes order by id limit 1").await;
        assert!(!hashes.contains(&codes[0]) && hashes.len() == 64);
        assert_eq!(site.number("select count(*) from users where totp_enabled").await, 1);
        assert_eq!(site.number("select count(*) from emails where subject = 'Two-factor is on' and \"to\" = 'ann@example.org'").await, 1);
    }
}

both! {
    async fn a_program_logs_in_with_a_code_and_each_code_is_good_once(engine: Engine) {
        let (site, time, _, secret, _) = protected(engine).await;
        let body = json!({"username": "ann", "password": PASSWORD});
        let answer = Program::new(&site).post("/auth/login", body).await;
        assert!(answer.cookie().is_none());
        answer.refuses(401, Some("totp"));
        for wrong in ["000000", "12345", "1234567", "x", &time.code(&secret, 9), &time.code(&secret, -9)] {
            log_in(&site, wrong).await.refuses(401, Some("totp"));
        }
        log_in(&site, &time.code(&secret, 0)).await.refuses(401, Some("totp"));
        time.pass(60);
        log_in(&site, &time.code(&secret, 0)).await.is(200);
        log_in(&site, &time.code(&secret, 0)).await.refuses(401, Some("totp"));
        log_in(&site, &time.code(&secret, -1)).await.refuses(401, Some("totp"));
        let next = time.code(&secret, 1);
        log_in(&site, &format!(" {} {} ", &next[..3], &next[3..])).await.is(200);
        time.pass(120);
        log_in(&site, &time.code(&secret, -1)).await.is(200);
        // A wrong password says nothing of the code, right or not.
        let body = json!({"username": "ann", "password": "not this one", "totp": time.code(&secret, 0)});
        Program::new(&site).post("/auth/login", body).await.refuses(401, None);
        log_in(&site, &time.code(&secret, 0)).await.is(200);
    }
}

both! {
    async fn of_several_who_use_one_code_at_once_one_gets_in(engine: Engine) {
        let (site, time, _, secret, codes) = protected(engine).await;
        time.pass(60);
        for code in [time.code(&secret, 0), codes[0].clone()] {
            let answers = futures_util::future::join_all((0..5).map(|_| log_in(&site, &code))).await;
            let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 401, 401, 401, 401]);
        }
    }
}

both! {
    async fn a_recovery_code_opens_once_in_any_case_and_its_owner_is_told_how_many_are_left(engine: Engine) {
        let (site, _, _, _, codes) = protected(engine).await;
        log_in(&site, &codes[0].to_uppercase()).await.is(200);
        log_in(&site, &codes[0]).await.refuses(401, Some("totp"));
        log_in(&site, &codes[1].replace('-', "")).await.is(200);
        let letter = site.text("select text from emails where subject = 'A recovery code was used' order by id desc limit 1").await;
        assert!(letter.contains("8 codes are left"), "{letter}");
        assert!(!letter.contains(&codes[1]));
        // Somebody else's codes open nothing here.
        let bob = Program::registered(&site, "bob").await;
        assert_eq!(bob.me().await, 200);
        site.sql("insert into recovery_codes (user_id, code_hash) select 2, code_hash from recovery_codes where user_id = 1").await;
        site.sql("update users set totp_enabled = true where id = 2").await;
        let body = json!({"username": "bob", "password": PASSWORD, "totp": codes[5]});
        Program::new(&site).post("/auth/login", body).await.refuses(401, Some("totp"));
        log_in(&site, &codes[5]).await.is(200);
    }
}

both! {
    async fn turning_it_off_takes_the_password(engine: Engine) {
        let (site, time, ann, secret, codes) = protected(engine).await;
        ann.delete("/auth/two-factor", json!({"password": "not this one"})).await.refuses(422, Some("password"));
        ann.delete("/auth/two-factor", json!({})).await.refuses(422, Some("password"));
        log_in(&site, "").await.refuses(401, Some("totp"));
        ann.delete("/auth/two-factor", json!({"password": PASSWORD})).await.is(204);
        ann.delete("/auth/two-factor", json!({"password": PASSWORD})).await.refuses(409, None);
        log_in(&site, "").await.is(200);
        assert_eq!(site.number("select count(*) from recovery_codes").await, 0);
        let letter = site.text("select text from emails where subject = 'Two-factor is off'").await;
        assert!(letter.contains("was turned off") && !letter.contains("administrator turned"), "{letter}");
        // On again with a new secret: the old one and its codes are worth nothing.
        time.pass(60);
        turn_on(&time, &ann).await;
        time.pass(60);
        log_in(&site, &time.code(&secret, 0)).await.refuses(401, Some("totp"));
        log_in(&site, &codes[3]).await.refuses(401, Some("totp"));
    }
}

both! {
    async fn a_browser_is_asked_for_the_code_on_a_page_of_its_own(engine: Engine) {
        let (site, time, _, secret, codes) = protected(engine).await;
        time.pass(60);
        let (leads_to, mut browser) = first_step(&site, "/rooms/new").await;
        assert_eq!(leads_to, "/login/two-factor");
        assert_eq!(browser.get("/chat").await.leads_to(), "/login?next=%2Fchat", "the password alone opens nothing");
        let page = browser.get("/login/two-factor").await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("autocomplete=\"one-time-code\"") && page.text.contains("inputmode=\"numeric\""));
        let page = browser.post("/login/two-factor", &[("totp", "000000")]).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("id=\"totp-error\"") && !page.text.contains("000000"));
        let before = browser.cookie().unwrap().to_owned();
        let page = browser.post("/login/two-factor", &[("totp", &time.code(&secret, 0))]).await;
        assert_eq!(page.leads_to(), "/rooms/new");
        assert_ne!(browser.cookie().unwrap(), before, "the cookie changes at log-in");
        assert_eq!(browser.get("/chat").await.status, 200);
        // Done, it isn't asked again, and a recovery code will do too.
        assert_eq!(browser.get("/login/two-factor").await.leads_to(), "/login");
        let (_, mut browser) = first_step(&site, "https://evil.example").await;
        let page = browser.get("/login/two-factor?with=recovery").await;
        assert!(page.text.contains("Recovery code") && !page.text.contains("inputmode"));
        assert_eq!(browser.post("/login/two-factor", &[("totp", &codes[0])]).await.leads_to(), "/chat");
        // Or all at once.
        let mut browser = Visitor::new(&site);
        let fields = |totp| [("username", "ann"), ("password", PASSWORD), ("totp", totp)];
        assert_eq!(browser.post("/login", &fields("000000")).await.status, 422);
        assert_eq!(browser.post("/login", &fields(&codes[1])).await.leads_to(), "/chat");
    }
}

both! {
    async fn the_second_step_is_nobodys_without_the_first_and_not_for_long(engine: Engine) {
        let (site, time, _, secret, codes) = protected(engine).await;
        let mut stranger = Visitor::new(&site);
        assert_eq!(stranger.get("/login/two-factor").await.leads_to(), "/login");
        time.pass(60);
        assert_eq!(stranger.post("/login/two-factor", &[("totp", &time.code(&secret, 0))]).await.leads_to(), "/login");
        let (_, mut slow) = first_step(&site, "").await;
        time.pass(9 * 60);
        assert_eq!(slow.get("/login/two-factor").await.status, 200);
        time.pass(60);
        assert_eq!(slow.get("/login/two-factor").await.leads_to(), "/login");
        assert_eq!(slow.post("/login/two-factor", &[("totp", &codes[0])]).await.leads_to(), "/login");
        log_in(&site, &codes[0]).await.is(200);
    }
}

both! {
    async fn a_new_password_or_a_disabled_account_makes_the_first_step_worthless(engine: Engine) {
        let (site, _, ann, _, codes) = protected(engine).await;
        let (_, mut browser) = first_step(&site, "").await;
        let new = json!({"current_password": PASSWORD, "new_password": "a new horse battery"});
        ann.post("/auth/password", new).await.is(204);
        assert_eq!(browser.post("/login/two-factor", &[("totp", &codes[0])]).await.leads_to(), "/login");
        let mut browser = Visitor::new(&site);
        browser.post("/login", &[("username", "ann"), ("password", "a new horse battery")]).await;
        assert_eq!(browser.get("/login/two-factor").await.status, 200);
        let user = switchboard::users::find(&mut site.app.db.read().await.unwrap(), "ann").await.unwrap().unwrap();
        site.disable(&user).await;
        assert_eq!(browser.post("/login/two-factor", &[("totp", &codes[0])]).await.leads_to(), "/login");
    }
}

both! {
    async fn administrators_turn_off_what_a_colleague_has_lost_and_it_is_told(engine: Engine) {
        let (site, ..) = protected(engine).await;
        let mut boss = Visitor::admin(&site, "boss").await;
        let mut mod_ = Visitor::of_role(&site, "mod", "moderator").await;
        let fields = [("action", "reset-two-factor"), ("ids", "1"), ("confirm", "1")];
        assert_eq!(mod_.post("/admin/users/action", &fields).await.status, 403);
        assert_eq!(boss.post("/admin/users/action", &fields).await.status, 403, "the password is asked for");
        assert_eq!(site.number("select count(*) from users where totp_enabled").await, 1);
        boss.confirms().await;
        boss.post("/admin/users/action", &fields).await.leads_to();
        log_in(&site, "").await.is(200);
        let letter = site.text("select text from emails where subject = 'Two-factor is off' and \"to\" = 'ann@example.org'").await;
        assert!(letter.contains("administrator turned"), "{letter}");
        let told = site.text("select changes from audit_entries where action = 'reset-two-factor'").await;
        assert!(told.contains("totp_enabled"), "{told}");
        assert_eq!(boss.post("/admin/users/action", &fields).await.status, 409, "it is off");
    }
}

both! {
    async fn staff_without_two_factor_are_held_back_where_it_is_required(engine: Engine) {
        let (site, time) = api(engine).await;
        let boss = Program::of_role(&site, "boss", "admin").await;
        let mut browser = Visitor::logged_in(&site, "boss").await;
        browser.confirms().await;
        assert_eq!(browser.get("/admin/").await.status, 200);
        let page = browser.fill("/admin/settings/staff_two_factor/", &[("value", "required")], "save").await;
        page.leads_to();
        let page = browser.get("/admin/").await;
        assert_eq!(page.status, 403);
        assert!(page.text.contains("need two-factor") && page.text.contains("href=\"/settings\""), "{}", page.text);
        assert_eq!(browser.get("/admin/users/export.json").await.status, 403);
        let new = json!({"username": "cat", "email": "cat@example.org", "password": PASSWORD, "role": "admin"});
        boss.post("/auth/register", new.clone()).await.refuses(403, None);
        // They still talk, and turn it on: then they are staff again, in sessions that were open before too.
        assert_eq!(browser.get("/chat").await.status, 200);
        turn_on(&time, &boss).await;
        assert_eq!(browser.get("/admin/").await.status, 200);
        boss.post("/auth/register", new).await.is(201);
        let bob = Program::registered(&site, "bob").await;
        assert_eq!(bob.me().await, 200, "who isn't staff isn't asked");
        boss.delete("/auth/two-factor", json!({"password": PASSWORD})).await.is(204);
        assert_eq!(browser.get("/admin/").await.status, 403);
    }
}
