//! `GET /api/v1/chat/search`: messages by their words, among those that one may see.

use serde_json::{Value, json};

use crate::support::app::both;
use crate::support::program::{Program, api};
use crate::support::talk::{room, said};

fn ids(found: &Value) -> Vec<i64> {
    found["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

fn escaped(q: &str) -> String {
    url::form_urlencoded::byte_serialize(q.as_bytes()).collect()
}

async fn find(who: &Program, q: &str, more: &str) -> Value {
    who.get(&format!("/chat/search?q={}{more}", escaped(q))).await.is(200).json()
}

both! {
    async fn words_phrases_and_beginnings_are_found_newest_first(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        for content in ["The release notes are out", "notes of the release", "Releases come later", "ŻÓŁW & <b>release</b>", "none"] {
            said(&ann, hall, content).await;
        }
        for (q, found) in [
            ("release", vec![4, 3, 2, 1]), ("RELEASE notes", vec![2, 1]), ("\"release notes\"", vec![1]), ("\"release\"", vec![4, 2, 1]),
            ("rel", vec![4, 3, 2, 1]), ("notes rel", vec![2, 1]), ("rel notes", vec![]), ("żółw", vec![4]), ("nothing", vec![]),
            ("\"release no", vec![1]), ("50%_*:' OR", vec![]), ("release AND notes", vec![]), ("(((", vec![]), ("😀", vec![]), ("no", vec![]),
        ] {
            assert_eq!(ids(&find(&ann, q, "").await), found, "{q}");
        }
        let found = find(&ann, "release", "").await;
        assert_eq!((&found["items"][0]["snippet"], &found["next"]), (&json!("ŻÓŁW &amp; &lt;b&gt;<mark>release</mark>&lt;/b&gt;"), &json!(null)));
        assert_eq!(found["items"][0]["username"], "ann", "the rest is a message");
        for q in ["", "%20", "%22%22"] {
            ann.get(&format!("/chat/search?q={q}")).await.refuses(422, Some("q"));
        }
        ann.get("/chat/search").await.refuses(422, Some("q"));
        ann.get("/chat/search?q=x&room_id=x").await.refuses(400, Some("room_id"));
        ann.get("/chat/search?q=x&cursor=x").await.refuses(400, Some("cursor"));
        Program::new(&site).get("/chat/search?q=x").await.refuses(401, None);
    }
}

both! {
    async fn only_what_one_may_see_is_found(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let root = Program::of_role(&site, "root", "admin").await;
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1, 2]).await);
        let open = said(&ann, hall, "the plan").await["id"].as_i64().unwrap();
        let secret = said(&ann, den, "the secret plan").await["id"].as_i64().unwrap();
        let by_bob = said(&bob, den, "my plan").await["id"].as_i64().unwrap();
        assert_eq!(ids(&find(&ann, "plan", "").await), [by_bob, secret, open]);
        assert_eq!(ids(&find(&root, "plan", "").await), [open]);
        assert_eq!(ids(&find(&ann, "plan", &format!("&room_id={den}")).await), [by_bob, secret]);
        for room in [den, 77, -1] {
            root.get(&format!("/chat/search?q=plan&room_id={room}")).await.refuses(404, None);
        }
        for (from, found) in [("bob", vec![by_bob]), ("BOB", vec![by_bob]), ("2", vec![by_bob]), ("77", vec![]), ("nobody", vec![]),
                              ("bob@example.org", vec![]), ("", vec![by_bob, secret, open])] {
            assert_eq!(ids(&find(&ann, "plan", &format!("&from={}", escaped(from))).await), found, "{from}");
        }
        assert_eq!(ids(&find(&ann, "plan", &format!("&from=ann&room_id={hall}")).await), [open]);
        ann.delete(&format!("/chat/messages/{open}"), json!({})).await.is(204);
        ann.patch(&format!("/chat/messages/{secret}"), json!({"content": "changed"})).await.is(200);
        assert_eq!(ids(&find(&ann, "plan", "").await), [by_bob]);
        site.sql(&format!("delete from memberships where room_id = {den} and user_id = 1")).await;
        assert_eq!(ids(&find(&ann, "plan", "").await), Vec::<i64>::new());
    }
}

both! {
    async fn pages_of_hits_follow_each_other_past_what_others_said(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let (hall, den) = (room(&site, "public", &[1, 2]).await, room(&site, "group", &[1]).await);
        let mut own = Vec::new();
        for n in 0..12 {
            said(&ann, den, "word").await;
            own.push(said(&bob, hall, &format!("word {n}")).await["id"].as_i64().unwrap());
        }
        own.reverse();
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page = find(&bob, "word", &format!("&limit=5&cursor={next}")).await;
            assert!(ids(&page).len() <= 5);
            found.append(&mut ids(&page));
            match page["next"].as_str() {
                Some(cursor) => next = cursor.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, own);
        assert_eq!(ids(&find(&bob, "word", "&limit=12").await), own);
        assert_eq!(find(&bob, "word", "&limit=12").await["next"], json!(null));
    }
}

both! {
    async fn a_search_looks_at_so_much_and_says_where_to_go_on(engine: Engine) {
        let (site, _) = api(engine).await;
        let [ann, bob] = [Program::registered(&site, "ann").await, Program::registered(&site, "bob").await];
        let (hall, den) = (room(&site, "public", &[1]).await, room(&site, "group", &[1]).await);
        let old = said(&ann, hall, "word").await["id"].as_i64().unwrap();
        site.sql(&format!(
            "insert into messages (room_id, seq, rev, sender_id, content, html, created_at)
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 10500)
             select {den}, i, i, 1, 'word', '', 5 from n"
        )).await;
        let page = find(&bob, "word", "").await;
        assert_eq!(ids(&page), Vec::<i64>::new());
        let page = find(&bob, "word", &format!("&cursor={}", page["next"].as_str().unwrap())).await;
        assert_eq!((ids(&page), &page["next"]), (vec![old], &json!(null)));
        assert_eq!(ids(&find(&bob, "word", &format!("&room_id={hall}")).await), [old], "a room's own words are at hand");
    }
}

both! {
    async fn days_are_whole_and_both_ends_are_in(engine: Engine) {
        let (site, _) = api(engine).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[1]).await;
        // 2026-01-31 00:00, its last microsecond, the next day, and some years before.
        for (n, at) in [1_769_817_600_000_000_i64, 1_769_903_999_999_999, 1_769_904_000_000_000, 1_500_000_000_000_000].iter().enumerate() {
            let n = n + 1;
            site.sql(&format!(
                "insert into messages (room_id, seq, rev, sender_id, content, html, created_at) values ({hall}, {n}, {n}, 1, 'word {n}', '', {at})"
            )).await;
        }
        for (more, found) in [
            ("&since=2026-01-31&until=2026-01-31", vec![2, 1]), ("&since=2026-01-31", vec![3, 2, 1]), ("&until=2026-01-31", vec![4, 2, 1]),
            ("&since=2026-02-01", vec![3]), ("&until=2026-01-30", vec![4]), ("&since=2017-07-14&until=2017-07-14", vec![4]),
            ("&since=2017-07-15&until=2026-01-30", vec![]), ("&since=2100-01-01", vec![]), ("&until=1960-01-01", vec![]),
            ("&since=&until=", vec![4, 3, 2, 1]), ("&since=2026-01-31&from=ann&room_id=1", vec![3, 2, 1]), ("&since=2026-01-31&from=2", vec![]),
        ] {
            assert_eq!(ids(&find(&ann, "word", more).await), found, "{more}");
        }
        ann.patch("/chat/messages/1", json!({"content": "other"})).await.is(200);
        assert_eq!(ids(&find(&ann, "other", "&since=2026-01-31&until=2026-01-31").await), [1], "an edit keeps the day");
        ann.get("/chat/search?q=x&since=31.1.2026").await.refuses(400, Some("since"));
        ann.get("/chat/search?q=x&until=2026-02-30").await.refuses(400, Some("until"));
        ann.get("/chat/search?q=x&since=2026-02-01&until=2026-01-31").await.refuses(422, Some("until"));
    }
}
