//! A conversation in Chromium, two people at once: what is done to messages, files, names, what is new and who has seen it.

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};
use crate::support::browser::{Browsers, Window};

/// The last message that the server has.
const LAST: &str = "[...document.querySelectorAll('#log [data-seq]')].at(-1)";

/// Bob has seen all, and Ann is shown it.
const SEEN: &str = "document.querySelector('#seen:not([hidden])')?.innerText.trim() === 'Seen by Bob'";

/// Ann and Bob in one room of Ann's, both with its page open.
async fn two(browsers: &Browsers, site: &Site) -> (Window, Window) {
    let (mut ann, mut bob) = (Visitor::registered(site, "Ann").await, Visitor::registered(site, "Bob").await);
    let room = ann.public_room("General").await;
    bob.post(&format!("/rooms/{room}/join"), &[]).await.leads_to();
    let windows =
        (browsers.window(&site.url(""), 1280, false).await, browsers.window(&site.url(""), 1280, false).await);
    for (window, name) in [(&windows.0, "Ann"), (&windows.1, "Bob")] {
        window.fill_log_in(name).await;
        window.go(&format!("/chat/rooms/{room}")).await;
        window.until_connected().await;
    }
    windows
}

/// Chooses from the menu of the last message.
async fn choose(window: &Window, what: &str) {
    window.eval(&format!("{LAST}.querySelector('.more').click()")).await.unwrap();
    window.click(&format!("#menu {what}")).await;
}

async fn close(windows: (Window, Window)) {
    for window in [&windows.0, &windows.1] {
        assert_eq!(window.complaints().await, Vec::<serde_json::Value>::new());
    }
    windows.0.close().await;
    windows.1.close().await;
}

both! {
    async fn messages_are_answered_edited_reacted_to_pinned_and_deleted_under_the_others_eyes(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let (ann, bob) = two(&browsers, &site).await;
        ann.say("Shall we **meet**?").await;
        bob.until_said(1).await;

        choose(&bob, "form button:nth-of-type(2)").await;
        ann.until(&format!("{LAST}.querySelector('.reactions button')?.innerText === '❤️ 1'")).await;
        ann.click(".reactions button").await;
        bob.until(&format!("{LAST}.querySelector('.reactions button').innerText === '❤️ 2'")).await;
        bob.click(".reactions button").await;
        ann.until(&format!("{LAST}.querySelector('.reactions button').innerText === '❤️ 1'")).await;
        assert_eq!(ann.eval(&format!("{LAST}.querySelector('.reactions button').ariaPressed")).await.unwrap(), "true");

        choose(&bob, "[value=reply]").await;
        bob.until("document.getElementById('aim').innerText.includes('Replying to Ann')").await;
        bob.say("Yes, at ten").await;
        ann.until(&format!("{LAST}.querySelector('.quote')?.innerText === 'Ann Shall we meet?'")).await;
        ann.click(".quote").await;
        ann.until("location.hash === '#m1'").await;

        bob.fill("content", "\u{e013}").await;
        bob.until("document.getElementById('content').value === 'Yes, at ten'").await;
        bob.say("At eleven").await;
        ann.until(&format!("{LAST}.querySelector('.text').innerText === 'At eleven' && {LAST}.querySelector('.edited') !== null")).await;
        bob.until("document.getElementById('aim').hidden").await;

        assert_eq!(bob.eval("'pins' in document.body.dataset").await.unwrap(), false);
        choose(&ann, "[value=pin]").await;
        bob.until("document.querySelector('#pins li')?.innerText !== undefined && !document.getElementById('pins').hidden").await;
        ann.until("!document.getElementById('pins').hidden").await;
        choose(&ann, "[value=unpin]").await;
        bob.until("document.getElementById('pins').hidden").await;

        bob.eval("(window.confirm = () => true, 1)").await.unwrap();
        choose(&bob, "[value=delete]").await;
        ann.until(&format!("{LAST}.querySelector('.text').innerText === 'This message was deleted.'")).await;
        ann.go("/chat/rooms/1").await;
        assert_eq!(ann.said().await, ["Shall we meet?", "This message was deleted."]);
        close((ann, bob)).await;
    }
}

both! {
    async fn files_are_shown_where_they_stay_and_names_are_completed_by_the_keyboard(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let (ann, bob) = two(&browsers, &site).await;
        let folder = tempfile::tempdir().unwrap();
        let (picture, text) = (folder.path().join("wide.png"), folder.path().join("plan.txt"));
        image::RgbImage::from_pixel(960, 240, image::Rgb([9, 99, 199])).save(&picture).unwrap();
        std::fs::write(&text, "first this, then that").unwrap();
        let chosen = format!("{}\n{}", picture.display(), text.display());
        ann.wait("#file").await.send_keys(&chosen).await.unwrap();
        ann.until("document.querySelectorAll('#chosen li').length === 2").await;
        ann.say("The plan").await;
        for window in [&ann, &bob] {
            window.until(&format!("{LAST}?.querySelector('.files img')?.naturalWidth === 480")).await;
        }
        let size = bob.eval(&format!("{LAST}.querySelector('img').getAttribute('width')")).await.unwrap();
        assert_eq!(size, "480");
        assert_eq!(bob.eval(&format!("{LAST}.querySelector('.file').innerText")).await.unwrap(), "plan.txt");
        assert_eq!(ann.eval("document.querySelectorAll('#chosen li').length").await.unwrap(), 0);

        ann.fill("content", "Look, @b").await;
        ann.until("document.querySelector('#names [aria-selected=true]')?.innerText === 'Bob'").await;
        assert_eq!(ann.eval("document.getElementById('content').getAttribute('aria-activedescendant')").await.unwrap(), "name-0");
        ann.wait("#content").await.send_keys("\u{e007}").await.unwrap();
        ann.until("document.getElementById('content').value === 'Look, @Bob '").await;
        ann.wait("#content").await.send_keys("here\u{e007}").await.unwrap();
        bob.until(&format!("{LAST}.querySelector('.mention')?.innerText === '@Bob'")).await;
        close((ann, bob)).await;
    }
}

both! {
    async fn what_is_new_is_marked_and_whoever_has_seen_it_is_named(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let (ann, bob) = two(&browsers, &site).await;
        ann.say("seen at once").await;
        ann.until(SEEN).await;

        bob.go("/chat").await;
        bob.until_connected().await;
        ann.say("while Bob looks elsewhere").await;
        ann.until("document.getElementById('seen').hidden").await;
        bob.until("document.querySelector('#rooms .count').innerText === '1'").await;
        bob.until("document.title.startsWith('(1) ')").await;
        bob.go("/chat/rooms/1").await;
        let below = "document.getElementById('new').nextElementSibling.querySelector('.text').innerText";
        assert_eq!(bob.eval(below).await.unwrap(), "while Bob looks elsewhere");
        bob.until_connected().await;
        ann.until(SEEN).await;

        bob.go("/chat").await;
        bob.until_connected().await;
        ann.say("@Bob come back").await;
        bob.until("document.querySelector('#notices .count').innerText === '1'").await;
        close((ann, bob)).await;
    }
}

both! {
    async fn what_is_written_is_kept_shown_beforehand_and_folded_when_it_is_long(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let (ann, bob) = two(&browsers, &site).await;
        ann.fill("content", "half a *thought*").await;
        assert_eq!(ann.eval("document.getElementById('preview').hidden").await.unwrap(), true);
        ann.click("#previewing").await;
        ann.until("document.querySelector('#preview em')?.innerText === 'thought'").await;
        ann.go("/chat").await;
        ann.go("/chat/rooms/1").await;
        ann.until_connected().await;
        ann.until("document.getElementById('content').value === 'half a *thought*'").await;
        ann.say("/me waves").await;
        bob.until(&format!("{LAST}?.querySelector('.act')?.innerText === 'waves'")).await;
        ann.go("/chat/rooms/1").await;
        assert_eq!(ann.eval("document.getElementById('content').value").await.unwrap(), "");
        ann.until_connected().await;

        ann.say(&"word ".repeat(600)).await;
        bob.until(&format!("{LAST}.matches('.long')")).await;
        let height = format!("{LAST}.querySelector('.text').offsetHeight");
        assert_eq!(bob.eval(&height).await.unwrap(), 240);
        bob.click(".long .unfold input").await;
        bob.until(&format!("{height} > 240")).await;
        close((ann, bob)).await;
    }
}

both! {
    async fn much_that_is_new_can_be_read_from_its_beginning_or_marked_as_read(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, mut bob) = (Visitor::registered(&site, "Ann").await, Visitor::registered(&site, "Bob").await);
        let room = ann.public_room("General").await;
        bob.post(&format!("/rooms/{room}/join"), &[]).await.leads_to();
        for n in 1..=60 {
            ann.say(room, &format!("number {n}")).await;
        }
        let path = format!("/chat/rooms/{room}");
        let newest = bob.get(&path).await;
        assert!(newest.text.contains("60 new messages"), "{}", newest.text);
        assert!(newest.text.contains(&format!("href=\"{path}?at=1&amp;seen=0#new\"")), "{}", newest.text);
        let first = bob.get(&format!("{path}?at=1&seen=0")).await;
        assert!(first.text.find("id=\"new\"").unwrap() < first.text.find("number 1<").unwrap());
        assert!(first.text.contains("Newer messages"));
        assert!(bob.get(&path).await.text.contains("60 new messages"), "looking at the beginning is not having read it all");
        assert_eq!(bob.post(&format!("{path}/read"), &[("seq", "60")]).await.leads_to(), format!("{path}#end"));
        assert!(!bob.get(&path).await.text.contains("new messages."));
        let mut eve = Visitor::registered(&site, "Eve").await;
        assert_eq!(eve.post(&format!("{path}/read"), &[("seq", "60")]).await.status, 403);
    }
}
