//! A person's own new e-mail address: confirmed from where it leads, told to where it led before.

use switchboard::users::address::{self, Change};
use switchboard::users::{self, Role, User};

use crate::support::actors::Visitor;
use crate::support::app::{Options, Site, both};
use crate::support::letters::{link, token};

/// A site that sends mail, to where nobody listens: letters stay in the outbox.
async fn site(engine: crate::support::app::Engine) -> Site {
    let settings = vec![("SMTP_URL", "smtp://127.0.0.1:1"), ("MAIL_FROM", "chat@example.org")];
    Site::with(engine, Options { settings, ..Options::default() }).await
}

async fn user(site: &Site, name: &str) -> User {
    users::find(&mut site.app.db.read().await.unwrap(), name).await.unwrap().unwrap()
}

async fn changes(site: &Site, name: &str, email: &str) -> Result<Change, switchboard::error::Error> {
    let user = user(site, name).await;
    let mut work = site.work(user.id.0, Role::User).await;
    let change = address::change(&mut work, &user, email).await?;
    work.commit().await.map(|()| change)
}

both! {
    async fn a_new_address_counts_once_it_is_confirmed_and_both_are_told(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        assert_eq!(changes(&site, "ann", "ann@new.example").await.unwrap(), Change::Asked);
        assert_eq!(user(&site, "ann").await.email, "ann@example.org");
        let told = site.letter("ann@example.org", "new address").await;
        assert!(told.contains("ann@new.example") && !told.contains("token="), "{told}");
        let letter = site.letter("ann@new.example", "Confirm your address").await;
        let mut anyone = Visitor::new(&site);
        let page = anyone.get(&link(&letter)).await;
        assert!(page.status == 200 && page.text.contains("ann@new.example"));
        assert_eq!(user(&site, "ann").await.email, "ann@example.org", "looking changes nothing");
        let confirm = [("token", token(&letter))];
        let confirm: Vec<(&str, &str)> = confirm.iter().map(|(name, value)| (*name, value.as_str())).collect();
        anyone.post("/settings/email/confirm", &confirm).await.leads_to();
        assert_eq!(user(&site, "ann").await.email, "ann@new.example");
        for to in ["ann@example.org", "ann@new.example"] {
            assert_eq!(site.letters(to, "was changed").await, 1, "{to}");
        }
        let again = anyone.post("/settings/email/confirm", &confirm).await;
        assert!(again.status == 400 && again.text.contains("used already"));
    }
}

both! {
    async fn a_newer_wish_a_new_password_and_a_day_call_a_change_off(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        changes(&site, "ann", "one@new.example").await.unwrap();
        let first = link(&site.letter("one@new.example", "Confirm").await);
        changes(&site, "ann", "two@new.example").await.unwrap();
        let second = link(&site.letter("two@new.example", "Confirm").await);
        let visitor = Visitor::new(&site);
        assert_eq!((visitor.get(&first).await.status.as_u16(), visitor.get(&second).await.status.as_u16()), (400, 200));
        site.sql("update email_changes set expires_at = 1").await;
        assert_eq!(visitor.get(&second).await.status, 400);
        changes(&site, "ann", "three@new.example").await.unwrap();
        let third = link(&site.letter("three@new.example", "Confirm").await);
        let held = user(&site, "ann").await;
        let mut work = site.work(1, Role::User).await;
        users::change::set_password(&mut work, &held, "four words of another kind".into()).await.unwrap();
        work.commit().await.unwrap();
        assert_eq!(visitor.get(&third).await.status, 400);
    }
}

both! {
    async fn an_address_that_is_none_or_taken_is_refused_also_when_it_was_taken_meanwhile(engine: Engine) {
        let site = site(engine).await;
        Visitor::registered(&site, "ann").await;
        for bad in ["", "nowhere", "a@b@c", "BOB@example.org"] {
            if bad.starts_with("BOB") {
                Visitor::registered(&site, "bob").await;
            }
            let error = changes(&site, "ann", bad).await.unwrap_err();
            assert_eq!(error.status(), 422, "{bad}");
        }
        changes(&site, "ann", "carl@example.org").await.unwrap();
        let token = token(&site.letter("carl@example.org", "Confirm").await);
        Visitor::registered(&site, "carl").await;
        let page = Visitor::new(&site).post("/settings/email/confirm", &[("token", &token)]).await;
        assert!(page.status == 422 && page.text.contains("already taken"), "{}", page.text);
        assert_eq!(user(&site, "ann").await.email, "ann@example.org");
    }
}

both! {
    async fn where_no_mail_is_sent_an_address_counts_at_once(engine: Engine) {
        let site = Site::new(engine).await;
        Visitor::registered(&site, "ann").await;
        assert_eq!(changes(&site, "ann", "ann@new.example").await.unwrap(), Change::Done);
        assert_eq!(user(&site, "ann").await.email, "ann@new.example");
        assert_eq!(changes(&site, "ann", "ann@new.example").await.unwrap(), Change::Same);
    }
}
