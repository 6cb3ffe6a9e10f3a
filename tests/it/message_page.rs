//! The page of one message: all that can be done to it as forms, for whoever may, and what comes of each.

use crate::support::actors::{Page, Visitor};
use crate::support::app::{Engine, Options, Site, both};
use crate::support::browser::Browsers;

const THUMB: &str = "👍";

/// Ann and Bob in a group of hers, where each has said something; Cat isn't in it.
async fn group(engine: Engine) -> (Site, [Visitor; 3], i64) {
    let site = Site::new(engine).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let mut bob = Visitor::registered(&site, "bob").await;
    let cat = Visitor::registered(&site, "cat").await;
    let plans = ann.group_with("Plans", 2).await;
    ann.say(plans, "**Hello** there").await;
    bob.say(plans, "Hello back").await;
    (site, [ann, bob, cat], plans)
}

fn acts(page: &Page) -> Vec<&'static str> {
    let all = ["edit", "delete", "react", "pin", "unpin", "report"];
    let has = |act: &&str| page.text.contains(&format!("action=\"/chat/messages/{}/{act}\"", id_of(page)));
    all.into_iter().filter(has).collect()
}

fn id_of(page: &Page) -> &str {
    ["1", "2"].into_iter().find(|id| page.text.contains(&format!("/chat/messages/{id}/"))).unwrap_or("none")
}

both! {
    async fn it_shows_the_message_and_what_one_may_do_to_it(engine: Engine) {
        let (site, [mut ann, mut bob, cat], plans) = group(engine).await;
        let page = ann.get("/chat/messages/1").await;
        assert!(page.text.contains("<strong>Hello</strong> there") && page.text.contains(&format!("/chat/rooms/{plans}?at=1#m1")), "{}", page.text);
        assert_eq!(acts(&page), ["edit", "delete", "react", "pin"]);
        assert!(page.text.contains("**Hello** there</textarea>") && page.text.contains(&format!("/chat/rooms/{plans}?reply=1")));
        assert!(!page.text.contains("/admin/messages"));
        assert_eq!(acts(&bob.get("/chat/messages/1").await), ["react", "report"]);
        assert_eq!(acts(&bob.get("/chat/messages/2").await), ["edit", "delete", "react"]);
        assert_eq!(cat.get("/chat/messages/1").await.status, 404);
        assert_eq!(cat.get("/chat/messages/77").await.status, 404);
        assert_eq!(Visitor::new(&site).get("/chat/messages/1").await.leads_to(), "/login?next=%2Fchat%2Fmessages%2F1");
        let root = Visitor::admin(&site, "root").await;
        assert_eq!(root.get("/chat/messages/1").await.status, 404, "the backoffice is the door of staff");
        site.sql("insert into memberships (room_id, user_id, role, joined_at) values (1, 4, 'member', 5)").await;
        let page = root.get("/chat/messages/1").await;
        assert_eq!(acts(&page), ["delete", "react", "pin", "report"]);
        assert!(page.text.contains("href=\"/admin/messages/1/\""));
        bob.post("/chat/messages/1/react", &[("emoji", THUMB)]).await.leads_to();
        let page = ann.get("/chat/messages/1").await;
        assert!(page.text.contains("aria-pressed=\"false\">👍 1</button> <span class=\"aside\">bob</span>"), "{}", page.text);
        ann.post("/chat/messages/1/edit", &[("content", "Goodbye")]).await.leads_to();
        assert!(ann.get("/chat/messages/1").await.text.contains("edited"));
    }
}

both! {
    async fn each_act_leads_back_to_the_message_in_its_room(engine: Engine) {
        let (site, [mut ann, mut bob, _], plans) = group(engine).await;
        let (back, other) = (format!("/chat/rooms/{plans}?at=1#m1"), format!("/chat/rooms/{plans}?at=2#m2"));
        assert_eq!(ann.post("/chat/messages/1/edit", &[("content", " New *words* ")]).await.leads_to(), back);
        assert_eq!(site.number("select count(*) from messages where content = 'New *words*'").await, 1);
        let thumbs = "select count(*) from reactions where user_id = 2";
        for (fields, count) in [
            (vec![("emoji", THUMB)], 1), (vec![("emoji", THUMB)], 0), (vec![("emoji", THUMB), ("on", "1")], 1),
            (vec![("emoji", THUMB), ("on", "1")], 1), (vec![("emoji", THUMB), ("on", "0")], 0), (vec![("emoji", THUMB), ("on", "0")], 0),
        ] {
            assert_eq!(bob.post("/chat/messages/1/react", &fields).await.leads_to(), back);
            assert_eq!(site.number(thumbs).await, count, "{fields:?}");
        }
        assert_eq!(ann.post("/chat/messages/2/pin", &[]).await.leads_to(), other);
        assert!(ann.get("/chat/messages/2").await.text.contains("/chat/messages/2/unpin"));
        assert_eq!(ann.post("/chat/messages/2/unpin", &[]).await.leads_to(), other);
        let told = bob.post("/chat/messages/1/report", &[("reason", "Rude")]).await.leads_to().to_owned();
        assert!(bob.get(&told).await.text.contains("The staff will look at it."));
        assert_eq!(site.number("select count(*) from reports where reporter_id = 2").await, 1);
        assert_eq!(ann.post("/chat/messages/1/delete", &[]).await.leads_to(), back);
        let page = ann.get("/chat/messages/1").await;
        assert!(page.text.contains("This message was deleted.") && !page.text.contains("words"));
        assert!(acts(&page).is_empty());
    }
}

both! {
    async fn what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(engine: Engine) {
        let (_site, [mut ann, mut bob, _], _) = group(engine).await;
        let long = "x".repeat(4001);
        for (path, field, typed) in [
            ("edit", "content", long.as_str()), ("edit", "content", ""), ("react", "emoji", "hello"), ("react", "emoji", ""), ("report", "reason", ""),
            ("report", "reason", long.as_str()),
        ] {
            let id = if path == "edit" { 2 } else { 1 };
            let page = bob.post(&format!("/chat/messages/{id}/{path}"), &[(field, typed)]).await;
            assert_eq!(page.status, 422, "{path} {}", page.text);
            assert!(page.text.contains(&format!("id=\"{field}-error\"")) && page.text.contains("aria-invalid"), "{path}: {}", page.text);
            assert!(page.text.contains(typed));
        }
        let page = bob.post("/chat/messages/1/react", &[("emoji", THUMB), ("on", "perhaps")]).await;
        assert_eq!(page.status, 422);
        bob.post("/chat/messages/1/report", &[("reason", "Rude")]).await.leads_to();
        let again = bob.post("/chat/messages/1/report", &[("reason", "Rude words")]).await;
        assert_eq!(again.status, 409);
        assert!(again.text.contains("role=\"alert\"") && again.text.contains("Rude words"), "{}", again.text);
        ann.post("/chat/messages/1/delete", &[]).await.leads_to();
        for path in ["edit", "delete", "react", "pin", "unpin"] {
            let page = ann.post(&format!("/chat/messages/1/{path}"), &[("content", "x"), ("emoji", THUMB)]).await;
            assert_eq!(page.status, 409, "{path}");
        }
    }
}

both! {
    async fn line_ends_are_stored_as_they_were_typed(engine: Engine) {
        let (site, [mut ann, ..], plans) = group(engine).await;
        ann.post(&format!("/chat/rooms/{plans}"), &[("content", "one\r\ntwo")]).await.leads_to();
        assert_eq!(site.number("select count(*) from messages where content = 'one\ntwo'").await, 1);
        ann.post("/chat/messages/3/edit", &[("content", "one\r\ntwo")]).await.leads_to();
        assert_eq!(site.number("select count(*) from messages where edited_at is not null").await, 0, "nothing was changed");
    }
}

both! {
    async fn a_script_is_told_what_a_form_leads_to(engine: Engine) {
        let (site, [mut ann, ..], _) = group(engine).await;
        let by_script = [("x-js", "1")];
        let done = ann.post_with("/chat/messages/1/edit", &[("content", "new words")], &by_script).await;
        assert_eq!((done.status.as_u16(), done.text.as_str()), (204, ""));
        let wrong = ann.post_with("/chat/messages/1/edit", &[("content", "")], &by_script).await;
        assert_eq!(wrong.status, 422);
        site.sql("delete from sessions").await;
        let gone = ann.post_with("/chat/messages/1/edit", &[("content", "newer words")], &by_script).await;
        assert_eq!(gone.status, 401);
        assert!(gone.text.contains("What you wrote is kept"), "{}", gone.text);
        assert_eq!(site.number("select count(*) from messages where content = 'new words'").await, 1);
    }
}

both! {
    async fn who_may_not_is_refused(engine: Engine) {
        let (site, [mut ann, mut bob, mut cat], _) = group(engine).await;
        let fields = [("content", "x"), ("emoji", THUMB), ("reason", "x")];
        for act in ["edit", "delete", "react", "pin", "unpin", "report"] {
            assert_eq!(cat.post(&format!("/chat/messages/1/{act}"), &fields).await.status, 404, "{act}");
            assert_eq!(Visitor::new(&site).post(&format!("/chat/messages/1/{act}"), &fields).await.leads_to(), "/login?next=%2Fchat");
            let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
            assert_eq!(ann.post_with(&format!("/chat/messages/1/{act}"), &fields, &foreign).await.status, 403, "{act}");
        }
        for act in ["edit", "delete", "pin", "unpin"] {
            assert_eq!(bob.post(&format!("/chat/messages/1/{act}"), &fields).await.status, 403, "{act}");
        }
        let hall = ann.public_room("Hall").await;
        ann.say(hall, "hello").await;
        let page = cat.get("/chat/messages/3").await;
        assert!(page.text.contains("/chat/messages/3/report") && !page.text.contains("/chat/messages/3/react"), "who looks in reports");
        assert_eq!(cat.post("/chat/messages/3/react", &fields).await.status, 403);
        cat.post("/chat/messages/3/report", &fields).await.leads_to();
        assert_eq!(site.number("select count(*) from messages where content = '**Hello** there'").await, 1);
    }
}

both! {
    async fn who_edits_too_fast_keeps_what_they_typed(engine: Engine) {
        let options = Options { settings: vec![("MESSAGE_RATE", "1/s burst 1")], ..Options::default() };
        let site = Site::with(engine, options).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hall = ann.public_room("Hall").await;
        ann.say(hall, "hello").await;
        let page = ann.post("/chat/messages/1/edit", &[("content", "hello again")]).await;
        assert_eq!((page.status.as_u16(), page.headers.contains_key("retry-after")), (429, true), "{}", page.text);
        assert!(page.text.contains("hello again</textarea>") && page.text.contains("id=\"content-error\""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_works_without_scripts() {
    let Some(browsers) = Browsers::start().await else { return };
    let (site, _, plans) = group(Engine::Sqlite).await;
    let window = browsers.window_without_scripts(&site.url("")).await;
    window.fill_log_in("ann").await;
    window.go("/chat/messages/2").await;
    window.click("[aria-label='React with 🎉']").await;
    window.wait(&format!("main[data-room='{plans}'], body[data-room='{plans}']")).await;
    assert_eq!(site.number("select count(*) from reactions where message_id = 2 and emoji = '🎉'").await, 1);
    window.go("/chat/messages/1").await;
    window.fill("content", "other words").await;
    window.click("form[action$='/edit'] button").await;
    window.wait("#m1").await;
    window.go("/chat/messages/1").await;
    window.click(".danger summary").await;
    window.click(".destroy").await;
    window.wait("#m1").await;
    assert_eq!(site.number("select count(*) from messages where deleted_at is not null").await, 1);
    window.close().await;
}
