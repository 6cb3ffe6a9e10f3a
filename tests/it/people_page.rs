//! `/people`: the directory, and what one does there without JavaScript; and two people in browsers who come to talk.

use crate::support::actors::{Page, Visitor};
use crate::support::app::{Engine, Site, both};
use crate::support::browser::Browsers;

const ANN: &str = "1";
const BOB: &str = "2";

async fn three(site: &Site) -> [Visitor; 3] {
    let mut people = Vec::new();
    for name in ["ann", "bob", "cat"] {
        people.push(Visitor::registered(site, name).await);
    }
    people.try_into().ok().unwrap()
}

/// The line of the directory with this name.
#[track_caller]
fn line<'a>(page: &'a Page, name: &str) -> &'a str {
    let directory = page.text.split("id=\"everybody\"").nth(1).expect("a directory");
    let found = directory.split("<li>").find(|line| line.contains(&format!("<b>{name}</b>")));
    found.unwrap_or_else(|| panic!("no {name} in {}", page.text)).split("</li>").next().unwrap()
}

async fn only_after_interest(site: &Site) {
    site.sql("update settings set value = 'after_interest' where key = 'direct_chat'").await;
    site.app.refresh_settings().await.unwrap();
}

both! {
    async fn the_directory_shows_who_there_is_who_is_here_and_what_they_say_of_themselves(engine: Engine) {
        let site = Site::new(engine).await;
        let [ann, mut bob, _cat] = three(&site).await;
        bob.post("/settings", &[("first_name", "Robert"), ("bio", "Tea & <b>cake</b>\nand more")]).await.leads_to();
        let _socket = bob.socket("/ws").await;
        let page = ann.get("/people").await;
        assert_eq!(page.status, 200);
        assert!(line(&page, "bob").contains("online") && line(&page, "bob").contains("Robert"));
        assert!(line(&page, "bob").contains("Tea &#38; &#60;b&#62;cake&#60;/b&#62;") && !page.text.contains("and more"));
        assert!(!line(&page, "cat").contains("online"));
        assert!(line(&page, "ann").contains(">you<") && !line(&page, "ann").contains("<form"));
        let found = ann.get("/people?q=ROB").await;
        assert!(found.text.contains("<b>bob</b>") && !found.text.contains("<b>cat</b>"));
        assert!(ann.get("/people?q=%3Cb%3E").await.text.contains("begins with “&#60;b&#62;”"));
        let refused = Visitor::new(&site).get("/people").await;
        assert_eq!(refused.leads_to(), "/login?next=%2Fpeople");
    }
}

both! {
    async fn the_directory_goes_on_by_name_thirty_at_a_time(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        site.people(40).await;
        let page = ann.get("/people").await;
        let shown = |page: &Page| page.text.split("id=\"everybody\"").nth(1).unwrap().matches("<b>").count();
        assert_eq!(shown(&page), 30);
        let next = page.text.split("href=\"/people?q=").nth(1).unwrap().split('"').next().unwrap();
        let next = ann.get(&format!("/people?q={}", next.replace("&amp;", "&"))).await;
        let rest = site.number("select count(*) from users where is_active").await - 30;
        assert_eq!(shown(&next) as i64, rest);
        assert!(!next.text.contains("More people") && !next.text.contains("<b>ann</b>"));
    }
}

both! {
    async fn people_ask_take_back_reject_and_accept_into_their_room(engine: Engine) {
        let site = Site::new(engine).await;
        only_after_interest(&site).await;
        let [mut ann, mut bob, mut cat] = three(&site).await;
        let page = ann.get("/people").await;
        assert!(line(&page, "bob").contains("Ask to talk") && !line(&page, "bob").contains("/talk\""));
        let done = ann.post("/people/interests", &[("recipient_id", BOB), ("note", "About <tea>"), ("q", "bo"), ("after", "")]).await;
        assert_eq!(done.leads_to(), "/people?q=bo");
        let page = ann.get("/people").await;
        assert!(page.text.contains("You asked bob to talk.") && page.text.contains("You ask to talk to them"));
        assert!(line(&page, "bob").contains("/people/interests/1/cancel") && !line(&page, "bob").contains("Ask to talk"));
        let page = bob.get("/people").await;
        assert!(page.text.contains("They ask to talk to you") && page.text.contains("About &#60;tea&#62;"));
        assert!(line(&page, "ann").contains("/people/interests/1/accept"));
        assert!(!cat.get("/people").await.text.contains("About"));

        assert_eq!(cat.post("/people/interests/1/accept", &[]).await.status, 404);
        assert_eq!(ann.post("/people/interests/1/accept", &[]).await.status, 403);
        assert_eq!(bob.post("/people/interests/1/cancel", &[]).await.status, 403);
        assert_eq!(ann.post("/people/interests/1/cancel", &[]).await.leads_to(), "/people");
        ann.post("/people/interests", &[("recipient", "BOB")]).await.leads_to();
        let room = bob.post("/people/interests/2/accept", &[]).await.room();
        assert_eq!(ann.post("/people/2/talk", &[]).await.room(), room);
        let again = bob.post("/people/interests/2/reject", &[]).await;
        assert!(again.status == 409 && again.text.contains("accepted already"), "{}", again.text);

        cat.post("/people/interests", &[("recipient_id", ANN)]).await.leads_to();
        ann.post("/people/interests/3/reject", &[]).await.leads_to();
        assert!(line(&cat.get("/people").await, "ann").contains("You can ask again from"));
        let insists = cat.post("/people/interests", &[("recipient_id", ANN), ("note", "Please")]).await;
        assert!(insists.status == 409 && insists.text.contains("You can ask them again from") && insists.text.contains(">Please</textarea>"));
        let pressed = cat.post("/people/2/talk", &[]).await;
        assert!(pressed.status == 403 && pressed.text.contains("an accepted interest"), "{}", pressed.text);
    }
}

both! {
    async fn what_is_wrong_with_a_request_stands_beside_its_field(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, ..] = three(&site).await;
        let long = "x".repeat(1001);
        let page = ann.post("/people/interests", &[("recipient_id", BOB), ("note", &long)]).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("id=\"note-error\"") && page.text.contains(&format!(">{long}</textarea>")));
        assert!(page.text.contains("name=\"recipient\" type=\"text\" value=\"bob\""), "{}", page.text);
        for (field, value) in [("recipient", "nobody"), ("recipient_id", "99"), ("recipient_id", "x"), ("recipient", "bob@example.org")] {
            let page = ann.post("/people/interests", &[(field, value), ("note", "Kept")]).await;
            assert_eq!(page.status, 422, "{value}");
            assert!(page.text.contains("id=\"recipient-error\"") && page.text.contains(">Kept</textarea>"), "{value}");
        }
        assert_eq!(ann.post("/people/interests", &[]).await.status, 422);
        let page = ann.post("/people/interests", &[("recipient", "ann"), ("note", "Hm")]).await;
        assert!(page.status == 400 && page.text.contains("to yourself"));
        assert_eq!(site.number("select count(*) from interests").await, 0);
    }
}

both! {
    async fn people_block_and_unblock_by_form(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, _] = three(&site).await;
        let room = ann.post("/people/2/talk", &[]).await.room();
        bob.say(room, "hello").await;
        assert_eq!(ann.post("/people/2/block", &[("q", "b&c")]).await.leads_to(), "/people?q=b%26c");
        let page = ann.get("/people").await;
        assert!(line(&page, "bob").contains("/people/2/unblock") && !line(&page, "bob").contains("/people/2/block"));
        assert!(!bob.get("/people").await.text.contains("nblock"), "who is blocked isn't told");
        let refused = bob.post(&format!("/chat/rooms/{room}"), &[("content", "why?")]).await;
        assert!(refused.status == 403 && refused.text.contains("t write to this person."), "{}", refused.text);
        let refused = bob.post("/people/interests", &[("recipient", "ann")]).await;
        assert!(refused.status == 403 && refused.text.contains("This person can&#39;t be asked."));
        assert_eq!(bob.get(&format!("/chat/rooms/{room}")).await.status, 200);
        ann.post("/people/2/unblock", &[]).await.leads_to();
        bob.say(room, "thank you").await;
        assert_eq!(ann.post("/people/1/block", &[]).await.status, 400);
        for path in ["/people/99/block", "/people/99/unblock", "/people/99/talk", "/people/x/talk", "/people/interests/99/accept"] {
            assert_eq!(ann.post(path, &[]).await.status, 404, "{path}");
        }
        assert_eq!(ann.post("/people/1/talk", &[]).await.status, 422);
        assert_eq!(Visitor::new(&site).post("/people/2/block", &[]).await.leads_to(), "/login?next=%2Fchat");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_ask_accept_and_talk_in_their_browsers() {
    let Some(browsers) = Browsers::start().await else { return };
    let site = Site::new(Engine::Sqlite).await;
    only_after_interest(&site).await;
    let (anns, bobs) =
        (browsers.window(&site.url(""), 1280, false).await, browsers.window(&site.url(""), 390, false).await);
    anns.register("ann").await;
    bobs.register("bob").await;
    anns.go("/people?q=bob").await;
    anns.click("details.more summary[aria-label='Ask bob to talk']").await;
    anns.client
        .wait()
        .for_element(fantoccini::Locator::Css("#note-2"))
        .await
        .unwrap()
        .send_keys("Shall we talk?")
        .await
        .unwrap();
    anns.click("details.more[open] button.primary").await;
    anns.wait(".notice").await;
    bobs.go("/people").await;
    bobs.until("document.querySelector('blockquote').innerText == 'Shall we talk?'").await;
    bobs.click("button[aria-label='Accept: talk to ann']").await;
    bobs.until_connected().await;
    anns.go("/people").await;
    anns.click("button[aria-label='Talk to bob']").await;
    anns.until_connected().await;
    bobs.say("Let's").await;
    anns.until("document.querySelector('#log').innerText.includes(\"Let's\")").await;
}
