//! Personal tokens: what they open, what they don't, and what ends them.

use serde_json::json;
use switchboard::auth::api_tokens;
use switchboard::clock::Timestamp;
use switchboard::error::Error;
use switchboard::ids::UserId;
use switchboard::work::Work;

use crate::support::actors::PASSWORD;
use crate::support::app::both;
use crate::support::program::{Program, api};

both! {
    async fn a_personal_token_opens_the_api_and_sockets_until_it_is_revoked(engine: Engine) {
        let (site, _) = api(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let (id, token) = site.token(1, None).await;
        assert!(token.len() == 68 && token.starts_with("swb_"), "{token}");
        let bot = Program::new(&site).with(&token);
        assert_eq!(bot.get("/auth/me").await.is(200).json()["username"], "ann");
        let mut socket = bot.socket("/ws").await;
        assert_eq!(bot.with(&format!("{token}0")).me().await, 401);
        let listed = api_tokens::list(&mut site.app.db.read().await.unwrap(), UserId(1)).await.unwrap();
        assert_eq!((listed.len(), listed[0].name.as_str()), (1, "My bot"));

        let mut work = Work::begin(&site.app, None).await.unwrap();
        let foreign = api_tokens::revoke_own(&mut work, UserId(2), id).await;
        assert!(matches!(foreign, Err(Error::NotFound(_))), "of somebody else it isn't there");
        api_tokens::revoke_own(&mut work, UserId(1), id).await.unwrap();
        work.commit().await.unwrap();
        assert_eq!(socket.close_code().await, 4401);
        bot.get("/auth/me").await.refuses(401, None);
        assert!(api_tokens::list(&mut site.app.db.read().await.unwrap(), UserId(1)).await.unwrap().is_empty());
    }
}

both! {
    async fn a_token_revoked_by_another_process_or_run_out_closes_its_sockets(engine: Engine) {
        let (site, time) = api(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let at = Timestamp((time.seconds() + 3600) * 1_000_000);
        let [(id, first), (_, second), (_, third)] =
            [site.token(1, None).await, site.token(1, Some(at)).await, site.token(1, None).await];
        let [mut revoked, mut run_out, mut stands] = [
            Program::new(&site).with(&first).socket("/ws").await,
            Program::new(&site).with(&second).socket("/ws").await,
            Program::new(&site).with(&third).socket("/ws").await,
        ];
        let now = time.0.load(std::sync::atomic::Ordering::Relaxed);
        site.sql(&format!("update api_tokens set revoked_at = {now} where id = {id}")).await;
        site.sql(&format!("insert into revocations (user_id, api_token_id, created_at) values (1, {id}, {now})")).await;
        assert_eq!(revoked.close_code().await, 4401);
        run_out.settled().await;
        time.pass(3601);
        assert_eq!(run_out.close_code().await, 4401);
        assert_eq!(Program::new(&site).with(&second).me().await, 401);
        stands.settled().await;
    }
}

both! {
    async fn personal_tokens_have_names_ends_and_a_limit(engine: Engine) {
        let (site, _) = api(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let mut work = Work::begin(&site.app, None).await.unwrap();
        for (name, expires) in [(" ", None), ("ok", Some(Timestamp(5))), (&*"x".repeat(101), None), ("a\u{7}b", None)] {
            let refused = api_tokens::make(&mut work, UserId(1), name, expires).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{name:?}");
        }
        for _ in 0..50 {
            api_tokens::make(&mut work, UserId(1), "Bot", None).await.unwrap();
        }
        assert!(matches!(api_tokens::make(&mut work, UserId(1), "Bot", None).await, Err(Error::Conflict(_))));
        api_tokens::revoke_all(&mut work, UserId(1)).await.unwrap();
        api_tokens::make(&mut work, UserId(1), "Bot", None).await.unwrap();
        work.commit().await.unwrap();
        let hashes = site.text("select token_hash from api_tokens order by id limit 1").await;
        assert_eq!(hashes.len(), 64);
    }
}

both! {
    async fn using_a_personal_token_is_noted(engine: Engine) {
        let (site, time) = api(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let (_, token) = site.token(1, None).await;
        let bot = Program::new(&site).with(&token);
        let noted = "select coalesce(last_used_at, 0) / 1000000 from api_tokens";
        for _ in 0..2 {
            assert_eq!(bot.me().await, 200);
            while site.number(noted).await != time.seconds() {
                tokio::task::yield_now().await;
            }
            time.pass(61);
        }
    }
}

both! {
    async fn a_personal_token_does_not_change_how_one_signs_in(engine: Engine) {
        let (site, _) = api(engine).await;
        Program::new(&site).register("ann").await.is(201);
        let (_, token) = site.token(1, None).await;
        let bot = Program::new(&site).with(&token);
        let new = json!({"current_password": PASSWORD, "new_password": "a new horse battery"});
        bot.post("/auth/password", new).await.refuses(403, None);
        bot.post("/auth/two-factor", json!({})).await.refuses(403, None);
        bot.post("/auth/two-factor/confirm", json!({"code": "123456"})).await.refuses(403, None);
        bot.delete("/auth/two-factor", json!({"password": PASSWORD})).await.refuses(403, None);
        bot.post("/auth/logout", json!({})).await.refuses(403, None);
        bot.patch("/auth/me", json!({"bio": "A bot's owner"})).await.is(200);
    }
}
