//! History: what it tells of each act, and taking acts back by it.

use switchboard::messages::admin::RESOURCE as MESSAGES;

use crate::support::actors::{PASSWORD, Page, Visitor};
use crate::support::app::{Site, both};
use crate::support::office::office;

/// Reverts the newest entry, or an older one.
async fn revert(site: &Site, who: &mut Visitor, back: i64) -> Page {
    let newest = site.number("select max(id) from audit_entries").await;
    let page = who.post(&format!("/admin/revert/{}", newest - back), &[]).await;
    // Of a creation: by the page that says what goes with it.
    let to = page.headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
    if to.ends_with("/delete") { who.post(&to, &[]).await } else { page }
}

async fn actions(site: &Site) -> String {
    let newest = site.number("select max(id) from audit_entries").await;
    site.text(&format!("select action from audit_entries where id = {newest}")).await
}

both! {
    async fn an_entry_says_who_when_from_where_and_what_before_and_after(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        ann.get("/admin/users/2/history").await.is(200, "Nothing was done to it");
        ann.fill("/admin/users/2/", &[("bio", "<b>Hello</b>"), ("password", "swordfish 99")], "_save").await.leads_to();
        ann.fill("/admin/users/2/", &[("bio", "Good bye")], "_save").await.leads_to();
        let page = ann.get("/admin/users/2/history").await;
        page.is(200, "History of bob");
        assert!(page.text.contains("<del>&#60;b&#62;Hello&#60;/b&#62;</del>") && page.says("<ins>Good bye</ins>"));
        assert!(page.says(">ann</a>") && page.says("from 127.0.0.1") && page.says("<time datetime=\"20") && page.says("<ins>changed</ins>"));
        let day = site.app.clock.now().day();
        assert!(page.says(&day));
        let all = ann.get("/admin/audit-entries/").await;
        assert_eq!((all.ids(), all.says("127.0.0.1")), (vec![2, 1], true));
        ann.get("/admin/audit-entries/1/").await.is(200, "<ins>changed</ins>");
        for path in ["/admin/audit-entries/add", "/admin/audit-entries/1/", "/admin/audit-entries/1/delete"] {
            assert_eq!(ann.post(path, &[("action", "x")]).await.status, 403, "{path}");
        }
        assert_eq!(ann.get("/admin/users/77/history").await.status, 404);
        for n in 0..60 {
            ann.post("/admin/users/2/", &[("bio", &format!("Number {n}"))]).await.leads_to();
        }
        let page = ann.get("/admin/users/2/history").await;
        let older = page.text.split_once("<a href=\"?before=").unwrap().1.split('"').next().unwrap();
        assert!(page.says("Number 59") && !page.says("Number 3<"));
        ann.get(&format!("/admin/users/2/history?before={older}")).await.is(200, "<ins>Good bye</ins>");
        assert_eq!(ann.get("/admin/users/2/history?before=x").await.status, 400);
    }
}

both! {
    async fn a_change_is_reverted_once_and_its_revert_too(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let bio = "select bio || ' ' || first_name from users where id = 1";
        ann.fill("/admin/users/1/", &[("bio", "One"), ("first_name", "Ann")], "_save").await.leads_to();
        ann.fill("/admin/users/1/", &[("bio", "Two")], "_save").await.leads_to();
        assert_eq!(revert(&site, &mut ann, 0).await.leads_to(), "/admin/users/1/history?done=reverted");
        assert!(ann.get("/admin/users/1/history?done=reverted").await.says("Reverted."));
        assert_eq!((site.text(bio).await.as_str(), actions(&site).await.as_str()), ("One Ann", "revert"));
        revert(&site, &mut ann, 1).await.is(409, "It is already as it was before.");
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(site.text(bio).await, "Two Ann", "the revert is reverted");
        // The first change, long after: its own fields only.
        revert(&site, &mut ann, 3).await.leads_to();
        assert_eq!(site.text(bio).await, " ");
        for id in ["x", "0", "-1", "99999", "99999999999999999999", "%00"] {
            assert_eq!(ann.post(&format!("/admin/revert/{id}"), &[]).await.status, 404, "{id}");
        }
        ann.fill("/admin/users/1/", &[("password", "swordfish 99")], "_save").await.leads_to();
        let mut ann = Visitor::new(&site);
        ann.post("/login", &[("username", "ann"), ("password", "swordfish 99")]).await.leads_to();
        revert(&site, &mut ann, 0).await.is(409, "This can't be reverted.");
    }
}

both! {
    async fn a_creation_a_deletion_and_their_reverts_are_reverted(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let rooms = "select count(*) from rooms where name = 'Hall' and kind = 'public' and description = 'Big' and created_by = 1";
        let hall = [("kind", "public"), ("name", "Hall"), ("description", "Big")];
        ann.fill("/admin/rooms/add", &hall, "_save").await.leads_to();
        for (there, says) in [(0, "bring it back"), (1, "delete it…"), (0, "bring it back"), (1, "delete it…")] {
            revert(&site, &mut ann, 0).await.leads_to();
            assert_eq!(site.number(rooms).await, there);
            let history = ann.get("/admin/rooms/1/history").await;
            assert!(history.text.split("</li>").find(|entry| entry.contains("by <a")).unwrap().contains(says), "{}", history.text);
            assert_eq!(history.says("It isn't there any more"), there == 0);
        }
        ann.post("/admin/rooms/1/delete", &[]).await.leads_to();
        assert_eq!(revert(&site, &mut ann, 5).await.status, 404);
        ann.fill("/admin/rooms/add", &hall, "_save").await.leads_to();
        let page = revert(&site, &mut ann, 1).await;
        page.is(409, "another public room has its name by now");
        assert_eq!(site.number("select count(*) from rooms").await, 1);
        ann.get("/admin/rooms/1/history").await.is(200, "History of Hall");
        assert_eq!(ann.get("/admin/rooms/1/").await.status, 404);
    }
}

both! {
    async fn an_account_comes_back_unless_its_name_was_taken(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        ann.fill("/admin/users/2/", &[("role", "moderator"), ("bio", "Hello")], "_save").await.leads_to();
        ann.post("/admin/users/2/delete", &[]).await.leads_to();
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(site.text("select username || role || bio from users where id = 2").await, "bobmoderatorHello");
        let hash = site.text("select password_hash from users where id = 2").await;
        assert!(hash.starts_with("$argon2"), "a hash of something nobody knows");
        ann.post("/admin/users/2/delete", &[]).await.leads_to();
        Visitor::registered(&site, "BOB").await;
        revert(&site, &mut ann, 0).await.is(409, "Another account has this name or address by now.");
        // A name that was given up, and taken by another.
        ann.fill("/admin/users/3/", &[("username", "robert"), ("email", "r@example.org")], "_save").await.leads_to();
        Visitor::registered(&site, "bob").await;
        let page = revert(&site, &mut ann, 0).await;
        assert!([409, 422].contains(&page.status.as_u16()) && page.says("Another account has this name"), "{}", page.text);
        assert_eq!(site.text("select username from users where id = 3").await, "robert");
    }
}

both! {
    async fn an_action_is_reverted_and_not_by_who_may_not(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let mut moe = Visitor::of_role(&site, "moe", "moderator").await;
        Visitor::registered(&site, "uma").await;
        moe.post("/admin/users/action", &[("action", "disable"), ("ids", "3"), ("confirm", "1")]).await.leads_to();
        assert!(!moe.get("/admin/users/3/history").await.says("/admin/revert/"), "no button for what is refused");
        assert_eq!(revert(&site, &mut moe, 0).await.status, 409);
        assert_eq!(site.number("select count(*) from users where is_active").await, 2);
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(site.number("select count(*) from users where is_active").await, 3);
        ann.fill("/admin/settings/site_name/", &[("value", "Ours")], "_save").await.leads_to();
        assert_eq!(revert(&site, &mut moe, 0).await.status, 403);
        assert_eq!(site.text("select value from settings where key = 'site_name'").await, "Ours");
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(site.text("select value from settings where key = 'site_name'").await, "Switchboard");
        assert_eq!(site.app.settings().site_name, "Switchboard", "and the site goes by it");
        // What the moderator may do by a form is taken back by them too.
        ann.fill("/admin/rooms/add", &[("kind", "group"), ("name", "Plans")], "_save").await.leads_to();
        moe.fill("/admin/rooms/1/", &[("name", "Pranks")], "_save").await.leads_to();
        revert(&site, &mut moe, 0).await.leads_to();
        assert_eq!(site.text("select name from rooms").await, "Plans");
        let mut uma = Visitor::logged_in(&site, "uma").await;
        assert_eq!(revert(&site, &mut uma, 0).await.status, 403);
        assert_eq!(revert(&site, &mut Visitor::new(&site), 0).await.leads_to(), "/login?next=%2Fchat");
    }
}

both! {
    async fn a_deleted_message_comes_back_to_those_in_the_room_and_goes_again(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let room = ann.public_room("Hall").await;
        ann.say(room, "dear words").await;
        let mut socket = ann.follows(room).await;
        ann.post("/admin/messages/1/delete", &[]).await.leads_to();
        assert_eq!(socket.expect("message_deleted").await["id"], 1);
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(socket.expect("message_edited").await["content"], "dear words");
        let row = site.row(&MESSAGES, 1).await.unwrap();
        assert!(row.get("deleted_at").is_null() && row.text("content") == "dear words");
        revert(&site, &mut ann, 1).await.is(409, "This message stands already.");
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(socket.expect("message_deleted").await["id"], 1, "the revert is reverted");
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(socket.expect("message_edited").await["content"], "dear words");
        ann.post("/admin/messages/action", &[("action", "hide"), ("ids", "1"), ("confirm", "1")]).await.leads_to();
        socket.expect("message_deleted").await;
        revert(&site, &mut ann, 0).await.leads_to();
        socket.expect("message_edited").await;
        ann.fill("/admin/messages/1/", &[("content", "dear world")], "_save").await.leads_to();
        assert_eq!(socket.expect("message_edited").await["content"], "dear world");
        revert(&site, &mut ann, 0).await.leads_to();
        assert_eq!(socket.expect("message_edited").await["content"], "dear words");
        ann.post("/admin/messages/1/delete", &[]).await.leads_to();
        ann.post("/admin/messages/1/delete", &[]).await.is(403, "This message is deleted already.");
        let erase = [("action", "erase"), ("ids", "1"), ("confirm", "1"), ("sudo_password", PASSWORD)];
        ann.post("/admin/messages/action", &erase).await.leads_to();
        revert(&site, &mut ann, 0).await.is(409, "This message was erased: it can't be put back.");
        ann.get("/admin/messages/1/history").await.is(200, "It isn't there any more");
    }
}

both! {
    async fn other_models_rows_are_put_back_as_they_were(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        site.furnish().await;
        for (model, sql) in [
            ("memberships", "select role || joined_at || last_read_seq from memberships where id = 2"),
            ("interests", "select note || status || created_at from interests where id = 1"),
            ("reports", "select reason || status || reporter_id || created_at from reports where id = 1"),
            ("reactions", "select emoji || user_id || message_id || created_at from reactions where id = 1"),
        ] {
            let id = if model == "memberships" { 2 } else { 1 };
            let stood = site.text(sql).await;
            ann.post(&format!("/admin/{model}/{id}/delete"), &[]).await.leads_to();
            let table = model.replace('-', "_");
            assert_eq!(site.number(&format!("select count(*) from {table} where id = {id}")).await, 0);
            revert(&site, &mut ann, 0).await.leads_to();
            assert_eq!(site.text(sql).await, stood, "{model}");
            assert_eq!(revert(&site, &mut ann, 1).await.status, 409, "{model} is there already");
        }
        for model in ["notifications", "pins", "attachments", "api-tokens", "password-reset-tokens", "emails"] {
            ann.get(&format!("/admin/{model}/1/delete")).await.is(200, "This can't be undone.");
            ann.post(&format!("/admin/{model}/1/delete"), &[]).await.leads_to();
            revert(&site, &mut ann, 0).await.is(409, "This can't be reverted.");
        }
    }
}
