//! Invitations: written by administrators, good for one account, and what `/register` says without one.

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Engine, Site, both};
use crate::support::office::office;

async fn registration(site: &Site, value: &str) {
    site.sql(&format!("update settings set value = '{value}' where key = 'registration'")).await;
    site.app.refresh_settings().await.unwrap();
}

/// An administrator, ann, who has invited new@example.org; and the link in the letter.
async fn invited(engine: Engine) -> (Site, Visitor, String) {
    let (site, mut ann) = office(engine).await;
    ann.post("/admin/invitations/add", &[("email", "new@example.org")]).await.leads_to();
    let link = last_link(&site).await;
    registration(&site, "invite").await;
    (site, ann, link)
}

/// The path of the newest letter's link.
async fn last_link(site: &Site) -> String {
    let text = site.text("select text from emails order by id desc limit 1").await;
    let link = text.lines().find(|line| line.contains("/register?token=")).unwrap();
    link.strip_prefix(&site.url("")).unwrap().to_owned()
}

fn fields<'a>(token: &'a str, name: &'a str, email: &'a str) -> [(&'static str, &'a str); 4] {
    [("token", token), ("username", name), ("email", email), ("password", PASSWORD)]
}

fn token(link: &str) -> &str {
    link.split_once("token=").unwrap().1
}

fn act<'a>(action: &'a str, id: &'a str) -> [(&'static str, &'a str); 3] {
    [("action", action), ("ids", id), ("confirm", "1")]
}

both! {
    async fn whoever_is_invited_registers_once_by_the_letters_link(engine: Engine) {
        let (site, ann, link) = invited(engine).await;
        let mut new = Visitor::new(&site);
        let page = new.get(&link).await;
        page.is(200, "value=\"new@example.org\"");
        let token = token(&link);
        assert_eq!(token.len(), 64);
        let page = new.post("/register", &fields(token, "x", "new@example.org")).await;
        page.is(422, "3 to 32 characters");
        assert!(page.text.contains(token), "the form can be sent again");
        assert_eq!(new.post("/register", &fields(token, "newcomer", "new@example.org")).await.leads_to(), "/chat");
        assert_eq!(new.get("/chat").await.status, 200);
        assert_eq!(site.number("select count(*) from invitations where used_at is not null and invited_by = 1 and user_id = 2").await, 1);
        let mut other = Visitor::new(&site);
        other.get(&link).await.is(403, "This invitation isn't valid any more.");
        other.post("/register", &fields(token, "other", "other@example.org")).await.is(403, "isn't valid any more");
        assert_eq!(site.number("select count(*) from users").await, 2);
        ann.get("/admin/invitations/").await.is(200, "newcomer");
        let hash = switchboard::auth::token_hash(token);
        assert_eq!(site.text("select token_hash from invitations").await, hash);
        let page = ann.get("/admin/invitations/1/").await;
        assert!(!page.text.contains(&hash) && !page.text.contains(token));
        assert!(!ann.get("/admin/invitations/1/history").await.text.contains(token));
    }
}

both! {
    async fn of_two_who_race_for_an_invitation_one_gets_an_account(engine: Engine) {
        for setting in ["invite", "open"] {
            let (site, _ann, link) = invited(engine).await;
            registration(&site, setting).await;
            let (mut a, mut b) = (Visitor::new(&site), Visitor::new(&site));
            let token = token(&link);
            let (one, two) = (fields(token, "one", "one@example.org"), fields(token, "two", "two@example.org"));
            let (one, two) = tokio::join!(a.post("/register", &one), b.post("/register", &two));
            let mut statuses = [one.status.as_u16(), two.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [303, 403], "{setting}");
            assert_eq!(site.number("select count(*) from users").await, 2);
        }
    }
}

both! {
    async fn without_an_invitation_nobody_registers_where_one_is_asked_for(engine: Engine) {
        let (site, _ann, link) = invited(engine).await;
        let mut eve = Visitor::new(&site);
        eve.get("/register").await.is(403, "by invitation only");
        eve.post("/register", &fields("", "eve", "eve@example.org")).await.is(403, "by invitation only");
        eve.post("/register", &[("username", "e")]).await.is(403, "by invitation only");
        eve.get("/register?token=0000").await.is(403, "isn't valid any more");
        eve.post("/register", &fields("0000", "eve", "eve@example.org")).await.is(403, "isn't valid any more");
        assert!(!eve.get("/login").await.text.contains("/register"));
        registration(&site, "closed").await;
        eve.get(&link).await.is(403, "Registration is closed");
        eve.post("/register", &fields(token(&link), "eve", "eve@example.org")).await.is(403, "Registration is closed");
        assert_eq!(site.number("select count(*) from users").await, 1);
        registration(&site, "open").await;
        eve.get(&link).await.is(200, "value=\"new@example.org\"");
        eve.get("/register?token=0000").await.is(200, "Register");
        eve.post("/register", &fields("0000", "eve", "eve@example.org")).await.leads_to();
        assert_eq!(site.number("select count(*) from invitations where used_at is not null").await, 0);
    }
}

both! {
    async fn an_invitation_runs_out_is_withdrawn_and_sent_again_with_another_link(engine: Engine) {
        let (site, mut ann, link) = invited(engine).await;
        let new = Visitor::new(&site);
        ann.post("/admin/invitations/action", &act("send-again", "1")).await.leads_to();
        let again = last_link(&site).await;
        assert_ne!(again, link);
        new.get(&link).await.is(403, "isn't valid any more");
        new.get(&again).await.is(200, "new@example.org");
        site.sql("update invitations set expires_at = 1").await;
        new.get(&again).await.is(403, "isn't valid any more");
        ann.post("/admin/invitations/action", &act("send-again", "1")).await.leads_to();
        let third = last_link(&site).await;
        new.get(&third).await.is(200, "new@example.org");
        site.sql("update invitations set used_at = 1").await;
        ann.post("/admin/invitations/action", &act("send-again", "1")).await.is(409, "has registered by this invitation already");
        site.sql("update invitations set used_at = null").await;
        ann.post("/admin/invitations/1/delete", &[("confirm", "1")]).await.leads_to();
        new.get(&third).await.is(403, "isn't valid any more");
    }
}

both! {
    async fn an_address_is_invited_once_and_a_members_not_at_all(engine: Engine) {
        let (site, mut ann, _) = invited(engine).await;
        ann.post("/admin/invitations/add", &[("email", "NEW@example.org")]).await.is(422, "is invited already");
        ann.post("/admin/invitations/add", &[("email", "Ann@Example.org")]).await.is(422, "has an account already");
        ann.post("/admin/invitations/add", &[("email", "nowhere")]).await.is(422, "not an e-mail address");
        assert_eq!(site.number("select count(*) from emails").await, 1);
        site.sql("update invitations set expires_at = 1").await;
        ann.post("/admin/invitations/add", &[("email", "new@example.org")]).await.leads_to();
        let mo = {
            registration(&site, "open").await;
            Visitor::of_role(&site, "moe", "moderator").await
        };
        mo.get("/admin/invitations/").await.is(403, "Your role doesn't see these.");
        assert!(!mo.get("/admin/").await.text.contains("/admin/invitations/"));
        ann.get("/admin/settings/registration/").await.is(200, "by an invitation only");
    }
}
