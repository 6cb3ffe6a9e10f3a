//! What messages said before they were edited or deleted: staff read it in the backoffice, and nobody anywhere else.

use serde_json::json;
use switchboard::ids::MessageId;
use switchboard::messages::change;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Site, both};
use crate::support::office::office;
use crate::support::program::{Program, api, each};
use crate::support::talk::{room, said};

async fn kept(site: &Site) -> Vec<String> {
    let mut conn = site.app.db.read().await.unwrap();
    switchboard::on_db!(conn, c => sqlx::query_scalar("select content from message_edits order by id").fetch_all(c).await)
        .unwrap()
}

both! {
    async fn an_edit_and_a_deletion_keep_what_they_replace_for_staff_alone(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let mira = Program::of_role(&site, "mira", "moderator").await;
        let hall = room(&site, "public", &[1, 2]).await;
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        said(&ann, hall, "the first wording").await;
        ann.patch("/chat/messages/1", json!({"content": "the second wording"})).await.is(200);
        ann.patch("/chat/messages/1", json!({"content": "the second wording"})).await.is(200);
        assert_eq!(kept(&site).await, ["the first wording"], "an edit that changes nothing replaces nothing");
        mira.delete("/chat/messages/1", json!({})).await.is(204);
        assert_eq!(kept(&site).await, ["the first wording", "the second wording"]);
        let texts = mira.get("/admin/message-edits?sort=created_at").await.is(200).json();
        assert_eq!(each(&texts, "content"), ["the first wording", "the second wording"]);
        assert_eq!(each(&texts, "user_id"), [json!(1), json!(3)], "with who replaced them");
        let frames = socket.settled().await;
        assert!(!frames.iter().any(|frame| frame["type"] == "message_deleted" && frame.to_string().contains("wording")));
        let web = Visitor::logged_in(&site, "bob").await;
        for page in [format!("/chat/rooms/{hall}"), "/chat/messages/1".into(), "/admin/message-edits/".into()] {
            assert!(!web.get(&page).await.text.contains("wording"), "{page}");
        }
        bob.get("/admin/message-edits").await.refuses(403, None);
        for answer in [bob.get(&format!("/chat/rooms/{hall}/messages")).await, bob.get("/chat/search?q=wording").await] {
            assert!(!answer.text.contains("wording"), "{}", answer.text);
        }
        mira.post("/admin/message-edits", json!({"content": "never said"})).await.refuses(403, None);
        mira.patch("/admin/message-edits/1", json!({"content": "never said"})).await.refuses(403, None);
        mira.delete("/admin/message-edits/1", json!({})).await.refuses(403, None);
    }
}

both! {
    async fn the_backoffice_shows_them_with_the_message_and_keeps_what_staff_replace(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let hall = ann.public_room("Hall").await;
        ann.say(hall, "the first wording").await;
        let mut work = site.admin().await;
        change::edit(&mut work, MessageId(1), "the second wording").await.unwrap();
        work.commit().await.unwrap();
        let page = ann.get("/admin/messages/1/").await;
        assert!(page.text.contains("the first wording") && page.text.contains("/admin/message-edits/1/"), "{}", page.text);
        ann.post("/admin/messages/1/delete", &[("confirm", "1")]).await.leads_to();
        let mut work = site.admin().await;
        change::restore(&mut work, MessageId(1), "the second wording").await.unwrap();
        work.commit().await.unwrap();
        assert_eq!(kept(&site).await, ["the first wording", "the second wording"], "nothing was replaced by putting it back");
        assert_eq!(ann.post("/admin/message-edits/1/delete", &[("confirm", "1")]).await.status, 403);
    }
}

both! {
    async fn what_is_erased_leaves_no_earlier_text(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        Visitor::admin(&site, "root").await;
        let plans = ann.group_with("Plans", 2).await;
        for text in ["one", "two", "three"] {
            ann.say(plans, text).await;
        }
        bob.say(plans, "four").await;
        for id in [1, 2, 4] {
            let mut work = site.admin().await;
            change::edit(&mut work, MessageId(id), "other words").await.unwrap();
            work.commit().await.unwrap();
        }
        let mut work = site.admin().await;
        change::delete(&mut work, MessageId(2)).await.unwrap();
        work.commit().await.unwrap();
        assert_eq!(kept(&site).await, ["one", "two", "four", "other words"]);
        let mut work = site.admin().await;
        change::erase(&mut work, MessageId(1)).await.unwrap();
        work.commit().await.unwrap();
        assert_eq!(kept(&site).await, ["two", "four", "other words"]);
        ann.post("/settings/delete", &[("password", PASSWORD), ("messages", "erase")]).await.leads_to();
        while site.number("select count(*) from users").await > 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(kept(&site).await, ["four"], "who leaves takes along what they said, and nobody else's words");
    }
}
