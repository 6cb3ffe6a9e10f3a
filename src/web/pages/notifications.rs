//! `/notifications`: what one was told of, newest first. Looking at it changes nothing; what is pressed does.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::error::Result;
use crate::ids::NotificationId;
use crate::notifications::list::{self, Item};
use crate::notifications::{self, MOST_COUNTED};
use crate::web::extract::{Asked, Fields, SignedIn};
use crate::web::render::{Chrome, PageError, page};

/// Notifications on a page.
const SHOWN: usize = 30;

pub struct NotificationPages;

#[derive(Template)]
#[template(path = "pages/notifications.html")]
struct NotificationsPage {
    chrome: Chrome,
    items: Vec<Item>,
    unread: i64,
    /// The page that is shown begins before this one; none for the newest.
    before: Option<NotificationId>,
    /// Where the next page begins.
    next: Option<NotificationId>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Place {
    before: Option<NotificationId>,
}

/// What is read: these, or without any all.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Read {
    ids: Vec<NotificationId>,
    before: Option<NotificationId>,
}

impl NotificationPages {
    /// `GET /notifications?before=`. Cost: 2 queries, O(30).
    pub async fn list(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Asked(Place { before }): Asked<Place>,
    ) -> Result<Response, PageError> {
        let mut conn = app.db.read().await?;
        let mut items = list::of(&mut conn, person.id, before, SHOWN as i64 + 1).await?;
        let unread = notifications::unread(&mut conn, person.id).await?;
        let more = items.len() > SHOWN;
        items.truncate(SHOWN);
        let next = items.last().filter(|_| more).map(|last| last.told.id);
        let chrome = Chrome::new(&app, Some(person));
        Ok(page(StatusCode::OK, &NotificationsPage { chrome, items, unread, before, next }))
    }

    /// `POST /notifications/read`: marks all as read, or those of `ids`, and comes back.
    pub async fn read(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Fields(Read { ids, before }): Fields<Read>,
    ) -> Result<Redirect, PageError> {
        let which = (!ids.is_empty()).then_some(ids.as_slice());
        notifications::read(&app, &person, which).await?;
        Ok(Redirect::to(&before.map_or("/notifications".into(), |before| format!("/notifications?before={before}"))))
    }
}

impl NotificationsPage {
    /// How many aren't read; counted no further than there is anything to tell.
    fn count(&self) -> String {
        match self.unread {
            unread if unread < MOST_COUNTED => tr!("{n} unread" | "{n} unread" % unread),
            unread => tr!("{n} or more unread" | "{n} or more unread" % unread),
        }
    }
}
