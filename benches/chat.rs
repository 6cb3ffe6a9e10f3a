//! What a chat server does all day: store a message, show a room, tell a thousand people. `cargo bench`.

#[path = "support/site.rs"]
mod site;

use axum::body::Body;
use axum::http::{Request, header};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use site::{Site, TEXT};
use switchboard::clock::Clock;
use switchboard::ids::{RoomId, SessionId, UserId};
use switchboard::live::event::Event;
use switchboard::live::feed::{Cursor, Owed};
use switchboard::live::hub::Hub;
use switchboard::live::mailbox::Mailbox;
use switchboard::messages::{self, Message, NewMessage};
use switchboard::users::Via;

fn main() {
    divan::main();
}

/// From text to acknowledged: rendered, numbered, committed with a disk flush, published.
#[divan::bench]
fn store_one_message(bencher: Bencher) {
    let site = Site::new();
    bencher.bench_local(|| site.post());
}

/// The same, so many people at once: they share transactions and flushes.
#[divan::bench(args = [1, 16, 64, 256])]
fn store_messages_at_once(bencher: Bencher, count: usize) {
    let site = Site::new();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        site.runtime.block_on(async {
            let posts = (0..count)
                .map(|_| messages::post(&site.app, &site.ann, site.room, NewMessage::parse(TEXT, None, None).unwrap()));
            futures_util::future::join_all(posts).await
        })
    });
}

/// The same with a commit each: what sharing them saves.
#[divan::bench(args = [16, 64])]
fn store_messages_one_by_one(bencher: Bencher, count: usize) {
    let site = Site::new();
    bencher.counter(ItemsCount::new(count)).bench_local(|| (0..count).for_each(|_| site.post()));
}

/// The whole request: session, room, 50 messages, list of rooms, page.
#[divan::bench]
fn room_page_with_50_messages(bencher: Bencher) {
    let site = Site::new();
    (0..60).for_each(|_| site.post());
    let path = format!("/chat/rooms/{}", site.room);
    bencher.bench_local(|| {
        let request = Request::get(&path).header(header::COOKIE, &site.cookie).body(Body::empty()).unwrap();
        site.runtime.block_on(site.ask(request))
    });
}

/// Markdown-light to safe HTML.
#[divan::bench]
fn render_one_message() -> String {
    messages::markup::render(black_box(TEXT))
}

/// The same of a line without anything but words.
#[divan::bench]
fn render_one_plain_message() -> String {
    messages::markup::render(black_box("Has anybody seen the release notes? They were on my desk yesterday, I think."))
}

/// One frame serialised, a thousand places in the feed moved on.
#[divan::bench]
fn fan_out_to_1000_subscribers(bencher: Bencher) {
    let hub = Hub::default();
    let room = RoomId(1);
    let mailboxes: Vec<_> = (0..1000).map(|n| Mailbox::new(UserId(n), Via::Session(SessionId(n)))).collect();
    let mut cursors: Vec<Cursor> = mailboxes.iter().map(|mailbox| hub.join(mailbox, room).unwrap()).collect();
    let mut message = sample(room);
    cursors.iter_mut().for_each(|cursor| cursor.start(message.rev));
    hub.begin(room, message.rev, message.seq);
    let mut out = Vec::new();
    bencher.bench_local(|| {
        message.rev += 1;
        hub.publish_message(&message);
        for cursor in &mut cursors {
            out.clear();
            assert!(matches!(cursor.take(false, 1 << 17, &mut out), Owed::Some { ends: false, .. }) && out.len() == 1);
        }
    });
}

#[divan::bench]
fn serialise_one_frame(bencher: Bencher) {
    let message = sample(RoomId(1));
    bencher.bench_local(|| Event::Message(black_box(&message)).frame());
}

fn sample(room: RoomId) -> Message {
    Message {
        id: switchboard::ids::MessageId(1),
        room_id: room,
        seq: 1,
        rev: 1,
        user_id: None,
        username: Some("ann".into()),
        content: TEXT.into(),
        html: messages::markup::render(TEXT),
        client_id: Some("0123456789abcdef".into()),
        reply_to: None,
        attachments: Vec::new(),
        reactions: Vec::new(),
        edited_at: None,
        deleted_at: None,
        created_at: Clock::System.now(),
    }
}
