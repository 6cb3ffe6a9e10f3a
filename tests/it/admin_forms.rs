//! Forms of the backoffice: what they take, what they refuse and keep, and how two who save at once fare.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use switchboard::app::Seams;
use switchboard::clock::Clock;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Options, Site, both};
use crate::support::office::office;

both! {
    async fn each_button_saves_and_leads_where_it_says(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let new = |name: &'static str, email: &'static str| [("username", name), ("email", email), ("password", "swordfish 99")];
        let page = ann.fill("/admin/users/add", &new("bob", "bob@example.org"), "_save").await;
        assert_eq!(page.leads_to(), "/admin/users/?done=added");
        assert!(ann.get("/admin/users/?done=added").await.says("Added."));
        let page = ann.fill("/admin/users/add", &new("cat", "cat@example.org"), "_continue").await;
        assert_eq!(page.leads_to(), "/admin/users/3/?done=added");
        assert!(ann.get("/admin/users/3/?done=added").await.says("Added."));
        let page = ann.fill("/admin/users/add", &new("dan", "dan@example.org"), "_addanother").await;
        assert_eq!(page.leads_to(), "/admin/users/add?done=added");
        assert!(ann.get("/admin/users/add?done=added").await.says("Added."));
        let form = ann.get("/admin/users/3/").await.record().with(&new("eve", "eve@example.org"));
        let form = form.with(&[("bio", "As cat"), ("_saveasnew", "1")]);
        assert_eq!(ann.post("/admin/users/3/", &form.pairs()).await.leads_to(), "/admin/users/?done=added");
        assert_eq!(site.text("select username || bio from users where id = 5").await, "eveAs cat");
        assert_eq!(site.text("select username || bio from users where id = 3").await, "cat");
        assert_eq!(site.number("select count(*) from audit_entries where action = 'create' and actor_id = 1").await, 4);
        let mut eve = Visitor::new(&site);
        assert_eq!(eve.post("/login", &[("username", "eve"), ("password", "swordfish 99")]).await.leads_to(), "/chat");
    }
}

both! {
    async fn what_is_typed_once_goes_along_into_a_copy(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        ann.public_room("Hall").await;
        let page = ann.fill("/admin/rooms/1/", &[("name", "Hall 2"), ("description", "Next door")], "_saveasnew").await;
        assert_eq!(page.leads_to(), "/admin/rooms/?done=added");
        assert_eq!(site.text("select kind || name || description from rooms where id = 2").await, "publicHall 2Next door");
        let page = ann.fill("/admin/rooms/1/", &[("description", "Same name")], "_saveasnew").await;
        page.is(422, "There is a public room with this name.");
        assert_eq!((page.record().get("kind"), page.record().get("description")), ("public", "Same name"));
    }
}

both! {
    async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        let stood = site.text("select username || email || role || bio from users where id = 2").await;
        for (fields, field, says) in [
            (vec![("username", "")], "username", "This is needed."),
            (vec![("username", "a b")], "username", "3 to 32 characters"),
            (vec![("username", "ANN")], "username", "Another account has this name or address."),
            (vec![("email", "Ann@Example.org")], "email", "Another account has this name or address."),
            (vec![("email", "nowhere")], "email", "This is not an e-mail address."),
            (vec![("role", "king")], "role", "“king” isn't one of admin, moderator, user."),
            (vec![("role", "")], "role", "is no role"),
            (vec![("is_active", "perhaps")], "is_active", "isn't true or false."),
            (vec![("bio", "a\0b")], "bio", "Control characters can't be used here."),
            (vec![("password", "short")], "password", "A password has 8 to 128 characters."),
            (vec![("first_name", "a\u{7}b"), ("username", "x")], "first_name", "Control characters can't be used here."),
        ] {
            let typed = [fields.as_slice(), &[("last_name", "\"Typed\" & kept <b>")]].concat();
            let page = ann.fill("/admin/users/2/", &typed, "_save").await;
            page.is(422, says);
            let beside = page.text.split_once(&format!("id=\"{field}-error\">")).unwrap().1.split('<').next().unwrap();
            assert!(!beside.is_empty(), "{field}");
            let form = page.record();
            for (name, value) in typed.iter().filter(|(name, value)| !["password", "role", "is_active"].contains(name) && !value.contains('\0') && !value.contains('\u{7}')) {
                assert_eq!(form.get(name), *value, "{name}");
            }
            assert!(!page.text.contains("short"), "no password comes back");
        }
        assert_eq!(site.text("select username || email || role || bio from users where id = 2").await, stood);
        assert_eq!(site.number("select count(*) from audit_entries").await, 0);
        let page = ann.fill("/admin/users/add", &[("username", "bob"), ("email", "bob@example.org")], "_save").await;
        page.is(422, "This is needed.");
        assert_eq!(page.record().get("username"), "bob");
    }
}

both! {
    async fn forged_fields_are_passed_over(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        ann.public_room("Hall").await;
        let user = "select created_at || ' ' || updated_at || ' ' || id || coalesce(avatar, '-') || totp_enabled from users where id = 1";
        let stood = site.text(user).await;
        let forged = [("created_at", "2001-01-01"), ("updated_at", "x"), ("id", "7"), ("totp_enabled", "true"), ("avatar", "x"), ("rooms", "9"), ("nope", "1")];
        assert_eq!(ann.fill("/admin/users/1/", &forged, "_save").await.leads_to(), "/admin/users/?done=unchanged");
        assert_eq!(site.text(user).await, stood);
        let forged = [("kind", "group"), ("created_by", "9"), ("member_count", "9"), ("last_seq", "9"), ("name", "Lobby")];
        ann.fill("/admin/rooms/1/", &forged, "_save").await.leads_to();
        assert_eq!(site.text("select kind || name || created_by || member_count || last_seq from rooms").await, "publicLobby110");
        ann.fill("/admin/users/1/", &[("is_active", "true"), ("bio", "x")], "_save").await.leads_to();
        assert_eq!(site.number("select count(*) from audit_entries").await, 2);
    }
}

both! {
    async fn a_box_is_unticked_by_what_is_hidden_beside_it(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        let form = ann.get("/admin/users/2/").await.record();
        let boxes: Vec<&str> = form.0.iter().filter(|(name, _)| name == "is_active").map(|(_, value)| value.as_str()).collect();
        assert_eq!(boxes, ["false", "true"], "the hidden one first, so that the box counts");
        let mut unticked = form.clone();
        unticked.0.retain(|pair| *pair != ("is_active".into(), "true".into()));
        ann.post("/admin/users/2/", &unticked.pairs()).await.leads_to();
        assert_eq!(site.number("select count(*) from users where not is_active").await, 1);
    }
}

both! {
    async fn a_reference_is_an_id_or_a_name_and_can_be_looked_up_on_the_way(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        for name in ["bob", "bobby", "cat"] {
            Visitor::registered(&site, name).await;
        }
        let hall = ann.public_room("Hall").await;
        for _ in 0..2 {
            ann.group_with("Twins", 4).await;
        }
        for (room, user, field, says) in [
            ("Twins", "bob", "room_id", "Several are called “Twins”"), ("Nowhere", "bob", "room_id", "There is nothing called “Nowhere”"),
            ("Hall", "999", "user_id", "There is nothing called “999”"), ("Hall", "bo", "user_id", "There is nothing called “bo”"),
            ("Hall", "", "user_id", "This is needed."), ("Hall", "b\0b", "user_id", "Control characters"), ("-1", "bob", "room_id", "nothing called “-1”"),
            ("99999999999999999999", "bob", "room_id", "nothing called"), ("Hall", "ann", "user_id", "This person is in the room already."),
        ] {
            let page = ann.fill("/admin/memberships/add", &[("room_id", room), ("user_id", user)], "_save").await;
            page.is(422, says);
            assert!(page.text.contains(&format!("id=\"{field}-error\"")), "{says}");
            assert_eq!(page.record().get("room_id"), room);
        }
        ann.fill("/admin/memberships/add", &[("room_id", "HALL"), ("user_id", "Bob")], "_save").await.leads_to();
        let typed = [("room_id", "Hall"), ("user_id", "bob"), ("role", "owner"), ("muted", "true")];
        let form = ann.get("/admin/memberships/add?list=role%3Downer").await.record().with(&typed);
        let page = ann.post("/admin/memberships/add", &form.with(&[("_lookup", "user_id")]).pairs()).await;
        page.is(200, "bobby");
        assert!(page.says(">bob <") && !page.says(">cat <"));
        let again = page.form("find").with(&[("_q", "bobby")]);
        let page = ann.post("/admin/memberships/add", &again.pairs()).await;
        assert!(page.says(">bobby <") && !page.says(">bob <"));
        let page = ann.post("/admin/memberships/add", &page.form("choice").with(&[("user_id", "3")]).pairs()).await;
        page.is(200, ">bobby<");
        let form = page.record();
        assert_eq!(["room_id", "user_id", "role", "muted", "list"].map(|name| form.get(name)), ["Hall", "3", "owner", "true", "role=owner"]);
        assert_eq!(ann.post("/admin/memberships/add", &form.pairs()).await.leads_to(), "/admin/memberships/?role=owner&done=added");
        let sql = format!("select count(*) from memberships where room_id = {hall} and user_id = 3 and muted and role = 'owner'");
        assert_eq!(site.number(&sql).await, 1);
        for field in ["role", "nope", "id"] {
            let page = ann.post("/admin/memberships/add", &form.with(&[("_lookup", field)]).pairs()).await;
            assert_eq!(page.status, 400, "{field}");
        }
        let page = ann.get("/admin/memberships/choose?_field=user_id&_q=cat&role=member").await;
        assert_eq!(page.leads_to(), "/admin/memberships/?role=member&user_id=4");
        ann.get("/admin/memberships/choose?_field=user_id&_q=bo&role=member").await.is(200, "bobby");
        assert_eq!(ann.get("/admin/users/lookup?q=cat").await.text, r#"[{"id":4,"label":"cat"}]"#);
    }
}

both! {
    async fn passwords_are_never_in_a_page_that_asks_for_something_else(engine: Engine) {
        let (_site, mut ann) = office(engine).await;
        let secret = [("username", "x"), ("password", "swordfish 99"), ("sudo_password", "swordfish 98"), ("_chosen", "1")];
        let page = ann.fill("/admin/users/add", &secret, "_save").await;
        assert!(page.status == 200 && !page.says("swordfish") && page.record().get("username") == "x");
        let fields = [("action", "end-sessions"), ("ids", "1"), ("sudo_password", "swordfish 98")];
        let page = ann.post("/admin/users/action", &fields).await;
        assert!(page.status == 200 && !page.says("swordfish"));
    }
}

both! {
    async fn a_stale_form_changes_nothing_and_shows_both_versions(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        let form = ann.get("/admin/users/2/").await.record();
        ann.post("/admin/users/2/", &form.with(&[("bio", "Mine")]).pairs()).await.leads_to();
        let stale = form.with(&[("bio", "Theirs"), ("first_name", "Bob")]);
        let page = ann.post("/admin/users/2/", &stale.pairs()).await;
        page.is(409, "Somebody saved this meanwhile");
        assert!(page.says("<td>Mine</td><td>Theirs</td>") && page.says("<td></td><td>Bob</td>"));
        assert_eq!(site.text("select bio || first_name from users where id = 2").await, "Mine");
        assert_eq!(ann.post("/admin/users/2/", &page.record().pairs()).await.leads_to(), "/admin/users/?done=saved");
        assert_eq!(site.text("select bio || first_name from users where id = 2").await, "TheirsBob");
        let entries = site.number("select count(*) from audit_entries").await;
        // Another tab, opened long ago, in which nothing was typed but what stands by now.
        let same = form.with(&[("bio", "Theirs"), ("first_name", "Bob")]);
        assert_eq!(ann.post("/admin/users/2/", &same.pairs()).await.leads_to(), "/admin/users/?done=unchanged");
        assert!(ann.get("/admin/users/?done=unchanged").await.says("Nothing differed"));
        assert_eq!(ann.fill("/admin/users/2/", &[("bio", " Theirs \r\n")], "_save").await.leads_to(), "/admin/users/?done=unchanged");
        assert_eq!(site.number("select count(*) from audit_entries").await, entries);
    }
}

both! {
    async fn of_many_who_save_one_version_at_once_one_does(engine: Engine) {
        let (site, ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        let form = ann.get("/admin/users/2/").await.record();
        let saves = (0..20).map(|n| {
            let (mut ann, form) = (ann.clone(), form.with(&[("bio", &format!("Number {n}"))]));
            async move { ann.post("/admin/users/2/", &form.pairs()).await.status.as_u16() }
        });
        let mut said = join_all(saves).await;
        said.sort();
        assert_eq!((said[0], &said[1..]), (303, vec![409; 19].as_slice()));
        assert_eq!(site.number("select count(*) from audit_entries").await, 1);
    }
}

both! {
    async fn administrators_who_demote_or_disable_each_other_at_once_leave_one(engine: Engine) {
        for fields in [[("role", "user")], [("is_active", "false")]] {
            let (site, mut ann) = office(engine).await;
            let mut eve = Visitor::admin(&site, "eve").await;
            eve.confirms().await;
            let (one, two) = tokio::join!(ann.fill("/admin/users/2/", &fields, "_save"), eve.fill("/admin/users/1/", &fields, "_save"));
            assert_eq!(site.number("select count(*) from users where role = 'admin' and is_active").await, 1, "{} {}", one.status, two.status);
        }
    }
}

both! {
    async fn a_form_sent_twice_makes_one_row(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let form = ann.get("/admin/rooms/add").await.record().with(&[("kind", "group"), ("name", "Once"), ("_continue", "1")]);
        for _ in 0..2 {
            assert_eq!(ann.post("/admin/rooms/add", &form.pairs()).await.leads_to(), "/admin/rooms/1/?done=added");
        }
        let form = form.with(&[("form_token", ann.get("/admin/rooms/add").await.record().get("form_token"))]);
        let sends = (0..6).map(|_| {
            let (mut ann, form) = (ann.clone(), form.clone());
            async move { ann.post("/admin/rooms/add", &form.pairs()).await.leads_to().to_owned() }
        });
        assert_eq!(join_all(sends).await, vec!["/admin/rooms/2/?done=added"; 6]);
        assert_eq!(site.number("select count(*) from rooms").await, 2);
        // Another model's form isn't it, and one that is no token of ours makes its own row each time.
        let user = [("username", "bob"), ("email", "b@example.org"), ("password", "swordfish 99"), ("form_token", form.get("form_token"))];
        assert_eq!(ann.post("/admin/users/add", &user).await.status, 409);
        for token in ["", "\0", "x", "😀"] {
            let room = [("kind", "group"), ("name", "Twice"), ("form_token", token)];
            ann.post("/admin/rooms/add", &room).await.leads_to();
        }
        assert_eq!(site.number("select count(*) from rooms").await, 6);
    }
}

both! {
    async fn what_is_not_there_is_said_to_be_so(engine: Engine) {
        let (_site, mut ann) = office(engine).await;
        ann.public_room("Hall").await;
        let form = ann.get("/admin/rooms/1/").await.record().with(&[("name", "Lobby")]);
        ann.post("/admin/rooms/1/delete", &[]).await.leads_to();
        assert_eq!(ann.post("/admin/rooms/1/", &form.pairs()).await.status, 404);
        ann.post("/admin/rooms/1/delete", &[]).await.is(404, "There is no such record.");
        for id in ["abc", "-1", "0", "99999999999999999999", "9223372036854775807", "1%20", "0x1", "1.0", "%00", "%F0%9F%98%80", "1%27", "null"] {
            for model in ["users", "rooms", "settings"] {
                for rest in ["", "history", "delete"] {
                    let path = format!("/admin/{model}/{id}/{rest}");
                    let page = ann.get(&path).await;
                    assert!(page.status == 404 || (model == "settings" && page.status == 403), "{path}: {}", page.status);
                }
                let page = ann.post(&format!("/admin/{model}/{id}/"), &[("name", "x")]).await;
                assert_eq!(page.status, 404, "{model} {id}");
            }
        }
        assert_eq!(ann.get("/admin/nothing/").await.status, 404);
        let huge = "x".repeat(300_000);
        assert_eq!(ann.post("/admin/users/1/", &[("bio", &huge)]).await.status, 413);
        assert_eq!(ann.post_body("/admin/users/1/", "application/json", "{}").await.status, 415);
        assert_eq!(ann.post_body("/admin/users/1/", "application/x-www-form-urlencoded", "bio=%FF").await.status, 400);
    }
}

both! {
    async fn a_password_set_or_an_account_disabled_ends_what_was_open(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let bob = Visitor::registered(&site, "bob").await;
        let mut socket = bob.socket("/ws").await;
        socket.expect("connected").await;
        ann.fill("/admin/users/2/", &[("password", "swordfish 99")], "_save").await.leads_to();
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(bob.get("/chat").await.leads_to(), "/login?next=%2Fchat");
        let mut bob = Visitor::new(&site);
        assert_eq!(bob.post("/login", &[("username", "bob"), ("password", PASSWORD)]).await.status, 422);
        bob.post("/login", &[("username", "bob"), ("password", "swordfish 99")]).await.leads_to();
        let mut socket = bob.socket("/ws").await;
        socket.expect("connected").await;
        ann.fill("/admin/users/2/", &[("is_active", "false")], "_save").await.leads_to();
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(bob.post("/login", &[("username", "bob"), ("password", "swordfish 99")]).await.status, 422);
        assert_eq!(site.number("select count(*) from audit_entries where changes like '%swordfish%'").await, 0);
    }
}

both! {
    async fn the_password_is_asked_for_again_once_in_fifteen_minutes_and_session(engine: Engine) {
        let start = 1_790_000_000_000_000;
        let time = Arc::new(AtomicI64::new(start));
        let seams = Seams { clock: Clock::Fixed(time.clone()), ..Seams::default() };
        let site = Site::with(engine, Options { seams, ..Options::default() }).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        Visitor::registered(&site, "bob").await;
        assert_eq!(ann.fill("/admin/users/2/", &[("bio", "Harmless")], "_save").await.leads_to(), "/admin/users/?done=saved");
        let change = [("role", "moderator"), ("password", "swordfish 99"), ("first_name", "\"Bob\"")];
        let asked = ann.fill("/admin/users/2/", &change, "_continue").await;
        asked.is(403, "Your own password");
        assert!(!asked.says("swordfish") && asked.says("New password, typed again"), "{}", asked.text);
        let form = asked.form("/admin/users/2/").with(&[("password", "swordfish 99")]);
        assert_eq!(form.get("first_name"), "\"Bob\"");
        let wrong = ann.post("/admin/users/2/", &form.with(&[("sudo_password", "swordfish 98")]).pairs()).await;
        wrong.is(403, "This isn't your password.");
        assert!(!wrong.says("swordfish"));
        for (path, fields) in [
            ("/admin/settings/site_name/", vec![("value", "Mine")]), ("/admin/users/2/", vec![("password", "swordfish 97")]),
            ("/admin/users/action", vec![("action", "delete"), ("ids", "2"), ("confirm", "1")]), ("/admin/revert/1", vec![("sudo_password", "no")]),
            ("/admin/users/add", vec![("username", "eve"), ("email", "e@example.org"), ("password", "swordfish 99"), ("role", "admin")]),
            ("/admin/users/1/", vec![("username", "eve"), ("email", "e@example.org"), ("password", "swordfish 99"), ("role", "admin"), ("_saveasnew", "1")]),
        ] {
            if path != "/admin/revert/1" {
                ann.post(path, &fields).await.is(403, "Your own password");
            }
        }
        assert_eq!(site.text("select role || first_name || (select value from settings where key = 'site_name') from users where id = 2").await, "userSwitchboard");
        assert_eq!(site.number("select count(*) from users").await, 2);
        let done = ann.post("/admin/users/2/", &form.with(&[("sudo_password", PASSWORD)]).pairs()).await;
        assert_eq!(done.leads_to(), "/admin/users/2/?done=saved", "the button is remembered");
        assert_eq!(site.text("select role || first_name from users where id = 2").await, "moderator\"Bob\"");
        let mut elsewhere = Visitor::logged_in(&site, "ann").await;
        assert_eq!(elsewhere.fill("/admin/users/2/", &[("role", "user")], "_save").await.status, 403, "another session is asked by itself");
        time.store(start + 15 * 60 * 1_000_000 - 1, Ordering::Relaxed);
        ann.fill("/admin/users/2/", &[("role", "user")], "_save").await.leads_to();
        time.store(start + 15 * 60 * 1_000_000, Ordering::Relaxed);
        assert_eq!(ann.fill("/admin/users/2/", &[("role", "moderator")], "_save").await.status, 403);
        let entry = site.number("select max(id) from audit_entries").await;
        ann.post(&format!("/admin/revert/{entry}"), &[]).await.is(403, "Your own password");
        assert_eq!(site.text("select role from users where id = 2").await, "user");
        let elsewhere = ann.post("/admin/sudo", &[("sudo_password", PASSWORD), ("next", "//evil.example/")]).await;
        assert_eq!(elsewhere.leads_to(), "/chat");
    }
}
