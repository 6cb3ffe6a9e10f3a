//! `/api/v1/notifications`: what one was told of.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Answer;
use super::caller::Caller;
use super::json::OptionalBody;
use super::list::{List, Paging};
use super::operation::{Area, op};
use super::params::Params;
use crate::app::App;
use crate::ids::NotificationId;
use crate::notifications::{self, Notification};

pub struct NotificationApi;

#[derive(Deserialize)]
pub struct Asked {
    unread: Option<bool>,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ReadNotifications)]
pub struct Read {
    /// Which; left out, all.
    #[schema(max_items = 1000, example = json!([9]))]
    ids: Option<Vec<NotificationId>>,
}

/// What one was told of.
pub fn area() -> Area {
    let list = op("List my notifications")
        .about("Newest first.")
        .query::<bool>("unread", "`true`: only what wasn't read yet.")
        .paged()
        .polled()
        .answers::<List<Notification>>(200, "A page of notifications.");
    let read = op("Mark notifications as read")
        .about("All, or those of `ids`. What isn't yours, or was read before, is passed over.")
        .optional_body::<Read>()
        .answers_nothing(204, "They are read.");
    Area::new("Notifications", "What you were told of: mentions, replies, interests, rooms you were added to.")
        .add(Method::GET, "/notifications", NotificationApi::list, list)
        .add(Method::POST, "/notifications/read", NotificationApi::read, read)
}

impl NotificationApi {
    /// `GET /notifications`.
    pub async fn list(
        State(app): State<App>,
        caller: Caller,
        Params(Asked { unread }): Params<Asked>,
        paging: Paging,
    ) -> Answer<Json<List<Notification>>> {
        let before: Option<NotificationId> = paging.after()?;
        let (unread, most) = (unread.unwrap_or(false), paging.limit + 1);
        let found = notifications::of(&mut app.db.read().await?, caller.person.id, unread, before, most).await?;
        Ok(Json(List::page(found, paging.limit, |told| told.id, |told| told)))
    }

    /// `POST /notifications/read`.
    pub async fn read(
        State(app): State<App>,
        caller: Caller,
        OptionalBody(Read { ids }): OptionalBody<Read>,
    ) -> Answer<StatusCode> {
        notifications::read(&app, &caller.person, ids.as_deref()).await?;
        Ok(StatusCode::NO_CONTENT)
    }
}
