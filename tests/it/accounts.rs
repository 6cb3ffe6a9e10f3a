//! Registering, logging in and out, in a browser without JavaScript.

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Options, Site, both};

both! {
    async fn a_person_registers_logs_out_and_logs_in_again_by_name_or_address(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "Ann").await;
        assert!(ann.get("/chat").await.text.contains("Ann"));
        assert_eq!(ann.post("/logout", &[]).await.leads_to(), "/login");
        assert_eq!(ann.get("/chat").await.leads_to(), "/login?next=%2Fchat");
        for name in ["Ann", "ANN", "ann@EXAMPLE.org", " ann "] {
            let mut again = Visitor::new(&site);
            assert_eq!(again.post("/login", &[("username", name), ("password", PASSWORD)]).await.leads_to(), "/chat");
            assert_eq!(again.get("/chat").await.status, 200, "{name}");
        }
    }
}

both! {
    async fn a_wrong_password_and_an_unknown_name_look_the_same(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        let mut visitor = Visitor::new(&site);
        let wrong = visitor.post("/login", &[("username", "ann"), ("password", "not this one")]).await;
        let unknown = visitor.post("/login", &[("username", "bob"), ("password", "not this one")]).await;
        assert_eq!((wrong.status.as_u16(), unknown.status.as_u16()), (422, 422));
        assert_eq!(wrong.text, unknown.text.replace("value=\"bob\"", "value=\"ann\""));
        assert!(!wrong.text.contains("not this one"), "a password never comes back");
    }
}

both! {
    async fn a_refused_registration_keeps_what_was_typed_and_marks_each_bad_field(engine: Engine) {
        let site = Site::new(engine).await;
        let fields = [("username", "a b"), ("email", "nowhere"), ("password", "short"), ("first_name", "<Ann>")];
        let page = Visitor::new(&site).post("/register", &fields).await;
        assert_eq!(page.status, 422);
        for part in ["id=\"username-error\"", "id=\"email-error\"", "id=\"password-error\"", "value=\"a b\"", "&#60;Ann&#62;"] {
            assert!(page.text.contains(part), "{part} isn't in {}", page.text);
        }
        assert!(!page.text.contains("short"), "a password never comes back");
        assert_eq!(site.number("select count(*) from users").await, 0);
    }
}

both! {
    async fn names_and_addresses_are_unique_without_regard_to_case(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "Ann").await;
        let mut visitor = Visitor::new(&site);
        let fields = [("username", "aNN"), ("email", "ANN@example.ORG"), ("password", PASSWORD)];
        let page = visitor.post("/register", &fields).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("This name is already taken.") && page.text.contains("This address is already taken."));
    }
}

both! {
    async fn of_two_who_register_one_name_at_once_one_gets_it(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut a, mut b) = (Visitor::new(&site), Visitor::new(&site));
        let fields = [("username", "ann"), ("email", "ann@example.org"), ("password", PASSWORD)];
        let (first, second) = tokio::join!(a.post("/register", &fields), b.post("/register", &fields));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 422]);
    }
}

both! {
    async fn the_cookie_changes_at_log_in_and_dies_at_log_out(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let first = ann.cookie().unwrap().to_owned();
        ann.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await;
        let second = ann.cookie().unwrap().to_owned();
        assert_ne!(first, second);
        let mut planted = Visitor::new(&site);
        planted.set_cookie(&first);
        assert_eq!(planted.get("/chat").await.leads_to(), "/login?next=%2Fchat", "the id before the log-in is dead");
        ann.post("/logout", &[]).await;
        ann.set_cookie(&second);
        assert_eq!(ann.get("/chat").await.leads_to(), "/login?next=%2Fchat");
    }
}

both! {
    async fn only_local_addresses_are_followed_after_log_in(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        for (next, leads_to) in [("/rooms/new", "/rooms/new"), ("https://evil.example", "/chat"), ("//evil.example", "/chat")] {
            let fields = [("username", "ann"), ("password", PASSWORD), ("next", next)];
            assert_eq!(Visitor::new(&site).post("/login", &fields).await.leads_to(), leads_to);
        }
    }
}

both! {
    async fn the_cookie_is_http_only_and_lax_and_under_https_secure_and_bound_to_the_host(engine: Engine) {
        let fields = [("username", "ann"), ("email", "ann@example.org"), ("password", PASSWORD)];
        let plain = Site::new(engine).await;
        let page = Visitor::new(&plain).post("/register", &fields).await;
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("switchboard=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
        let settings = vec![("BASE_URL", "https://chat.example.org")];
        let secure = Site::with(engine, Options { settings, ..Options::default() }).await;
        let page = Visitor::new(&secure).post("/register", &fields).await;
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("__Host-switchboard=") && cookie.contains("Secure"), "{cookie}");
        assert!(page.headers.contains_key("strict-transport-security"));
    }
}

both! {
    async fn what_another_site_posts_is_refused(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let fields = [("kind", "public"), ("name", "Planted")];
        for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")] {
            let page = ann.post_with("/rooms/new", &fields, &[header]).await;
            assert_eq!(page.status, 403, "{header:?}");
        }
        assert_eq!(site.number("select count(*) from rooms").await, 0);
        let own = ann.base().to_owned();
        assert_eq!(ann.post_with("/rooms/new", &fields, &[("origin", &own)]).await.room(), 1);
    }
}

both! {
    async fn a_closed_site_registers_nobody(engine: Engine) {
        let site = Site::new(engine).await;
        site.sql("update settings set value = 'closed' where key = 'registration'").await;
        site.app.refresh_settings().await.unwrap();
        let mut visitor = Visitor::new(&site);
        assert_eq!(visitor.get("/register").await.status, 403);
        let fields = [("username", "ann"), ("email", "ann@example.org"), ("password", PASSWORD)];
        assert_eq!(visitor.post("/register", &fields).await.status, 403);
        assert!(!visitor.get("/login").await.text.contains("/register"));
    }
}

both! {
    async fn a_disabled_account_is_out_at_once(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let user = switchboard::users::find(&mut site.app.db.read().await.unwrap(), "ann").await.unwrap().unwrap();
        site.disable(&user).await;
        assert_eq!(ann.get("/chat").await.leads_to(), "/login?next=%2Fchat");
        assert_eq!(ann.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await.status, 422);
    }
}
