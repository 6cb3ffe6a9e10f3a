//! The chat page in Chromium, with two people at once: the main job of the whole program, as they see it.

use crate::support::actors::Visitor;
use crate::support::app::{Options, Site, both};
use crate::support::browser::Browsers;

both! {
    async fn two_people_talk_lose_the_server_and_find_everything_once(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let base = site.url("");
        let (ann, bob) = (browsers.window(&base, 1280, false).await, browsers.window(&base, 390, false).await);
        ann.register("Ann").await;
        bob.register("Bob").await;
        ann.click(".brand .button").await;
        ann.fill("name", "General").await;
        ann.click("form[action='/rooms/new'] button.primary:not([form])").await;
        ann.until_connected().await;
        bob.go("/chat").await;
        bob.click(".rooms a[href='/chat/rooms/1']").await;
        bob.click(".join button").await;
        bob.until_connected().await;
        ann.until("document.getElementById('here').innerText.includes('Bob')").await;

        ann.say("Hello **Bob**").await;
        bob.until_said(1).await;
        bob.say("<b>Hello</b> Ann").await;
        ann.until_said(2).await;
        assert_eq!(ann.said().await, ["Hello Bob", "<b>Hello</b> Ann"]);
        assert_eq!(bob.said().await, ["Hello Bob", "<b>Hello</b> Ann"]);
        bob.fill("content", "I am").await;
        ann.until("document.getElementById('typing').innerText === 'Bob is typing…'").await;

        let port = site.address.port();
        let database = site.stop().await;
        bob.until("document.getElementById('state').dataset.state === 'lost'").await;
        bob.say("said while away").await;
        ann.until("document.getElementById('state').dataset.state === 'lost'").await;
        ann.say("me too").await;
        let site = Site::over(database, port, Options::default()).await;
        for person in [&ann, &bob] {
            person.until_connected().await;
            person.until_said(4).await;
        }
        ann.say("and on").await;
        bob.until_said(5).await;
        ann.until_said(5).await;
        let all = ann.said().await;
        assert_eq!(all, bob.said().await);
        assert_eq!((all[0].as_str(), all[1].as_str(), all[4].as_str()), ("Hello Bob", "<b>Hello</b> Ann", "and on"));
        let mut away = [all[2].as_str(), all[3].as_str()];
        away.sort_unstable();
        assert_eq!(away, ["me too", "said while away"], "nothing lost, nothing doubled");
        assert_eq!(ann.eval("document.querySelectorAll('.sending').length").await.unwrap(), 0);
        assert_eq!(site.number("select count(*) from messages").await, 5);
        ann.close().await;
        bob.close().await;
    }
}

both! {
    async fn older_messages_come_on_scrolling_up_and_the_place_is_kept(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let window = browsers.window(&site.url(""), 1280, false).await;
        window.register("Ann").await;
        let mut ann = Visitor::logged_in(&site, "ann").await;
        let room = ann.public_room("General").await;
        for n in 1..=120 {
            ann.say(room, &format!("number {n}")).await;
        }
        window.go(&format!("/chat/rooms/{room}")).await;
        window.until_connected().await;
        for count in [100, 120] {
            window.client.execute("document.getElementById('stream').scrollTop = 0", vec![]).await.unwrap();
            window.until_said(count).await;
        }
        let expected: Vec<_> = (1..=120).map(|n| format!("number {n}")).collect();
        assert_eq!(window.said().await, expected);
        assert_eq!(window.eval("document.querySelectorAll('.day').length").await.unwrap(), 1);
        assert_eq!(window.eval("document.getElementById('older')").await.unwrap(), serde_json::Value::Null);
        window.close().await;
    }
}

both! {
    async fn unread_counts_and_new_rooms_show_in_the_list_without_a_reload(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let window = browsers.window(&site.url(""), 1280, false).await;
        window.register("Bob").await;
        window.go("/chat").await;
        window.until_connected().await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.group_with("Plans", 1).await;
        window.wait(&format!("#rooms a[data-room='{room}']")).await;
        ann.say(room, "one").await;
        window.until("document.querySelector('#rooms .badge .count').textContent === '1'").await;
        window.until("document.title.startsWith('(1) ')").await;
        window.click("#rooms a").await;
        window.until_said(1).await;
        window.until_connected().await;
        ann.post(&format!("/rooms/{room}/delete"), &[]).await;
        window.until("document.getElementById('state').textContent.includes('was deleted')").await;
        window.close().await;
    }
}

both! {
    async fn a_message_that_is_refused_comes_back_into_the_composer_with_the_reason(engine: Engine) {
        let Some(browsers) = Browsers::start().await else { return };
        let site = Site::new(engine).await;
        let window = browsers.window(&site.url(""), 1280, false).await;
        window.register("Ann").await;
        let mut ann = Visitor::logged_in(&site, "ann").await;
        let room = ann.public_room("General").await;
        window.go(&format!("/chat/rooms/{room}")).await;
        window.until_connected().await;
        let long = "document.getElementById('content').value = 'x'.repeat(4001), document.getElementById('composer').requestSubmit()";
        window.client.execute(long, vec![]).await.unwrap();
        window.until("document.getElementById('content-error').innerText.includes('4000')").await;
        assert_eq!(window.eval("document.getElementById('content').value.length").await.unwrap(), 4001);
        window.say("shorter").await;
        window.until_said(1).await;
        window.close().await;
    }
}
