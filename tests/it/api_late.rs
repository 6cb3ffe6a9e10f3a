//! What ends while a call is under way, and what a call may ask twice.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::{Site, both};
use crate::support::program::{Program, api, api_with};
use crate::support::talk::{room, said};

/// A post of which half has been sent.
async fn half_a_post(site: &Site, who: &Program, room: i64) -> TcpStream {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let head = format!(
        "POST /api/v1/chat/rooms/{room}/messages HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: \
         application/json\r\ncontent-length: 15\r\nconnection: close\r\nexpect: 100-continue\r\n\r\n",
        site.address,
        who.access.as_ref().unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Asked for the body: its handler has looked at who calls.
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 100"), "{answer:?}");
    stream.write_all(br#"{"content""#).await.unwrap();
    stream
}

async fn the_rest(mut stream: TcpStream) -> String {
    stream.write_all(br#":"x"}"#).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

both! {
    async fn who_is_signed_out_or_disabled_while_a_post_is_under_way_has_not_posted(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let hall = room(&site, "public", &[1, 2, 3]).await;
        let bot = bob.with(&site.token(2, None).await.1);
        let [fine, logged_out, disabled, revoked] = [&ann, &ann, &cat, &bot];
        let allowed = half_a_post(&site, fine, hall).await;
        assert_eq!(the_rest(allowed).await, "HTTP/1.1 201 Created");
        let late = [
            half_a_post(&site, logged_out, hall).await,
            half_a_post(&site, disabled, hall).await,
            half_a_post(&site, revoked, hall).await,
        ];
        ann.post("/auth/logout", json!({})).await.is(204);
        site.sql("update users set is_active = false where id = 3").await;
        site.sql("update api_tokens set revoked_at = 1").await;
        for stream in late {
            assert_eq!(the_rest(stream).await, "HTTP/1.1 401 Unauthorized");
        }
        assert_eq!(site.number("select last_seq from rooms").await, 1);
    }
}

both! {
    async fn who_lost_the_answer_is_told_at_once_however_fast_they_ask(engine: Engine) {
        let (site, _) = api_with(engine, &[("MESSAGE_RATE", "1/h burst 1")]).await;
        let [ann, bob, _] = Program::three(&site).await;
        let hall = room(&site, "group", &[1, 2]).await;
        let path = format!("/chat/rooms/{hall}/messages");
        let once = json!({"content": "once", "client_id": "a1"});
        let first = ann.post(&path, once.clone()).await.is(201).json();
        assert_eq!(ann.post(&path, once.clone()).await.is(200).json(), first);
        ann.post(&path, json!({"content": "more", "client_id": "a2"})).await.refuses(429, None);
        bob.post(&path, once.clone()).await.is(201);
        site.sql("delete from memberships where user_id = 1").await;
        ann.post(&path, once).await.refuses(404, None);
    }
}

both! {
    async fn what_is_no_emoji_can_be_taken_away_and_changes_nothing(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        let message = said(&ann, hall, "hello").await["id"].clone();
        let path = |emoji: &str| format!("/chat/messages/{message}/reactions/{emoji}");
        ann.send("PUT", &path("%F0%9F%91%8D"), None, "").await.is(200);
        for none in ["%00", "x", "%20", "%F0%9F%91%8E"] {
            let left = ann.delete(&path(none), json!({})).await.is(200).json();
            assert_eq!(left.as_array().unwrap().len(), 1, "{none}");
        }
    }
}

both! {
    async fn an_interest_that_is_cancelled_takes_its_news_with_it(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        for read in [false, true] {
            let interest = ann.post("/interests", json!({"recipient": "bob"})).await.is(201).json()["id"].clone();
            if read {
                bob.post("/notifications/read", json!({})).await.is(204);
            }
            ann.post(&format!("/interests/{interest}/cancel"), json!({})).await.is(200);
            assert_eq!(site.number("select count(*) from notifications").await, i64::from(read));
        }
    }
}
