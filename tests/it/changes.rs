//! Messages that are edited, deleted, erased and put back, as sockets see it: in the order of the revisions, each once.

use serde_json::{Value, json};
use switchboard::admin::input::Input;
use switchboard::admin::resource::Act;
use switchboard::error::{Error, Result};
use switchboard::ids::MessageId;
use switchboard::messages::admin::RESOURCE;
use switchboard::messages::change;
use switchboard::users::Role;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Site, both};
use crate::support::browser::Browsers;
use crate::support::socket::Socket;

async fn edit(site: &Site, id: i64, content: &str) -> Result<()> {
    let mut work = site.admin().await;
    change::edit(&mut work, MessageId(id), content).await?;
    work.commit().await
}

async fn delete(site: &Site, id: i64) -> Result<()> {
    let mut work = site.admin().await;
    change::delete(&mut work, MessageId(id)).await?;
    work.commit().await
}

async fn erase(site: &Site, id: i64) -> Result<()> {
    let mut work = site.admin().await;
    change::erase(&mut work, MessageId(id)).await?;
    work.commit().await
}

/// The next frame that brings a revision.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let frame = socket.next().await.unwrap();
        if frame.get("rev").is_some() && frame["type"] != "connected" && frame["type"] != "synced" {
            return frame;
        }
    }
}

/// What a socket is sent that comes back after `rev`, to `synced`, and what that says.
async fn resumed(person: &Visitor, room: i64, after: i64) -> (Socket, Vec<Value>, i64) {
    let mut socket = person.socket(&format!("/ws/chat/{room}?after={after}")).await;
    let mut frames = Vec::new();
    loop {
        let frame = socket.next().await.unwrap();
        match frame["type"].as_str() {
            Some("message") => frames.push(frame),
            Some("synced") => return (socket, frames, frame["rev"].as_i64().unwrap()),
            other => assert!(other != Some("gap"), "{frame}"),
        }
    }
}

fn pairs(frames: &[Value]) -> Vec<(i64, i64)> {
    frames.iter().map(|frame| (frame["seq"].as_i64().unwrap(), frame["rev"].as_i64().unwrap())).collect()
}

async fn talk(site: &Site, words: &[&str]) -> (Visitor, i64) {
    let mut ann = Visitor::registered(site, "ann").await;
    let room = ann.public_room("General").await;
    for word in words {
        ann.say(room, word).await;
    }
    (ann, room)
}

both! {
    async fn changes_are_told_between_posts_in_the_order_of_their_revisions(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, room) = talk(&site, &["one", "two"]).await;
        let mut socket = ann.follows(room).await;
        edit(&site, 1, " **ONE** ").await.unwrap();
        ann.say(room, "three").await;
        delete(&site, 2).await.unwrap();
        let edited = next(&mut socket).await;
        assert_eq!((&edited["type"], &edited["seq"], &edited["rev"]), (&json!("message_edited"), &json!(1), &json!(3)));
        assert_eq!((&edited["content"], &edited["html"]), (&json!("**ONE**"), &json!("<p><strong>ONE</strong></p>")));
        assert!(edited["edited_at"].is_string() && edited["deleted_at"].is_null() && edited["username"] == "ann");
        assert_eq!(next(&mut socket).await["rev"], 4);
        let gone = next(&mut socket).await;
        assert_eq!(gone, json!({"type": "message_deleted", "id": 2, "room_id": room, "seq": 2, "rev": 5}));
        let (_, replayed, synced) = resumed(&ann, room, 2).await;
        assert_eq!((pairs(&replayed), synced), (vec![(1, 3), (3, 4), (2, 5)], 5));
        assert_eq!((&replayed[2]["content"], &replayed[2]["html"]), (&json!(""), &json!("")));
        assert!(replayed[2]["deleted_at"].is_string());
    }
}

both! {
    async fn a_deleted_message_gets_its_text_back_and_is_found_again(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, room) = talk(&site, &["one"]).await;
        let mut socket = ann.follows(room).await;
        let row = site.row(&RESOURCE, 1).await.unwrap();
        site.delete(&RESOURCE, 1, Role::Moderator).await.unwrap();
        assert_eq!(site.number("select count(*) from messages where content = '' and html = '' and deleted_at > 0").await, 1);
        assert!(matches!(delete(&site, 1).await, Err(Error::Conflict(_))), "once");
        assert!(matches!(edit(&site, 1, "no").await, Err(Error::Conflict(_))));
        site.restore(&RESOURCE, &row).await.unwrap();
        assert!(matches!(site.restore(&RESOURCE, &row).await, Err(Error::Conflict(_))), "once");
        assert_eq!(next(&mut socket).await["type"], "message_deleted");
        let back = next(&mut socket).await;
        assert_eq!((&back["type"], &back["rev"], &back["content"]), (&json!("message_edited"), &json!(3), &json!("one")));
        assert!(back["deleted_at"].is_null() && back["edited_at"].is_null());
    }
}

both! {
    async fn an_erased_message_leaves_a_hole_that_sockets_survive(engine: Engine) {
        let site = Site::new(engine).await;
        let (mut ann, room) = talk(&site, &["one", "two", "three"]).await;
        let mut live = ann.follows(room).await;
        let row = site.row(&RESOURCE, 2).await.unwrap();
        let may = async |role| {
            let by = site.work(1, role).await.by.clone().unwrap();
            (RESOURCE.row_rule)(&by, Act::Delete, &site.row(&RESOURCE, 2).await.unwrap())
        };
        assert!(may(Role::Moderator).await.is_ok());
        site.delete(&RESOURCE, 2, Role::Moderator).await.unwrap();
        assert!(may(Role::Moderator).await.is_err() && may(Role::Admin).await.is_err(), "deleting twice doesn't erase");
        assert!(matches!(site.delete(&RESOURCE, 2, Role::Admin).await, Err(Error::Conflict(_))));
        erase(&site, 2).await.unwrap();
        assert!(matches!(site.restore(&RESOURCE, &row).await, Err(Error::Conflict(_))), "gone for good");
        for rev in [4, 5] {
            assert_eq!(next(&mut live).await, json!({"type": "message_deleted", "id": 2, "room_id": room, "seq": 2, "rev": rev}));
        }
        for after in [0, 1, 2, 3, 4, 5] {
            let (_, replayed, synced) = resumed(&ann, room, after).await;
            assert_eq!(synced, 5, "the hole at the end counts");
            assert_eq!(pairs(&replayed), [(1, 1), (3, 3)].into_iter().filter(|(_, rev)| *rev > after).collect::<Vec<_>>());
        }
        let (mut socket, ..) = resumed(&ann, room, 2).await;
        ann.say(room, "four").await;
        for reader in [&mut live, &mut socket] {
            let frame = next(reader).await;
            assert_eq!((&frame["seq"], &frame["rev"]), (&json!(4), &json!(6)), "no number is used twice");
        }
        let (_, replayed, synced) = resumed(&ann, room, 0).await;
        assert_eq!((pairs(&replayed), synced), (vec![(1, 1), (3, 3), (4, 6)], 6), "holes between are passed over");
        assert!(ann.get(&format!("/chat/rooms/{room}")).await.text.contains("four"));
    }
}

both! {
    async fn edits_erasures_and_posts_that_race_are_each_told_once_and_in_order(engine: Engine) {
        let site = std::sync::Arc::new(Site::new(engine).await);
        let (ann, room) = talk(&site, &["a", "b", "c", "d"]).await;
        let mut reader = ann.follows(room).await;
        let mut tasks = Vec::new();
        for writer in 0..3 {
            let ann = ann.clone();
            tasks.push(tokio::spawn(async move {
                let mut socket = ann.follows(room).await;
                for n in 0..20 {
                    let own = format!("{writer}-{n}");
                    socket.say("word", &own).await;
                    while socket.expect("message").await["client_id"] != own.as_str() {}
                }
            }));
        }
        for id in 1..=4 {
            let site = site.clone();
            tasks.push(tokio::spawn(async move {
                for n in 0..10 {
                    edit(&site, id, &format!("edit {n}")).await.unwrap();
                }
                match id {
                    1 => erase(&site, id).await.unwrap(),
                    2 => delete(&site, id).await.unwrap(),
                    _ => {}
                }
            }));
        }
        // Meanwhile somebody comes back again and again, and gets each revision that can be read, once.
        let total = 4 + 60 + 40 + 2;
        let coming = tokio::spawn({
            let ann = ann.clone();
            async move {
                let mut seen = 4;
                while seen < total {
                    let (mut socket, replayed, synced) = resumed(&ann, room, seen).await;
                    let revs: Vec<i64> = pairs(&replayed).iter().map(|pair| pair.1).collect();
                    assert!(revs.is_sorted() && revs.iter().all(|rev| *rev > seen && *rev <= synced), "{revs:?} {seen} {synced}");
                    seen = synced;
                    for _ in 0..5 {
                        if seen == total {
                            break;
                        }
                        seen += 1;
                        assert_eq!(next(&mut socket).await["rev"], seen, "live goes on where the replay ended");
                    }
                }
            }
        });
        for rev in 5..=total {
            assert_eq!(next(&mut reader).await["rev"], rev);
        }
        for task in tasks {
            task.await.unwrap();
        }
        coming.await.unwrap();
        assert!(reader.settled().await.iter().all(|frame| frame.get("rev").is_none()), "nothing comes twice");
        assert_eq!(site.number("select last_rev * 1000 + last_seq from rooms").await, total * 1000 + 64);
        assert_eq!(site.number("select count(*) from messages").await, 63);
    }
}

both! {
    async fn a_refused_change_changes_nothing_and_says_why_beside_the_field(engine: Engine) {
        let site = Site::new(engine).await;
        let (ann, room) = talk(&site, &["one"]).await;
        let row = site.row(&RESOURCE, 1).await.unwrap();
        for (content, says) in [(" ".to_owned(), "Write something first"), ("x".repeat(4001), "at most 4000"), ("a\0b".into(), "NUL")] {
            let mut work = site.work(1, Role::Moderator).await;
            let input = Input([("content", switchboard::admin::value::Value::Text(content))].into());
            let refused = (RESOURCE.update.unwrap())(&mut work, &row, &input).await;
            let Err(Error::Invalid(errors)) = refused else { panic!("{refused:?}") };
            assert!(errors.of("content").contains(says), "{errors}");
            work.commit().await.unwrap();
        }
        edit(&site, 1, "one").await.unwrap();
        assert!(matches!(edit(&site, 77, "x").await, Err(Error::NotFound(_))));
        assert_eq!(site.number("select last_rev from rooms").await, 1);
        // A work that isn't committed tells nobody.
        let mut socket = ann.follows(room).await;
        let mut work = site.admin().await;
        change::edit(&mut work, MessageId(1), "never").await.unwrap();
        drop(work);
        assert!(socket.settled().await.iter().all(|frame| frame["type"] != "message_edited"));
        assert_eq!(site.number("select last_rev from rooms").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_shows_what_was_edited_and_what_was_deleted() {
    let Some(browsers) = Browsers::start().await else { return };
    let site = Site::new(Engine::Sqlite).await;
    let (_, room) = talk(&site, &["one", "two", "three"]).await;
    let page = browsers.window(&site.url(""), 1280, false).await;
    page.fill_log_in("ann").await;
    page.go(&format!("/chat/rooms/{room}")).await;
    page.until_connected().await;
    edit(&site, 1, "*ONE*").await.unwrap();
    delete(&site, 2).await.unwrap();
    page.until("document.querySelector('#m2 .gone') !== null").await;
    assert_eq!(page.said().await, ["ONE", "This message was deleted.", "three"]);
    page.go(&format!("/chat/rooms/{room}")).await;
    page.until_connected().await;
    assert_eq!(page.said().await, ["ONE", "This message was deleted.", "three"], "as the server renders it");
    page.close().await;
}
