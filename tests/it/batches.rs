//! What waits for the writer is stored together: everyone gets their own answer, whoever else is in the batch.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use futures_util::future::poll_immediate;
use serde_json::json;
use switchboard::app::Seams;
use switchboard::auth::token;
use switchboard::error::{Error, Result};
use switchboard::ids::{MessageId, RoomId};
use switchboard::messages::{self, NewMessage, Posted};
use switchboard::users::Person;

use crate::support::actors::Visitor;
use crate::support::app::{Engine, Options, Site, both};
use crate::support::program::Program;
use crate::support::talk::{room, said, spoil};

const ANN: i64 = 1;
const BOB: i64 = 2;
const CAT: i64 = 3;

/// Holds the writer between a commit and its answers, and counts its commits.
struct Gate {
    commits: Arc<AtomicUsize>,
    reached: mpsc::Receiver<()>,
    next: Arc<Mutex<Option<mpsc::Receiver<()>>>>,
}

impl Gate {
    async fn site(engine: Engine) -> (Site, Self) {
        let (commits, next) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Option<mpsc::Receiver<()>>>>::default());
        let (reach, reached) = mpsc::channel();
        let (counted, held, reach) = (commits.clone(), next.clone(), Mutex::new(reach));
        let after_commit: switchboard::messages::writer::AfterCommit = Arc::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let gate = held.lock().unwrap().take();
            if let Some(gate) = gate {
                reach.lock().unwrap().send(()).unwrap();
                // What this thread was to do next goes on elsewhere: the pool's connection is returned by it.
                let _ = tokio::task::block_in_place(|| gate.recv());
            }
        });
        let seams = Seams { after_commit: Some(after_commit), ..Seams::default() };
        let site = Site::with(engine, Options { settings: vec![("API", "true")], seams }).await;
        (site, Self { commits, reached, next })
    }

    /// Stops the writer after `person` has said something: what is queued until the key is dropped is one batch.
    async fn close(&self, person: &Program, room: i64) -> mpsc::Sender<()> {
        let (key, gate) = mpsc::channel();
        *self.next.lock().unwrap() = Some(gate);
        let person = person.clone();
        tokio::spawn(async move { said(&person, room, "first").await });
        tokio::task::block_in_place(|| self.reached.recv().unwrap());
        key
    }
}

async fn person(site: &Site, program: &Program) -> Person {
    token::person(&site.app, program.access.as_ref().unwrap()).await.unwrap()
}

type Posting<'a> = Pin<Box<dyn Future<Output = Result<Posted>> + Send + 'a>>;

/// Queues a post, which waits.
async fn queue<'a>(
    site: &'a Site,
    person: &'a Person,
    room: i64,
    content: &str,
    client_id: &str,
    reply_to: i64,
) -> Posting<'a> {
    let reply_to = (reply_to > 0).then_some(MessageId(reply_to));
    let new = NewMessage::parse(content, Some(client_id.to_owned()), reply_to).unwrap();
    let mut posting: Posting<'a> = Box::pin(messages::post(&site.app, person, RoomId(room), new));
    // A task that never waits is kept from going on; then this one would wait for that, and not for the writer.
    tokio::task::yield_now().await;
    assert!(poll_immediate(&mut posting).await.is_none());
    posting
}

/// `3` for a new message numbered so, `again 3` for one that was posted before, else what is wrong.
fn told(result: Result<Posted>) -> String {
    match result {
        Ok(Posted { message, new: true }) => message.seq.to_string(),
        Ok(Posted { message, new: false }) => format!("again {}", message.seq),
        Err(Error::Invalid(fields)) => fields.0.into_keys().collect(),
        Err(error) => format!("{} {}", error.status(), error.code()),
    }
}

/// Whoever was told an id, a number and a revision was told those that the message has.
async fn assert_stored(site: &Site, answers: &[Result<Posted>]) {
    for message in answers.iter().flatten().map(|posted| &posted.message) {
        let (room, seq, rev, content) = (message.room_id, message.seq, message.rev, &message.content);
        let stored = "select id from messages where room_id =";
        let stored = format!("{stored} {room} and seq = {seq} and rev = {rev} and content = '{content}'");
        assert_eq!(site.number(&stored).await, message.id.0, "{content}");
    }
}

both! {
    async fn everyone_in_a_batch_gets_their_own_answer_and_numbers_have_no_holes(engine: Engine) {
        let (site, gate) = Gate::site(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let [dan, eve] = [Program::registered(&site, "dan").await, Program::registered(&site, "eve").await];
        let [hall, den] = [room(&site, "public", &[ANN, BOB, 5]).await, room(&site, "group", &[BOB, CAT]).await];
        let [chat, yard] = [room(&site, "direct", &[ANN, CAT]).await, room(&site, "public", &[CAT, ANN]).await];
        cat.send("PUT", "/users/1/block", None, "").await.is(204);
        let old = ann.post(&format!("/chat/rooms/{hall}/messages"), json!({"content": "old", "client_id": "old"})).await.json();
        let (old, elsewhere) = (old["id"].as_i64().unwrap(), said(&cat, yard, "here").await["id"].as_i64().unwrap());
        let bot = Program::new(&site).with(&site.token(BOB, None).await.1);
        let [ann, bob, cat, dan, eve, bot] = [
            person(&site, &ann).await, person(&site, &bob).await, person(&site, &cat).await,
            person(&site, &dan).await, person(&site, &eve).await, person(&site, &bot).await,
        ];
        let reader = Visitor::logged_in(&site, "bob").await;
        let mut reader = reader.follows(hall).await;
        let key = gate.close(&Program::logged_in(&site, "ann").await, hall).await;
        let before = gate.commits.load(Ordering::SeqCst);
        let posts = [
            queue(&site, &ann, hall, "one", "c1", 0).await,
            queue(&site, &cat, yard, "far", "c1", elsewhere).await,
            queue(&site, &bob, hall, "two", "c1", 0).await,
            queue(&site, &ann, hall, "once more", "old", 0).await,
            queue(&site, &ann, hall, "one again", "c1", 0).await,
            queue(&site, &dan, hall, "outside", "c1", 0).await,
            queue(&site, &ann, den, "private", "c1", 0).await,
            queue(&site, &ann, 999, "nowhere", "c1", 0).await,
            queue(&site, &eve, hall, "too late", "c1", 0).await,
            queue(&site, &ann, hall, "wrong", "c2", elsewhere).await,
            queue(&site, &ann, hall, "right", "c2", old).await,
            queue(&site, &ann, hall, "repeat of all", "old", elsewhere).await,
            queue(&site, &ann, chat, "blocked", "c1", 0).await,
            queue(&site, &cat, chat, "blocks", "c1", 0).await,
            queue(&site, &bot, hall, "beep @ann", "c3", 0).await,
            queue(&site, &ann, yard, "there", "c9", 0).await,
        ];
        site.sql("delete from sessions where user_id = 5").await;
        drop(key);
        let answers = futures_util::future::join_all(posts).await;
        assert_stored(&site, &answers).await;
        let answers: Vec<String> = answers.into_iter().map(told).collect();
        let expected = [
            "3", "2", "4", "again 1", "again 3", "403 forbidden", "404 not_found", "404 not_found", "401 invalid",
            "reply_to", "5", "again 1", "403 forbidden", "403 forbidden", "6", "3",
        ];
        assert_eq!(answers, expected);
        assert_eq!(gate.commits.load(Ordering::SeqCst), before + 1, "one transaction");
        for expected in 2..=6 {
            let frame = reader.expect("message").await;
            assert_eq!((frame["seq"].as_i64(), frame["rev"].as_i64()), (Some(expected), Some(expected)));
        }
        for (room, last) in [(hall, 6), (yard, 3), (chat, 0), (den, 0)] {
            assert_eq!(site.number(&format!("select last_seq * 100 + last_rev from rooms where id = {room}")).await, last * 101);
            assert_eq!(site.number(&format!("select count(distinct seq) * 100 + max(rev) from (select seq, rev from messages where room_id = {room} union all select 0, 0) as m where seq > 0 or {last} = 0")).await, if last == 0 { 100 } else { last * 101 });
        }
        assert_eq!(site.number("select last_message_at from rooms where kind = 'direct'").await, 1, "nothing was said");
        let read = |user: i64, room: i64| format!("select last_read_seq from memberships where user_id = {user} and room_id = {room}");
        assert_eq!((site.number(&read(ANN, hall)).await, site.number(&read(BOB, hall)).await), (5, 6));
        assert_eq!(site.number(&format!("select count(*) from notifications where user_id = {ANN} and kind = 'mention'")).await, 1);
    }
}

both! {
    /// Nobody is named or answered and nothing else waits, so that the messages are stored as they are committed.
    async fn plain_words_in_a_batch_get_their_own_answers_too(engine: Engine) {
        let (site, gate) = Gate::site(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let [hall, yard] = [room(&site, "public", &[ANN, BOB]).await, room(&site, "direct", &[ANN, CAT]).await];
        let [ann, bob, cat] = [person(&site, &ann).await, person(&site, &bob).await, person(&site, &cat).await];
        let reader = Visitor::logged_in(&site, "bob").await;
        let mut reader = reader.follows(hall).await;
        let key = gate.close(&Program::logged_in(&site, "ann").await, hall).await;
        let before = gate.commits.load(Ordering::SeqCst);
        let posts = [
            queue(&site, &ann, hall, "one", "c1", 0).await,
            queue(&site, &ann, yard, "elsewhere", "c1", 0).await,
            queue(&site, &cat, hall, "outside", "c1", 0).await,
            queue(&site, &ann, hall, "one again", "c1", 0).await,
            queue(&site, &bob, hall, "two", "c1", 0).await,
            queue(&site, &cat, yard, "elsewhere, too", "c1", 0).await,
        ];
        drop(key);
        let answers = futures_util::future::join_all(posts).await;
        assert_stored(&site, &answers).await;
        let answers: Vec<String> = answers.into_iter().map(told).collect();
        assert_eq!(answers, ["2", "1", "403 forbidden", "again 2", "3", "2"]);
        assert_eq!(gate.commits.load(Ordering::SeqCst), before + 1, "one transaction");
        for expected in ["first", "one", "two"] {
            assert_eq!(reader.expect("message").await["content"], expected);
        }
        assert_eq!(site.number("select count(*) * 100 + max(last_seq) * 10 + min(last_rev) from rooms").await, 232);
        assert_eq!(site.number("select count(*) from messages").await, 5);
    }
}

both! {
    /// All that is done goes along from begin to commit, and nobody listens before that.
    async fn plain_words_that_are_all_let_in_are_stored_whichever_rooms_they_are_in(engine: Engine) {
        let (site, gate) = Gate::site(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let hall = room(&site, "public", &[ANN, BOB]).await;
        let mut rooms = Vec::new();
        for _ in 0..60 {
            rooms.push(room(&site, "group", &[BOB]).await);
        }
        let [anns, bobs] = [person(&site, &ann).await, person(&site, &bob).await];
        let key = gate.close(&ann, hall).await;
        let before = gate.commits.load(Ordering::SeqCst);
        let mut posts = vec![queue(&site, &bobs, hall, "two", "c1", 0).await, queue(&site, &anns, hall, "three", "c1", 0).await];
        for room in &rooms {
            posts.push(queue(&site, &bobs, *room, "there", "c1", 0).await);
        }
        posts.push(queue(&site, &bobs, hall, "four", "c2", 0).await);
        drop(key);
        let answers = futures_util::future::join_all(posts).await;
        assert_stored(&site, &answers).await;
        let answers: Vec<String> = answers.into_iter().map(told).collect();
        assert_eq!((&answers[..2], answers[62].as_str()), (&["2".to_owned(), "3".to_owned()][..], "4"));
        assert!(answers[2..62].iter().all(|answer| answer == "1"), "{answers:?}");
        assert_eq!(gate.commits.load(Ordering::SeqCst), before + 1, "one transaction");
        assert_eq!(site.number("select cast(sum(last_seq) * 100 + sum(last_rev) as bigint) from rooms").await, 6464);
    }
}

both! {
    /// Each beside plain words of somebody who is let in, who gets the next number.
    async fn who_is_refused_in_a_batch_of_plain_words_keeps_nobody_else_out(engine: Engine) {
        let (site, gate) = Gate::site(engine).await;
        let [ann, _, cat] = Program::three(&site).await;
        let dan = Program::registered(&site, "dan").await;
        let hall = room(&site, "public", &[ANN, BOB, 4]).await;
        let [den, chat] = [room(&site, "group", &[BOB]).await, room(&site, "direct", &[ANN, CAT]).await];
        cat.send("PUT", "/users/1/block", None, "").await.is(204);
        let [anns, cats, dans] = [person(&site, &ann).await, person(&site, &cat).await, person(&site, &dan).await];
        let refused = [
            (&cats, hall, "outside", "c1", "403 forbidden"),
            (&cats, den, "private", "c1", "404 not_found"),
            (&anns, 999, "nowhere", "c1", "404 not_found"),
            (&anns, chat, "blocked", "c1", "403 forbidden"),
            (&cats, chat, "blocks", "c1", "403 forbidden"),
            (&anns, hall, "sent before", "n0", "again 2"),
            (&dans, hall, "signed out", "c1", "401 invalid"),
        ];
        for (n, (person, room, content, client_id, expected)) in refused.into_iter().enumerate() {
            let key = gate.close(&ann, hall).await;
            let (good, id) = (2 + 2 * n as i64, format!("n{n}"));
            let posts = if expected.starts_with("again") || n == 0 {
                vec![queue(&site, &anns, hall, "good", &id, 0).await, queue(&site, person, room, content, client_id, 0).await]
            } else {
                vec![queue(&site, person, room, content, client_id, 0).await, queue(&site, &anns, hall, "good", &id, 0).await]
            };
            if content == "signed out" {
                site.sql("delete from sessions where user_id = 4").await;
            }
            drop(key);
            let mut answers: Vec<String> = futures_util::future::join_all(posts).await.into_iter().map(told).collect();
            answers.sort_by_key(|answer| answer == expected);
            assert_eq!(answers, [good.to_string(), expected.to_owned()], "{content}");
        }
        assert_eq!(site.number("select count(*) * 100 + max(last_seq) from messages join rooms on rooms.id = room_id").await, 1414);
    }
}

both! {
    async fn one_that_spoils_a_batch_of_plain_words_is_refused_alone(engine: Engine) {
        let (site, gate) = Gate::site(engine).await;
        let [ann, bob, _] = Program::three(&site).await;
        let [hall, yard] = [room(&site, "public", &[ANN, BOB]).await, room(&site, "public", &[ANN]).await];
        spoil(&site, engine).await;
        let [anns, bobs] = [person(&site, &ann).await, person(&site, &bob).await];
        let key = gate.close(&ann, hall).await;
        let posts = [
            queue(&site, &anns, hall, "one", "c1", 0).await,
            queue(&site, &anns, yard, "elsewhere", "c2", 0).await,
            queue(&site, &bobs, hall, "spoil", "c1", 0).await,
            queue(&site, &bobs, hall, "two", "c2", 0).await,
        ];
        drop(key);
        let answers = futures_util::future::join_all(posts).await;
        assert_stored(&site, &answers).await;
        let answers: Vec<String> = answers.into_iter().map(told).collect();
        assert_eq!(answers, ["2", "1", "503 unavailable", "3"]);
        assert_eq!(said(&ann, hall, "after it").await["seq"], 4, "no hole");
        assert_eq!(site.number("select count(*) from messages").await, 5);
    }
}

both! {
    async fn marks_that_wait_together_are_each_moved_as_far_as_they_go(engine: Engine) {
        let (site, gate) = Gate::site(engine).await;
        let [ann, bob, cat] = Program::three(&site).await;
        let [hall, yard] = [room(&site, "public", &[ANN, BOB, CAT]).await, room(&site, "public", &[ANN, BOB]).await];
        for content in ["1 @bob", "2", "3 @bob", "4"] {
            said(&ann, hall, content).await;
        }
        said(&ann, yard, "@bob").await;
        let [bobs, cats] = [person(&site, &bob).await, person(&site, &cat).await];
        let mut watching = Visitor::logged_in(&site, "ann").await.follows(hall).await;
        let key = gate.close(&ann, hall).await;
        let before = gate.commits.load(Ordering::SeqCst);
        for (who, room, seq) in [(&bobs, hall, 2), (&cats, hall, 900), (&bobs, hall, 1), (&cats, yard, 1), (&cats, 999, 1)] {
            messages::read(&site.app, who, RoomId(room), seq).await.unwrap();
        }
        drop(key);
        site.app.writer.flush().await.unwrap();
        assert!(gate.commits.load(Ordering::SeqCst) <= before + 2, "the marks in one transaction, the flush perhaps after it");
        let read = |user: i64| format!("select last_read_seq from memberships where room_id = {hall} and user_id = {user}");
        assert_eq!((site.number(&read(BOB)).await, site.number(&read(CAT)).await), (2, 5), "not past the last message");
        let mut receipts = [watching.expect("read").await, watching.expect("read").await].map(|frame| (frame["user_id"].as_i64(), frame["seq"].as_i64()));
        receipts.sort();
        assert_eq!(receipts, [(Some(BOB), Some(2)), (Some(CAT), Some(5))]);
        assert!(watching.settled().await.iter().all(|frame| frame["type"] != "read"), "one receipt each");
        let unread = "select count(*) from notifications where user_id = 2 and kind = 'mention' and read_at is null";
        assert_eq!(site.number(unread).await, 2, "those that were further down, and those elsewhere");
    }
}

both! {
    async fn a_full_queue_pushes_back_and_loses_nothing_that_it_took(engine: Engine) {
        let site = Site::with(engine, Options { settings: vec![("API", "true")], ..Options::default() }).await;
        let ann = Program::registered(&site, "ann").await;
        let hall = room(&site, "public", &[ANN]).await;
        let mut page = Visitor::logged_in(&site, "ann").await;
        let mut socket = page.follows(hall).await;
        let who = person(&site, &ann).await;
        let turn = site.app.writer.turn().await;
        let mut waiting = Vec::new();
        for n in 0..300 {
            waiting.push(queue(&site, &who, hall, "word", &format!("w{n}"), 0).await);
        }
        while messages::read(&site.app, &who, RoomId(hall), 1).await.is_ok() {}
        let path = format!("/chat/rooms/{hall}/messages");
        let late = json!({"content": "late", "client_id": "late"});
        let refused = ann.post(&path, late.clone()).await;
        assert_eq!(refused.headers["retry-after"], "1");
        refused.refuses(503, None);
        let form = [("content", "by the form"), ("client_id", "form")];
        let shown = page.post(&format!("/chat/rooms/{hall}"), &form).await;
        assert_eq!((shown.status.as_u16(), &shown.headers["retry-after"]), (503, &"1".parse().unwrap()));
        assert!(shown.text.contains("by the form"), "what was typed is still there");
        socket.say("socket", "socket").await;
        let error = socket.expect("error").await;
        assert_eq!((&error["code"], &error["client_id"]), (&json!("unavailable"), &json!("socket")));
        drop(turn);
        let answers = futures_util::future::join_all(waiting).await;
        let seqs: Vec<i64> = answers.into_iter().map(|posted| posted.unwrap().message.seq).collect();
        assert_eq!(seqs, (1..=300).collect::<Vec<_>>());
        // A free place may be a moment away yet: the marks are still being stored.
        site.app.writer.flush().await.unwrap();
        ann.post(&path, late).await.is(201);
        page.post(&format!("/chat/rooms/{hall}"), &form).await.leads_to();
        socket.say("socket", "socket").await;
        for expected in 1..=303 {
            assert_eq!(socket.expect("message").await["seq"], expected);
        }
        assert_eq!(site.number("select count(*) * 1000 + max(last_seq) from messages, rooms").await, 303_303);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_has_grown_too_long_is_moved_into_the_database_between_two_messages() {
    let site = Site::new(Engine::Sqlite).await;
    let mut ann = Visitor::registered(&site, "ann").await;
    let hall = ann.public_room("Hall").await;
    site.sql(r#"insert into emails ("to", subject, text, created_at) values ('', '', hex(zeroblob(10000000)), 1)"#)
        .await;
    assert!(site.app.db.log_bytes() > 18_000_000);
    ann.say(hall, "moved soon after this").await;
    // Its length is looked at now and then; the next one begins the log anew, unless somebody reads just then.
    for _ in 0..150 {
        ann.say(hall, "cut by this").await;
        if site.app.db.log_bytes() <= switchboard::db::LOG_LIMIT {
            return;
        }
    }
    panic!("the log still has {} bytes", site.app.db.log_bytes());
}
