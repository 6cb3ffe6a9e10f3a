//! `/search`: finding what was said, without JavaScript, and jumping to it.

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};
use crate::support::browser::Browsers;

both! {
    async fn words_are_found_and_lead_to_their_message(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let hall = ann.public_room("Hall & Co").await;
        let direct = ann.post("/rooms/new", &[("member_ids", "2")]).await.room();
        ann.say(hall, "The <b>release</b> notes").await;
        bob.say(direct, "a secret release").await;
        let page = ann.get("/search").await;
        assert!(page.status == 200 && page.text.contains("Say what to look for") && page.text.contains("Hall &#38; Co</option>"));
        assert_eq!(ann.get("/search?q=").await.status, 200);
        let page = ann.get("/search?q=RELEASE").await;
        assert!(page.text.contains("The &lt;b&gt;<mark>release</mark>&lt;/b&gt; notes"), "{}", page.text);
        assert!(page.text.contains(&format!("href=\"/chat/rooms/{hall}?at=1#m1\"")) && page.text.contains("ann in Hall &#38; Co,"));
        assert!(page.text.contains("bob in bob,"), "a direct room is called by the other's name");
        let newest = page.text.find("a secret").unwrap();
        assert!(newest < page.text.find("The &lt;b&gt;").unwrap(), "newest first");
        let page = ann.get(&format!("/search?q=release&room_id={hall}&from=ann")).await;
        assert!(!page.text.contains("secret") && page.text.contains(&format!("<option value=\"{hall}\" selected>")));
        assert!(page.text.contains("name=\"from\" type=\"text\" value=\"ann\""));

        let cat = Visitor::registered(&site, "cat").await;
        assert!(!cat.get("/search?q=release").await.text.contains("secret"));
        assert_eq!(cat.get(&format!("/search?q=release&room_id={direct}")).await.status, 404);
        for room in ["99", "x", "-1"] {
            assert_eq!(cat.get(&format!("/search?q=release&room_id={room}")).await.status, 404, "{room}");
        }
        let looks_in = cat.get(&format!("/search?q=release&room_id={hall}")).await;
        assert!(looks_in.text.contains(&format!("<option value=\"{hall}\" selected>")), "a room that one isn't in");
        assert!(cat.get("/search?q=nonsense").await.text.contains("Nothing was found"));
        assert_eq!(Visitor::new(&site).get("/search?q=a%26b").await.leads_to(), "/login?next=%2Fsearch%3Fq%3Da%2526b");
    }
}

both! {
    async fn days_narrow_a_search_and_bad_ones_are_told_beside_their_field(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hall = ann.public_room("Hall").await;
        ann.say(hall, "release today").await;
        let today = site.app.clock.now().day();
        let found = ann.get(&format!("/search?q=release&since={today}&until={today}")).await;
        assert!(found.text.contains("<mark>release</mark>") && found.text.contains(&format!("name=\"since\" type=\"date\" value=\"{today}\"")));
        assert!(ann.get("/search?q=release&until=2020-01-01").await.text.contains("Nothing was found"));
        for (query, field) in [("since=31.1.2026", "since"), ("until=2026-02-30", "until"), ("since=2026-02-01&until=2026-01-01", "until")] {
            let page = ann.get(&format!("/search?q=release&{query}")).await;
            assert_eq!(page.status, 422, "{query}");
            assert!(page.text.contains(&format!("id=\"{field}-error\"")) && page.text.contains("value=\"release\""), "{query}");
        }
    }
}

both! {
    async fn results_go_on_twenty_at_a_time(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hall = ann.public_room("Hall").await;
        for n in 0..25 {
            ann.say(hall, &format!("word {n}")).await;
        }
        let page = ann.get(&format!("/search?q=word&room_id={hall}")).await;
        assert_eq!(page.text.matches("<mark>word</mark>").count(), 20);
        let older = page.text.split("<a href=\"/search?").nth(1).unwrap().split('"').next().unwrap();
        let older = ann.get(&format!("/search?{}", older.replace("&#38;", "&"))).await;
        assert_eq!(older.text.matches("<mark>word</mark>").count(), 5);
        assert!(older.text.contains("<mark>word</mark> 0<") && !older.text.contains("Older results"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_searches_in_a_browser_and_jumps_to_the_message() {
    let Some(browsers) = Browsers::start().await else { return };
    let site = Site::new(Engine::Sqlite).await;
    let window = browsers.window(&site.url(""), 390, false).await;
    window.register("ann").await;
    let mut ann = Visitor::logged_in(&site, "ann").await;
    let hall = ann.public_room("Hall").await;
    ann.say(hall, "the needle").await;
    ann.say(hall, "the hay").await;
    window.go("/search").await;
    window.fill("q", "needl").await;
    window.click("button.primary").await;
    window.wait("mark").await;
    window.click(".entries a").await;
    window.until(&format!("location.pathname + location.search + location.hash == '/chat/rooms/{hall}?at=1#m1'")).await;
    window.until("document.querySelector('#m1 .text').innerText.trim() == 'the needle'").await;
}
