//! The first page of the backoffice and the search of everything: what staff see there, and who doesn't.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use switchboard::admin::dashboard;
use switchboard::app::Seams;
use switchboard::clock::Clock;

use crate::support::actors::Visitor;
use crate::support::app::{Options, Site, both};

/// 2026-01-31 12:00 UTC.
const NOON: i64 = 1_769_860_800_000_000;
const HOUR: i64 = 3_600_000_000;

async fn at_noon(engine: crate::support::app::Engine) -> (Site, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(NOON));
    let seams = Seams { clock: Clock::Fixed(now.clone()), ..Seams::default() };
    (Site::with(engine, Options { seams, ..Options::default() }).await, now)
}

both! {
    async fn only_staff_come_in(engine: Engine) {
        let site = Site::new(engine).await;
        let visitor = Visitor::new(&site);
        let bob = Visitor::registered(&site, "bob").await;
        let mia = Visitor::of_role(&site, "mia", "moderator").await;
        let ann = Visitor::admin(&site, "ann").await;
        for path in ["/admin/", "/admin/search?q=ann", "/admin/live", "/admin/queue"] {
            assert!(visitor.get(path).await.leads_to().starts_with("/login?next="), "{path}");
            assert_eq!(bob.get(path).await.status, 403, "{path}");
            assert_eq!(mia.get(path).await.status, 200, "{path}");
            assert_eq!(ann.get(path).await.status, 200, "{path}");
        }
        assert_eq!(ann.get("/admin").await.leads_to(), "/admin/");
        let (mut visitor, mut bob) = (visitor, bob);
        for path in ["/admin/live/1/disconnect", "/admin/live/1/log-out", "/admin/queue/1/hide"] {
            assert!(visitor.post(path, &[]).await.leads_to().starts_with("/login?next="), "{path}");
            assert_eq!(bob.post(path, &[]).await.status, 403, "{path}");
        }
    }
}

both! {
    async fn all_is_well_until_something_needs_staff(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::admin(&site, "ann").await;
        let page = ann.get("/admin/").await;
        // The disk of whoever runs the tests may be nearly full.
        assert!(page.text.contains("All is well.") || page.text.contains("is nearly full"));
        assert!(page.text.contains("Nothing was done in the backoffice yet."));

        site.sql("insert into emails (\"to\", subject, text, next_attempt_at, created_at) values ('a@b.c', 's', 't', 0, 0)").await;
        site.sql("insert into emails (\"to\", subject, text, status, created_at) values ('a@b.c', 's', 't', 'failed', 0)").await;
        let page = ann.get("/admin/").await;
        assert!(!page.text.contains("All is well."));
        assert!(page.text.contains("1 mail waits, and no mail server is set."), "{}", page.text);
        assert!(page.text.contains("1 mail has failed."));
    }
}

both! {
    async fn with_a_mail_server_a_mail_that_waits_for_an_hour_is_stuck(engine: Engine) {
        let settings = vec![("SMTP_URL", "smtp://127.0.0.1:1"), ("MAIL_FROM", "chat@example.org")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        let ann = Visitor::admin(&site, "ann").await;
        let soon = site.app.clock.now().0;
        site.sql(&format!("insert into emails (\"to\", subject, text, next_attempt_at, created_at) values ('a@b.c', 's', 't', {soon}, 0)")).await;
        assert!(!ann.get("/admin/").await.text.contains("stuck"));
        site.sql(&format!("update emails set next_attempt_at = {}", soon - HOUR - 1)).await;
        assert!(ann.get("/admin/").await.text.contains("1 mail is stuck."));
    }
}

both! {
    async fn settings_that_are_unsafe_are_told_to_administrators_only(engine: Engine) {
        let settings = vec![("DEBUG", "true")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        let ann = Visitor::admin(&site, "ann").await;
        let mia = Visitor::of_role(&site, "mia", "moderator").await;
        assert!(ann.get("/admin/").await.text.contains("DEBUG is on."));
        assert!(!mia.get("/admin/").await.text.contains("DEBUG is on."));
        assert!(ann.get("/admin/").await.text.contains("href=\"/admin/settings/\">Settings"));
        assert!(!mia.get("/admin/").await.text.contains("href=\"/admin/settings/\""));
    }
}

both! {
    async fn an_open_report_is_overdue_after_a_day(engine: Engine) {
        let (site, now) = at_noon(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let room = ann.public_room("General").await;
        ann.say(room, "Hello").await;
        site.sql(&format!("insert into reports (message_id, reason, created_at) values (1, 'rude', {NOON})")).await;
        now.fetch_add(24 * HOUR, Ordering::Relaxed);
        assert!(!ann.get("/admin/").await.text.contains("for more than a day"));
        now.fetch_add(1, Ordering::Relaxed);
        assert!(ann.get("/admin/").await.text.contains("1 report is open for more than a day."));
    }
}

both! {
    async fn the_days_are_drawn_and_told_in_a_table(engine: Engine) {
        let (site, now) = at_noon(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let room = ann.public_room("General").await;
        ann.say(room, "One").await;
        ann.say(room, "Two").await;
        let page = ann.get("/admin/").await.text;
        assert!(page.contains("2 messages in 30 days, 2 today; most on 2026-01-31: 2."), "{page}");
        assert!(page.contains("1 sign-up in 30 days, 1 today"));
        assert!(page.contains("<th scope=\"row\">2026-01-02</th><td class=\"number\">0</td>"));
        assert!(page.contains("<th scope=\"row\">2026-01-31</th><td class=\"number\">2</td>"));
        assert!(page.contains("role=\"img\"") && !page.contains("style="));

        // What comes after the count is in it at once, tomorrow too.
        ann.say(room, "Three").await;
        assert!(ann.get("/admin/").await.text.contains("3 messages in 30 days, 3 today"));
        now.fetch_add(12 * HOUR, Ordering::Relaxed);
        ann.say(room, "Four").await;
        let page = ann.get("/admin/").await.text;
        assert!(page.contains("4 messages in 30 days, 1 today; most on 2026-01-31: 3."), "{page}");
        assert!(!page.contains("2026-01-01<"), "a day goes when one comes");
    }
}

both! {
    async fn what_is_counted_is_counted_anew_after_a_minute(engine: Engine) {
        let (site, now) = at_noon(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let room = ann.public_room("General").await;
        ann.say(room, "One").await;
        ann.say(room, "Two").await;
        now.fetch_add(1, Ordering::Relaxed);
        assert_eq!(dashboard::stats(&site.app).await.unwrap().messages, 2);
        site.sql("delete from messages where id = 1").await;
        assert_eq!(dashboard::stats(&site.app).await.unwrap().messages, 2, "kept for a minute");
        // So late that the count is waited for.
        now.fetch_add(HOUR, Ordering::Relaxed);
        assert_eq!(dashboard::stats(&site.app).await.unwrap().messages, 1);
    }
}

both! {
    async fn who_is_online_is_counted_by_people_and_sockets(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::admin(&site, "ann").await;
        let mut first = ann.socket("/ws").await;
        let mut second = ann.socket("/ws").await;
        first.expect("connected").await;
        second.expect("connected").await;
        let stats = dashboard::stats(&site.app).await.unwrap();
        assert_eq!((stats.people_online, stats.open_sockets, stats.users), (1, 2, 1));
        assert!(stats.storage.database_bytes > 0);
        let json = serde_json::to_value(&stats).unwrap();
        assert!(json["counted_at"].is_string() && json.get("disks").is_none());
    }
}

both! {
    async fn changes_done_lately_lead_to_their_history(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let mia = Visitor::of_role(&site, "mia", "moderator").await;
        let room = ann.public_room("General").await;
        ann.post(&format!("/admin/rooms/{room}/delete"), &[("confirmed", "1"), ("confirm", "1")]).await;
        site.sql("insert into audit_entries (actor_id, action, model, object_id, object_label, created_at) values (1, 'change', 'users', '2', 'mia', 5)").await;
        site.sql("insert into audit_entries (actor_id, action, model, object_id, object_label, created_at) values (1, 'change', 'settings', 'site_name', 'site_name', 5)").await;
        let page = ann.get("/admin/").await.text;
        assert!(page.contains("href=\"/admin/users/2/history\">mia</a>"), "{page}");
        assert!(page.contains("/admin/settings/site_name/history"));
        let page = mia.get("/admin/").await.text;
        assert!(page.contains("href=\"/admin/users/2/history\">mia</a>"));
        assert!(!page.contains("site_name/history"), "moderators don't see settings");
    }
}

both! {
    async fn a_search_finds_in_every_model_that_one_sees(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        let mia = Visitor::of_role(&site, "mia", "moderator").await;
        for n in 1..=6 {
            Visitor::registered(&site, &format!("zeta{n}")).await;
        }
        let room = ann.public_room("Zeta fans").await;
        ann.say(room, "I like zeta").await;
        let page = ann.get("/admin/search?q=zeta").await.text;
        assert!(page.contains(&format!("href=\"/admin/rooms/{room}/\">Zeta fans</a>")), "{page}");
        assert!(page.contains("href=\"/admin/messages/1/\""));
        let people = page.split("href=\"/admin/users/").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(people.count(), 5, "five of a model");
        assert!(page.contains("href=\"/admin/users/?q=zeta\">All 6</a>"));

        // Sessions are found through their people, by administrators only.
        assert!(ann.get("/admin/search?q=ann").await.text.contains("href=\"/admin/sessions/"));
        assert!(!mia.get("/admin/search?q=ann").await.text.contains("href=\"/admin/sessions/"));
        // An id finds its rows, in models that can't be searched by it, too.
        let page = ann.get("/admin/search?q=1").await.text;
        for found in ["/admin/users/1/", "/admin/messages/1/", "/admin/sessions/1/"] {
            assert!(page.contains(&format!("href=\"{found}\"")), "{found}");
        }
        assert!(!mia.get("/admin/search?q=1").await.text.contains("/admin/sessions/1/"));
    }
}

both! {
    async fn a_search_for_anything_is_answered(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::admin(&site, "ann").await;
        let long = "a".repeat(10_000);
        let dashes = "a-".repeat(5_000);
        let searches = ["%00", "%F0%9F%98%80", &long, &dashes, "%25", "_", "%22", "%22ann", "%27%3B--", "99999999999999999999", "-1", "%3Cscript%3E"];
        for q in searches {
            let page = ann.get(&format!("/admin/search?q={q}")).await;
            assert_eq!(page.status, 200, "{q}");
            assert!(!page.text.contains("<script>"), "{q}");
        }
        for nothing in ["/admin/search", "/admin/search?q=", "/admin/search?q=%00", "/admin/search?q=%22%22"] {
            assert!(ann.get(nothing).await.text.contains("Type the beginning of a name"), "{nothing}");
        }
        assert!(ann.get(&format!("/admin/search?q={long}")).await.text.contains("Only the first 200 characters"));
        assert!(ann.get("/admin/search?q=nobodyatall").await.text.contains("Nothing is found by “nobodyatall”."));
    }
}
