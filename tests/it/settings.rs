//! One's own settings: profile, address, password and tokens, as a form on one page each.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use switchboard::app::Seams;
use switchboard::clock::Clock;

use crate::support::actors::{PASSWORD, Page, Visitor};
use crate::support::app::{Options, Site, both};

const NEW: &str = "staple battery horse";

/// The token that a page shows.
fn secret(page: &Page) -> &str {
    let (_, after) = page.text.split_once("class=\"secret\">").unwrap();
    after.split_once('<').unwrap().0
}

both! {
    async fn a_profile_is_saved_and_a_refused_one_keeps_what_was_typed(engine: Engine) {
        let site = Site::new(engine).await;
        assert_eq!(Visitor::new(&site).get("/settings").await.leads_to(), "/login?next=%2Fsettings");
        let mut ann = Visitor::registered(&site, "ann").await;
        assert!(ann.get("/chat").await.text.contains("href=\"/settings\""));
        let saved = ann.post("/settings", &[("first_name", "Ann <3"), ("last_name", "Lee"), ("bio", "Tea.\nBooks.")]).await;
        assert_eq!(saved.leads_to(), "/settings#profile");
        let page = ann.get("/settings").await;
        assert!(page.text.contains("Your profile is saved.") && page.text.contains("value=\"Ann &#60;3\""));
        assert!(page.text.contains("Tea.\nBooks.</textarea>"));
        assert_eq!(page.headers["cache-control"], "no-store");
        let long = "x".repeat(1001);
        let page = ann.post("/settings", &[("first_name", "Anna\u{7}"), ("bio", &long)]).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("id=\"profile-first_name-error\"") && page.text.contains("id=\"profile-bio-error\""));
        assert!(page.text.contains(&long));
        assert_eq!(site.number("select count(*) from users where first_name = 'Ann <3' and last_name = 'Lee'").await, 1);
    }
}

both! {
    async fn a_new_password_needs_the_current_one_and_ends_every_other_session(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let mut other = Visitor::logged_in(&site, "ann").await;
        let mut socket = other.socket("/ws").await;
        socket.expect("connected").await;
        let wrong = ann.post("/settings/password", &[("current_password", "not this one"), ("new_password", NEW)]).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.text.contains("id=\"password-current_password-error\"") && !wrong.text.contains(NEW));
        let short = ann.post("/settings/password", &[("current_password", PASSWORD), ("new_password", "short")]).await;
        assert_eq!(short.status, 422);
        assert!(short.text.contains("id=\"password-new_password-error\""));
        assert_eq!(other.get("/chat").await.status, 200, "a refused change ends nothing");
        let before = ann.cookie().unwrap().to_owned();
        let done = ann.post("/settings/password", &[("current_password", PASSWORD), ("new_password", NEW)]).await;
        assert_eq!(done.leads_to(), "/settings#password");
        assert!(ann.get("/settings").await.text.contains("Your password is changed"));
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(other.get("/chat").await.leads_to(), "/login?next=%2Fchat");
        let mut copied = Visitor::new(&site);
        copied.set_cookie(&before);
        assert_eq!(copied.get("/chat").await.leads_to(), "/login?next=%2Fchat", "a copy of the cookie is worth nothing");
        assert_eq!(other.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await.status, 422);
        assert_eq!(other.post("/login", &[("username", "ann"), ("password", NEW)]).await.leads_to(), "/chat");
    }
}

both! {
    async fn an_address_changes_for_whoever_knows_the_password(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, _] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        for (email, password, field) in [
            ("new@example.org", "not this one", "email-current_password-error"),
            ("nowhere", PASSWORD, "email-email-error"),
            ("BOB@example.org", PASSWORD, "email-email-error"),
        ] {
            let page = ann.post("/settings/email", &[("email", email), ("current_password", password)]).await;
            assert_eq!(page.status, 422, "{email}");
            assert!(page.text.contains(field) && page.text.contains(&format!("value=\"{email}\"")), "{email}");
        }
        assert_eq!(site.number("select count(*) from users where email = 'ann@example.org'").await, 1);
        let done = ann.post("/settings/email", &[("email", "new@example.org"), ("current_password", PASSWORD)]).await;
        assert_eq!(done.leads_to(), "/settings#email");
    }
}

both! {
    async fn a_token_is_shown_once_to_the_session_that_made_it(engine: Engine) {
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let seams = Seams { clock: Clock::Fixed(clock.clone()), ..Seams::default() };
        let site = Site::with(engine, Options { seams, ..Options::default() }).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let mut elsewhere = Visitor::logged_in(&site, "ann").await;
        let made = ann.post("/settings/api-tokens", &[("name", "Backup"), ("expires", "30")]).await;
        assert_eq!(made.leads_to(), "/settings#api-tokens");
        let cookie = made.headers["set-cookie"].to_str().unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Max-Age=60", "Path=/"] {
            assert!(cookie.contains(part), "{part} isn't in {cookie}");
        }
        elsewhere.set_once(ann.once().unwrap());
        assert!(!elsewhere.get("/settings").await.text.contains("class=\"secret\""), "another session can't show it");
        let page = ann.get("/settings").await;
        let token = secret(&page).to_owned();
        assert!(page.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert!(token.len() >= 40 && !cookie.contains(&token));
        assert_eq!(site.number("select count(*) from api_tokens where name = 'Backup' and expires_at is not null").await, 1);
        assert_eq!(site.number(&format!("select count(*) from api_tokens where token_hash = '{token}'")).await, 0);
        clock.fetch_add(61_000_000, Ordering::Relaxed);
        let page = ann.get("/settings").await;
        assert!(page.text.contains("Backup") && !page.text.contains(&token), "a minute later it is gone");
    }
}

both! {
    async fn a_token_needs_a_name_and_a_known_end_and_only_its_owner_revokes_it(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let page = ann.post("/settings/api-tokens", &[("name", " "), ("expires", "30")]).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("id=\"api-tokens-name-error\"") && page.text.contains("value=\"30\" selected"));
        let page = ann.post("/settings/api-tokens", &[("name", "Mine"), ("expires", "31")]).await;
        assert!(page.status == 422 && page.text.contains("id=\"api-tokens-expires-error\""));
        ann.post("/settings/api-tokens", &[("name", "Mine"), ("expires", "never")]).await.leads_to();
        assert_eq!(site.number("select count(*) from api_tokens where expires_at is null").await, 1);
        assert_eq!(bob.post("/settings/api-tokens/1/revoke", &[]).await.status, 404);
        assert_eq!(bob.post("/settings/api-tokens/x/revoke", &[]).await.status, 404);
        assert_eq!(site.number("select count(*) from api_tokens where revoked_at is null").await, 1);
        assert_eq!(ann.post("/settings/api-tokens/1/revoke", &[]).await.leads_to(), "/settings#api-tokens");
        assert_eq!(site.number("select count(*) from api_tokens where revoked_at is null").await, 0);
        assert!(!ann.get("/settings").await.text.contains("Mine"));
    }
}

both! {
    async fn what_is_said_once_is_bound_to_the_host_under_https(engine: Engine) {
        let settings = vec![("BASE_URL", "https://chat.example.org")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let saved = ann.post("/settings", &[("bio", "Tea")]).await;
        let cookie = saved.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("__Host-switchboard-once=") && cookie.contains("Secure"), "{cookie}");
        ann.set_once("__Host-switchboard-once=forged");
        assert_eq!(ann.get("/settings").await.status, 200);
    }
}

both! {
    async fn what_another_site_posts_to_the_settings_is_refused(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let foreign = [("origin", "https://evil.example")];
        for path in ["/settings", "/settings/sessions/end", "/settings/api-tokens", "/settings/delete"] {
            assert_eq!(ann.post_with(path, &[("name", "x"), ("password", PASSWORD)], &foreign).await.status, 403, "{path}");
        }
        assert_eq!(site.number("select count(*) from api_tokens").await, 0);
        assert_eq!(site.number("select count(*) from users").await, 1);
    }
}
