//! Who is here and who types, as others see it. The timing is tested by the millisecond beside `live/presence.rs`.

use serde_json::json;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};

both! {
    async fn coming_is_told_once_and_a_second_tab_and_a_reload_are_silent(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "Ann").await, Visitor::registered(&site, "Bob").await];
        let room = ann.public_room("General").await;
        let path = format!("/ws/chat/{room}");
        let mut anns = ann.socket(&path).await;
        assert_eq!(anns.expect("users_list").await["users"], json!(["Ann"]));
        let mut first = bob.socket(&path).await;
        let frame = anns.expect("system").await;
        assert_eq!((&frame["event"], &frame["username"], &frame["content"]), (&json!("join"), &json!("Bob"), &json!("Bob joined the room")));
        assert_eq!(anns.expect("users_list").await, json!({"type": "users_list", "room_id": room, "users": ["Ann", "Bob"], "count": 2}));
        let mut second = bob.socket(&path).await;
        assert_eq!(second.expect("users_list").await["count"], 2, "a second tab is told who is here");
        first.expect("connected").await;
        drop((first, second));
        let mut reloaded = bob.socket(&path).await;
        reloaded.expect("users_list").await;
        assert!(anns.settled().await.iter().all(|frame| frame["type"] != "system"), "a reload is silent");
    }
}

both! {
    async fn leaving_is_told_after_a_while(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "Ann").await, Visitor::registered(&site, "Bob").await];
        let room = ann.public_room("General").await;
        let mut anns = ann.follows(room).await;
        let bobs = bob.follows(room).await;
        while anns.expect("system").await["username"] != "Bob" {}
        drop(bobs);
        let frame = anns.expect("system").await;
        assert_eq!((&frame["event"], &frame["content"]), (&json!("leave"), &json!("Bob left the room")));
        assert_eq!(anns.expect("users_list").await["users"], json!(["Ann"]));
    }
}

both! {
    async fn typing_is_shown_to_the_room_and_ends_with_the_message(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "Ann").await, Visitor::registered(&site, "Bob").await];
        let room = ann.public_room("General").await;
        let mut anns = ann.follows(room).await;
        let mut bobs = bob.follows(room).await;
        bobs.send(json!({"type": "typing", "is_typing": true})).await;
        assert_eq!(anns.expect("typing").await, json!({"type": "typing", "room_id": room, "users": ["Bob"]}));
        bobs.say("done", "c1").await;
        assert_eq!(anns.expect("typing").await["users"], json!([]));
    }
}

/// A thousand people coming at once is some thousands of frames, not a million.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_joins_is_told_in_few_frames() {
    let site = Site::new(Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let room = ann.public_room("General").await;
    site.sql(
        "insert into users (id, username, username_folded, email, email_folded, password_hash, created_at, updated_at)
         with recursive n(i) as (select 2 union all select i + 1 from n where i < 1001)
         select i, 'p' || i, 'p' || i, 'p' || i, 'p' || i, '', 0, 0 from n",
    )
    .await;
    let mut anns = ann.follows(room).await;
    let hub = &site.app.hub;
    let mailboxes: Vec<_> = (2..=1001)
        .map(|n| {
            let mailbox = switchboard::live::mailbox::Mailbox::new(
                switchboard::ids::UserId(n),
                switchboard::users::Via::Session(switchboard::ids::SessionId(n)),
            );
            hub.open(&mailbox);
            mailbox.follow(switchboard::ids::RoomId(room));
            hub.join(&mailbox, switchboard::ids::RoomId(room)).unwrap();
            hub.arrive(&mailbox, switchboard::ids::RoomId(room), &format!("p{n}"));
            mailbox
        })
        .collect();
    let mut frames = 0;
    loop {
        let frame = anns.next().await.unwrap();
        frames += 1;
        if frame["count"] == 1001 {
            assert_eq!(frame["users"].as_array().unwrap().len(), 100);
            break;
        }
    }
    assert!(frames < 70, "{frames} frames to one of a thousand");
    for mailbox in &mailboxes {
        hub.shut(mailbox);
    }
}
