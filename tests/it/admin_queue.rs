//! The reports to settle: shown in their talk, settled once, each way with what it does and who may not.

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};

struct Scene {
    site: Site,
    ann: Visitor,
    mia: Visitor,
    bob: Visitor,
    room: i64,
}

/// Ann (administrator), Mia (moderator) and Bob, who says nine things in a room, the fifth of them reported twice.
async fn scene(engine: Engine) -> Scene {
    let site = Site::new(engine).await;
    let mut ann = Visitor::admin(&site, "ann").await;
    let mia = Visitor::of_role(&site, "mia", "moderator").await;
    let mut bob = Visitor::registered(&site, "bob").await;
    let room = ann.public_room("General").await;
    bob.post(&format!("/rooms/{room}/join"), &[]).await;
    for n in 1..=9 {
        bob.say(room, &format!("*line* {n}")).await;
    }
    for (reporter, at) in [(1, 10), (2, 20)] {
        site.sql(&format!("insert into reports (message_id, reporter_id, reason, created_at) values (5, {reporter}, 'Rude <b>talk</b>', {at})")).await;
    }
    Scene { site, ann, mia, bob, room }
}

impl Scene {
    async fn open_reports(&self) -> i64 {
        self.site.number("select count(*) from reports where status = 'open'").await
    }

    async fn entries(&self, model: &str, action: &str) -> i64 {
        let sql = format!("select count(*) from audit_entries where model = '{model}' and action = '{action}'");
        self.site.number(&sql).await
    }

    async fn is_hidden(&self) -> bool {
        self.site.number("select count(*) from messages where id = 5 and content = '' and deleted_at is not null").await
            == 1
    }
}

both! {
    async fn a_report_stands_in_its_talk(engine: Engine) {
        let scene = scene(engine).await;
        let page = scene.mia.get("/admin/queue").await.text;
        for n in 2..=8 {
            assert!(page.contains(&format!("<em>line</em> {n}")), "{n}: {page}");
        }
        assert!(!page.contains("<em>line</em> 1<") && !page.contains("<em>line</em> 9<"));
        assert!(page.contains("Rude &#60;b&#62;talk") || page.contains("Rude &lt;b&gt;talk"), "{page}");
        assert!(page.contains("1 more report of it") && page.contains(">General</a>"));
        let (first, second) = (page.find("Report 1<").unwrap(), page.find("Report 2<").unwrap());
        assert!(first < second, "oldest first");
        let (talk, message) = (format!("href=\"/chat/rooms/{}?at=5#m5\"", scene.room), "href=\"/admin/messages/5/\"");
        assert!(page.contains(&talk) && !page.contains(message), "who may see the room goes there");
        scene.site.sql("update rooms set kind = 'group'").await;
        assert!(scene.ann.get("/admin/queue").await.text.contains(&talk), "a member");
        let page = scene.mia.get("/admin/queue").await.text;
        assert!(page.contains(message) && !page.contains(&talk), "others to the message in the backoffice");
    }
}

both! {
    async fn hiding_empties_the_message_and_settles_its_reports(engine: Engine) {
        let mut scene = scene(engine).await;
        let mut follows = scene.bob.follows(scene.room).await;
        let done = scene.mia.post("/admin/queue/1/hide", &[]).await;
        assert_eq!(done.leads_to(), "/admin/queue?done=hide");
        follows.expect("message_deleted").await;
        assert!(scene.is_hidden().await);
        assert_eq!(scene.open_reports().await, 0);
        assert_eq!((scene.entries("messages", "hide").await, scene.entries("reports", "hide").await), (1, 1));
        let again = scene.mia.post("/admin/queue/1/hide", &[]).await;
        assert_eq!(again.status, 409);
        assert!(again.text.contains("settled already"));
        assert_eq!(scene.entries("messages", "hide").await, 1);
        assert!(scene.mia.get("/admin/queue?done=hide").await.text.contains("There is nothing to settle."));
    }
}

both! {
    async fn a_dismissed_report_leaves_the_message_and_the_others(engine: Engine) {
        let mut scene = scene(engine).await;
        assert_eq!(scene.mia.post("/admin/queue/1/dismiss", &[]).await.leads_to(), "/admin/queue?done=dismiss");
        assert!(!scene.is_hidden().await);
        assert_eq!(scene.open_reports().await, 1);
        assert_eq!(scene.site.number("select handled_by from reports where status = 'dismissed'").await, 2);
        assert_eq!(scene.mia.post("/admin/queue/1/dismiss", &[]).await.status, 409);
    }
}

both! {
    async fn a_warning_is_one_mail_to_the_author(engine: Engine) {
        let mut scene = scene(engine).await;
        assert_eq!(scene.mia.post("/admin/queue/2/warn", &[]).await.leads_to(), "/admin/queue?done=warn");
        let mails = "select count(*) from emails where \"to\" = 'bob@example.org' and status = 'queued' and text like '%Switchboard%'
             and text like '%> Rude <b>talk</b>%' and text like '%line* 5%' and text not like '%mia%'";
        assert_eq!(scene.site.number(mails).await, 1);
        assert_eq!(scene.open_reports().await, 0);
        assert!(!scene.is_hidden().await);
        assert_eq!(scene.entries("reports", "warn").await, 1);
        assert_eq!(scene.mia.post("/admin/queue/2/warn", &[]).await.status, 409);
        assert_eq!(scene.mia.post("/admin/queue/1/warn", &[]).await.status, 409);
        assert_eq!(scene.site.number("select count(*) from emails").await, 1);
    }
}

both! {
    async fn a_warning_can_hide_the_message_too(engine: Engine) {
        let mut scene = scene(engine).await;
        scene.mia.post("/admin/queue/1/warn", &[("hide", "1")]).await.leads_to();
        assert!(scene.is_hidden().await);
        assert_eq!(scene.site.number("select count(*) from emails where text like '%line* 5%'").await, 1);
    }
}

both! {
    async fn disabling_ends_the_authors_sockets(engine: Engine) {
        let mut scene = scene(engine).await;
        let mut follows = scene.bob.follows(scene.room).await;
        scene.mia.post("/admin/queue/1/disable", &[("hide", "1")]).await.leads_to();
        assert_eq!(follows.close_code().await, 4401);
        assert_eq!(scene.site.number("select count(*) from users where username = 'bob' and not is_active").await, 1);
        assert!(scene.is_hidden().await);
        assert_eq!(scene.open_reports().await, 0);
        assert_eq!((scene.entries("users", "disable").await, scene.entries("reports", "disable").await), (1, 1));
    }
}

both! {
    async fn a_moderator_doesnt_disable_staff_and_nothing_is_done_by_halves(engine: Engine) {
        let mut scene = scene(engine).await;
        scene.site.sql("update users set role = 'moderator' where username = 'bob'").await;
        assert!(!scene.mia.get("/admin/queue").await.text.contains("/disable"));
        assert_eq!(scene.mia.post("/admin/queue/1/disable", &[("hide", "1")]).await.status, 403);
        assert!(!scene.is_hidden().await);
        assert_eq!((scene.open_reports().await, scene.site.number("select count(*) from audit_entries").await), (2, 0));
        assert!(scene.ann.get("/admin/queue").await.text.contains("/admin/queue/1/disable"));
        assert_eq!(scene.ann.post("/admin/queue/1/disable", &[]).await.leads_to(), "/admin/queue?done=disable");
    }
}

both! {
    async fn an_author_who_is_gone_is_neither_warned_nor_disabled(engine: Engine) {
        let mut scene = scene(engine).await;
        scene.site.sql("update messages set sender_id = null where id = 5").await;
        let page = scene.mia.get("/admin/queue").await.text;
        assert!(!page.contains("/warn") && !page.contains("/disable"));
        for act in ["warn", "disable"] {
            assert_eq!(scene.mia.post(&format!("/admin/queue/1/{act}"), &[]).await.status, 409, "{act}");
        }
        assert_eq!(scene.open_reports().await, 2);
        for (path, status) in [("/admin/queue/99/hide", 404), ("/admin/queue/x/hide", 404), ("/admin/queue/1/shout", 404)] {
            assert_eq!(scene.mia.post(path, &[]).await.status, status, "{path}");
        }
    }
}

both! {
    async fn two_who_settle_at_once_settle_once(engine: Engine) {
        let scene = scene(engine).await;
        let Scene { site, mut ann, mut mia, .. } = scene;
        let (first, second) = tokio::join!(ann.post("/admin/queue/1/warn", &[]), mia.post("/admin/queue/1/warn", &[]));
        let mut answers = [first.status.as_u16(), second.status.as_u16()];
        answers.sort_unstable();
        assert_eq!(answers, [303, 409]);
        assert_eq!(site.number("select count(*) from emails").await, 1);
    }
}

both! {
    async fn a_long_queue_comes_in_pages(engine: Engine) {
        let scene = scene(engine).await;
        for at in 0..12 {
            scene.site.sql(&format!("insert into reports (message_id, reason, created_at) values (1, 'more', {})", 100 + at)).await;
        }
        let page = scene.mia.get("/admin/queue").await.text;
        assert_eq!(page.matches("<article").count(), 10);
        let next = page.split("/admin/queue?after=").nth(1).unwrap().split('"').next().unwrap();
        let page = scene.mia.get(&format!("/admin/queue?after={next}")).await.text;
        assert_eq!(page.matches("<article").count(), 4);
        assert!(!page.contains("Report 10<") && page.contains("Report 11<"));
        for bad in ["x", "1", "1.x", "9999999999999999999999.1"] {
            assert_eq!(scene.mia.get(&format!("/admin/queue?after={bad}")).await.status, 200, "{bad}");
        }
    }
}
