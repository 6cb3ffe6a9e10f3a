//! Many who come back at once, as after a restart: each is answered for themselves, by a share of one statement.

use futures_util::future::join_all;
use switchboard::auth::token_hash;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};
use crate::support::socket::Socket;
use crate::support::work::until_so;

const PEOPLE: i64 = 90;
/// The person of a number, and their token.
const FIRST: i64 = 100;

fn token(n: i64) -> String {
    format!("swb_of_number_{n}")
}

/// Ninety, each with a token of theirs.
async fn people(site: &Site) {
    for n in FIRST..FIRST + PEOPLE {
        let hash = token_hash(&token(n));
        site.sql(&format!(
            "insert into users (id, username, username_folded, email, email_folded, password_hash, created_at, updated_at)
             values ({n}, 'p{n}', 'p{n}', 'p{n}', 'p{n}', '', 0, 0)"
        ))
        .await;
        site.sql(&format!(
            "insert into api_tokens (id, user_id, name, token_hash, created_at) values ({n}, {n}, 'Bot', '{hash}', 0)"
        ))
        .await;
    }
}

/// Opens a socket on `room` for each of the ninety at once: whose it says that it is, or why there is none.
async fn opened(site: &Site, room: i64) -> Vec<Result<i64, u16>> {
    let base = site.url("");
    let open = async |n| {
        let mut socket = Socket::open(&base, &format!("/ws/chat/{room}?token={}", token(n)), None, None).await?;
        let connected = socket.expect("connected").await;
        assert_eq!(connected["room_id"], room);
        Ok(connected["user_id"].as_i64().unwrap())
    };
    join_all((FIRST..FIRST + PEOPLE).map(open)).await
}

both! {
    async fn each_of_many_who_open_a_room_at_once_is_let_in_as_themselves(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        let hall = ann.public_room("Hall").await;
        people(&site).await;
        // Twice: who came in is in, the second time.
        for _ in 0..2 {
            let all: Vec<_> = (FIRST..FIRST + PEOPLE).map(Ok).collect();
            assert_eq!(opened(&site, hall).await, all);
        }
        assert_eq!(site.number("select count(*) from memberships").await, 1 + PEOPLE);
        let unused = "select count(*) from api_tokens t join users u on u.id = t.user_id where t.last_used_at is null or u.last_seen_at is null";
        until_so(async || site.number(unused).await == 0).await;
    }
}

both! {
    async fn who_may_not_come_in_is_refused_among_many_who_may(engine: Engine) {
        let site = Site::new(engine).await;
        let mut ann = Visitor::registered(&site, "ann").await;
        people(&site).await;
        let secret = ann.group_with("Secret plans", FIRST).await;
        site.sql(&format!("insert into memberships (room_id, user_id, role, joined_at) select {secret}, id, 'member', 0 from users where id > {FIRST}")).await;
        for (n, spoiled) in [
            (3, "update api_tokens set revoked_at = 1 where id ="),
            (20, "update api_tokens set expires_at = 1 where id ="),
            (41, "update users set is_active = false where id ="),
            (42, "delete from api_tokens where id ="),
            (60, "delete from memberships where user_id ="),
        ] {
            site.sql(&format!("{spoiled} {}", FIRST + n)).await;
        }
        let expected = |n| match n - FIRST {
            3 | 20 | 41 | 42 => Err(401),
            60 => Err(404),
            _ => Ok(n),
        };
        let expected: Vec<_> = (FIRST..FIRST + PEOPLE).map(expected).collect();
        assert_eq!(opened(&site, secret).await, expected);
    }
}

both! {
    async fn a_use_is_written_down_beside_a_token_that_somebody_is_changing(engine: Engine) {
        let site = Site::new(engine).await;
        people(&site).await;
        let use_it = async |n| drop(Socket::open(&site.url(""), &format!("/ws?token={}", token(n)), None, None).await.unwrap());
        let is_used = async |n: i64| site.number(&format!("select count(last_used_at) from api_tokens where id = {n}")).await == 1;
        let mut held = site.app.db.write().await.unwrap();
        let change = format!("update api_tokens set name = 'Changed' where id = {FIRST}");
        switchboard::on_db!(held, c => sqlx::query(&change).execute(c).await.map(drop)).unwrap();
        use_it(FIRST).await;
        use_it(FIRST + 1).await;
        // SQLite has one who writes; they wait for it.
        if engine == Engine::Postgres {
            until_so(async || is_used(FIRST + 1).await).await;
            assert!(!is_used(FIRST).await);
        }
        held.commit().await.unwrap();
        until_so(async || { use_it(FIRST).await; is_used(FIRST).await && is_used(FIRST + 1).await }).await;
        assert_eq!(site.text(&format!("select name from api_tokens where id = {FIRST}")).await, "Changed");
    }
}
