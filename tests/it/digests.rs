//! The mail with what one missed: who gets it, what is in it, and that it comes once.

use switchboard::notifications::digest;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};
use crate::support::program::{Time, api};

const BOB: &str = "bob@example.org";
const MISSED: &str = "What you missed";
const HOUR: i64 = 3600;

/// Ann and Bob, who wants a digest this often, with a group and a direct room.
async fn pair(engine: Engine, often: &str) -> (Site, Time, Visitor, Visitor, i64, i64) {
    let (site, time) = api(engine).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let mut bob = Visitor::registered(&site, "bob").await;
    let group = ann.group_with("Plans", 2).await;
    let direct = ann.post("/rooms/new", &[("kind", "direct"), ("member_ids", "2")]).await.room();
    assert_eq!(bob.post("/settings/digest", &[("digest", often)]).await.leads_to(), "/settings#notices");
    assert!(bob.get("/settings").await.text.contains(&format!("name=\"digest\" value=\"{often}\" checked")));
    (site, time, ann, bob, group, direct)
}

async fn sent(site: &Site) -> i64 {
    digest::send_due(&site.app).await.unwrap();
    site.letters(BOB, MISSED).await
}

both! {
    async fn whoever_was_away_gets_one_mail_of_what_they_missed(engine: Engine) {
        let (site, time, mut ann, _, group, direct) = pair(engine, "hourly").await;
        time.pass(1);
        ann.say(group, "Look, @bob: **this** is <b>").await;
        ann.say(group, "More").await;
        ann.say(direct, "Psst").await;
        assert_eq!(sent(&site).await, 0, "he may be back any moment");
        time.pass(HOUR);
        let both = tokio::join!(digest::send_due(&site.app), digest::send_due(&site.app));
        both.0.and(both.1).unwrap();
        assert_eq!(site.letters(BOB, MISSED).await, 1);
        let letter = site.letter(BOB, MISSED).await;
        for said in [
            "Hello bob,",
            "ann mentioned you in Plans: “Look, @bob: this is <b>”",
            "Unread messages: 1 from ann, 2 in Plans.",
            &format!("{}/settings#notices", site.url("")),
        ] {
            assert!(letter.contains(said), "{said}: {letter}");
        }
        assert_eq!(site.letters("ann@example.org", MISSED).await, 0);
        // Nothing new, no mail; something new, one an hour later.
        time.pass(HOUR);
        assert_eq!(sent(&site).await, 1);
        time.pass(60);
        ann.say(direct, "Again").await;
        assert_eq!(sent(&site).await, 1);
        time.pass(HOUR);
        assert_eq!(sent(&site).await, 2);
        let letter = site.letter(BOB, MISSED).await;
        assert!(letter.contains("Unread messages: 2 from ann.") && !letter.contains("mentioned"), "{letter}");
    }
}

both! {
    async fn once_a_day_is_once_a_day(engine: Engine) {
        let (site, time, mut ann, _, group, _) = pair(engine, "daily").await;
        time.pass(1);
        for (hours, letters) in [(2, 1), (2, 1), (20, 1), (3, 2)] {
            ann.say(group, "@bob").await;
            time.pass(hours * HOUR);
            assert_eq!(sent(&site).await, letters, "{hours}");
        }
    }
}

both! {
    async fn nobody_gets_one_who_did_not_ask_is_here_has_read_or_is_disabled(engine: Engine) {
        for how in ["never", "here", "read", "muted", "disabled", "left", "seen"] {
            let (site, time, mut ann, mut bob, group, _) = pair(engine, if how == "never" { "never" } else { "hourly" }).await;
            time.pass(1);
            ann.say(group, "@bob").await;
            let mut socket = None;
            match how {
                "here" => {
                    let mut opened = bob.socket("/ws/notifications").await;
                    // By its answer the server knows that bob is here.
                    opened.settled().await;
                    socket = Some(opened);
                }
                "read" => drop(bob.get(&format!("/chat/rooms/{group}")).await),
                "muted" => {
                    site.sql("update memberships set muted = true").await;
                    site.sql("delete from notifications").await;
                }
                "disabled" => site.sql("update users set is_active = false where username = 'bob'").await,
                "left" => drop(bob.post(&format!("/rooms/{group}/leave"), &[]).await.leads_to()),
                _ => {}
            }
            if how == "read" {
                site.app.writer.flush().await.unwrap();
            }
            time.pass(2 * HOUR);
            if how == "seen" {
                let now = site.app.clock.now().0;
                site.sql(&format!("update users set last_seen_at = {now} where username = 'bob'")).await;
            }
            assert_eq!(sent(&site).await, 0, "{how}");
            drop(socket);
        }
    }
}

both! {
    async fn only_what_there_is_can_be_chosen(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        for fields in [&[("digest", "weekly")][..], &[]] {
            let page = ann.post("/settings/digest", fields).await;
            assert_eq!(page.status, 422);
            assert!(page.text.contains("Choose one: never, hourly or daily."), "{}", page.text);
        }
        let mut visitor = Visitor::new(&site);
        assert!(visitor.post("/settings/digest", &[("digest", "daily")]).await.leads_to().starts_with("/login"));
    }
}
