//! Mails in the backoffice: read as their readers see them, cancelled, sent again; by administrators only.

use switchboard::ids::EmailId;

use crate::support::actors::Visitor;
use crate::support::app::{Options, both};
use crate::support::mail::{Event, Mood, Sink};
use crate::support::office::{office, office_with};

fn act<'a>(action: &'a str, id: &'a str) -> [(&'static str, &'a str); 4] {
    [("action", action), ("ids", id), ("back", id), ("confirm", "1")]
}

both! {
    async fn a_mail_is_previewed_in_a_frame_that_can_do_nothing(engine: Engine) {
        let (site, ann) = office(engine).await;
        let mo = Visitor::of_role(&site, "moe", "moderator").await;
        let script = "<script>alert(1)</script><form action=/logout method=post><button>x</button></form>";
        site.sql(&format!("insert into emails (\"to\", subject, text, html, created_at) values ('a@example.org', 'With HTML', 'x', '<p>Hi</p>{script}', 1)")).await;
        site.sql(&format!("insert into emails (\"to\", subject, text, created_at) values ('a@example.org', 'Plain', 'One\nTwo {script}', 1)")).await;
        let page = ann.get("/admin/emails/1/preview").await;
        page.is(200, "<p>Hi</p>");
        assert_eq!(
            page.headers["content-security-policy"],
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
        );
        assert_eq!((&page.headers["x-content-type-options"], &page.headers["cache-control"]), (&"nosniff".parse().unwrap(), &"no-store".parse().unwrap()));
        let plain = ann.get("/admin/emails/2/preview").await;
        assert!(plain.text.contains("One\nTwo &#60;script&#62;"), "{}", plain.text);
        let form = ann.get("/admin/emails/1/").await;
        assert!(form.text.contains("<iframe src=\"/admin/emails/1/preview\"") && form.text.contains("sandbox></iframe>"), "{}", form.text);
        let policy = form.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.ends_with("; frame-src 'self'"), "{policy}");
        assert!(!ann.get("/admin/rooms/").await.headers["content-security-policy"].to_str().unwrap().contains("frame-src"));
        mo.get("/admin/emails/1/preview").await.is(403, "Your role doesn't see these.");
        assert!(!mo.get("/admin/emails/1/").await.text.contains("iframe"));
        ann.get("/admin/emails/77/preview").await.is(404, "");
        ann.get("/admin/users/1/preview").await.is(404, "These have no preview.");
    }
}

both! {
    async fn a_mail_that_waits_is_cancelled_and_sent_after_all(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let id = site.queue_mail("Hello").await;
        ann.post("/admin/emails/action", &act("cancel", "1")).await.leads_to();
        let page = ann.get("/admin/emails/1/").await;
        page.is(200, "Cancelled by ann.");
        page.is(200, "Failed");
        ann.get("/admin/emails/1/history").await.is(200, "cancel");
        ann.post("/admin/emails/action", &act("cancel", "1")).await.is(409, "This mail doesn't wait to be sent.");
        ann.post("/admin/emails/action", &act("resend", "1")).await.leads_to();
        assert_eq!(site.text("select status || attempts || coalesce(last_error, '') from emails").await, "queued0", "{id}");
        ann.get("/admin/emails/1/history").await.is(200, "resend");
    }
}

both! {
    async fn a_mail_on_its_way_is_not_cancelled_and_a_cancelled_one_is_not_sent(engine: Engine) {
        let mut sink = Sink::new(Mood::Hang).await;
        let url: &'static str = Box::leak(sink.url.clone().into_boxed_str());
        let (site, mut ann) = office_with(engine, Options { settings: vec![("SMTP_URL", url)], ..Options::default() }).await;
        site.queue_mail("On its way").await;
        assert!(matches!(sink.next().await, Event::Hung(_)));
        ann.post("/admin/emails/action", &act("cancel", "1")).await.is(409, "This mail is being sent at this moment.");
        ann.post("/admin/emails/action", &act("resend", "1")).await.is(409, "This mail waits to be sent already.");
        sink.set(Mood::Take);
        let later = site.app.clock.now().0 + 3_600_000_000;
        site.sql(&format!("insert into emails (\"to\", subject, text, next_attempt_at, created_at) values ('a@example.org', 'Not this', 'x', {later}, 1)")).await;
        ann.post("/admin/emails/action", &act("cancel", "2")).await.leads_to();
        site.sql("update emails set next_attempt_at = 1 where id = 2").await;
        site.queue_mail("But this").await;
        assert_eq!(sink.mail().await.header("subject"), "But this");
        let mut work = site.admin().await;
        assert_eq!(switchboard::emails::cancel(&mut work, EmailId(77)).await.unwrap_err().status(), 404);
    }
}
