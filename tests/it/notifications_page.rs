//! `/notifications`: what one was told of, in words, and marking it as read; and who is told when staff decide.

use serde_json::json;

use crate::support::actors::{Page, Visitor};
use crate::support::app::{Engine, Site, both};
use crate::support::browser::Browsers;

async fn three(site: &Site) -> [Visitor; 3] {
    let mut people = Vec::new();
    for name in ["ann", "bob", "cat"] {
        people.push(Visitor::registered(site, name).await);
    }
    people.try_into().ok().unwrap()
}

/// The words of each, from top to bottom, without the mark of what is new.
fn told(page: &Page) -> Vec<String> {
    let items = page.text.split("class=\"what\">").skip(1).map(|item| item.split("</p>").next().unwrap());
    items
        .map(|item| {
            item.split("<span").next().unwrap().replace("</a>", "").split('>').next_back().unwrap().trim().to_owned()
        })
        .collect()
}

both! {
    async fn each_is_told_in_words_and_leads_to_its_place(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, cat] = three(&site).await;
        let hall = ann.public_room("Hall").await;
        let den = ann.group_with("Den", 2).await;
        bob.post(&format!("/rooms/{hall}/join"), &[]).await.leads_to();
        ann.say(hall, &format!("**Look** <i>, @bob {}", "x".repeat(200))).await;
        ann.say(den, "a secret").await;
        ann.post("/people/interests", &[("recipient", "bob")]).await.leads_to();
        site.sql(&format!(
            "insert into notifications (user_id, kind, message_id, room_id, actor_id, created_at)
             values (2, 'mention', 1, {hall}, 1, 5), (2, 'reply', 2, {den}, 1, 5), (2, 'reply', 2, {den}, null, 5)"
        )).await;
        let page = bob.get("/notifications").await;
        assert_eq!(told(&page), ["Somebody whose account is gone answered you in Den", "ann answered you in Den",
            "ann mentioned you in Hall", "ann asks to talk to you", "ann mentioned you in Hall", "ann added you to Den"]);
        assert!(page.text.contains(&format!("href=\"/chat/rooms/{hall}?at=1#m1\"")) && page.text.contains("href=\"/people\""));
        let beginning = format!("Look &#60;i&#62;, @bob {}…", "x".repeat(120 - "Look <i>, @bob ".len()));
        assert!(page.text.contains(&beginning), "{}", page.text);
        assert!(page.text.contains("a secret") && page.text.contains("(6) Notifications") && page.text.contains("data-id=\""));

        bob.post(&format!("/rooms/{den}/leave"), &[]).await.leads_to();
        let page = bob.get("/notifications").await;
        assert!(!page.text.contains("a secret") && !page.text.contains("Den"), "{}", page.text);
        assert!(told(&page).contains(&"ann answered you in a room that you can&#39;t see any more".to_owned()), "{:?}", told(&page));
        bob.post("/people/interests/1/reject", &[]).await.leads_to();
        assert_eq!(told(&ann.get("/notifications").await), ["bob doesn&#39;t want to talk now"]);
        assert!(told(&bob.get("/notifications").await).contains(&"ann asked to talk to you".to_owned()));
        assert!(told(&cat.get("/notifications").await).is_empty());
        assert!(cat.get("/notifications").await.text.contains("Nothing yet"));
        assert_eq!(Visitor::new(&site).get("/notifications").await.leads_to(), "/login?next=%2Fnotifications");
    }
}

both! {
    async fn they_are_read_when_that_is_pressed_and_only_ones_own(engine: Engine) {
        let site = Site::new(engine).await;
        let [_, mut bob, mut cat] = three(&site).await;
        for user in [2, 2, 2, 3] {
            site.sql(&format!("insert into notifications (user_id, kind, actor_id, created_at) values ({user}, 'interest', 1, 5)")).await;
        }
        let unread = async |user: i64| site.number(&format!("select count(*) from notifications where user_id = {user} and read_at is null")).await;
        bob.get("/notifications").await;
        assert_eq!(unread(2).await, 3, "looking changes nothing");
        assert_eq!(bob.post("/notifications/read", &[("ids", "1"), ("ids", "4"), ("before", "9")]).await.leads_to(), "/notifications?before=9");
        assert_eq!((unread(2).await, unread(3).await), (2, 1), "another's is passed over");
        let page = bob.get("/notifications").await;
        assert_eq!(page.text.matches("class=\"unread\"").count(), 2);
        assert_eq!(bob.post("/notifications/read", &[]).await.leads_to(), "/notifications");
        assert_eq!((unread(2).await, unread(3).await), (0, 1));
        assert!(!bob.get("/notifications").await.text.contains("Mark"));
        assert_eq!(cat.post("/notifications/read", &[("ids", "x")]).await.status, 400);
        assert_eq!(Visitor::new(&site).post("/notifications/read", &[]).await.status, 303);
        assert_eq!(unread(3).await, 1);
    }
}

both! {
    async fn they_go_on_thirty_at_a_time_and_are_counted_up_to_a_hundred(engine: Engine) {
        let site = Site::new(engine).await;
        let [ann, ..] = three(&site).await;
        site.sql(
            "insert into notifications (user_id, kind, actor_id, created_at)
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 120) select 1, 'interest', 2, 5 from n",
        ).await;
        let (mut path, mut seen) = (Some("/notifications".to_owned()), 0);
        while let Some(next) = path {
            let page = ann.get(&next).await;
            seen += told(&page).len();
            assert!(told(&page).len() <= 30 && page.text.contains("100 or more unread"));
            path = page.text.split("<a href=\"/notifications?before=").nth(1).map(|rest| format!("/notifications?before={}", rest.split('"').next().unwrap()));
        }
        assert_eq!(seen, 120);
    }
}

both! {
    async fn what_staff_decide_is_told_to_the_two_as_if_they_had(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob, mut cat] = three(&site).await;
        let mut root = Visitor::admin(&site, "root").await;
        bob.post("/people/interests", &[("recipient", "cat")]).await.leads_to();
        let (mut bobs, mut cats, mut anns) = (bob.socket("/ws").await, cat.socket("/ws").await, ann.socket("/ws").await);
        for socket in [&mut bobs, &mut cats, &mut anns] {
            socket.expect("connected").await;
        }
        let decide = async |root: &mut Visitor, id: i64, status: &str| {
            let path = format!("/admin/interests/{id}/");
            let page = root.get(&path).await;
            let version = page.text.split("name=\"version\" value=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            let version = version.unwrap_or_default();
            root.post(&path, &[("status", status), ("version", &version)]).await.leads_to();
        };
        decide(&mut root, 1, "accepted").await;
        for (socket, actor) in [(&mut bobs, 3), (&mut cats, 2)] {
            let note = socket.expect("notification").await;
            assert_eq!((&note["kind"], &note["actor_id"], note["room_id"].is_i64()), (&json!("interest"), &json!(actor), true));
            assert_eq!(socket.expect("interest").await["status"], "accepted");
        }
        assert_eq!(told(&bob.get("/notifications").await), ["cat and you can talk to each other now"]);
        assert_eq!(told(&cat.get("/notifications").await)[0], "bob and you can talk to each other now");
        assert!(anns.settled().await.iter().all(|frame| frame["type"] != "interest" && frame["type"] != "notification"));

        ann.post("/people/interests", &[("recipient", "bob")]).await.leads_to();
        decide(&mut root, 2, "rejected").await;
        assert_eq!(told(&ann.get("/notifications").await), ["bob doesn&#39;t want to talk now"]);
        assert_eq!(told(&bob.get("/notifications").await)[0], "The site&#39;s staff answered ann, who asked to talk to you");
        cat.post("/people/interests", &[("recipient", "ann")]).await.leads_to();
        assert_eq!(told(&ann.get("/notifications").await)[0], "cat asks to talk to you");
        decide(&mut root, 3, "cancelled").await;
        assert_eq!(told(&ann.get("/notifications").await), ["bob doesn&#39;t want to talk now"], "taken back, it is no news");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_reads_their_notifications_in_a_browser() {
    let Some(browsers) = Browsers::start().await else { return };
    let site = Site::new(Engine::Sqlite).await;
    let window = browsers.window(&site.url(""), 390, true).await;
    window.register("ann").await;
    let mut bob = Visitor::registered(&site, "bob").await;
    bob.post("/people/interests", &[("recipient", "ann"), ("note", "Tea?")]).await.leads_to();
    window.go("/notifications").await;
    window.until("document.querySelector('li[data-id] .what').innerText.startsWith('bob asks to talk to you')").await;
    window.click("li[data-id] a").await;
    window.until("document.querySelector('blockquote').innerText == 'Tea?'").await;
    window.go("/notifications").await;
    window.click("button.small").await;
    window.until("!document.querySelector('.unread') && !!document.querySelector('li[data-id]')").await;
}
