//! What helps people write: the page that says how, a preview, and names to complete.

use crate::support::actors::Visitor;
use crate::support::app::{Site, both};

async fn names(who: &Visitor, room: i64, q: &str) -> Vec<String> {
    let page = who.get(&format!("/chat/rooms/{room}/names?q={q}")).await;
    assert_eq!(
        (page.status.as_u16(), page.headers["content-type"].to_str().unwrap()),
        (200, "application/json"),
        "{}",
        page.text
    );
    serde_json::from_str(&page.text).unwrap()
}

both! {
    async fn names_of_members_are_offered_to_who_sees_the_room(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "Ann").await;
        let [annika, cat] = [Visitor::registered(&site, "annika").await, Visitor::registered(&site, "cat").await];
        let den = ann.group_with("Den", 2).await;
        assert_eq!(names(&ann, den, "an").await, ["Ann", "annika"], "by name, in any case");
        assert_eq!(names(&annika, den, "@ANNI").await, ["annika"]);
        assert_eq!(names(&ann, den, "cat").await, [""; 0], "who isn't in the room can't be called");
        assert_eq!(names(&ann, den, "he").await, ["here"]);
        assert_eq!(names(&ann, den, "").await, ["Ann", "annika", "here"]);
        for q in ["%25", "_nn", "%00", "%27", "heretic", "\u{1f98a}"] {
            assert_eq!(names(&ann, den, q).await, [""; 0], "{q}");
        }
        assert_eq!(cat.get(&format!("/chat/rooms/{den}/names?q=a")).await.status, 404);
        assert!(Visitor::new(&site).get(&format!("/chat/rooms/{den}/names?q=a")).await.leads_to().starts_with("/login"));
        let hall = ann.public_room("Hall").await;
        assert_eq!(names(&cat, hall, "a").await, ["Ann"], "whoever looks in may ask, too");
        site.sql("update users set is_active = false where username = 'annika'").await;
        assert_eq!(names(&ann, den, "an").await, ["Ann"]);
    }
}

both! {
    async fn at_most_eight_are_offered_in_rooms_of_any_size(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hall = ann.public_room("Hall").await;
        site.people(40).await;
        site.sql(&format!("insert into memberships (room_id, user_id, role, joined_at) select {hall}, id, 'member', 1 from users where id > 1 and is_active")).await;
        site.sql("update rooms set member_count = 30").await;
        let small = names(&ann, hall, "p").await;
        assert_eq!(small.len(), 8);
        site.sql("update rooms set member_count = 30000").await;
        assert_eq!(names(&ann, hall, "p").await, small);
        let all = names(&ann, hall, "").await;
        assert_eq!((all.len(), all.last().unwrap().as_str()), (8, "here"));
    }
}

both! {
    async fn a_preview_shows_what_would_be_posted_and_stores_nothing(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let page = ann.post("/chat/preview", &[("content", " **bold** <b> @ann ")]).await;
        assert_eq!(page.text, "<p><strong>bold</strong> &lt;b&gt; <span class=\"mention\">@ann</span></p>");
        assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
        assert_eq!(ann.post("/chat/preview", &[("content", "/me waves")]).await.text, "<p class=\"act\">waves</p>");
        assert_eq!((ann.post("/chat/preview", &[]).await.text.as_str(), site.number("select count(*) from messages").await), ("", 0));
        let long = ann.post("/chat/preview", &[("content", &"x".repeat(4001))]).await;
        assert_eq!(long.status, 422);
        assert_eq!(long.text, "A message has at most 4000 characters; this one has 4001.");
        assert_eq!(ann.post("/chat/preview", &[("content", &format!(" {} ", "x".repeat(4000)))]).await.status, 200);
        assert_eq!(Visitor::new(&site).post("/chat/preview", &[("content", "x")]).await.leads_to(), "/login?next=%2Fchat");
        let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        assert_eq!(ann.post_with("/chat/preview", &[("content", "x")], &foreign).await.status, 403);
    }
}

both! {
    async fn anyone_can_read_how_to_write(engine: Engine) {
        let site = Site::new(engine).await;
        let page = Visitor::new(&site).get("/help").await;
        assert_eq!(page.status, 200);
        for shown in ["<strong>bold</strong>", "<p class=\"act\">waves</p>", "<span class=\"mention here\">@here</span>", "<span class=\"host\">(example.org)</span>"] {
            assert!(page.text.contains(shown), "{shown}");
        }
        assert_eq!(Visitor::registered(&site, "ann").await.get("/help").await.status, 200);
    }
}
