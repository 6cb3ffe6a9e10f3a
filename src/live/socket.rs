//! One connection: the handshakes of `/ws`, `/ws/chat/{room_id}` and `/ws/notifications`, then a read loop and a
//! bounded writer in one task. What the writer is owed lies in its mailbox and in the feeds of its rooms.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use tokio::time::{interval_at, sleep, timeout};

use super::command::{MOST_BYTES, Session};
use super::door::Guest;
use super::event::{About, Event, Frame};
use super::feed::{Cursor, Owed};
use super::hub::Hub;
use super::mailbox::{Close, Item, Mailbox};
use super::subscription;
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::RoomId;
use crate::users::Person;
use crate::web::extract::{Client, Id};
use crate::web::render::Plain;
use crate::{auth, rooms};

const PING_EVERY: Duration = Duration::from_secs(30);
const SILENT_AFTER: Duration = Duration::from_secs(75);
/// How long a socket that is to be closed may take to hear of it.
const GOODBYE: Duration = Duration::from_millis(700);
/// Frames that aren't messages: beyond, the socket's reading waits. Each costs little, a flood of them would not.
const SMALL_FRAMES_A_SECOND: std::num::NonZeroU32 = std::num::NonZeroU32::new(50).expect("50 is not 0");
/// tungstenite's own buffers; 128 KiB each by default, most of an idle socket's memory.
const BUFFER: usize = 4 * 1024;

#[derive(Deserialize)]
pub struct After {
    after: Option<i64>,
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET /ws`.
pub async fn all(State(app): State<App>, Guest(person): Guest, from: Client, up: Upgrade) -> Response {
    accept(up, Opening { app, person, ip: from.0.ip.parse().ok(), room: None, after: None, notices_only: false })
}

/// `GET /ws/notifications`.
pub async fn notifications(State(app): State<App>, Guest(person): Guest, from: Client, up: Upgrade) -> Response {
    accept(up, Opening { app, person, ip: from.0.ip.parse().ok(), room: None, after: None, notices_only: true })
}

/// `GET /ws/chat/{room_id}`: follows the room at once, and becomes a member of it if it is public.
pub async fn chat(
    State(app): State<App>,
    Guest(person): Guest,
    from: Client,
    Path(Id(room)): Path<Id>,
    after: Result<Query<After>, QueryRejection>,
    up: Upgrade,
) -> Response {
    let room = RoomId(room);
    let entered = async {
        let Query(After { after }) =
            after.map_err(|_| Error::Malformed("after is a revision: a whole number.".into()))?;
        rooms::members::join(&app, &person, room).await?;
        Ok(after)
    };
    match entered.await {
        Ok(after) => accept(
            up,
            Opening { app, person, ip: from.0.ip.parse().ok(), room: Some(room), after, notices_only: false },
        ),
        Err(error) => Plain(error).into_response(),
    }
}

/// A socket about to open.
struct Opening {
    app: App,
    person: Person,
    ip: Option<IpAddr>,
    room: Option<RoomId>,
    after: Option<i64>,
    notices_only: bool,
}

fn accept(up: Upgrade, opening: Opening) -> Response {
    let up = match up {
        Ok(up) => up,
        Err(rejection) => return rejection.into_response(),
    };
    up.read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        // A frame over the limit is refused in words; one that is out of all proportion closes the socket (1009).
        .max_message_size(4 * MOST_BYTES)
        .max_frame_size(4 * MOST_BYTES)
        .on_upgrade(|ws| run(ws, opening))
}

async fn run(ws: WebSocket, opening: Opening) {
    let Opening { app, person, ip, room, after, notices_only } = opening;
    let mailbox = Mailbox::opened(person.id, person.via, app.clock.now(), ip);
    app.hub.open(&mailbox);
    let _open = Open { hub: app.hub.clone(), mailbox: mailbox.clone() };
    let session = Session { app: app.clone(), person, mailbox: mailbox.clone(), room, notices_only };
    greet(&session, after).await;

    let (mut sink, mut stream) = ws.split();
    let told = async {
        mailbox.closing().await;
        sleep(GOODBYE).await;
    };
    tokio::select! {
        why = read(&mut stream, &session) => {
            if let Some(why) = why {
                let _ = timeout(GOODBYE, sink.send(close_frame(why))).await;
            }
            let _ = timeout(GOODBYE, sink.close()).await;
        }
        sent = write(&mut sink, &mailbox) => {
            if sent.is_ok() {
                // Until the other side has answered, so that the close frame isn't lost with what it still sends.
                let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = stream.next().await {} }).await;
            }
        }
        () = told => {}
    }
}

/// Forgets the socket when its task ends, however it ends.
struct Open {
    hub: Hub,
    mailbox: Arc<Mailbox>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.hub.shut(&self.mailbox);
    }
}

/// The first frame. The session is looked at again, now that its end would be told to this socket.
async fn greet(session: &Session, after: Option<i64>) {
    let Session { app, person, mailbox, room, .. } = session;
    match auth::stands(app, person).await {
        Ok(true) => {}
        Ok(false) => return mailbox.close(Close::SignedOut),
        Err(_) => return mailbox.close(Close::TooSlow),
    }
    match room {
        Some(room) => {
            if let Err(error) = subscription::subscribe(app, person, mailbox, *room, after).await {
                session.refuse(&error, About { client_id: None, room_id: Some(*room) });
                // What this socket is for can't be had now: come back and ask again.
                mailbox.close(Close::TooSlow);
            }
        }
        None => {
            let hello = Event::Connected {
                user_id: person.id,
                username: &person.username,
                room_id: None,
                last_seq: None,
                rev: None,
            };
            mailbox.send(hello.frame());
        }
    }
}

/// Reads until the other side goes; says why it is to be closed, if it is still there to be told.
async fn read(stream: &mut SplitStream<WebSocket>, session: &Session) -> Option<Close> {
    let small: DefaultDirectRateLimiter = RateLimiter::direct(Quota::per_second(SMALL_FRAMES_A_SECOND));
    loop {
        let message = match timeout(SILENT_AFTER, stream.next()).await {
            Err(_) => return Some(Close::Silent),
            Ok(None | Some(Err(_)) | Some(Ok(Message::Close(_)))) => return None,
            Ok(Some(Ok(message))) => message,
        };
        let was_message = match message {
            Message::Text(text) => session.handle(&text).await,
            Message::Binary(_) => {
                let error = Error::Malformed("Frames are JSON in text messages, not binary ones.".into());
                session.refuse(&error, About::default());
                false
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => false,
        };
        if !was_message {
            small.until_ready().await;
        }
    }
}

type Sink = SplitSink<WebSocket, Message>;

/// Writes what the socket is owed, all of it in one go, until it is to be closed. A reader that stalls holds up
/// nobody: what it is owed stays in the feeds, and who falls out of one is closed.
async fn write(sink: &mut Sink, mailbox: &Mailbox) -> Result<(), axum::Error> {
    let mut cursors: Vec<Cursor> = Vec::new();
    let mut ping = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        // Taken before the feeds are: what was published before an answer was queued is written before it.
        let items = mailbox.take();
        send_feeds(sink, mailbox, &mut cursors).await?;
        send_items(sink, mailbox, items, &mut cursors).await?;
        if let Some(why) = mailbox.closed() {
            return sink.send(close_frame(why)).await;
        }
        if cursors.iter().any(Cursor::is_behind) {
            // A feed that was just taken up.
            continue;
        }
        sink.flush().await?;
        tokio::select! {
            () = mailbox.woken() => {}
            _ = ping.tick() => sink.send(Message::Ping(axum::body::Bytes::new())).await?,
        }
    }
}

async fn send_items(
    sink: &mut Sink,
    mailbox: &Mailbox,
    items: VecDeque<Item>,
    cursors: &mut Vec<Cursor>,
) -> Result<(), axum::Error> {
    for item in items {
        match item {
            Item::Send(frame) => send_all(sink, mailbox, vec![frame]).await?,
            Item::Attach { mut cursor, replay } => {
                send_all(sink, mailbox, replay).await?;
                // Taken up again: what came live before this replay doesn't come a second time after it.
                if let Some(at) = cursors.iter().position(|other| other.feed.room == cursor.feed.room) {
                    cursor.after_rev = cursor.after_rev.max(cursors.swap_remove(at).after_rev);
                }
                cursors.push(cursor);
            }
            Item::Detach(room) => cursors.retain(|cursor| cursor.feed.room != room),
        }
    }
    Ok(())
}

async fn send_feeds(sink: &mut Sink, mailbox: &Mailbox, cursors: &mut Vec<Cursor>) -> Result<(), axum::Error> {
    let mut ended = Vec::new();
    for cursor in cursors.iter_mut() {
        match cursor.take() {
            Owed::Nothing => {}
            Owed::Lagged => mailbox.close(Close::TooSlow),
            Owed::Frames(frames) => {
                if frames.iter().any(|frame| frame.last) {
                    ended.push(cursor.feed.room);
                }
                send_all(sink, mailbox, frames).await?;
            }
        }
    }
    for room in ended {
        mailbox.unfollow(room);
        cursors.retain(|cursor| cursor.feed.room != room);
    }
    Ok(())
}

/// Hands frames to the socket's buffer, which writes them out as it fills. Stops when its person is logged out or
/// removed: they read nothing more.
async fn send_all(sink: &mut Sink, mailbox: &Mailbox, frames: Vec<Frame>) -> Result<(), axum::Error> {
    for frame in frames {
        if mailbox.is_closing() && matches!(mailbox.closed(), Some(Close::SignedOut | Close::Removed)) {
            break;
        }
        sink.feed(Message::Text(frame.text)).await?;
    }
    Ok(())
}

fn close_frame(why: Close) -> Message {
    Message::Close(Some(CloseFrame { code: why.code(), reason: why.reason().into() }))
}
