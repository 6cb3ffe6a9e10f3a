//! A site behind PgBouncer in transaction mode: each transaction may be on another connection of the few that there are.

use futures_util::future::join_all;
use sqlx::Connection;
use switchboard::app::{App, Seams};
use tempfile::tempdir;

use crate::support::actors::Visitor;
use crate::support::app::{Database, Options, Site, postgres_url};

const MESSAGES: usize = 60;
const PAGES: usize = 24;

/// A database of its own, since PgBouncer takes no search path; `None` where there is no PgBouncer.
async fn behind_it() -> Option<Database> {
    let Ok(url) = std::env::var("TEST_PGBOUNCER_URL") else {
        eprintln!("skipped: TEST_PGBOUNCER_URL isn't set; tests/run sets it");
        return None;
    };
    let name = format!("bounced_{}_{:x}", std::process::id(), rand::random::<u32>());
    let mut conn = sqlx::PgConnection::connect(&postgres_url().unwrap()).await.unwrap();
    sqlx::query(&format!("create database {name}")).execute(&mut conn).await.unwrap();
    Some(Database { url: format!("{url}/{name}"), folder: tempdir().unwrap() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_work_through_fewer_connections_than_each_has() {
    let Some(database) = behind_it().await else { return };
    let options = Options { settings: vec![("PGBOUNCER", "true"), ("API", "true")], ..Options::default() };
    let site = Site::over(database, 0, options.clone()).await;
    let mut ann = Visitor::admin(&site, "ann").await;
    let hall = ann.public_room("Hall").await;
    let mut socket = ann.follows(hall).await;
    let second = App::start(site.app.config.clone(), Seams::default()).await.unwrap();
    let asked = join_all((0..PAGES).map(|n| {
        let (ann, second) = (ann.clone(), second.clone());
        async move {
            let page = match n % 4 {
                0 => ann.get(&format!("/chat/rooms/{hall}")).await,
                1 => ann.get("/admin/messages/?q=word").await,
                2 => ann.get("/search?q=word").await,
                _ => ann.get("/people").await,
            };
            second.refresh_settings().await.unwrap();
            page.status.as_u16()
        }
    }));
    let said = async {
        for n in 0..MESSAGES {
            socket.say("a word", &format!("c{n}")).await;
        }
        for seq in 1..=MESSAGES {
            assert_eq!(socket.expect("message").await["seq"], seq);
        }
    };
    let (statuses, ()) = tokio::join!(asked, said);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let stored = site.number("select count(*) * 1000 + max(last_seq) from messages, rooms").await;
    assert_eq!(stored, MESSAGES as i64 * 1001);
    // Signed in still, from the table, and the migrations are known.
    second.db.migrate().await.unwrap();
    second.db.close().await;
    let site = Site::over(site.stop().await, 0, options).await;
    let again = Visitor::logged_in(&site, "ann").await;
    assert_eq!(again.get(&format!("/chat/rooms/{hall}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_forgets_the_setting_is_told_of_it() {
    let Some(database) = behind_it().await else { return };
    let refused = switchboard::db::Db::open(&database.url).await.err().unwrap().to_string();
    assert!(refused.contains("set PGBOUNCER=true"), "{refused}");
}
