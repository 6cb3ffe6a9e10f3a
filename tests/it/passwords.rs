//! Which passwords are taken, said in words, and how they are stored.

use crate::support::actors::{PASSWORD, Visitor};
use crate::support::app::{Site, both};

both! {
    async fn what_others_would_guess_is_refused_in_words(engine: Engine) {
        let site = Site::new(engine).await;
        let mut visitor = Visitor::new(&site);
        for (password, told) in [
            ("seven77", "8 to 128 characters"),
            (&"long ".repeat(26), "8 to 128 characters"),
            ("password1", "commonest passwords"),
            ("qwertyuiop", "commonest passwords"),
            ("zaqzaqzaqzaq", "easily guessed"),
            ("aaaaaaaaaaaa", "easily guessed"),
            ("abcdefgh", "Sequences such as"),
            ("14031987", "easily guessed"),
            ("Elizabeth", "easily guessed"),
            ("Annabella-Lee", "are the first that others would try"),
            ("lee@example.org", "are the first that others would try"),
            ("switchboard", "are the first that others would try"),
            ("annabella-lee1", "easily guessed"),
            ("Switchboard1", "easily guessed"),
        ] {
            let fields = [("username", "annabella-lee"), ("email", "lee@example.org"), ("password", password)];
            let page = visitor.post("/register", &fields).await;
            assert_eq!(page.status, 422, "{password}");
            let error = page.text.split_once("id=\"password-error\">").unwrap().1;
            assert!(error.split_once("</p>").unwrap().0.replace("&#39;", "'").contains(told), "{password}: {error:.200}");
        }
        let fields = [("username", "annabella-lee"), ("email", "lee@example.org"), ("password", "träum von 7 Äpfeln")];
        visitor.post("/register", &fields).await.leads_to();
    }
}

both! {
    async fn the_site_s_own_name_counts_whatever_it_is(engine: Engine) {
        let site = Site::new(engine).await;
        site.sql("update settings set value = 'Kestrel Observatory' where key = 'site_name'").await;
        site.app.refresh_settings().await.unwrap();
        let fields = [("username", "bob"), ("email", "bob@example.org"), ("password", "kestrel observatory")];
        let page = Visitor::new(&site).post("/register", &fields).await;
        assert!(page.status == 422 && page.text.contains("are the first that others would try"));
    }
}

both! {
    async fn a_hash_of_other_parameters_is_made_anew_at_log_in(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        // The same password with less work (argon2id, 8 MiB, 1 pass), as an older version might have stored it.
        let old = old_hash(PASSWORD);
        site.sql(&format!("update users set password_hash = '{old}'")).await;
        ann.post("/logout", &[]).await;
        let wrong = ann.post("/login", &[("username", "ann"), ("password", "a wrong one, and long")]).await;
        assert_eq!(wrong.status, 422);
        assert_eq!(site.text("select password_hash from users").await, old);
        Visitor::logged_in(&site, "ann").await;
        let new = site.text("select password_hash from users").await;
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        Visitor::logged_in(&site, "ann").await;
        assert_eq!(site.text("select password_hash from users").await, new);
    }
}

fn old_hash(password: &str) -> String {
    use argon2::password_hash::PasswordHasher;
    use argon2::password_hash::phc::PasswordHash;
    let params = argon2::Params::new(8 * 1024, 1, 1, None).unwrap();
    let old = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hash: PasswordHash = old.hash_password(password.as_bytes()).unwrap();
    hash.to_string()
}

both! {
    async fn a_password_full_of_signs_is_judged_by_how_it_begins(engine: Engine) {
        let site = Site::new(engine).await;
        let mut visitor = Visitor::new(&site);
        // Every sign that may stand for a letter, over and over: a second of a core each, if all of it were tried.
        let signs = "4@8({[<3690|!17$5+%2".repeat(6);
        let fields = [("username", "x"), ("email", "x"), ("password", signs.as_str())];
        let page = visitor.post("/register", &fields).await;
        assert!(page.status == 422 && !page.text.contains("password-error"), "{}", page.text);
        let ones = format!("{}{}", "1".repeat(64), "12".repeat(32));
        for weak in ["12345678901234567890", "1234567890qwertyuiop", &ones] {
            let page = visitor.post("/register", &[("username", "x"), ("email", "x"), ("password", weak)]).await;
            assert!(page.text.contains("password-error"), "{weak}");
        }
    }
}
