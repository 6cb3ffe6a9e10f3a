//! `/api/v1/chat`: what is said in rooms. Posting is in `messages/post.rs`.

mod post;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_RANGE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use time::Date;
use tokio::task::JoinSet;
use utoipa::ToSchema;
use utoipa::openapi::schema::{SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema};

use super::auth::{Answer, needed};
use super::caller::Caller;
use super::json::Body;
use super::list::{List, Paging, cursor, whole};
use super::operation::{Area, op};
use super::params::{At, Params};
use super::problem::Problem;
use crate::app::App;
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::{AttachmentId, MessageId, RoomId};
use crate::messages::history::{History, Stretch, history};
use crate::messages::search::{self, Hit, Search};
use crate::messages::{self, Message};
use crate::reactions::{self, Reaction};
use crate::reports::{self, Report};
use crate::rooms;
use crate::web::extract::Client;
use crate::web::{attachments, upload};
use post::{NewMessage, NewMessageWithFiles};

pub struct MessageApi;

const ROOM: &str = "The room.";
const MESSAGE: &str = "The message.";
const GONE: &str = "The message is deleted.";
const NOT_JOINED: &str = "You aren't in this public room.";
const CANT_WRITE: &str = "You aren't in this public room, or, in a direct one, one of you two has blocked the other.";
const TOO_FAST: &str = "You write too fast; `Retry-After` says how many seconds to wait.";

/// Which stretch of a room's talk. Numbers are read by hand: one that can't be is refused with 400.
#[derive(Deserialize)]
pub struct Asked {
    before: Option<String>,
    after: Option<String>,
    since_rev: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct NewText {
    /// May be empty beside files only.
    #[schema(required = true, nullable = false, max_length = 4000, example = "See you at eleven")]
    content: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct Reason {
    #[schema(required = true, nullable = false, min_length = 1, max_length = 1000, example = "Insults me.")]
    reason: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct ReadMark {
    /// The number of the last message that was read.
    #[schema(required = true, nullable = false, minimum = 0, example = 41)]
    seq: Option<i64>,
}

#[derive(Deserialize)]
pub struct Query {
    q: Option<String>,
    room_id: Option<String>,
    from: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

/// What is said in rooms.
pub fn area() -> Area {
    let read = op("Read a room's messages")
        .about(
            "Without a question the newest. Of `before`, `after` and `since_rev` only one is asked at a time. `rev` is where \
             to go on with `since_rev`, to be told of what is new, edited and deleted; where there is more than `limit`, go \
             on with the last one's own `rev`.",
        )
        .id("id", ROOM)
        .query_like("before", "The newest messages numbered below this.", number(0))
        .query_like("after", "The oldest messages numbered above this.", number(0))
        .query_like(
            "since_rev",
            "What is new or was changed after this revision, in the order of the revisions.",
            number(0),
        )
        .query_like("limit", "How many at most: 1 to 100, and 50 unless told.", number(1))
        .polled()
        .answers::<History>(200, "The messages, oldest first.");
    let post = op("Post a message")
        .about(
            "Sent again with the same `client_id`, it is the same message: who doesn't know whether it arrived sends it \
             again. As `multipart/form-data` it may have up to ten files, and then no text.",
        )
        .id("id", ROOM)
        .body::<NewMessage>()
        .body_of::<NewMessageWithFiles>("multipart/form-data")
        .patience(upload::PATIENCE)
        .answers::<Message>(201, "It is stored, and everybody in the room is told.")
        .answers::<Message>(200, "It was posted before, with this `client_id`: the first one.")
        .refuses(403, CANT_WRITE)
        .refuses(429, TOO_FAST);
    let mark = op("Mark a room as read")
        .about("Never back, and never past the last message.")
        .id("id", ROOM)
        .body::<ReadMark>()
        .answers_nothing(204, "It is read up to there.")
        .refuses(403, NOT_JOINED);
    let area = Area::new("Messages", "What is said in rooms, and what is done to it.")
        .add(Method::GET, "/chat/rooms/{id}/messages", MessageApi::history, read)
        .add(Method::POST, "/chat/rooms/{id}/messages", MessageApi::post, post)
        .add(Method::POST, "/chat/rooms/{id}/read", MessageApi::read, mark);
    finding(changing(area))
}

/// A whole number from `least` up.
fn number(least: i64) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).into()
}

fn date() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).into()
}

/// The day in an address. Errors: 400 at `name`.
fn day(name: &'static str, text: Option<String>) -> Result<Option<Date>, Problem> {
    search::day(name, &text.unwrap_or_default()).map_err(|error| Problem::address().at(name, error.to_string()))
}

fn changing(area: Area) -> Area {
    let edit = op("Edit my message")
        .id("id", MESSAGE)
        .body::<NewText>()
        .answers::<Message>(200, "The message as it is now.")
        .refuses(403, "It is another's message, you have left the room, or a block stands in a direct one.")
        .refuses(409, GONE)
        .refuses(429, TOO_FAST);
    let delete = op("Delete a message")
        .about("One's own; moderators and administrators delete others' too. Its text and files are gone, its place stays.")
        .id("id", MESSAGE)
        .answers_nothing(204, "It is deleted.")
        .refuses(403, "It is another's message.")
        .refuses(409, "It is deleted already.");
    let react = op("React to a message")
        .about("A second time it changes nothing.")
        .id("id", MESSAGE)
        .word("emoji", "One emoji, percent-encoded.")
        .answers::<Vec<Reaction>>(200, "Who reacts how to the message now.")
        .refuses(403, CANT_WRITE)
        .refuses(409, GONE)
        .refuses(422, "This is no emoji, or you have reacted in twenty ways already.");
    let unreact = op("Take my reaction back")
        .about("One that isn't there may be taken back, too.")
        .id("id", MESSAGE)
        .word("emoji", "The emoji, percent-encoded.")
        .answers::<Vec<Reaction>>(200, "Who reacts how to the message now.")
        .refuses(403, NOT_JOINED)
        .refuses(409, GONE);
    let report = op("Report a message")
        .about("The site's staff will look at it. Its author isn't told who reported it.")
        .id("id", MESSAGE)
        .body::<Reason>()
        .answers::<Report>(201, "The report.")
        .refuses(409, "The message is deleted, or your last report of it still waits.");
    area.add(Method::PATCH, "/chat/messages/{id}", MessageApi::edit, edit)
        .add(Method::DELETE, "/chat/messages/{id}", MessageApi::delete, delete)
        .add(Method::PUT, "/chat/messages/{id}/reactions/{emoji}", MessageApi::react, react)
        .add(Method::DELETE, "/chat/messages/{id}/reactions/{emoji}", MessageApi::unreact, unreact)
        .add(Method::POST, "/chat/messages/{id}/report", MessageApi::report, report)
}

fn finding(area: Area) -> Area {
    let search = op("Search messages")
        .about(
            "Among those that you may see, newest first. All words have to be found; the last may be only begun. Words in \
             quotes are found as they stand. A page may be short, or empty, and have a next one all the same.",
        )
        .query::<String>("q", "What to look for.")
        .query::<i64>("room_id", "Only in this room.")
        .query::<String>("from", "Only by this person: their user name or id.")
        .query_like("since", "Only from this day on, in UTC.", date())
        .query_like("until", "Only up to this day, in UTC; it is included.", date())
        .paged()
        .answers::<List<Hit>>(200, "The messages, each with the text around what was found.")
        .refuses(404, "There is no such room, or it is private to others.")
        .refuses(422, "There is nothing to look for, or `until` is before `since`.");
    let file = op("Get a message's file")
        .about(
            "To whoever may see the message. Images, sound, video and plain text may be shown in a browser; everything else \
             is sent to be saved. A part of it can be asked for with `Range`.",
        )
        .id("id", "The attachment.")
        .answers_file("The file.")
        .answers_nothing(206, "The part of it that was asked for.")
        .answers_nothing(304, "What `If-None-Match` names is still what there is.")
        .refuses(416, "`Range` lies beyond its end.");
    area.add(Method::GET, "/chat/search", MessageApi::search, search).add(
        Method::GET,
        "/chat/attachments/{id}",
        MessageApi::attachment,
        file,
    )
}

impl MessageApi {
    /// `GET /chat/rooms/{id}/messages`. Cost: 2 to 4 indexed queries besides who calls, O(limit).
    pub async fn history(
        State(app): State<App>,
        caller: Caller,
        At(room): At<i64>,
        Params(asked): Params<Asked>,
        paging: Paging,
    ) -> Answer<Json<History>> {
        let number = |name, text: Option<String>| text.map(|text| whole(name, &text)).transpose();
        let (before, after) = (number("before", asked.before)?, number("after", asked.after)?);
        let stretch = Stretch::parse(before, after, number("since_rev", asked.since_rev)?)?;
        let (reader, limit) = (caller.person.id, paging.limit);
        let read = async move {
            let mut conn = app.db.read().await?;
            let room = rooms::see(&mut conn, reader, RoomId(room)).await?;
            history(&mut conn, app.recent.as_ref(), &room, stretch, limit).await
        };
        Ok(Json(apart(read).await?))
    }

    /// `POST /chat/rooms/{id}/read`.
    pub async fn read(
        State(app): State<App>,
        caller: Caller,
        At(room): At<i64>,
        Body(ReadMark { seq }): Body<ReadMark>,
    ) -> Answer<StatusCode> {
        let seq = seq.ok_or_else(|| Error::field("seq", tr!("This is needed.")))?;
        messages::mark_read(&app, &caller.person, RoomId(room), seq).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// `PATCH /chat/messages/{id}`.
    pub async fn edit(
        State(app): State<App>,
        caller: Caller,
        At(id): At<i64>,
        Body(NewText { content }): Body<NewText>,
    ) -> Answer<Json<Message>> {
        let content = needed("content", content)?;
        Ok(Json(messages::edit(&app, &caller.person, MessageId(id), &content).await?))
    }

    /// `DELETE /chat/messages/{id}`.
    pub async fn delete(
        State(app): State<App>,
        caller: Caller,
        Client(device): Client,
        At(id): At<i64>,
    ) -> Answer<StatusCode> {
        messages::remove(&app, &caller.person, &device.ip, MessageId(id)).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// `PUT /chat/messages/{id}/reactions/{emoji}`.
    pub async fn react(
        State(app): State<App>,
        caller: Caller,
        At((id, emoji)): At<(i64, String)>,
    ) -> Answer<Json<Vec<Reaction>>> {
        Ok(Json(reactions::react(&app, &caller.person, MessageId(id), &emoji).await?))
    }

    /// `DELETE /chat/messages/{id}/reactions/{emoji}`.
    pub async fn unreact(
        State(app): State<App>,
        caller: Caller,
        At((id, emoji)): At<(i64, String)>,
    ) -> Answer<Json<Vec<Reaction>>> {
        Ok(Json(reactions::unreact(&app, &caller.person, MessageId(id), &emoji).await?))
    }

    /// `POST /chat/messages/{id}/report`.
    pub async fn report(
        State(app): State<App>,
        caller: Caller,
        At(id): At<i64>,
        Body(Reason { reason }): Body<Reason>,
    ) -> Answer<(StatusCode, Json<Report>)> {
        let report = reports::report(&app, &caller.person, MessageId(id), &reason.unwrap_or_default()).await?;
        Ok((StatusCode::CREATED, Json(report)))
    }

    /// `GET /chat/search`.
    pub async fn search(
        State(app): State<App>,
        caller: Caller,
        Params(query): Params<Query>,
        paging: Paging,
    ) -> Answer<Json<List<Hit>>> {
        let room = query.room_id.map(|room| whole("room_id", &room)).transpose()?;
        let asked = Search {
            terms: query.q.unwrap_or_default(),
            room: room.map(RoomId),
            from: query.from.filter(|from| !from.trim().is_empty()),
            since: day("since", query.since)?,
            until: day("until", query.until)?,
            before: paging.after()?,
        };
        let limit = usize::try_from(paging.limit).map_err(Error::internal)?;
        let found = search::find(&app, &caller.person, &asked, limit).await?;
        Ok(Json(List { items: found.hits, next: found.next.map(|id| cursor(&id)) }))
    }
    /// `GET /chat/attachments/{id}`.
    pub async fn attachment(
        State(app): State<App>,
        caller: Caller,
        At(id): At<i64>,
        headers: HeaderMap,
    ) -> Answer<Response> {
        let sent = attachments::send(&app, &caller.person, AttachmentId(id), &headers).await?;
        if sent.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(sent);
        }
        let problem = Problem::new(sent.status(), tr!("This part lies beyond the file's end."));
        let range = sent.headers().get(CONTENT_RANGE).cloned().map(|range| [(CONTENT_RANGE, range)]);
        Ok((range, problem).into_response())
    }
}

/// Runs what reads many rows in a task of its own, which ends with the call. The driver wakes whoever reads at every row:
/// here that is the reader alone, and not every layer that stands around a handler. It speaks the caller's language.
/// Cost: 1 task.
async fn apart<T: Send + 'static>(reading: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn(i18n::within(i18n::current(), reading));
    task.join_next().await.ok_or(Error::Unavailable)?.map_err(Error::internal)?
}
