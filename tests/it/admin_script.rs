//! What the backoffice's script adds, in a browser: ticking all, keys, offers while a reference is typed, and a warning
//! before typed text is lost. All of it works without, as the other tests show.

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site};
use crate::support::browser::{Browsers, Window};

async fn press(window: &Window, key: &str) {
    let script = format!(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}})) || true"
    );
    window.eval(&script).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_ticks_finds_offers_saves_and_warns() {
    let Some(browsers) = Browsers::start().await else { return };
    let site = Site::new(Engine::Sqlite).await;
    let mut ann = Visitor::admin(&site, "ann").await;
    for name in ["bob", "cleo"] {
        Visitor::registered(&site, name).await;
    }
    ann.public_room("General").await;
    let window = browsers.window(&site.url(""), 1280, false).await;
    window.fill_log_in("ann").await;

    window.go("/admin/users/").await;
    window.click("[data-all]").await;
    window.until("document.querySelectorAll('[name=ids]:checked').length === 3").await;
    window.click("[name=ids]").await;
    window.until("document.querySelector('[data-all]').indeterminate").await;
    press(&window, "Escape").await;
    window.eval("document.activeElement.blur() || true").await.unwrap();
    press(&window, "j").await;
    press(&window, "j").await;
    press(&window, "k").await;
    window.until("document.activeElement === document.querySelector('[data-row]')").await;
    press(&window, "/").await;
    window.until("document.activeElement.id === 'q'").await;

    window.go("/admin/memberships/add").await;
    window.fill("user_id", "cl").await;
    window.until("[...document.querySelectorAll('#user_id + datalist option')].some(o => o.value === '3' && o.label === 'cleo')").await;
    window.fill("user_id", "3").await;
    window.until("document.querySelector('output[for=user_id]').textContent === 'cleo'").await;
    window.fill("room_id", "1").await;
    window.eval("document.activeElement.blur() || true").await.unwrap();
    press(&window, "s").await;
    window.wait(".notice").await;
    assert_eq!(site.number("select count(*) from memberships where room_id = 1 and user_id = 3").await, 1);

    window.go("/admin/users/2/").await;
    let asks = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))";
    assert_eq!(window.eval(asks).await.unwrap(), false, "nothing was typed");
    window.fill("first_name", "Robert").await;
    assert_eq!(window.eval(asks).await.unwrap(), true, "typed text would be lost");
    press(&window, "Escape").await;
    window.eval("document.activeElement.blur() || true").await.unwrap();
    press(&window, "s").await;
    window.wait(".notice").await;
    assert_eq!(site.number("select count(*) from users where first_name = 'Robert'").await, 1);
    window.close().await;
}
