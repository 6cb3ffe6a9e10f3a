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
use super::subscription::{self, Seen};
use super::wire::handshake::{self, Handshake};
use crate::app::App;
use crate::db::changes::Moment;
use crate::error::{Error, Result};
use crate::i18n;
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
pub async fn all(State(app): State<App>, Guest(person, since): Guest, from: Client, up: Handshake) -> Response {
    accept(up, Opening { app, person, since, ip: from.0.ip.parse().ok(), room: None, notices_only: false })
}

/// `GET /ws/notifications`.
pub async fn notifications(
    State(app): State<App>,
    Guest(person, since): Guest,
    from: Client,
    up: Handshake,
) -> Response {
    accept(up, Opening { app, person, since, ip: from.0.ip.parse().ok(), room: None, notices_only: true })
}

/// `GET /ws/chat/{room_id}`: follows the room at once, and becomes a member of it if it is public.
pub async fn chat(
    State(app): State<App>,
    Guest(person, since): Guest,
    from: Client,
    Path(Id(room)): Path<Id>,
    after: Result<Query<After>, QueryRejection>,
    up: Handshake,
) -> Response {
    let room = RoomId(room);
    let entered = async {
        let Query(After { after }) =
            after.map_err(|_| Error::Malformed(tr!("after is a revision: a whole number.").into()))?;
        let seen = Seen::look(&app, &person, room).await?;
        if !seen.is_member() {
            rooms::members::join(&app, &person, room).await?;
        }
        Ok(Wanted { seen, after })
    };
    match entered.await {
        Ok(wanted) => accept(
            up,
            Opening { app, person, since, ip: from.0.ip.parse().ok(), room: Some(wanted), notices_only: false },
        ),
        Err(error) => Plain(error).into_response(),
    }
}

/// A socket about to open.
struct Opening {
    app: App,
    person: Person,
    /// Since when it is known who it is.
    since: Option<Moment>,
    ip: Option<IpAddr>,
    room: Option<Wanted>,
    notices_only: bool,
}

/// The room that a socket is for, and the last revision that is known there.
struct Wanted {
    seen: Seen,
    after: Option<i64>,
}

fn accept(up: Handshake, opening: Opening) -> Response {
    let (response, upgrade) = up.agree();
    if let Some(upgrade) = upgrade {
        // Its errors are in the language of the handshake.
        tokio::spawn(i18n::within(i18n::current(), open(upgrade, opening)));
    }
    response
}

/// Takes over the connection once the handshake is answered. What opening takes is let go of with this task; the
/// connection goes on in a smaller one.
async fn open(upgrade: handshake::Opening, opening: Opening) {
    let Some(taken) = upgrade.taken().await else { return };
    // A lone frame goes out at once, and doesn't wait until the one before it is acknowledged.
    if taken.stream.set_nodelay(true).is_err() {
        return;
    }
    let Opening { app, person, since, ip, room, notices_only } = opening;
    let mailbox = Mailbox::opened(person.id, person.via, app.clock.now(), ip);
    let open = Open::new(&app, &mailbox);
    let session = Session { app, person, mailbox, room: room.as_ref().map(|wanted| wanted.seen.id()), notices_only };
    greet(&session, since, room).await;
    let connection = Connection::new(taken, session, open);
    tokio::spawn(i18n::within(i18n::current(), connection));
}

/// The first frame. The session is looked at again, now that its end would be told to this socket.
async fn greet(session: &Session, since: Option<Moment>, room: Option<Wanted>) {
    let Session { app, person, mailbox, .. } = session;
    match stands(app, person, since).await {
        Ok(true) => {}
        Ok(false) => return mailbox.close(Close::SignedOut),
        Err(_) => return mailbox.close(Close::TooSlow),
    }
    match room {
        Some(Wanted { seen, after }) => {
            let id = seen.id();
            if let Err(error) = subscription::subscribe(app, person, mailbox, id, after, Some(seen)).await {
                mailbox.send(refusal(&error, About { client_id: None, room_id: Some(id) }));
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

/// Whether what `person` came in by still stands. Cost: 1 indexed query, none where nothing was changed `since`.
async fn stands(app: &App, person: &Person, since: Option<Moment>) -> Result<bool> {
    Ok(app.db.is_as_at(since, &[]).await || auth::stands(app, person).await?)
}
