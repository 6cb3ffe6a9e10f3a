//! People who delete their accounts, with what they wrote or without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use switchboard::app::Seams;
use switchboard::clock::Clock;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Options, Site, both};

const MANY: &str = "insert into messages (room_id, seq, rev, sender_id, content, html, created_at)
    with recursive n (i) as (select 1 union all select i + 1 from n where i < 1500)
    select 1, i, i, 1, 'Mine', 'Mine', i from n";

async fn until(site: &Site, sql: &str, number: i64) {
    while site.number(sql).await != number {
        tokio::task::yield_now().await;
    }
}

both! {
    async fn whoever_leaves_is_gone_at_once_and_what_they_wrote_stays(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.group_with("Plans", 2).await;
        ann.say(room, "I was here").await;
        let elsewhere = Visitor::logged_in(&site, "ann").await;
        let mut socket = elsewhere.socket("/ws").await;
        socket.expect("connected").await;
        let wrong = ann.post("/settings/delete", &[("password", "not this one"), ("messages", "erase")]).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.text.contains("id=\"your-data-password-error\"") && wrong.text.contains("value=\"erase\" checked"));
        assert_eq!(ann.post("/settings/delete", &[("password", PASSWORD), ("messages", "maybe")]).await.status, 422);
        let left = ann.post("/settings/delete", &[("password", PASSWORD), ("messages", "keep")]).await;
        assert_eq!(left.leads_to(), "/login");
        assert!(ann.get("/login").await.text.contains("Your account is deleted."));
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(elsewhere.get("/chat").await.leads_to(), "/login?next=%2Fchat");
        assert_eq!(ann.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await.status, 422);
        let page = bob.get(&format!("/chat/rooms/{room}")).await;
        assert!(page.text.contains("I was here") && page.text.contains("Deleted account"));
        assert_eq!(site.number("select count(*) from memberships where user_id = 2 and role = 'owner'").await, 1);
        assert_eq!(site.letters("ann@example.org", "is deleted").await, 1);
        assert_eq!(site.number("select count(*) from users").await, 1);
        Visitor::registered(&site, "Ann").await;
        bob.say(room, "Bye").await;
    }
}

both! {
    async fn whoever_wants_it_erased_leaves_no_word_behind(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, mut bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        let room = ann.group_with("Plans", 2).await;
        ann.say(room, "Forget this").await;
        bob.say(room, "Keep this").await;
        site.sql("insert into reactions (message_id, user_id, emoji, created_at) values (1, 2, '+1', 5)").await;
        let mut follower = bob.follows(room).await;
        let left = ann.post("/settings/delete", &[("password", PASSWORD), ("messages", "erase")]).await;
        assert_eq!(left.leads_to(), "/login");
        assert_eq!(follower.expect("message_deleted").await["seq"], 1);
        until(&site, "select count(*) from users", 1).await;
        let page = bob.get(&format!("/chat/rooms/{room}")).await;
        assert!(!page.text.contains("Forget this") && page.text.contains("Keep this"));
        assert_eq!(site.number("select count(*) from messages where content = 'Forget this'").await, 0);
        assert_eq!(site.number("select count(*) from reactions").await, 0);
        assert_eq!(site.number("select count(*) from messages").await, 2, "its place stays");
        assert_eq!(site.number("select count(*) from departures").await, 0);
        assert_eq!(site.number("select count(*) from emails where \"to\" = 'ann@example.org'").await, 1);
        Visitor::registered(&site, "ann").await;
    }
}

both! {
    async fn what_a_stop_leaves_unerased_is_erased_after_it(engine: Engine) {
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let seams = Seams { clock: Clock::Fixed(clock.clone()), ..Seams::default() };
        let options = Options { seams, ..Options::default() };
        let site = Site::with(engine, options.clone()).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        ann.public_room("Hall").await;
        site.sql(MANY).await;
        site.sql("update rooms set last_seq = 1500, last_rev = 1500").await;
        site.sql("update messages set content = '', html = '', deleted_at = 9 where seq = 700").await;
        ann.post("/settings/delete", &[("password", PASSWORD), ("messages", "erase")]).await.leads_to();
        assert_eq!(ann.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await.status, 422, "out at once");
        while site.number("select count(*) from messages where sender_id is null").await == 0 {
            tokio::task::yield_now().await;
        }
        let database = site.stop().await;
        clock.fetch_add(61_000_000, Ordering::Relaxed);
        let site = Site::over(database, 0, options).await;
        until(&site, "select count(*) from users", 0).await;
        assert_eq!(site.number("select count(*) from messages where content <> '' or deleted_at is null").await, 0);
        assert_eq!(site.number("select last_rev from rooms").await, 2999, "each was emptied once, but the one that was");
    }
}

both! {
    async fn whom_staff_let_in_again_stays(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        site.sql("insert into departures (user_id, created_at) values (1, 5)").await;
        site.app.departures.notify_one();
        until(&site, "select count(*) from departures", 0).await;
        assert_eq!(site.number("select count(*) from users where is_active").await, 1);
    }
}

both! {
    async fn the_last_administrator_stays(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::admin(&site, "ann").await;
        for messages in ["keep", "erase"] {
            let page = ann.post("/settings/delete", &[("password", PASSWORD), ("messages", messages)]).await;
            assert_eq!(page.status, 409);
            assert!(page.text.contains("This is the last administrator: make another one first."));
        }
        assert_eq!(ann.get("/chat").await.status, 200);
        Visitor::admin(&site, "bob").await;
        let left = ann.post("/settings/delete", &[("password", PASSWORD), ("messages", "keep")]).await;
        assert_eq!(left.leads_to(), "/login");
    }
}
