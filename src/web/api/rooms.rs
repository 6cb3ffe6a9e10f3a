//! `/api/v1/chat/rooms`: finding, making, changing and deleting rooms. Who is in them is in `members`, what is said there
//! in `messages`.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Answer;
use super::caller::Caller;
use super::json::Body;
use super::list::{List, Paging};
use super::members::MemberShape;
use super::operation::{Area, op};
use super::params::At;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{RoomId, UserId};
use crate::rooms::list::Entry;
use crate::rooms::{self, Kind, NewRoom, RoomForm, list, members};
use crate::users::Person;

/// Members in a room's details.
const MEMBERS_SHOWN: i64 = 100;

pub struct RoomApi;

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NewRoom)]
pub struct NewRoomBody {
    /// Left out: `direct` with one other member and no name, `group` with other members, else `public`.
    #[schema(value_type = Option<Kind>)]
    kind: Option<String>,
    /// A public room needs one that no other public room has.
    #[schema(max_length = 80, example = "General")]
    name: Option<String>,
    #[schema(max_length = 500, example = "What everyone should know")]
    description: Option<String>,
    /// The others, besides oneself.
    #[schema(max_items = 100, example = json!([]))]
    member_ids: Option<Vec<UserId>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RoomChange)]
pub struct Change {
    #[schema(max_length = 80, example = "Lobby")]
    name: Option<String>,
    #[schema(max_length = 500, example = "All of it")]
    description: Option<String>,
}

/// A room and who is in it.
#[derive(Serialize, ToSchema)]
#[schema(as = RoomDetails)]
pub struct Details {
    #[serde(flatten)]
    room: Entry,
    /// The first 100, by user name; the list of members has them all.
    members: Vec<MemberShape>,
    /// Ids of those members who have a socket open now.
    online: Vec<UserId>,
}

/// Rooms.
pub fn area() -> Area {
    let list = op("List rooms")
        .about("Your own and the public ones, newest talk first.")
        .paged()
        .polled()
        .answers::<List<Entry>>(200, "A page of rooms.");
    let create = op("Make a room")
        .about("You are its owner. The others are told by `room_added` and a notification.")
        .body::<NewRoomBody>()
        .answers::<Details>(201, "The room.")
        .answers::<Details>(200, "The direct room that you two have already.")
        .refuses(403, "On this site administrators make rooms, a direct chat starts with an accepted interest, or a block stands.");
    let show =
        op("Show a room").id("id", "The room's id.").polled().answers::<Details>(200, "The room and who is in it.");
    let change = op("Rename or describe a room")
        .about("What isn't given, or is null, stays.")
        .id("id", "The room's id.")
        .body::<Change>()
        .answers::<Details>(200, "The room as it is now.")
        .refuses(403, "Only its owner and staff may. A direct chat has no name of its own.");
    let delete = op("Delete a room")
        .about("With all that was said in it. Everyone connected is told by `room_deleted`.")
        .id("id", "The room's id.")
        .answers_nothing(204, "It is gone.")
        .refuses(403, "Only its owner and administrators may, and nobody deletes a direct chat.");
    Area::new("Rooms", "Public rooms are open to everyone; groups and direct chats to their members only.")
        .add(Method::GET, "/chat/rooms", RoomApi::list, list)
        .add(Method::POST, "/chat/rooms", RoomApi::create, create)
        .add(Method::GET, "/chat/rooms/{id}", RoomApi::show, show)
        .add(Method::PATCH, "/chat/rooms/{id}", RoomApi::change, change)
        .add(Method::DELETE, "/chat/rooms/{id}", RoomApi::delete, delete)
}

impl RoomApi {
    /// `GET /chat/rooms`.
    pub async fn list(State(app): State<App>, caller: Caller, paging: Paging) -> Answer<Json<List<Entry>>> {
        let after = paging.after::<(i64, RoomId)>()?.map(|(time, id)| (Timestamp(time), id));
        let mut conn = app.db.read().await?;
        let rooms = list::page(&mut conn, caller.person.id, after, paging.limit + 1).await?;
        let List { items, next } =
            List::page(rooms, paging.limit, |room| (room.last_message_at.0, room.id), |room| room);
        Ok(Json(List { items: list::entries(&mut conn, items).await?, next }))
    }

    /// `POST /chat/rooms`.
    pub async fn create(
        State(app): State<App>,
        caller: Caller,
        Body(new): Body<NewRoomBody>,
    ) -> Answer<(StatusCode, Json<Details>)> {
        let form = RoomForm {
            kind: new.kind.unwrap_or_default(),
            name: new.name.unwrap_or_default(),
            description: new.description.unwrap_or_default(),
            member_ids: new.member_ids.unwrap_or_default(),
        };
        let new = NewRoom::parse(&caller.person, &form)?;
        let (id, is_new) = rooms::create(&app, &caller.person, new).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(Details::load(&app, &caller.person, id).await?)))
    }

    /// `GET /chat/rooms/{id}`.
    pub async fn show(State(app): State<App>, caller: Caller, At(id): At<RoomId>) -> Answer<Json<Details>> {
        Ok(Json(Details::load(&app, &caller.person, id).await?))
    }

    /// `PATCH /chat/rooms/{id}`.
    pub async fn change(
        State(app): State<App>,
        caller: Caller,
        At(id): At<RoomId>,
        Body(change): Body<Change>,
    ) -> Answer<Json<Details>> {
        rooms::rename(&app, &caller.person, id, change.name.as_deref(), change.description.as_deref()).await?;
        Ok(Json(Details::load(&app, &caller.person, id).await?))
    }

    /// `DELETE /chat/rooms/{id}`.
    pub async fn delete(State(app): State<App>, caller: Caller, At(id): At<RoomId>) -> Answer<StatusCode> {
        rooms::delete(&app, &caller.person, id).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

impl Details {
    /// Cost: 4 queries, O(members).
    async fn load(app: &App, person: &Person, id: RoomId) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let room = rooms::see(&mut conn, person.id, id).await?;
        let members = members::page(&mut conn, id, "", MEMBERS_SHOWN).await?;
        let online = members::among(&mut conn, id, &app.hub.online()).await?;
        let room = list::with_last_message(&mut conn, room).await?;
        Ok(Self { room, members: members.into_iter().map(|member| MemberShape::new(app, member)).collect(), online })
    }
}
