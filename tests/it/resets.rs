//! A forgotten password: the link that is sent, what it does once, and that it tells nobody who has an account.

use std::time::{Duration, Instant};

use switchboard::app::Seams;
use switchboard::clock::Clock;

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Options, Site, both};
use crate::support::letters::{link, token};

const ABOUT: &str = "new password for";
const NEW: &str = "four words of another kind";

async fn asks(site: &Site, email: &str) {
    let page = Visitor::new(site).post("/password-reset", &[("email", email)]).await;
    assert_eq!(page.leads_to(), "/password-reset?sent=1");
}

both! {
    async fn a_forgotten_password_is_set_anew_by_a_link_in_a_letter(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        let visitor = Visitor::new(&site);
        assert!(visitor.get("/login").await.text.contains("href=\"/password-reset\""));
        assert!(visitor.get("/password-reset").await.text.contains("name=\"email\""));
        asks(&site, "ANN@example.org").await;
        assert!(visitor.get("/password-reset?sent=1").await.text.contains("If an account has this address"));
        let letter = site.letter("ann@example.org", ABOUT).await;
        let page = visitor.get(&link(&letter)).await;
        assert!(page.status == 200 && page.text.contains("name=\"password\""), "{}", page.text);
        let mut visitor = visitor;
        let set = visitor.post("/password-reset/confirm", &[("token", &token(&letter)), ("password", NEW)]).await;
        assert_eq!(set.leads_to(), "/login");
        assert!(visitor.get("/login").await.text.contains("Your new password is set"));
        let old = visitor.post("/login", &[("username", "ann"), ("password", PASSWORD)]).await;
        assert_eq!(old.status, 422);
        assert_eq!(visitor.post("/login", &[("username", "ann"), ("password", NEW)]).await.leads_to(), "/chat");
        assert_eq!(site.letters("ann@example.org", "was changed").await, 1, "and she is told");
    }
}

both! {
    async fn only_a_hash_of_the_token_is_stored(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        asks(&site, "ann@example.org").await;
        let token = token(&site.letter("ann@example.org", ABOUT).await);
        assert_eq!(token.len(), 64, "256 bits");
        let stored = site.text("select token_hash from password_reset_tokens").await;
        assert_eq!(stored, switchboard::auth::token_hash(&token));
        assert_ne!(stored, token);
    }
}

both! {
    async fn a_link_works_once_and_a_bad_password_does_not_use_it_up(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        asks(&site, "ann@example.org").await;
        let token = token(&site.letter("ann@example.org", ABOUT).await);
        let mut visitor = Visitor::new(&site);
        for bad in ["short", "ann@example.org", "password1"] {
            let page = visitor.post("/password-reset/confirm", &[("token", &token), ("password", bad)]).await;
            assert!(page.status == 422 && page.text.contains("id=\"password-error\""), "{bad}");
            assert!(page.text.contains(&token), "the form can be sent again");
        }
        let used = [("token", token.as_str()), ("password", NEW)];
        visitor.post("/password-reset/confirm", &used).await.leads_to();
        let again = visitor.post("/password-reset/confirm", &used).await;
        assert!(again.status == 400 && again.text.contains("used already"));
        assert_eq!(visitor.get(&format!("/password-reset/confirm?token={token}")).await.status, 400);
        for made_up in ["", "0", &"0".repeat(64), "' or 1=1 --"] {
            let page = visitor.post("/password-reset/confirm", &[("token", made_up), ("password", NEW)]).await;
            assert_eq!(page.status, 400, "{made_up}");
        }
    }
}

both! {
    async fn of_two_who_use_a_link_at_once_one_does(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        asks(&site, "ann@example.org").await;
        let token = token(&site.letter("ann@example.org", ABOUT).await);
        let (mut a, mut b) = (Visitor::new(&site), Visitor::new(&site));
        let (one, two) = ([("token", token.as_str()), ("password", NEW)], [("token", token.as_str()), ("password", "another of four words")]);
        let (a, b) = tokio::join!(a.post("/password-reset/confirm", &one), b.post("/password-reset/confirm", &two));
        let mut statuses = [a.status.as_u16(), b.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 400]);
    }
}

both! {
    async fn a_newer_link_ends_the_older(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        asks(&site, "ann@example.org").await;
        let first = token(&site.letter("ann@example.org", ABOUT).await);
        asks(&site, "ann@example.org").await;
        let second = loop {
            let newest = token(&site.letter("ann@example.org", ABOUT).await);
            if newest != first {
                break newest;
            }
        };
        let mut visitor = Visitor::new(&site);
        let page = visitor.post("/password-reset/confirm", &[("token", &first), ("password", NEW)]).await;
        assert_eq!(page.status, 400);
        visitor.post("/password-reset/confirm", &[("token", &second), ("password", NEW)]).await.leads_to();
    }
}

both! {
    async fn a_link_lasts_an_hour(engine: Engine) {
        let now = Clock::System.now().0;
        let clock = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(now));
        let seams = Seams { clock: Clock::Fixed(clock.clone()), ..Seams::default() };
        let site = Site::with(engine, Options { seams, ..Options::default() }).await;
        Visitor::registered(&site, "ann").await;
        asks(&site, "ann@example.org").await;
        let link = link(&site.letter("ann@example.org", ABOUT).await);
        let after = |seconds: i64| clock.store(now + seconds * 1_000_000, std::sync::atomic::Ordering::Relaxed);
        after(3599);
        assert_eq!(Visitor::new(&site).get(&link).await.status, 200);
        after(3601);
        assert_eq!(Visitor::new(&site).get(&link).await.status, 400);
    }
}

both! {
    async fn a_new_password_ends_sessions_sockets_and_tokens(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let room = ann.public_room("Hall").await;
        let mut socket = ann.follows(room).await;
        site.sql("insert into api_tokens (user_id, name, token_hash, created_at) values (1, 'bot', 'x', 1)").await;
        asks(&site, "ann@example.org").await;
        let token = token(&site.letter("ann@example.org", ABOUT).await);
        Visitor::new(&site).post("/password-reset/confirm", &[("token", &token), ("password", NEW)]).await.leads_to();
        assert_eq!(socket.close_code().await, 4401);
        assert_eq!(ann.get("/chat").await.leads_to(), "/login?next=%2Fchat");
        assert_eq!(site.number("select count(*) from api_tokens where revoked_at is null").await, 0);
        assert_eq!(site.number("select count(*) from sessions").await, 0);
    }
}

both! {
    async fn nobody_learns_from_a_request_who_has_an_account(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        Visitor::registered(&site, "bob").await;
        site.sql("update users set is_active = false where username = 'bob'").await;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for round in 0..5 {
            for (email, times) in [("ann@example.org", &mut known), ("nobody@example.org", &mut unknown)] {
                let begun = Instant::now();
                asks(&site, email).await;
                times.push(begun.elapsed());
                assert!(round < 5);
            }
        }
        asks(&site, "bob@example.org").await;
        asks(&site, "ann@").await;
        // Whatever it takes to write the letter, the answer comes when it always comes.
        known.sort_unstable();
        unknown.sort_unstable();
        let apart = known[2].abs_diff(unknown[2]);
        assert!(apart < Duration::from_millis(60), "{known:?} {unknown:?}");
        site.letter("ann@example.org", ABOUT).await;
        assert_eq!(site.number("select count(*) from emails where \"to\" <> 'ann@example.org'").await, 0);
        let page = Visitor::new(&site).post("/password-reset", &[("email", "ann")]).await;
        assert!(page.status == 422 && page.text.contains("id=\"email-error\""), "a user name is none");
    }
}

both! {
    async fn a_letter_asked_for_too_often_is_not_sent_and_nothing_tells(engine: Engine) {
        let settings = vec![("LOGIN_RATE", "2/hour")];
        let site = Site::with(engine, Options { settings, ..Options::default() }).await;
        Visitor::registered(&site, "ann").await;
        for _ in 0..5 {
            asks(&site, "ann@example.org").await;
        }
        site.letter("ann@example.org", ABOUT).await;
        assert!(site.letters("ann@example.org", ABOUT).await <= 2);
    }
}

both! {
    async fn a_link_ends_when_staff_give_the_account_another_address_or_disable_it(engine: Engine) {
        use switchboard::users::{self, Profile, Registration, Role, change};
        let site = Site::new(engine).await;
        for name in ["ann", "bob"] {
            Visitor::registered(&site, name).await;
            asks(&site, &format!("{name}@example.org")).await;
        }
        let links = [link(&site.letter("ann@example.org", ABOUT).await), link(&site.letter("bob@example.org", ABOUT).await)];
        let mut work = site.work(99, Role::Admin).await;
        let ann = change::hold(&mut work, switchboard::ids::UserId(1)).await.unwrap();
        let form = Registration { username: "ann".into(), email: "new@example.org".into(), ..Registration::default() };
        change::set_profile(&mut work, &ann, &Profile::parse(&form, "").unwrap()).await.unwrap();
        work.commit().await.unwrap();
        let bob = users::find(&mut site.app.db.read().await.unwrap(), "bob").await.unwrap().unwrap();
        site.disable(&bob).await;
        site.sql("update users set is_active = true").await;
        for link in links {
            assert_eq!(Visitor::new(&site).get(&link).await.status, 400);
        }
        for to in ["ann@example.org", "new@example.org"] {
            assert_eq!(site.letters(to, "Your address at").await, 1, "{to}");
        }
    }
}
