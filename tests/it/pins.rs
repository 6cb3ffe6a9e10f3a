//! Pins: who may, what a room's people are told, and what a pin goes with.

use serde_json::{Value, json};

use crate::support::app::both;
use crate::support::office::office;
use crate::support::program::{Answer, Program, api, each};
use crate::support::talk::{room, said};

async fn pin(who: &Program, id: i64) -> Answer {
    who.send("PUT", &format!("/chat/messages/{id}/pin"), None, "").await
}

async fn unpin(who: &Program, id: i64) -> Answer {
    who.send("DELETE", &format!("/chat/messages/{id}/pin"), None, "").await
}

async fn pinned(who: &Program, room: i64) -> Vec<Value> {
    let list = who.get(&format!("/chat/rooms/{room}/pins")).await.is(200).json();
    assert_eq!(list["next"], json!(null));
    each(&list, "id")
}

both! {
    async fn an_owner_pins_and_everyone_in_the_room_is_told(engine: Engine) {
        let (site, time) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let hall = room(&site, "public", &[1, 2]).await;
        for text in ["one", "two", "three"] {
            said(&ann, hall, text).await;
        }
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        pin(&ann, 1).await.is(204);
        assert_eq!(socket.expect("pins").await, json!({"type": "pins", "room_id": hall}));
        time.pass(1);
        pin(&ann, 3).await.is(204);
        assert_eq!(pinned(&cat, hall).await, [3, 1], "the newest pin first, for who looks in too");
        socket.expect("pins").await;
        pin(&ann, 1).await.is(204);
        assert!(!socket.settled().await.iter().any(|frame| frame["type"] == "pins"), "a second time changes nothing");
        assert_eq!(pinned(&ann, hall).await, [3, 1]);
        unpin(&ann, 3).await.is(204);
        socket.expect("pins").await;
        unpin(&ann, 3).await.is(204);
        assert!(!socket.settled().await.iter().any(|frame| frame["type"] == "pins"));
        assert_eq!(pinned(&bob, hall).await, [1]);
        let page = ann.get(&format!("/chat/rooms/{hall}/pins")).await.json();
        assert_eq!((&page["items"][0]["content"], &page["items"][0]["rev"]), (&json!("one"), &json!(1)), "a whole message, and no new revision");
    }
}

both! {
    async fn only_owners_staff_within_and_both_of_a_pair_may(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let mira = Program::of_role(&site, "mira", "moderator").await;
        let (hall, den, pair) = (room(&site, "public", &[1, 2]).await, room(&site, "group", &[1, 2]).await, room(&site, "direct", &[1, 2]).await);
        for place in [hall, den, pair] {
            said(&ann, place, "words").await;
        }
        for (who, id, status) in [(&bob, 1, 403), (&cat, 1, 403), (&mira, 1, 403), (&bob, 2, 403), (&cat, 2, 404), (&mira, 2, 404), (&cat, 3, 404), (&ann, 99, 404)] {
            pin(who, id).await.refuses(status, None);
            unpin(who, id).await.refuses(status, None);
        }
        cat.get(&format!("/chat/rooms/{den}/pins")).await.refuses(404, None);
        Program::new(&site).get(&format!("/chat/rooms/{hall}/pins")).await.refuses(401, None);
        pin(&bob, 3).await.is(204);
        unpin(&ann, 3).await.is(204);
        mira.post(&format!("/chat/rooms/{hall}/members"), json!({})).await.is(201);
        pin(&mira, 1).await.is(204);
        assert_eq!(pinned(&cat, hall).await, [1]);
    }
}

both! {
    async fn a_pin_goes_with_its_message_and_a_room_has_fifty(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let hall = room(&site, "public", &[1, 2]).await;
        said(&ann, hall, "one").await;
        pin(&ann, 1).await.is(204);
        let mut socket = bob.socket(&format!("/ws/chat/{hall}")).await;
        ann.delete("/chat/messages/1", json!({})).await.is(204);
        socket.expect("message_deleted").await;
        socket.expect("pins").await;
        assert!(pinned(&ann, hall).await.is_empty());
        pin(&ann, 1).await.refuses(409, None);
        site.sql(&format!(
            "insert into messages (id, room_id, seq, rev, sender_id, content, html, created_at)
             with recursive n (i) as (select cast(2 as bigint) union all select i + 1 from n where i < 52)
             select i, {hall}, i, i + 100, 1, 'x', '<p>x</p>', i from n"
        )).await;
        site.sql(&format!("insert into pins (message_id, room_id, pinned_by, created_at) select id, {hall}, 1, id from messages where id between 2 and 51")).await;
        let problem = pin(&ann, 52).await.refuses(409, None);
        assert_eq!(problem["detail"], "A room has at most 50 pinned messages. Unpin one first.");
        pin(&ann, 51).await.is(204);
        unpin(&ann, 2).await.is(204);
        pin(&ann, 52).await.is(204);
        assert_eq!(pinned(&ann, hall).await.len(), 50);
    }
}

both! {
    async fn staff_take_a_pin_down_and_the_room_is_told(engine: Engine) {
        let (site, mut ann) = office(engine).await;
        let hall = ann.public_room("Hall").await;
        ann.say(hall, "one").await;
        assert!(ann.post("/chat/messages/1/pin", &[]).await.leads_to().ends_with("#m1"));
        let mut socket = ann.follows(hall).await;
        ann.post("/admin/pins/1/delete", &[("confirm", "1")]).await.leads_to();
        socket.expect("pins").await;
        assert_eq!(site.number("select count(*) from pins").await, 0);
    }
}
