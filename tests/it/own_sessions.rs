//! One's own sessions: seen, ended, and ended by time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use switchboard::app::Seams;
use switchboard::clock::Clock;
use switchboard::jobs;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Engine, Options, Site, both};

const OUT: &str = "/login?next=%2Fchat";
const DAY: i64 = 24 * 3600 * 1_000_000;

/// A site whose clock the test moves.
async fn timed(engine: Engine) -> (Site, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
    let seams = Seams { clock: Clock::Fixed(clock.clone()), ..Seams::default() };
    (Site::with(engine, Options { seams, ..Options::default() }).await, clock)
}

both! {
    async fn a_person_sees_where_they_are_logged_in_and_ends_one(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let mut phone = Visitor::new(&site);
        let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1";
        let fields = [("username", "ann"), ("password", crate::support::actors::PASSWORD)];
        phone.post_with("/login", &fields, &[("user-agent", agent)]).await.leads_to();
        let mut socket = phone.socket("/ws").await;
        socket.expect("connected").await;
        let page = ann.get("/settings").await;
        assert!(page.text.contains("Safari on iPhone") && page.text.contains("127.0.0.1"));
        assert_eq!(page.text.matches("this one").count(), 1);
        assert_eq!(ann.post("/settings/sessions/2/end", &[]).await.leads_to(), "/settings#sessions");
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(phone.get("/chat").await.leads_to(), OUT);
        assert!(!ann.get("/settings").await.text.contains("Safari on iPhone"));
        assert_eq!(ann.post("/settings/sessions/2/end", &[]).await.status, 404, "it has ended");
        assert_eq!(ann.post("/settings/sessions/1/end", &[]).await.leads_to(), "/login");
        assert_eq!(ann.get("/chat").await.leads_to(), OUT);
    }
}

both! {
    async fn nobody_ends_or_sees_somebody_elses_session(engine: Engine) {
        let site = Site::new(engine).await;
        let [mut ann, bob] = [Visitor::registered(&site, "ann").await, Visitor::registered(&site, "bob").await];
        for id in ["2", "99", "x", "-1"] {
            assert_eq!(ann.post(&format!("/settings/sessions/{id}/end"), &[]).await.status, 404, "{id}");
        }
        assert_eq!(bob.get("/chat").await.status, 200);
        assert!(!ann.get("/settings").await.text.contains("/settings/sessions/2/end"));
        assert_eq!(Visitor::new(&site).post("/settings/sessions/2/end", &[]).await.leads_to(), OUT);
    }
}

both! {
    async fn all_others_end_at_once_and_this_one_stays(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let bob = Visitor::registered(&site, "bob").await;
        let mut own = ann.socket("/ws").await;
        own.expect("connected").await;
        let others = [Visitor::logged_in(&site, "ann").await, Visitor::logged_in(&site, "ann").await];
        let mut sockets = Vec::new();
        for other in &others {
            let mut socket = other.socket("/ws").await;
            socket.expect("connected").await;
            sockets.push(socket);
        }
        assert_eq!(ann.post("/settings/sessions/end", &[]).await.leads_to(), "/settings#sessions");
        for (other, socket) in others.iter().zip(&mut sockets) {
            assert_eq!(socket.close_code().await, 4401);
            assert_eq!(other.get("/chat").await.leads_to(), OUT);
        }
        own.settled().await;
        assert_eq!((ann.get("/chat").await.status.as_u16(), bob.get("/chat").await.status.as_u16()), (200, 200));
    }
}

both! {
    async fn a_session_that_nobody_uses_ends_after_a_week_with_its_sockets(engine: Engine) {
        let (site, clock) = timed(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        let mut socket = ann.socket("/ws").await;
        socket.expect("connected").await;
        clock.fetch_add(7 * DAY - 1_000_000, Ordering::Relaxed);
        jobs::sweep_once(&site.app).await.unwrap();
        socket.settled().await;
        clock.fetch_add(1_000_000, Ordering::Relaxed);
        assert_eq!(ann.get("/chat").await.leads_to(), OUT, "before any job has looked");
        jobs::sweep_once(&site.app).await.unwrap();
        assert_eq!(socket.close_code().await, 4401);
    }
}

both! {
    async fn a_session_ends_after_thirty_days_however_much_it_is_used(engine: Engine) {
        let (site, clock) = timed(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        let mut socket = ann.socket("/ws").await;
        socket.expect("connected").await;
        for _ in 0..5 {
            clock.fetch_add(5 * DAY, Ordering::Relaxed);
            assert_eq!(ann.get("/chat").await.status, 200);
            seen(&site, clock.load(Ordering::Relaxed)).await;
            jobs::sweep_once(&site.app).await.unwrap();
        }
        socket.settled().await;
        clock.fetch_add(5 * DAY - 1_000_000, Ordering::Relaxed);
        assert_eq!(ann.get("/chat").await.status, 200, "a second before");
        clock.fetch_add(1_000_000, Ordering::Relaxed);
        assert_eq!(ann.get("/chat").await.leads_to(), OUT);
        jobs::sweep_once(&site.app).await.unwrap();
        assert_eq!(socket.close_code().await, 4401);
    }
}

/// Waits until it is written that the only session was used at `now`.
async fn seen(site: &Site, now: i64) {
    while site.number("select max(last_seen_at) from sessions").await < now {
        tokio::task::yield_now().await;
    }
}

both! {
    async fn many_guesses_at_once_are_no_more_than_five(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        let guesses = (0..30).map(|n| {
            let mut ann = ann.clone();
            async move {
                let guess = if n == 20 { PASSWORD.to_owned() } else { format!("a wrong one, number {n}") };
                let fields = [("current_password", guess.as_str()), ("new_password", "four words of another kind")];
                ann.post("/settings/password", &fields).await.status.as_u16()
            }
        });
        let hash = site.text("select password_hash from users").await;
        let answers = futures_util::future::join_all(guesses).await;
        assert!(answers.iter().filter(|status| **status == 422).count() <= 5, "{answers:?}");
        // Either the right one was among the five, or the session is over and the password as it was.
        let changed = site.text("select password_hash from users").await != hash;
        assert!(changed || site.number("select count(*) from sessions").await == 0, "{answers:?}");
    }
}

both! {
    async fn what_waits_for_its_turn_under_a_session_is_not_done_once_that_has_ended(engine: Engine) {
        let site = Site::new(engine).await;
        let ann = Visitor::registered(&site, "ann").await;
        // Everybody's turn is held up while the session ends.
        let work = switchboard::work::Work::begin(&site.app, None).await.unwrap();
        let person = {
            let mut waiting = ann.clone();
            tokio::spawn(async move { waiting.post("/settings/api-tokens", &[("name", "mine")]).await.status.as_u16() })
        };
        let mut work = work;
        let user = switchboard::users::change::hold(&mut work, switchboard::ids::UserId(1)).await.unwrap();
        switchboard::users::change::end_sessions(&mut work, &user).await.unwrap();
        work.commit().await.unwrap();
        let status = person.await.unwrap();
        assert!([303, 401].contains(&status), "{status}");
        assert_eq!(site.number("select count(*) from api_tokens").await, 0);
    }
}
