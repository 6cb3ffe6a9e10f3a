//! Guessing is slow, whoever guesses what from where; and nobody is locked out by a stranger who does.

use std::time::Instant;

use crate::support::actors::{PASSWORD, Page, Visitor};
use crate::support::app::{Database, Options, Site, both};

const WRONG: &str = "a wrong one, and long";

/// A site that counts, behind a proxy that tells where requests come from.
async fn site(engine: crate::support::app::Engine) -> Site {
    Site::with(engine, options(vec![])).await
}

fn options(more: Vec<(&'static str, &'static str)>) -> Options {
    let settings = [vec![("LOGIN_RATE", "5/hour"), ("TRUSTED_PROXIES", "127.0.0.1")], more].concat();
    Options { settings, ..Options::default() }
}

async fn tries(site: &Site, name: &str, password: &str, from: &str) -> Page {
    let fields = [("username", name), ("password", password)];
    Visitor::new(site).post_with("/login", &fields, &[("x-forwarded-for", from)]).await
}

#[track_caller]
fn refused(page: &Page) {
    assert_eq!(page.status, 429, "{}", page.text);
    let wait: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    assert!(page.text.contains("Too many attempts. Please wait"));
    assert!(page.text.contains("name=\"password\""), "the form is there to be sent again");
}

both! {
    async fn the_sixth_wrong_password_from_an_address_is_refused_whatever_the_name(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        for n in 0..5 {
            assert_eq!(tries(&site, &format!("name{n}"), WRONG, "192.0.2.1").await.status, 422);
        }
        refused(&tries(&site, "ann", WRONG, "192.0.2.1").await);
        refused(&tries(&site, "ann", PASSWORD, "192.0.2.1").await);
        assert_eq!(tries(&site, "ann", PASSWORD, "192.0.2.2").await.leads_to(), "/chat");
    }
}

both! {
    async fn the_sixth_wrong_password_at_an_account_is_refused_wherever_it_comes_from(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        for n in 0..5 {
            assert_eq!(tries(&site, "ann", WRONG, &format!("192.0.2.{n}")).await.status, 422);
        }
        refused(&tries(&site, " ANN ", WRONG, "192.0.2.99").await);
        // So is it at a name that nobody has: nothing tells the two apart.
        for n in 0..5 {
            assert_eq!(tries(&site, "nobody", WRONG, &format!("198.51.100.{n}")).await.status, 422);
        }
        refused(&tries(&site, "nobody", WRONG, "198.51.100.99").await);
    }
}

both! {
    async fn right_passwords_are_never_counted(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        for _ in 0..8 {
            assert_eq!(tries(&site, "ann", PASSWORD, "192.0.2.1").await.leads_to(), "/chat");
        }
    }
}

both! {
    async fn guesses_sent_together_are_no_more_than_those_sent_one_by_one(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        let guesses = (0..12).map(|_| tries(&site, "ann", WRONG, "192.0.2.1"));
        let pages = futures_util::future::join_all(guesses).await;
        assert_eq!(pages.iter().filter(|page| page.status == 422).count(), 5);
        assert_eq!(pages.iter().filter(|page| page.status == 429).count(), 7);
    }
}

both! {
    async fn people_who_log_in_together_from_one_address_all_get_in(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        let comers = (0..12).map(|_| tries(&site, "ann", PASSWORD, "192.0.2.1"));
        let pages = futures_util::future::join_all(comers).await;
        assert!(pages.iter().all(|page| page.status == 303));
    }
}

both! {
    async fn a_stranger_cannot_lock_anyone_out_of_a_browser_or_an_address_they_know(engine: Engine) {
        let site = site(engine).await;
        let mut ann = Visitor::new(&site);
        let home = [("x-forwarded-for", "203.0.113.7")];
        let fields = [("username", "ann"), ("email", "ann@example.org"), ("password", PASSWORD)];
        ann.post_with("/register", &fields, &home).await.leads_to();
        ann.post_with("/logout", &[], &home).await.leads_to();
        for n in 0..6 {
            tries(&site, "ann", WRONG, &format!("192.0.2.{n}")).await;
        }
        refused(&tries(&site, "ann", PASSWORD, "192.0.2.50").await);
        // From home, with any browser; and with her browser, from anywhere, an address full of strangers' guesses too.
        assert_eq!(tries(&site, "ann", PASSWORD, "203.0.113.7").await.leads_to(), "/chat");
        for _ in 0..5 {
            tries(&site, "somebody", WRONG, "192.0.2.200").await;
        }
        let fields = [("username", "ann"), ("password", PASSWORD)];
        let page = ann.post_with("/login", &fields, &[("x-forwarded-for", "192.0.2.200")]).await;
        assert_eq!(page.leads_to(), "/chat");
        // Somebody at her keyboard guesses no more often than anybody else.
        ann.post_with("/logout", &[], &home).await;
        let fields = [("username", "ann"), ("password", WRONG)];
        for _ in 0..5 {
            assert_eq!(ann.post_with("/login", &fields, &home).await.status, 422);
        }
        refused(&ann.post_with("/login", &fields, &home).await);
    }
}

both! {
    async fn registrations_are_counted_by_address(engine: Engine) {
        let site = site(engine).await;
        let registers = async |name: String, from: &str| {
            let email = format!("{name}@example.org");
            let fields = [("username", name.as_str()), ("email", &email), ("password", PASSWORD)];
            Visitor::new(&site).post_with("/register", &fields, &[("x-forwarded-for", from)]).await
        };
        for n in 0..5 {
            registers(format!("name{n}"), "192.0.2.1").await.leads_to();
        }
        let page = registers("name6".into(), "192.0.2.1").await;
        assert!(page.status == 429 && page.headers.contains_key("retry-after"));
        assert!(page.text.contains("value=\"name6\"") && page.text.contains("Too many attempts"));
        registers("name6".into(), "192.0.2.2").await.leads_to();
    }
}

both! {
    async fn off_counts_nothing(engine: Engine) {
        let site = Site::with(engine, options(vec![("LOGIN_RATE", "off")])).await;
        for _ in 0..9 {
            assert_eq!(tries(&site, "ann", WRONG, "192.0.2.1").await.status, 422);
        }
    }
}

both! {
    async fn nodes_that_share_a_redis_count_together_and_without_it_each_alone(engine: Engine) {
        let Ok(redis) = std::env::var("TEST_REDIS_URL") else {
            return eprintln!("skipped: TEST_REDIS_URL isn't set; tests/run sets it");
        };
        let base = if engine == crate::support::app::Engine::Sqlite { 1 } else { 2 };
        let url: &'static str = format!("{redis}/{base}").leak();
        let (one, two) = (
            Site::with(engine, options(vec![("REDIS_URL", url)])).await,
            Site::with(engine, options(vec![("REDIS_URL", url)])).await,
        );
        for n in 0..5 {
            let site = if n % 2 == 0 { &one } else { &two };
            assert_eq!(tries(site, "ann", WRONG, "192.0.2.1").await.status, 422);
        }
        refused(&tries(&one, "ann", WRONG, "192.0.2.1").await);
        refused(&tries(&two, "ann", WRONG, "192.0.2.1").await);
        // Nobody listens there.
        let away = Site::with(engine, options(vec![("REDIS_URL", "redis://127.0.0.1:1")])).await;
        for _ in 0..5 {
            assert_eq!(tries(&away, "ann", WRONG, "192.0.2.1").await.status, 422);
        }
        refused(&tries(&away, "ann", WRONG, "192.0.2.1").await);
    }
}

both! {
    async fn a_wrong_password_and_an_unknown_name_take_the_same_time(engine: Engine) {
        let site = Site::over(Database::new(engine).await, 0, Options::default()).await;
        Visitor::registered(&site, "ann").await;
        let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
        for _ in 0..15 {
            for (name, times) in [("ann", &mut wrong), ("nobody", &mut unknown)] {
                let begun = Instant::now();
                assert_eq!(tries(&site, name, WRONG, "192.0.2.1").await.status, 422);
                times.push(begun.elapsed().as_secs_f64());
            }
        }
        wrong.sort_by(f64::total_cmp);
        unknown.sort_by(f64::total_cmp);
        let ratio = wrong[7] / unknown[7];
        assert!((0.6..1.67).contains(&ratio), "{wrong:?} {unknown:?}");
    }
}
