//! What has to be done once is done once, by whichever of several nodes on one database, also when one dies or its clock is
//! off.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use switchboard::app::{App, Seams};
use switchboard::clock::Clock;
use switchboard::jobs;
use switchboard::jobs::lease::{Holder, Lease};
use switchboard::notifications::digest;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Options, Site, both};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_800_000_000 * SECOND;
const MINUTE: Duration = Duration::from_secs(60);

/// A site, and a second node on its database; each goes by its own clock.
struct Pair {
    site: Site,
    other: App,
    clocks: [Arc<AtomicI64>; 2],
}

impl Pair {
    async fn new(engine: Engine) -> Self {
        let clocks = [START, START].map(|now| Arc::new(AtomicI64::new(now)));
        let seams = |at: usize| Seams { clock: Clock::Fixed(clocks[at].clone()), ..Seams::default() };
        let site = Site::with(engine, Options { seams: seams(0), ..Options::default() }).await;
        let other = App::start(site.app.config.clone(), seams(1)).await.unwrap();
        // The site's own jobs begin with it, and look again in half a minute.
        while site.number("select count(*) from leases").await < 2 {
            tokio::task::yield_now().await;
        }
        site.sql("delete from leases").await;
        Self { site, other, clocks }
    }

    fn pass(&self, seconds: i64) {
        for clock in &self.clocks {
            clock.fetch_add(seconds * SECOND, Ordering::Relaxed);
        }
    }
}

both! {
    async fn a_job_is_one_nodes_until_its_lease_runs_out(engine: Engine) {
        let pair = Pair::new(engine).await;
        let (here, there) = (Holder::default(), Holder::default());
        let mut lease = Lease::take(&pair.site.app, &here, "job", MINUTE).await.unwrap().unwrap();
        assert!(Lease::take(&pair.other, &there, "job", MINUTE).await.unwrap().is_none(), "who holds it is alive");
        assert!(Lease::take(&pair.other, &there, "another", MINUTE).await.unwrap().is_some());
        pair.pass(50);
        assert!(lease.keep(&pair.site.app).await.unwrap(), "it goes on for long");
        pair.pass(59);
        assert!(Lease::take(&pair.other, &there, "job", MINUTE).await.unwrap().is_none());
        pair.pass(1);
        assert!(Lease::take(&pair.other, &there, "job", MINUTE).await.unwrap().is_some(), "it has died, for all anybody knows");
        assert!(!lease.keep(&pair.site.app).await.unwrap(), "it froze, and is told when it comes back");
    }
}

both! {
    async fn of_two_who_ask_at_once_one_gets_it(engine: Engine) {
        let pair = Pair::new(engine).await;
        for _ in 0..20 {
            let (here, there) = (Holder::default(), Holder::default());
            let (one, two) = tokio::join!(
                Lease::take(&pair.site.app, &here, "job", MINUTE),
                Lease::take(&pair.other, &there, "job", MINUTE)
            );
            let (one, two) = (one.unwrap(), two.unwrap());
            assert_eq!(u8::from(one.is_some()) + u8::from(two.is_some()), 1);
            match (one, two) {
                (Some(lease), _) => lease.give_up(&pair.site.app).await.unwrap(),
                (_, Some(lease)) => lease.give_up(&pair.other).await.unwrap(),
                _ => unreachable!(),
            }
        }
    }
}

both! {
    async fn a_clock_that_was_years_ahead_keeps_nobody_from_a_job(engine: Engine) {
        let pair = Pair::new(engine).await;
        pair.clocks[1].fetch_add(10 * 365 * 86400 * SECOND, Ordering::Relaxed);
        assert!(Lease::take(&pair.other, &Holder::default(), "job", MINUTE).await.unwrap().is_some());
        assert!(Lease::take(&pair.site.app, &Holder::default(), "job", MINUTE).await.unwrap().is_some());
        // Some seconds are no reason.
        pair.clocks[1].store(pair.clocks[0].load(Ordering::Relaxed) + 5 * SECOND, Ordering::Relaxed);
        assert!(Lease::take(&pair.other, &Holder::default(), "second", MINUTE).await.unwrap().is_some());
        assert!(Lease::take(&pair.site.app, &Holder::default(), "second", MINUTE).await.unwrap().is_none());
    }
}

both! {
    async fn a_sweep_is_one_nodes_and_the_next_one_goes_on_when_it_died(engine: Engine) {
        let pair = Pair::new(engine).await;
        let (here, there) = (Holder::default(), Holder::default());
        pair.site.sql("insert into revocations (user_id, created_at) values (1, 5)").await;
        assert!(jobs::sweep_as(&pair.site.app, &here).await.unwrap());
        assert_eq!(pair.site.number("select count(*) from revocations").await, 0);
        assert!(!jobs::sweep_as(&pair.other, &there).await.unwrap());
        pair.pass(25);
        assert!(jobs::sweep_as(&pair.other, &there).await.unwrap());
    }
}

both! {
    async fn two_nodes_with_clocks_seconds_apart_send_each_digest_once(engine: Engine) {
        let pair = Pair::new(engine).await;
        let mut ann = Visitor::registered(&pair.site, "ann").await;
        for name in ["bob", "cat", "dan"] {
            let mut reader = Visitor::registered(&pair.site, name).await;
            reader.post("/settings/digest", &[("digest", "hourly")]).await.leads_to();
        }
        let rooms = [ann.group_with("Bob's", 2).await, ann.group_with("Cat's", 3).await, ann.group_with("Dan's", 4).await];
        pair.pass(1);
        for room in rooms {
            ann.say(room, "Psst").await;
        }
        pair.clocks[1].fetch_add(7 * SECOND, Ordering::Relaxed);
        pair.pass(3600);
        // Without the lease, too: as if one had been frozen in the middle.
        let (one, two) = tokio::join!(digest::send_due(&pair.site.app), digest::send_due(&pair.other));
        one.and(two).unwrap();
        let (here, there) = (Holder::default(), Holder::default());
        let (one, two) = tokio::join!(digest::send_as(&pair.site.app, &here), digest::send_as(&pair.other, &there));
        assert!(one.unwrap() != two.unwrap(), "one of them looked");
        for name in ["bob", "cat", "dan"] {
            assert_eq!(pair.site.letters(&format!("{name}@example.org"), "What you missed").await, 1, "{name}");
        }
    }
}

both! {
    async fn messages_past_their_time_are_swept_by_two_at_once_as_by_one(engine: Engine) {
        let pair = Pair::new(engine).await;
        let mut ann = Visitor::registered(&pair.site, "ann").await;
        let hall = ann.public_room("Hall").await;
        for _ in 0..5 {
            ann.say(hall, "old").await;
        }
        pair.site.sql("insert into settings (key, value, updated_at) values ('retention_days', '1', 1)
            on conflict (key) do update set value = excluded.value").await;
        pair.pass(2 * 86400);
        ann.say(hall, "new").await;
        for app in [&pair.site.app, &pair.other] {
            app.refresh_settings().await.unwrap();
        }
        let (one, two) = tokio::join!(jobs::sweep_once(&pair.site.app), jobs::sweep_once(&pair.other));
        one.and(two).unwrap();
        assert_eq!(pair.site.number("select count(*) * 1000 + max(last_seq) from messages, rooms").await, 1006);
    }
}

both! {
    async fn a_session_that_ran_out_is_told_to_every_node(engine: Engine) {
        let pair = Pair::new(engine).await;
        let ann = Visitor::registered(&pair.site, "ann").await;
        let mut socket = ann.socket("/ws").await;
        socket.expect("connected").await;
        pair.pass(8 * 86400);
        assert!(jobs::sweep_as(&pair.other, &Holder::default()).await.unwrap(), "by the node that she isn't at");
        assert_eq!(socket.close_code().await, 4401);
    }
}

both! {
    async fn old_mails_and_invitations_go_and_what_waits_stays(engine: Engine) {
        let pair = Pair::new(engine).await;
        let mail = |status: &str, at: i64| format!("insert into emails (\"to\", subject, text, status, sent_at, created_at) values ('a@example.org', '{status}', '', '{status}', {at}, {at})");
        for status in ["sent", "failed", "queued"] {
            pair.site.sql(&mail(status, 5)).await;
            pair.site.sql(&mail(status, START)).await;
        }
        for at in [5, START] {
            pair.site.sql(&format!("insert into invitations (email, token_hash, created_at, expires_at) values ('b@example.org', 'hash{at}', {at}, {at})")).await;
        }
        pair.pass(60);
        let (here, there) = (Holder::default(), Holder::default());
        let (one, two) = tokio::join!(jobs::tidy_as(&pair.site.app, &here), jobs::tidy_as(&pair.other, &there));
        assert!(one.unwrap() != two.unwrap(), "one of them did it");
        assert_eq!(pair.site.number("select count(*) from emails").await, 4);
        assert_eq!(pair.site.number("select count(*) from emails where status = 'queued'").await, 2);
        assert_eq!(pair.site.number("select count(*) from invitations").await, 1);
    }
}
