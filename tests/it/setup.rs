//! The first administrator: made once, by who holds the link.

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Site, both};

fn admin<'a>(token: &'a str, name: &'a str, email: &'a str) -> [(&'static str, &'a str); 4] {
    [("token", token), ("username", name), ("email", email), ("password", PASSWORD)]
}

both! {
    async fn the_setup_link_makes_one_administrator_and_is_then_worth_nothing(engine: Engine) {
        let site = Site::new(engine).await;
        let token = site.app.setup_token().unwrap();
        let mut ada = Visitor::new(&site);
        assert_eq!(ada.get(&format!("/setup?token={token}")).await.status, 200);
        assert_eq!(ada.post("/setup", &admin(&token, "ada", "ada@example.org")).await.leads_to(), "/chat");
        assert_eq!(ada.get("/chat").await.status, 200);
        assert_eq!(site.number("select count(*) from users where role = 'admin'").await, 1);
        let mut eve = Visitor::new(&site);
        assert_eq!(eve.get(&format!("/setup?token={token}")).await.status, 403);
        assert_eq!(eve.post("/setup", &admin(&token, "eve", "eve@example.org")).await.status, 403);
    }
}

both! {
    async fn of_two_who_race_for_the_setup_link_one_becomes_administrator(engine: Engine) {
        let site = Site::new(engine).await;
        let token = site.app.setup_token().unwrap();
        let (mut ada, mut bob) = (Visitor::new(&site), Visitor::new(&site));
        let (a, b) = (admin(&token, "ada", "ada@example.org"), admin(&token, "bob", "bob@example.org"));
        let (first, second) = tokio::join!(ada.post("/setup", &a), bob.post("/setup", &b));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses[0], 303);
        assert!([403, 409].contains(&statuses[1]), "{statuses:?}");
        assert_eq!(site.number("select count(*) from users").await, 1);
    }
}

both! {
    async fn a_made_up_setup_link_is_refused(engine: Engine) {
        let site = Site::new(engine).await;
        let mut eve = Visitor::new(&site);
        assert_eq!(eve.get("/setup?token=0000").await.status, 403);
        assert_eq!(eve.get("/setup").await.status, 403);
        assert_eq!(eve.post("/setup", &admin("0000", "eve", "eve@example.org")).await.status, 403);
        assert_eq!(site.number("select count(*) from users").await, 0);
    }
}

both! {
    async fn the_setup_form_keeps_what_was_typed_and_says_what_is_wrong(engine: Engine) {
        let site = Site::new(engine).await;
        let token = site.app.setup_token().unwrap();
        let page = Visitor::new(&site).post("/setup", &admin(&token, "a", "ada@example.org")).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("3 to 32 characters") && page.text.contains("value=\"ada@example.org\""));
        assert!(page.text.contains(&token), "the form can be sent again");
    }
}
