//! Who may do what in the backoffice: every route of every model as a visitor, an ordinary user, a moderator and an
//! administrator, against the contract's table written out here; and secrets, which nobody sees.

use std::collections::BTreeSet;

use switchboard::admin::RESOURCES;
use switchboard::admin::resource::{Resource, Rights};
use switchboard::web::pages::admin::ROUTES;

use crate::support::actors::{PASSWORD, Page, Visitor};
use crate::support::app::{Site, both};
use crate::support::office::office;

/// Each model with what administrators and moderators may: View, Add, Change, Delete, Export.
const TABLE: &[(&str, &str, &str)] = &[
    ("users", "VACDE", "V"),
    ("invitations", "VADE", ""),
    ("interests", "VCDE", "V"),
    ("blocks", "VDE", "V"),
    ("notifications", "VDE", "V"),
    ("rooms", "VACDE", "VACDE"),
    ("memberships", "VACDE", "VACD"),
    ("messages", "VCDE", "VCD"),
    ("message-edits", "VE", "V"),
    ("pins", "VDE", "VD"),
    ("attachments", "VDE", "VE"),
    ("reactions", "VADE", "VE"),
    ("reports", "VACDE", "VACD"),
    ("sessions", "VDE", ""),
    ("api-tokens", "VDE", ""),
    ("password-reset-tokens", "VDE", ""),
    ("emails", "VADE", "V"),
    ("settings", "VCE", ""),
    ("audit-entries", "VE", "V"),
];

/// What stands in the route's way: being staff, or a right on the model in its path.
const STAFF: char = 'S';
/// Being an administrator.
const ADMINS: char = 'P';
/// Importing makes and changes.
const BOTH: char = 'B';

/// Every route with what it asks for, and the status that tells whoever may from whoever may not: of a row that is there
/// for GET, of one that isn't, or of an empty form, for POST.
const WAYS: &[(&str, &str, char, &[u16])] = &[
    ("get", "/admin", STAFF, &[303]),
    ("get", "/admin/", STAFF, &[200]),
    ("get", "/admin/search", STAFF, &[200]),
    ("get", "/admin/help", STAFF, &[200]),
    ("get", "/admin/live", STAFF, &[200]),
    ("post", "/admin/live/{socket}/disconnect", STAFF, &[303]),
    ("post", "/admin/live/{socket}/log-out", STAFF, &[303, 403]),
    ("get", "/admin/queue", STAFF, &[200]),
    ("post", "/admin/queue/{report}/{act}", STAFF, &[404]),
    ("post", "/admin/sudo", STAFF, &[403]),
    ("post", "/admin/revert/{entry}", STAFF, &[404]),
    ("get", "/admin/{slug}", 'V', &[303]),
    ("get", "/admin/{slug}/", 'V', &[200]),
    ("get", "/admin/{slug}/add", 'A', &[200]),
    ("post", "/admin/{slug}/add", 'A', &[422]),
    ("post", "/admin/{slug}/action", 'V', &[400]),
    ("get", "/admin/{slug}/choose", 'V', &[400]),
    ("get", "/admin/{slug}/lookup", 'V', &[200]),
    ("get", "/admin/{slug}/export.csv", 'E', &[200, 403]),
    ("get", "/admin/{slug}/export.json", 'E', &[200, 403]),
    ("get", "/admin/{slug}/export.jsonl", 'E', &[200, 403]),
    ("get", "/admin/{slug}/import", BOTH, &[200]),
    ("post", "/admin/{slug}/import", BOTH, &[400]),
    ("get", "/admin/{slug}/import/{token}", BOTH, &[404]),
    ("post", "/admin/{slug}/import/{token}", BOTH, &[404]),
    ("post", "/admin/{slug}/import/{token}/drop", BOTH, &[303, 404]),
    ("post", "/admin/{slug}/bookmarks", 'V', &[422]),
    ("post", "/admin/{slug}/bookmarks/{id}/delete", 'V', &[303]),
    ("get", "/admin/{slug}/{id}/", 'V', &[200]),
    ("post", "/admin/{slug}/{id}/", 'C', &[404]),
    ("get", "/admin/{slug}/{id}/delete", 'D', &[200, 409]),
    ("post", "/admin/{slug}/{id}/delete", 'D', &[404]),
    ("get", "/admin/{slug}/{id}/preview", ADMINS, &[200, 404]),
    ("get", "/admin/{slug}/{id}/history", 'V', &[200]),
];

#[test]
fn every_route_and_every_model_stands_in_this_file() {
    let routes: BTreeSet<(&str, &str)> =
        ROUTES.iter().flat_map(|(path, methods)| methods.iter().map(|method| (*method, *path))).collect();
    assert_eq!(routes, WAYS.iter().map(|(method, path, ..)| (*method, *path)).collect::<BTreeSet<_>>());
    let slugs: Vec<&str> = RESOURCES.iter().map(|resource| resource.slug).collect();
    assert_eq!(slugs, TABLE.iter().map(|(slug, ..)| *slug).collect::<Vec<_>>());
}

#[test]
fn what_is_declared_is_the_contracts_table() {
    let letters = |resource: &Resource, rights: Rights| {
        let possible = [true, resource.create.is_some(), resource.update.is_some(), resource.delete.is_some(), true];
        let given = [rights.view, rights.add, rights.change, rights.delete, rights.export];
        let both =
            "VACDE".chars().zip(possible.iter().zip(given)).filter(|(_, (possible, given))| **possible && *given);
        both.map(|(letter, _)| letter).collect::<String>()
    };
    for (resource, (slug, admin, moderator)) in RESOURCES.iter().zip(TABLE) {
        assert_eq!(letters(resource, resource.admin), *admin, "administrators and {slug}");
        assert_eq!(letters(resource, resource.moderator), *moderator, "moderators and {slug}");
    }
}

/// Asks for a route as `who`, in the model `slug`; a GET of a row that is there, a POST to one that isn't.
async fn ask(who: &mut Visitor, method: &str, path: &str, slug: &str) -> (String, Page) {
    let key = match (slug, method) {
        ("settings", "get") => "site_name",
        (_, "get") => "1",
        _ => "987654",
    };
    let path = path.replace("{slug}", slug).replace("{id}", key).replace("{act}", "dismiss");
    let path =
        ["{entry}", "{socket}", "{report}", "{token}"].iter().fold(path, |path, name| path.replace(name, "987654"));
    let page = if method == "get" { who.get(&path).await } else { who.post(&path, &[]).await };
    (path, page)
}

fn escaped(path: &str) -> String {
    path.replace('/', "%2F")
}

both! {
    async fn every_route_of_every_model_lets_in_whom_the_table_says(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let mut mo = Visitor::of_role(&site, "moe", "moderator").await;
        let mut uma = Visitor::registered(&site, "uma").await;
        let mut nobody = Visitor::new(&site);
        site.furnish().await;
        let stood = content(&site).await;
        for (slug, admin, moderator) in TABLE {
            for (method, path, right, allowed) in WAYS {
                let (path_asked, page) = ask(&mut nobody, method, path, slug).await;
                let back = if *method == "get" { escaped(&path_asked) } else { escaped("/chat") };
                assert_eq!(page.leads_to(), format!("/login?next={back}"), "{method} {path_asked}");
                let (_, page) = ask(&mut uma, method, path, slug).await;
                page.is(403, "for its staff");
                for (who, rights) in [(&mut mo, moderator), (&mut ann, admin)] {
                    let (asked, page) = ask(who, method, path, slug).await;
                    let may = match *right {
                        STAFF => true,
                        ADMINS => who.name == "ann",
                        BOTH => rights.contains('A') && rights.contains('C'),
                        right => rights.contains(right),
                    };
                    let said = page.status.as_u16();
                    if may && *path == "/admin/sudo" {
                        assert!(said == 303 || page.says("Your own password"), "{} {asked}: {said}", who.name);
                    } else if may {
                        assert!(allowed.contains(&said), "{} {method} {asked}: {said} {}", who.name, page.text);
                    } else {
                        page.is(403, "Your role ");
                    }
                }
            }
        }
        assert_eq!(content(&site).await, stood, "nothing was changed by any of that");
    }
}

/// The rows that `furnish` made, and how many there are of everything.
async fn content(site: &Site) -> Vec<String> {
    let mut all = Vec::new();
    // An export that is let in stands in history.
    let still = |resource: &&&Resource| !["sessions", "audit-entries"].contains(&resource.slug);
    for resource in RESOURCES.iter().filter(still) {
        let count = site.number(&format!("select count(*) from {}", resource.table)).await;
        let row = if resource.key == "id" { site.row(resource, 1).await } else { None };
        let values = row.map(|row| {
            let kept = row.pairs().filter(|(column, _)| column.name != "last_seen_at");
            kept.map(|(_, value)| value.plain()).collect::<Vec<_>>()
        });
        all.push(format!("{} {count} {values:?}", resource.slug));
    }
    all
}

both! {
    async fn what_a_role_may_not_do_is_not_done_though_the_form_is_right(engine: Engine) {
        let (site, _ann) = office(engine).await;
        let mut mo = Visitor::of_role(&site, "moe", "moderator").await;
        site.furnish().await;
        let stood = content(&site).await;
        for (path, fields) in [
            ("/admin/users/1/", vec![("bio", "Mine now"), ("role", "user"), ("password", "swordfish 99")]),
            ("/admin/users/2/", vec![("role", "admin")]),
            ("/admin/users/add", vec![("username", "evil"), ("email", "e@example.org"), ("password", "swordfish 99"), ("role", "admin")]),
            ("/admin/users/2/delete", vec![("confirm", "1")]),
            ("/admin/invitations/add", vec![("email", "e@example.org")]),
            ("/admin/invitations/1/delete", vec![("confirm", "1")]),
            ("/admin/invitations/action", vec![("action", "send-again"), ("ids", "1"), ("confirm", "1")]),
            ("/admin/interests/1/", vec![("status", "accepted")]),
            ("/admin/notifications/1/delete", vec![("confirm", "1")]),
            ("/admin/reactions/1/delete", vec![("confirm", "1")]),
            ("/admin/emails/add", vec![("to", "a@example.org"), ("subject", "Hi"), ("text", "Hi")]),
            ("/admin/emails/1/delete", vec![("confirm", "1")]),
            ("/admin/settings/site_name/", vec![("value", "Mo's")]),
            ("/admin/api-tokens/1/delete", vec![("confirm", "1")]),
            ("/admin/users/action", vec![("action", "delete"), ("ids", "2"), ("confirm", "1"), ("sudo_password", PASSWORD)]),
            ("/admin/users/action", vec![("action", "end-sessions"), ("ids", "1"), ("confirm", "1")]),
            ("/admin/emails/action", vec![("action", "cancel"), ("ids", "1"), ("confirm", "1")]),
            ("/admin/emails/action", vec![("action", "resend"), ("ids", "1"), ("confirm", "1")]),
            ("/admin/api-tokens/action", vec![("action", "revoke"), ("ids", "1"), ("confirm", "1")]),
            ("/admin/interests/action", vec![("action", "delete"), ("ids", "1"), ("confirm", "1")]),
        ] {
            let page = mo.post(path, &fields).await;
            assert_eq!(page.status, 403, "{path} {fields:?}: {}", page.text);
        }
        assert_eq!(content(&site).await, stood);
        let before = site.number("select count(*) from sessions where user_id = 1").await;
        assert_eq!(before, 1, "ann is signed in still");
    }
}

both! {
    async fn staff_who_are_disabled_or_demoted_are_out_at_once(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let mo = Visitor::of_role(&site, "moe", "moderator").await;
        let al = Visitor::of_role(&site, "alice", "admin").await;
        assert_eq!(mo.get("/admin/rooms/").await.status, 200);
        ann.fill("/admin/users/2/", &[("is_active", "false")], "_save").await.leads_to();
        assert_eq!(mo.get("/admin/rooms/").await.leads_to(), "/login?next=%2Fadmin%2Frooms%2F");
        ann.fill("/admin/users/3/", &[("role", "user")], "_save").await.leads_to();
        al.get("/admin/rooms/").await.is(403, "for its staff");
        ann.get("/admin/rooms/").await.is(200, "Rooms");
    }
}

both! {
    async fn a_moderator_disables_those_below_and_nobody_else(engine: Engine) {
        let (site, _ann) = office(engine).await;
        let mut mo = Visitor::of_role(&site, "moe", "moderator").await;
        let mut other = Visitor::of_role(&site, "other", "moderator").await;
        Visitor::registered(&site, "uma").await;
        let disable = |id: &'static str| [("action", "disable"), ("ids", id), ("confirm", "1")];
        mo.post("/admin/users/action", &disable("1")).await.is(409, "Only an administrator can do that to staff.");
        other.post("/admin/users/action", &disable("2")).await.is(409, "Only an administrator can do that to staff.");
        mo.post("/admin/users/action", &disable("2")).await.is(409, "You can't disable your own account.");
        assert_eq!(site.numbers("select id from users where is_active order by id").await, [1, 2, 3, 4]);
        assert_eq!(mo.post("/admin/users/action", &disable("4")).await.leads_to(), "/admin/users/?&done=done-1");
        assert_eq!(site.numbers("select id from users where is_active order by id").await, [1, 2, 3]);
        let enable = [("action", "enable"), ("ids", "4"), ("confirm", "1")];
        mo.post("/admin/users/action", &enable).await.leads_to();
        assert_eq!(site.number("select count(*) from audit_entries where actor_id = 2 and model = 'users'").await, 2);
    }
}

both! {
    async fn the_last_administrator_stays_and_nobody_ends_themselves(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        for (fields, says) in [
            ([("role", "user")], "You can't change your own role"),
            ([("is_active", "false")], "You can't disable your own account."),
        ] {
            ann.fill("/admin/users/1/", &fields, "_save").await.is(409, says);
        }
        ann.get("/admin/users/1/delete").await.is(409, "You can't delete your own account here.");
        ann.post("/admin/users/1/delete", &[]).await.is(409, "You can't delete your own account here.");
        for action in ["disable", "delete", "end-sessions"] {
            let page = ann.post("/admin/users/action", &[("action", action), ("ids", "1"), ("confirm", "1")]).await;
            page.is(409, "0 done");
        }
        // Somebody else is an administrator too, but can't log in: that one doesn't count.
        Visitor::admin(&site, "old").await;
        let mut eve = Visitor::admin(&site, "eve").await;
        eve.confirms().await;
        ann.fill("/admin/users/2/", &[("is_active", "false")], "_save").await.leads_to();
        ann.fill("/admin/users/3/", &[("role", "user")], "_save").await.leads_to();
        assert_eq!(eve.post("/admin/users/1/", &[("role", "user")]).await.status, 403);
        assert_eq!(site.numbers("select id from users where role = 'admin' and is_active").await, [1]);
    }
}

both! {
    async fn moderators_find_nothing_of_what_they_do_not_see(engine: Engine) {
        let (site, ann) = office(engine).await;
        let mo = Visitor::of_role(&site, "moe", "moderator").await;
        site.furnish().await;
        for path in [
            "/admin/emails/", "/admin/emails/1/", "/admin/emails/1/history", "/admin/emails/lookup?q=", "/admin/audit-entries/",
            "/admin/audit-entries/?model=sessions", "/admin/audit-entries/?q=SECRET", "/admin/audit-entries/lookup?q=SECRET",
            "/admin/audit-entries/lookup?q=2", "/admin/users/2/", "/admin/users/", "/admin/audit-entries/?model=users",
        ] {
            let page = mo.get(path).await;
            assert_eq!(page.status, 200, "{path}");
            let seen = page.text.replace("?q=SECRET", "").replace("value=\"SECRET\"", "").replace("q=SECRET", "");
            assert!(!seen.contains("SECRET"), "{path}: {}", page.text);
        }
        assert!(ann.get("/admin/emails/1/").await.says("SECRETLINK"), "administrators do");
        assert_eq!(mo.get("/admin/audit-entries/").await.total(), "1");
        assert_eq!(mo.get("/admin/audit-entries/?model=sessions").await.total(), "0");
        assert_eq!(mo.get("/admin/audit-entries/2/").await.status, 404);
        assert_eq!(mo.get("/admin/audit-entries/2/history").await.status, 404);
        for path in ["/admin/emails/?text=SECRETLINK", "/admin/emails/?sort=html", "/admin/emails/?last_error.empty=true"] {
            let field = path.split(['?', '=', '.']).find(|part| ["text", "html", "last_error"].contains(part)).unwrap_or("html");
            mo.get(path).await.is(400, &format!("have no field “{field}”"));
        }
        let user = mo.get("/admin/users/2/").await;
        for model in ["sessions", "api-tokens", "password-reset-tokens", "settings"] {
            assert!(!user.text.contains(&format!("/admin/{model}/")), "neither menu nor form lead to {model}");
        }
    }
}

both! {
    async fn no_address_asks_for_a_secret_and_no_page_has_one(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        site.furnish().await;
        let hash = site.text("select password_hash from users where id = 2").await;
        for (slug, secret) in [("users", "password_hash"), ("api-tokens", "token_hash"), ("password-reset-tokens", "token_hash"), ("invitations", "token_hash")] {
            for query in [format!("{secret}=x"), format!("sort={secret}"), format!("sort=-created_at,{secret}"), format!("{secret}.from=a"), format!("{secret}.empty=false")] {
                ann.get(&format!("/admin/{slug}/?{query}")).await.is(400, &format!("“{secret}” is secret"));
                let all = [("action", "delete"), ("all", "1"), ("list", query.as_str()), ("confirm", "1")];
                ann.post(&format!("/admin/{slug}/action"), &all).await.is(400, &format!("“{secret}” is secret"));
                ann.post(&format!("/admin/{slug}/bookmarks"), &[("name", "x"), ("list", &query)]).await.is(400, secret);
            }
            ann.get(&format!("/admin/{slug}/choose?_field={secret}")).await.is(400, secret);
        }
        let form = ann.get("/admin/users/2/").await.record().with(&[("password_hash", "mine"), ("bio", "Hello")]);
        ann.post("/admin/users/2/", &form.pairs()).await.leads_to();
        ann.post("/admin/users/2/", &form.with(&[("_lookup", "password_hash")]).pairs()).await.is(400, "secret");
        assert_eq!(site.text("select password_hash from users where id = 2").await, hash);
        ann.fill("/admin/users/2/", &[("password", "swordfish 99")], "_save").await.leads_to();
        let hash = site.text("select password_hash from users where id = 2").await;
        assert!(ann.get("/admin/users/2/history").await.says("changed"));
        for resource in RESOURCES {
            let key = if resource.key == "id" { "2" } else { "site_name" };
            for path in ["".into(), "add".into(), "1/".into(), "1/history".into(), format!("{key}/"), format!("{key}/history"), format!("{key}/delete"), "lookup?q=".into()] {
                let page = ann.get(&format!("/admin/{}/{path}", resource.slug)).await;
                for secret in ["$argon2", hash.as_str(), "SECRETHASH", "swordfish", "password_hash\":", "token_hash\":"] {
                    assert!(!page.says(secret), "{secret} is in {} {path}", resource.slug);
                }
            }
        }
        assert_eq!(site.number("select count(*) from audit_entries where changes like '%argon2%' or changes like '%swordfish%'").await, 0);
    }
}

both! {
    async fn another_sites_form_changes_nothing(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        Visitor::registered(&site, "bob").await;
        for path in ["/admin/users/2/", "/admin/users/2/delete", "/admin/users/action", "/admin/users/add", "/admin/sudo", "/admin/revert/1", "/admin/users/bookmarks"] {
            let fields = [("bio", "Theirs"), ("action", "disable"), ("ids", "2"), ("confirm", "1"), ("name", "x")];
            let page = ann.post_with(path, &fields, &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]).await;
            assert_eq!(page.status, 403, "{path}");
        }
        assert_eq!(site.number("select count(*) from users where is_active and bio = ''").await, 2);
        assert_eq!(site.number("select count(*) from audit_entries").await, 0);
    }
}
