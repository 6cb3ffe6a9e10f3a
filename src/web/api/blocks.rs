//! `/api/v1/blocks` and `/api/v1/users/{id}/block`: whom one doesn't want to hear from.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};

use super::auth::Answer;
use super::caller::Caller;
use super::list::{List, Paging};
use super::operation::{Area, op};
use super::params::At;
use super::user::UserShape;
use crate::app::App;
use crate::clock::Timestamp;
use crate::ids::{BlockId, UserId};
use crate::users::blocks;

pub struct BlockApi;

/// Whom one doesn't want to hear from.
pub fn area() -> Area {
    let list = op("List whom I have blocked")
        .about("The last one first.")
        .paged()
        .polled()
        .answers::<List<UserShape>>(200, "A page of people.");
    let block = op("Block somebody")
        .about(
            "While one of you two has blocked the other, neither asks the other to talk nor writes in your direct room, \
             and the blocked one adds the other to no room. An interest that is pending between you is taken back or \
             rejected. They aren't told of the block. A second time it changes nothing.",
        )
        .id("id", "The person's id.")
        .answers_nothing(204, "They are blocked.")
        .refuses(400, "The address can't be read, or it is you.")
        .refuses(404, "There is no such person, or, for others than staff, their account is disabled.");
    let unblock = op("Unblock somebody")
        .about("Who isn't blocked may be unblocked, too.")
        .id("id", "The person's id.")
        .answers_nothing(204, "They aren't blocked any more.")
        .refuses(404, "There is no such person.");
    Area::new("Blocks", "Whom you don't want to hear from.")
        .add(Method::GET, "/blocks", BlockApi::list, list)
        .add(Method::PUT, "/users/{id}/block", BlockApi::block, block)
        .add(Method::DELETE, "/users/{id}/block", BlockApi::unblock, unblock)
}

impl BlockApi {
    /// `GET /blocks`.
    pub async fn list(State(app): State<App>, caller: Caller, paging: Paging) -> Answer<Json<List<UserShape>>> {
        let after = paging.after::<(i64, BlockId)>()?.map(|(time, id)| (Timestamp(time), id));
        let found = blocks::of(&mut app.db.read().await?, caller.person.id, after, paging.limit + 1).await?;
        let shape = |blocked: blocks::Blocked| UserShape::for_reader(blocked.user, &caller.person);
        Ok(Json(List::page(found, paging.limit, |blocked| (blocked.blocked_at.0, blocked.block_id), shape)))
    }

    /// `PUT /users/{id}/block`.
    pub async fn block(State(app): State<App>, caller: Caller, At(id): At<UserId>) -> Answer<StatusCode> {
        blocks::block(&app, &caller.person, id).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// `DELETE /users/{id}/block`.
    pub async fn unblock(State(app): State<App>, caller: Caller, At(id): At<UserId>) -> Answer<StatusCode> {
        blocks::unblock(&app, &caller.person, id).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}
