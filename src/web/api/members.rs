//! `/api/v1/chat/rooms/{id}/members`: who is in a room, joining, adding, leaving, removing.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Answer;
use super::caller::Caller;
use super::json::{Body, OptionalBody};
use super::list::{List, Paging};
use super::operation::{Area, op};
use super::params::At;
use crate::app::App;
use crate::clock::Timestamp;
use crate::ids::{RoomId, UserId};
use crate::rooms;
use crate::rooms::members::notify::{Notify, set_notify};
use crate::rooms::members::{self, Member, Whom};

pub struct MemberApi;

/// Somebody in a room.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberShape {
    #[schema(example = 1)]
    user_id: UserId,
    #[schema(example = "maria")]
    username: String,
    first_name: String,
    last_name: String,
    /// Their picture, or one of their initials; a path on this site.
    #[schema(example = "/avatars/initials/M-1.svg")]
    avatar_url: String,
    /// `owner` or `member`.
    #[schema(example = "member")]
    role: String,
    joined_at: Timestamp,
    /// Whether a socket of theirs is open now.
    online: bool,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct NewMember {
    /// Whom to add; left out, you join yourself.
    #[schema(example = 2)]
    user_id: Option<UserId>,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NotifyChoice)]
pub struct Choice {
    /// `all`: every message; `mentions`: mentions and replies; `nothing`: the room is muted.
    #[schema(value_type = Notify, required = true, example = "mentions")]
    #[serde(default)]
    notify: String,
}

/// Who is in which room.
pub fn area() -> Area {
    let list = op("List a room's members")
        .about("By user name.")
        .id("id", "The room's id.")
        .paged()
        .polled()
        .answers::<List<MemberShape>>(200, "A page of members.");
    let add = op("Join a room, or add somebody to it")
        .about(
            "Without `user_id` you join a public room. With it the room's owner and staff add that person, who is told \
                by `room_added` and a notification.",
        )
        .id("id", "The room's id.")
        .optional_body::<NewMember>()
        .answers::<MemberShape>(201, "The new member.")
        .answers::<MemberShape>(200, "Who was in it already, as they were.")
        .refuses(403, "Only the owner and staff add others, and nobody adds a third to a direct chat.");
    let remove = op("Leave a room, or remove somebody from it")
        .about("Their sockets on it end within a second. When the only owner leaves, the member who has been there longest \
                owns the room.")
        .id("id", "The room's id.")
        .id("user_id", "Your own id to leave, or whom the owner or staff remove.")
        .answers_nothing(204, "They are out of it.")
        .refuses(403, "Only the owner and staff remove others.")
        .refuses(404, "There is no such room, it is private to others, or the person isn't in it.")
        .refuses(409, "A direct chat stays with both.");
    let notify = op("Choose what a room tells me")
        .about("Of every message (a direct chat does at first), of mentions and replies (as other rooms do), or of nothing. \
                A muted room still counts as unread.")
        .id("id", "The room's id.")
        .body::<Choice>()
        .answers_nothing(204, "It is chosen.")
        .refuses(403, "You aren't in this public room.");
    Area::new("Members", "Who is in which room.")
        .add(Method::GET, "/chat/rooms/{id}/members", MemberApi::list, list)
        .add(Method::POST, "/chat/rooms/{id}/members", MemberApi::add, add)
        .add(Method::DELETE, "/chat/rooms/{id}/members/{user_id}", MemberApi::remove, remove)
        .add(Method::POST, "/chat/rooms/{id}/notify", MemberApi::notify, notify)
}

impl MemberApi {
    /// `GET /chat/rooms/{id}/members`. Cost: 2 queries, O(members).
    pub async fn list(
        State(app): State<App>,
        caller: Caller,
        At(id): At<RoomId>,
        paging: Paging,
    ) -> Answer<Json<List<MemberShape>>> {
        let after: Option<String> = paging.after()?;
        let mut conn = app.db.read().await?;
        rooms::see(&mut conn, caller.person.id, id).await?;
        let members = members::page(&mut conn, id, after.as_deref().unwrap_or_default(), paging.limit + 1).await?;
        let shape = |member| MemberShape::new(&app, member);
        Ok(Json(List::page(members, paging.limit, |member| member.username.clone(), shape)))
    }

    /// `POST /chat/rooms/{id}/members`.
    pub async fn add(
        State(app): State<App>,
        caller: Caller,
        At(id): At<RoomId>,
        OptionalBody(NewMember { user_id }): OptionalBody<NewMember>,
    ) -> Answer<(StatusCode, Json<MemberShape>)> {
        let person = &caller.person;
        let (user, is_new) = match user_id {
            Some(user) if user != person.id => members::add(&app, person, id, Whom::Id(user)).await?,
            _ => (person.id, members::join(&app, person, id).await?),
        };
        let member = members::one(&mut app.db.read().await?, id, user).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(MemberShape::new(&app, member))))
    }

    /// `DELETE /chat/rooms/{id}/members/{user_id}`.
    pub async fn remove(
        State(app): State<App>,
        caller: Caller,
        At((id, user)): At<(RoomId, UserId)>,
    ) -> Answer<StatusCode> {
        members::remove(&app, &caller.person, id, user).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// `POST /chat/rooms/{id}/notify`.
    pub async fn notify(
        State(app): State<App>,
        caller: Caller,
        At(id): At<RoomId>,
        Body(Choice { notify }): Body<Choice>,
    ) -> Answer<StatusCode> {
        set_notify(&app, &caller.person, id, Notify::parse(&notify)?).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

impl MemberShape {
    pub fn new(app: &App, member: Member) -> Self {
        Self {
            avatar_url: member.avatar_url(),
            online: app.hub.is_online(member.user_id),
            user_id: member.user_id,
            username: member.username,
            first_name: member.first_name,
            last_name: member.last_name,
            role: member.role,
            joined_at: member.joined_at,
        }
    }
}
