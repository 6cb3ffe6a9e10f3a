//! Deletions, which say what goes along, and acts on many rows at once.

use futures_util::future::join_all;

use crate::support::actors::Visitor;
use crate::support::app::both;
use crate::support::office::office;

both! {
    async fn a_deletion_names_and_counts_what_goes_along_and_asks_first(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        site.furnish().await;
        let page = ann.get("/admin/users/2/delete?list=role%3Duser").await;
        page.is(200, "What they wrote stays");
        for goes in ["1 membership</b> gone with it", "1 session</b> gone with it", "1 interest</b> gone with it", "1 API token</b> gone", "1 message left", "1 attachment left"] {
            assert!(page.says(goes), "{goes}: {}", page.text);
        }
        let page = ann.get("/admin/rooms/1/delete").await;
        assert!(page.says("2 memberships</b> gone with it") && page.says("1 message</b> gone with it, with their") && page.says("attachments"));
        assert_eq!(site.number("select count(*) from users").await, 2, "asking deletes nothing");
        let form = ann.get("/admin/users/2/delete?list=role%3Duser").await.form("/admin/users/2/delete");
        assert_eq!(ann.post("/admin/users/2/delete", &form.pairs()).await.leads_to(), "/admin/users/?role=user&done=deleted");
        assert_eq!(site.number("select count(*) from messages where sender_id is null").await, 1);
        assert_eq!(ann.get("/admin/users/2/delete").await.status, 404);
        ann.post("/admin/rooms/1/delete", &[]).await.leads_to();
        assert_eq!(site.number("select count(*) from messages").await, 0);
        ann.get("/admin/rooms/1/history").await.is(200, "delete");
        let session = site.number("select id from sessions").await;
        ann.post(&format!("/admin/sessions/{session}/delete"), &[]).await.is(409, "This is your own session");
        site.people(1005).await;
        site.sql("insert into rooms (kind, name, name_folded, last_message_at, created_at, updated_at) values ('group', 'Big', 'big', 1, 1, 1)").await;
        site.sql("insert into memberships (room_id, user_id, joined_at) select 2, id, 1 from users where id > 2").await;
        ann.get("/admin/rooms/2/delete").await.is(200, "1,000+ memberships</b> gone with it");
    }
}

both! {
    async fn ticked_rows_are_named_first_and_done_once_confirmed(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        site.people(30).await;
        let asked = [("action", "disable"), ("ids", "3"), ("ids", "5"), ("ids", "3"), ("list", "role=user&sort=username")];
        site.sql("update users set is_active = true").await;
        let page = ann.post("/admin/users/action", &asked).await;
        page.is(200, "Disable · 2 people.");
        assert!(page.says(">p2</a>") && page.says(">p4</a>") && page.says("They are logged out everywhere"));
        assert_eq!(site.number("select count(*) from users where is_active").await, 31);
        let form = page.form("/admin/users/action").with(&[("confirm", "1")]);
        assert_eq!(ann.post("/admin/users/action", &form.pairs()).await.leads_to(), "/admin/users/?role=user&sort=username&done=done-2");
        assert!(ann.get("/admin/users/?done=done-2").await.says("Done for 2 records."));
        assert_eq!(site.numbers("select id from users where not is_active order by id").await, [3, 5]);
        assert_eq!(site.number("select count(*) from audit_entries where action = 'disable' and actor_id = 1 and ip = '127.0.0.1'").await, 2);
        let page = ann.post("/admin/users/action", &[("action", "enable"), ("ids", "3"), ("back", "3"), ("confirm", "1")]).await;
        assert_eq!(page.leads_to(), "/admin/users/3/?&done=done-1");
        assert!(ann.get("/admin/users/3/?&done=done-1").await.says("Done for 1 record."));
    }
}

both! {
    async fn all_that_a_filtered_list_finds_is_done_and_no_more(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        site.people(1200).await;
        let list = "q=first3&role=user&sort=-last_seen_at&page=2&after=%5B0%2C0%5D";
        let sql = "from users where first_name = 'First3' and role = 'user'";
        let count = site.number(&format!("select count(*) {sql}")).await;
        let asked = [("action", "delete"), ("all", "1"), ("list", list), ("ids", "1")];
        let page = ann.post("/admin/users/action", &asked).await;
        page.is(200, &format!("Delete · {count} people."));
        assert!(page.says(&format!("and {} more", count - 20)));
        assert_eq!(site.number(&format!("select count(*) {sql}")).await, count);
        let form = page.form("/admin/users/action").with(&[("confirm", "1")]);
        let done = ann.post("/admin/users/action", &form.pairs()).await;
        assert!(done.leads_to().ends_with(&format!("done=done-{count}")));
        assert_eq!(site.numbers(&format!("select count(*) {sql} union all select count(*) from users")).await, [0, 1201 - count]);
        assert_eq!(site.number("select count(*) from audit_entries where action = 'delete'").await, count);
        for (list, status) in [("nope=1", 400), ("role=king", 400), ("created_at=x", 400), ("password_hash=1", 400), ("q=nobody-at-all", 400)] {
            let asked = [("action", "delete"), ("all", "1"), ("list", list), ("confirm", "1")];
            assert_eq!(ann.post("/admin/users/action", &asked).await.status, status, "{list}");
        }
        assert_eq!(site.number("select count(*) from users").await, 1201 - count);
        site.sql("delete from users where id > 1").await;
        site.people(10_050).await;
        let asked = [("action", "disable"), ("all", "1"), ("list", ""), ("confirm", "1")];
        ann.post("/admin/users/action", &asked).await.is(409, "more than 10,000");
    }
}

both! {
    async fn what_is_refused_is_named_with_the_reason_and_the_rest_is_done(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let mut moe = Visitor::of_role(&site, "moe", "moderator").await;
        for name in ["uma", "una"] {
            Visitor::registered(&site, name).await;
        }
        let ids = |action: &'static str| vec![("action", action), ("ids", "1"), ("ids", "2"), ("ids", "3"), ("ids", "4"), ("ids", "777"), ("confirm", "1"), ("list", "role=user")];
        let page = moe.post("/admin/users/action", &ids("disable")).await;
        page.is(409, "2 done. These were left as they are");
        for (name, why) in [("ann", "Only an administrator can do that to staff."), ("moe", "You can't disable your own account."), ("person 777", "There is no such record.")] {
            assert!(page.says(&format!("{name}</a></th><td>{why}")), "{name}: {}", page.text);
        }
        assert!(page.says("/admin/users/?role=user\">Back"));
        assert_eq!(site.numbers("select id from users where is_active order by id").await, [1, 2]);
        assert_eq!(site.number("select count(*) from audit_entries").await, 2, "what was refused isn't in history");
        let page = ann.post("/admin/users/action", &ids("delete")).await;
        page.is(409, "3 done.");
        assert!(page.says("You can't delete your own account here."));
        assert_eq!(site.numbers("select id from users").await, [1]);
    }
}

both! {
    async fn what_makes_no_sense_is_refused_before_anything_is_done(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        site.furnish().await;
        for (model, fields, status, says) in [
            ("users", vec![("action", "fly"), ("ids", "2")], 400, "have no action “fly”"), ("users", vec![("ids", "2")], 400, "have no action"),
            ("users", vec![("action", "disable")], 400, "Nothing was ticked"), ("users", vec![("action", "disable"), ("ids", "")], 400, "names no record"),
            ("users", vec![("action", "disable"), ("ids", "2"), ("ids", "x")], 400, "“x” names no record"),
            ("users", vec![("action", "disable"), ("ids", "99999999999999999999")], 400, "names no record"),
            ("users", vec![("action", "resolve"), ("ids", "2")], 400, "have no action"), ("sessions", vec![("action", "end-sessions"), ("ids", "2")], 400, "have no action"),
            ("settings", vec![("action", "delete"), ("ids", "site_name")], 403, "can't delete"), ("audit-entries", vec![("action", "delete"), ("all", "1")], 403, "can't delete"),
        ] {
            for confirm in [None, Some(("confirm", "1"))] {
                let fields: Vec<_> = fields.iter().copied().chain(confirm).collect();
                ann.post(&format!("/admin/{model}/action"), &fields).await.is(status, says);
            }
        }
        let many: Vec<(&str, String)> = (0..10_001).map(|id| ("ids", id.to_string())).collect();
        let fields: Vec<_> = many.iter().map(|(name, id)| (*name, id.as_str())).chain([("action", "disable"), ("confirm", "1")]).collect();
        ann.post("/admin/users/action", &fields).await.is(409, "more than 10,000");
        assert_eq!(site.number("select count(*) from users where is_active").await, 2);
        assert_eq!(site.number("select count(*) from audit_entries").await, 3);
    }
}

both! {
    async fn each_models_own_acts_do_what_they_say(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let bob = Visitor::registered(&site, "bob").await;
        site.furnish().await;
        let mut socket = bob.socket("/ws").await;
        socket.expect("connected").await;
        let act = |action: &'static str, id: &'static str| [("action", action), ("ids", id), ("confirm", "1")];
        ann.post("/admin/users/action", &act("end-sessions", "2")).await.leads_to();
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(site.number("select count(*) from sessions where user_id = 2").await, 0);
        ann.post("/admin/emails/action", &act("resend", "1")).await.is(409, "This mail waits to be sent already.");
        site.sql("update emails set status = 'failed', attempts = 7").await;
        ann.post("/admin/emails/action", &act("resend", "1")).await.leads_to();
        assert_eq!(site.text("select status || attempts from emails").await, "queued0");
        ann.post("/admin/api-tokens/action", &act("revoke", "1")).await.leads_to();
        assert_eq!(site.number("select count(*) from api_tokens where revoked_at is not null").await, 1);
        ann.post("/admin/reports/action", &act("dismiss", "1")).await.leads_to();
        ann.fill("/admin/reports/1/", &[("status", "open")], "_save").await.leads_to();
        ann.post("/admin/reports/action", &act("hide", "1")).await.leads_to();
        assert_eq!(site.text("select r.status || r.handled_by || m.content from reports r join messages m on m.id = r.message_id").await, "resolved1");
        ann.post("/admin/messages/action", &act("hide", "1")).await.is(409, "This message is deleted already.");
    }
}

both! {
    async fn of_many_who_delete_or_revert_one_thing_at_once_one_does(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        ann.public_room("Hall").await;
        let at_once = async |path: String| {
            let posts = (0..8).map(|_| {
                let (mut ann, path) = (ann.clone(), path.clone());
                async move { ann.post(&path, &[]).await.status.as_u16() }
            });
            let mut said = join_all(posts).await;
            said.sort();
            said
        };
        let said = at_once("/admin/rooms/1/delete".into()).await;
        assert_eq!((said[0], &said[1..]), (303, [404; 7].as_slice()));
        let entry = site.number("select max(id) from audit_entries").await;
        let said = at_once(format!("/admin/revert/{entry}")).await;
        assert_eq!((said[0], &said[1..]), (303, [409; 7].as_slice()));
        assert_eq!(site.numbers("select count(*) from rooms union all select count(*) from audit_entries").await, [1, 2]);
    }
}
