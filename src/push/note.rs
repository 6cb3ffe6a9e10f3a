//! What a push says, and to whom: of notifications to whoever was told, of messages to those who chose to be told of all
//! that is said in their room. What they may not see, have read or have open isn't pushed. Called by `crate::push`.

use std::sync::Arc;

use serde::Serialize;

use super::delivery::Note;
use super::subscriptions::{self, Browser};
use crate::app::App;
use crate::db::Conn;
use crate::emails::letter;
use crate::error::{Error, Result};
use crate::i18n::{self, Language};
use crate::ids::{MessageId, RoomId, UserId};
use crate::messages::acts::with_room;
use crate::messages::{Message, excerpt};
use crate::notifications::{Kind, Told};
use crate::rooms::{self, Room};
use crate::{on_db, users};

/// Characters of a message.
const LONGEST_BODY: usize = 120;
/// People pushed of one message.
const MOST_PEOPLE: i64 = 1000;

/// What the browser gets, and shows.
#[derive(Serialize)]
struct Payload {
    title: String,
    body: String,
    /// A path on this site.
    url: String,
    /// One that is still shown is replaced by the next with its tag.
    tag: String,
}

/// Queues a push for each of `told` to each browser of its person. Cost: 1 query, and 3 to 6 for each that is pushed.
pub(super) async fn of_told(app: &App, conn: &mut Conn, told: Vec<Told>) -> Result<()> {
    let away: Vec<Told> = told.into_iter().filter(|told| !app.hub.is_online(told.user_id)).collect();
    let people: Vec<UserId> = away.iter().map(|told| told.user_id).collect();
    let browsers = subscriptions::of(conn, &people, app.clock.now()).await?;
    for told in &away {
        let Some(language) = read_by(app, &browsers, told.user_id) else { continue };
        if let Some(payload) = i18n::within(language, of_one(conn, told)).await? {
            post(app, &browsers, told.user_id, &payload, true)?;
        }
    }
    Ok(())
}

/// Queues a push of a message by `sender` to those who want every message of `room`, who aren't here and were pushed none
/// of that room in the last minute. Cost: 1 query, O(the room's members who want that); where there is somebody 1 more, and
/// 2 to 4 for each.
pub(super) async fn of_said(
    app: &App,
    conn: &mut Conn,
    room: RoomId,
    sender: UserId,
    message: MessageId,
) -> Result<()> {
    let mut people = who_want_all(conn, room, sender, message).await?;
    people.retain(|user| !app.hub.is_online(*user));
    let browsers = subscriptions::of(conn, &people, app.clock.now()).await?;
    for user in people {
        let Some(language) = read_by(app, &browsers, user) else { continue };
        if !app.push.may_disturb(user, room, app.clock.now()) {
            continue;
        }
        if let Some((room, message)) = visible(conn, user, message).await? {
            let payload = i18n::said_in(language, || of_message(&room, &message));
            post(app, &browsers, user, &payload, false)?;
        }
    }
    Ok(())
}

/// The language of `user`, if one of `browsers` is theirs.
fn read_by(app: &App, browsers: &[Browser], user: UserId) -> Option<Language> {
    let (.., chosen) = browsers.iter().find(|(_, own, _)| *own == user)?;
    Some(letter::language_of(app, chosen))
}

fn of_message(room: &Room, message: &Message) -> Payload {
    let who = message.author();
    Payload {
        title: if room.is_direct() { who.into() } else { tr!("{who} in {room}", who = who, room = room.title()) },
        body: excerpt::of(message, LONGEST_BODY),
        url: link(message),
        tag: format!("room-{}", room.id),
    }
}

/// Not those who were told of it otherwise, have read it or block its sender.
async fn who_want_all(conn: &mut Conn, room: RoomId, sender: UserId, message: MessageId) -> Result<Vec<UserId>> {
    Ok(on_db!(conn, c => sqlx::query_scalar(
        "select m.user_id from memberships m join messages s on s.id = $3 and s.room_id = m.room_id
         where m.room_id = $1 and m.notify_all and not m.muted and m.user_id <> $2
           and s.deleted_at is null and m.last_read_seq < s.seq
           and exists (select 1 from push_subscriptions p where p.user_id = m.user_id)
           and not exists (select 1 from notifications n where n.message_id = $3 and n.user_id = m.user_id)
           and not exists (select 1 from blocks b where b.user_id = m.user_id and b.blocked_id = $2)
         order by m.user_id limit $4")
        .bind(room).bind(sender).bind(message).bind(MOST_PEOPLE).fetch_all(c).await)?)
}

/// The message as it stands now, if `user` may see it and it isn't deleted.
async fn visible(conn: &mut Conn, user: UserId, id: MessageId) -> Result<Option<(Room, Message)>> {
    match with_room(conn, user, id).await {
        Ok(found) => Ok(Some(found).filter(|(_, message)| message.deleted_at.is_none())),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn link(message: &Message) -> String {
    let Message { room_id, seq, .. } = message;
    format!("/chat/rooms/{room_id}?at={seq}#m{seq}")
}

fn post(app: &App, browsers: &[Browser], user: UserId, payload: &Payload, is_urgent: bool) -> Result<()> {
    let json = serde_json::to_string(payload).map_err(Error::internal)?;
    let note = Arc::new(Note { json, topic: payload.tag.clone(), is_urgent });
    for (id, ..) in browsers.iter().filter(|(_, own, _)| *own == user) {
        app.push.outbox().post(*id, note.clone());
    }
    Ok(())
}

/// `None` for what is gone, or private to others by now.
async fn of_one(conn: &mut Conn, told: &Told) -> Result<Option<Payload>> {
    let (user, news) = (told.user_id, &told.notification);
    match (news.kind, news.message_id, news.room_id) {
        (Kind::Mention | Kind::Reply, Some(message), _) => {
            let Some((room, message)) = visible(conn, user, message).await? else { return Ok(None) };
            Ok(Some(Payload {
                title: call(news.kind, &room, &message),
                body: excerpt::of(&message, LONGEST_BODY),
                url: link(&message),
                tag: format!("message-{}", message.id),
            }))
        }
        (Kind::Added, _, Some(room)) => match rooms::see(conn, user, room).await {
            Ok(room) => of_room(conn, told, &room).await.map(Some),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        },
        (Kind::Interest, ..) => of_interest(conn, told).await.map(Some),
        _ => Ok(None),
    }
}

/// Who said or answered what to whom it is for.
fn call(kind: Kind, room: &Room, message: &Message) -> String {
    let (who, place) = (message.author(), room.title());
    match (kind, room.is_direct()) {
        (Kind::Mention, true) => tr!("{who} mentioned you", who = who),
        (Kind::Mention, false) => tr!("{who} mentioned you in {room}", who = who, room = place),
        (_, true) => tr!("{who} answered you", who = who),
        (_, false) => tr!("{who} answered you in {room}", who = who, room = place),
    }
}

async fn actor(conn: &mut Conn, told: &Told) -> Result<String> {
    let user = match told.notification.actor_id {
        Some(id) => users::by_id(conn, id).await?,
        None => None,
    };
    Ok(user.map_or_else(|| tr!("Somebody").into(), |user| user.username))
}

async fn of_room(conn: &mut Conn, told: &Told, room: &Room) -> Result<Payload> {
    let actor = actor(conn, told).await?;
    let title = match room.is_direct() {
        true => tr!("{who} opened a chat with you", who = actor),
        false => tr!("{who} added you to {room}", who = actor, room = room.title()),
    };
    let (url, tag) = (format!("/chat/rooms/{}", room.id), format!("added-{}", room.id));
    Ok(Payload { title, body: String::new(), url, tag })
}

/// It was accepted where it has a room; else it is new, or was rejected.
async fn of_interest(conn: &mut Conn, told: &Told) -> Result<Payload> {
    let (name, news) = (actor(conn, told).await?, &told.notification);
    let asks: Option<String> = on_db!(conn, c => sqlx::query_scalar(
        "select note from interests where sender_id = $1 and recipient_id = $2 and status = 'pending'")
        .bind(news.actor_id).bind(told.user_id).fetch_optional(c).await)?;
    let (title, body, url) = match (news.room_id, asks) {
        (Some(room), _) => (tr!("{who} accepted: you can talk now", who = name), None, format!("/chat/rooms/{room}")),
        (None, Some(note)) => (tr!("{who} would like to talk to you", who = name), Some(note), "/people".to_owned()),
        (None, None) => (tr!("{who} answered your interest", who = name), None, "/people".to_owned()),
    };
    let body = excerpt::plain(&body.unwrap_or_default(), LONGEST_BODY);
    Ok(Payload { title, body, url, tag: format!("interest-{}", news.id) })
}
