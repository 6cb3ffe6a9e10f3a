//! The handshakes of `/ws`, `/ws/chat/{room_id}` and `/ws/notifications`, and the first frame; then
//! `live/connection.rs` takes over.

use std::net::IpAddr;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::command::{Session, refusal};
use super::connection::{Connection, Open};
use super::door::Guest;
use super::event::{About, Event};
use super::mailbox::{Close, Mailbox};
use super::subscription;
use super::wire::handshake::{self, Handshake};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::RoomId;
use crate::users::Person;
use crate::web::extract::{Client, Id};
use crate::web::render::Plain;
use crate::{auth, rooms};

#[derive(Deserialize)]
pub struct After {
    after: Option<i64>,
}

/// `GET /ws`.
pub async fn all(State(app): State<App>, Guest(person): Guest, from: Client, up: Handshake) -> Response {
    accept(up, Opening { app, person, ip: from.0.ip.parse().ok(), room: None, after: None, notices_only: false })
}

/// `GET /ws/notifications`.
pub async fn notifications(State(app): State<App>, Guest(person): Guest, from: Client, up: Handshake) -> Response {
    accept(up, Opening { app, person, ip: from.0.ip.parse().ok(), room: None, after: None, notices_only: true })
}

/// `GET /ws/chat/{room_id}`: follows the room at once, and becomes a member of it if it is public.
pub async fn chat(
    State(app): State<App>,
    Guest(person): Guest,
    from: Client,
    Path(Id(room)): Path<Id>,
    after: Result<Query<After>, QueryRejection>,
    up: Handshake,
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

fn accept(up: Handshake, opening: Opening) -> Response {
    let (response, upgrade) = up.agree();
    if let Some(upgrade) = upgrade {
        tokio::spawn(open(upgrade, opening));
    }
    response
}

/// Takes over the connection once the handshake is answered. What opening takes is let go of with this task; the
/// connection goes on in a smaller one.
async fn open(upgrade: handshake::Opening, opening: Opening) {
    let packs = upgrade.packs;
    let Some((stream, already)) = upgrade.stream().await else { return };
    // A lone frame goes out at once, and doesn't wait until the one before it is acknowledged.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Opening { app, person, ip, room, after, notices_only } = opening;
    let mailbox = Mailbox::opened(person.id, person.via, app.clock.now(), ip);
    let open = Open::new(&app.hub, &mailbox);
    let session = Session { app, person, mailbox, room, notices_only };
    greet(&session, after).await;
    tokio::spawn(Connection::new(stream, &already, packs, session, open));
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
                mailbox.send(refusal(&error, About { client_id: None, room_id: Some(*room) }));
                // What this socket is for can't be had now: come back and ask again.
                mailbox.close(Close::TooSlow);
            }
            mailbox.greet(None);
        }
        None => {
            let hello = Event::Connected {
                user_id: person.id,
                username: &person.username,
                room_id: None,
                last_seq: None,
                rev: None,
            };
            mailbox.greet(Some(hello.frame()));
        }
    }
}
