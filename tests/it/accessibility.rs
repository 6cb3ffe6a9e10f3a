//! axe-core looks at every page, at two widths and in both schemes, and finds nothing. No page scrolls sideways.

use serde_json::Value;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site};
use crate::support::browser::{Browsers, Window};
use crate::support::letters::link;

/// Injects axe-core and waits for its verdict.
async fn violations(window: &Window, axe: &str) -> Vec<String> {
    window.client.execute(axe, vec![]).await.unwrap();
    let script = "const done = arguments[arguments.length - 1];
        axe.run().then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join('; '))));";
    let found: Value = window.client.execute_async(script, vec![]).await.unwrap();
    serde_json::from_value(found).unwrap()
}

/// Opens a page and looks at it.
pub async fn look(window: &Window, axe: &str, path: &str, name: &str) {
    window.go(path).await;
    window.wait("main").await;
    if path.starts_with("/chat") {
        window.until_connected().await;
    }
    look_here(window, axe, name).await;
}

/// Looks at the page as it is.
pub async fn look_here(window: &Window, axe: &str, name: &str) {
    // Not the window's own width, which a phone's grows with what doesn't fit.
    let width = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assert_eq!(window.eval(width).await.unwrap(), false, "{name} scrolls sideways");
    if let Some(folder) = std::env::var_os("SCREENSHOTS") {
        let picture = window.client.screenshot().await.unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
    let found = violations(window, axe).await;
    assert!(found.is_empty(), "{name}: {found:#?}");
}

/// The addresses of pages that only somebody in particular sees.
struct Furnished {
    setup: String,
    reset: String,
    room: i64,
    direct: i64,
}

/// A site with people who have talked, one who is asked for codes, and one who is setting that up.
async fn furnished(site: &Site) -> Furnished {
    let setup = format!("/setup?token={}", site.app.setup_token().unwrap());
    let mut ann = Visitor::registered(site, "ann").await;
    let mut bob = Visitor::registered(site, "bob").await;
    let room = ann.public_room("General").await;
    ann.post(&format!("/rooms/{room}/settings"), &[("name", "General"), ("description", "Whatever comes up")]).await;
    bob.post(&format!("/rooms/{room}/join"), &[]).await;
    for text in [
        "Morning! Who has the **release notes**?",
        "I have them, see https://example.org/notes, @ann",
        "> the notes\n\nThanks. `cargo build` and:\n\n```\nfn main() {}\n```\n\n- one\n- two",
    ] {
        ann.say(room, text).await;
        bob.say(room, "Right.").await;
    }
    bob.public_room("Design").await;
    ann.post("/settings/api-tokens", &[("name", "Backup")]).await.leads_to();
    let direct = bob.post("/rooms/new", &[("member_ids", "1")]).await.room();
    bob.say(direct, "Have you a minute?").await;
    Visitor::registered(site, "cleo").await;
    site.sql("update users set totp_enabled = true where username = 'cleo'").await;
    let mut dario = Visitor::registered(site, "dario").await;
    dario.post("/settings/two-factor", &[]).await.leads_to();
    Visitor::new(site).post("/password-reset", &[("email", "bob@example.org")]).await.leads_to();
    let reset = link(&site.letter("bob@example.org", "new password for").await);
    Furnished { setup, reset, room, direct }
}

/// The pages of somebody who is signed in.
fn own_pages(room: i64, direct: i64) -> Vec<(&'static str, String)> {
    vec![
        ("rooms", "/chat".to_owned()),
        ("room", format!("/chat/rooms/{room}")),
        ("looking-in", "/chat/rooms/2".to_owned()),
        ("empty-room", format!("/chat/rooms/{direct}")),
        ("new-room", "/rooms/new".to_owned()),
        ("new-group", "/rooms/new?kind=group&member_ids=2".to_owned()),
        ("new-direct", "/rooms/new?kind=direct".to_owned()),
        ("own-settings", "/settings".to_owned()),
        ("own-two-factor", "/settings#two-factor".to_owned()),
        ("room-settings", format!("/rooms/{room}/settings")),
        ("members", format!("/rooms/{room}/members")),
        ("people", "/people".to_owned()),
        ("notifications", "/notifications".to_owned()),
        ("search", "/search?q=release".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_any_page_at_any_width_in_any_scheme() {
    let Some(browsers) = Browsers::start().await else { return };
    let axe = std::fs::read_to_string(std::env::var("AXE_JS").unwrap()).unwrap();
    let site = Site::new(Engine::Sqlite).await;
    let Furnished { setup, reset, room, direct } = furnished(&site).await;

    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let window = browsers.window(&site.url(""), width, dark).await;
        let scheme = if dark { "dark" } else { "light" };
        let name = |page: &str| format!("{page}-{width}-{scheme}");
        for (page, path) in [
            ("login", "/login"),
            ("register", "/register"),
            ("setup", &setup),
            ("error", "/nowhere"),
            ("reset", "/password-reset"),
            ("reset-sent", "/password-reset?sent=1"),
            ("new-password", reset.as_str()),
            ("worthless", "/password-reset/confirm?token=0"),
            ("worthless-address", "/settings/email/confirm?token=0"),
        ] {
            look(&window, &axe, path, &name(page)).await;
        }
        window.go("/login").await;
        window.fill("username", "cleo").await;
        window.fill("password", crate::support::actors::PASSWORD).await;
        window.click("button.primary").await;
        window.wait("#totp").await;
        for (page, path) in [("code", "/login/two-factor"), ("recovery", "/login/two-factor?with=recovery")] {
            look(&window, &axe, path, &name(page)).await;
        }
        window.fill("totp", "000000").await;
        window.click("button.primary").await;
        window.wait("#totp-error").await;
        window.fill_log_in("ann").await;
        for (page, path) in own_pages(room, direct) {
            look(&window, &axe, &path, &name(page)).await;
        }
        window.client.delete_all_cookies().await.unwrap();
        window.fill_log_in("dario").await;
        for (is_on, page) in [(false, "two-factor-begun"), (true, "two-factor-on")] {
            site.sql(&format!("update users set totp_enabled = {is_on} where username = 'dario'")).await;
            window.go("/chat").await;
            look(&window, &axe, "/settings#two-factor", &name(page)).await;
        }
        site.sql("update users set totp_enabled = false where username = 'dario'").await;
        window.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_in_the_backoffice_at_any_width_in_any_scheme() {
    let Some(browsers) = Browsers::start().await else { return };
    let axe = std::fs::read_to_string(std::env::var("AXE_JS").unwrap()).unwrap();
    let site = Site::new(Engine::Sqlite).await;
    let mut ann = Visitor::admin(&site, "ann").await;
    for name in ["bob", "cleo", "dario", "emeka"] {
        Visitor::registered(&site, name).await;
    }
    let room = ann.public_room("General").await;
    ann.say(room, "Morning! Who has the **release notes**?").await;
    ann.post("/admin/users/2/", &[("bio", "Likes tea"), ("first_name", "Robert")]).await.leads_to();
    ann.post("/admin/users/bookmarks", &[("list", "is_active=true"), ("name", "Active")]).await.leads_to();
    site.sql("insert into reports (message_id, reporter_id, reason, created_at) values (1, 2, 'Rude', 5)").await;
    let _open = ann.follows(room).await;

    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let window = browsers.window(&site.url(""), width, dark).await;
        let scheme = if dark { "dark" } else { "light" };
        window.fill_log_in("ann").await;
        for (page, path) in [
            ("dashboard", "/admin/"),
            ("search-form", "/admin/search"),
            ("search", "/admin/search?q=b"),
            ("live", "/admin/live"),
            ("help", "/admin/help"),
            ("queue", "/admin/queue"),
            ("list", "/admin/users/"),
            ("filtered", "/admin/users/?role=user&created_at=2026&q=b&sort=username"),
            ("complaint", "/admin/users/?role=king"),
            ("nothing", "/admin/messages/?q=nowhere"),
            ("messages", "/admin/messages/"),
            ("add", "/admin/users/add"),
            ("form", "/admin/users/2/"),
            ("room-form", "/admin/rooms/1/"),
            ("message-form", "/admin/messages/1/"),
            ("delete", "/admin/users/2/delete"),
            ("protected", "/admin/users/1/delete"),
            ("history", "/admin/users/2/history"),
            ("history-list", "/admin/audit-entries/"),
            ("history-entry", "/admin/audit-entries/1/"),
            ("choose", "/admin/messages/choose?_field=sender_id&_q="),
            ("settings-list", "/admin/settings/"),
            ("setting", "/admin/settings/site_name/"),
            ("import", "/admin/users/import"),
            ("sudo", "/admin/users/export.csv"),
        ] {
            look(&window, &axe, path, &format!("admin-{page}-{width}-{scheme}")).await;
        }
        window.close().await;
    }
}
