//! `/search`: messages by their words, among those that one may see. What is asked stands in the address, so that a search
//! can be kept and sent on.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::app::App;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{MessageId, RoomId};
use crate::messages::search::{self, Found, Hit, Search};
use crate::rooms::{NO_ROOM, Room, list};
use crate::users::Person;
use crate::web::extract::{Asked, SignedIn};
use crate::web::render::{self, Chrome, PageError, page};

/// Hits on a page.
const SHOWN: usize = 20;
/// Rooms to choose from.
const LISTED: i64 = 100;

pub struct SearchPages;

#[derive(Template)]
#[template(path = "pages/search.html")]
struct SearchPage {
    chrome: Chrome,
    form: Form,
    errors: FieldErrors,
    rooms: Vec<Room>,
    hits: Vec<Line>,
    /// Where the next page begins.
    next: Option<MessageId>,
}

/// A hit, and what its reader calls the room.
struct Line {
    hit: Hit,
    room: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Form {
    q: String,
    room_id: String,
    from: String,
    since: String,
    until: String,
    before: Option<MessageId>,
}

impl SearchPages {
    /// `GET /search?q=&room_id=&from=&since=&until=&before=`. Without words to look for it is the form alone.
    /// Cost: 1 query, and those of `search::find` and one more for what is found.
    pub async fn show(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Asked(form): Asked<Form>,
    ) -> Result<Response, PageError> {
        let found = match form.search() {
            Ok(Some(search)) => search::find(&app, &person, &search, SHOWN).await,
            Ok(None) => Ok(Found { hits: Vec::new(), next: None }),
            Err(error) => Err(error),
        };
        let (status, found, errors) = match found {
            Ok(found) => (StatusCode::OK, found, FieldErrors::default()),
            Err(Error::Invalid(errors)) => {
                let status = render::status(&Error::Invalid(FieldErrors::default()));
                (status, Found { hits: Vec::new(), next: None }, errors)
            }
            Err(error) => return Err(error.into()),
        };
        let mut shown = SearchPage::load(&app, &person, form, found).await?;
        shown.errors = errors;
        Ok(page(status, &shown))
    }
}

impl Form {
    fn is_blank(&self) -> bool {
        self.q.trim().is_empty()
    }

    fn room(&self) -> Result<Option<RoomId>> {
        match self.room_id.trim() {
            "" => Ok(None),
            id => id.parse().map(|id| Some(RoomId(id))).map_err(|_| NO_ROOM),
        }
    }

    /// What is asked; `None` before anything is. Errors: [`Error::Invalid`] by field, [`Error::NotFound`] for a room.
    fn search(&self) -> Result<Option<Search>> {
        let mut errors = FieldErrors::default();
        let mut day = |field, text: &str| {
            search::day(field, text).unwrap_or_else(|error| {
                errors.add(field, error.to_string());
                None
            })
        };
        let (since, until) = (day("since", &self.since), day("until", &self.until));
        let room = self.room()?;
        let from = Some(self.from.trim().to_owned()).filter(|from| !from.is_empty());
        let search = Search { terms: self.q.clone(), room, from, since, until, before: self.before };
        errors.or((!self.is_blank()).then_some(search))
    }

    /// The address of the hits after `before`.
    fn older(&self, before: &MessageId) -> String {
        let fields = [
            ("q", &self.q),
            ("room_id", &self.room_id),
            ("from", &self.from),
            ("since", &self.since),
            ("until", &self.until),
            ("before", &before.to_string()),
        ];
        let filled = fields.into_iter().filter(|(_, value)| !value.is_empty());
        format!("/search?{}", Serializer::new(String::new()).extend_pairs(filled).finish())
    }
}

impl SearchPage {
    async fn load(app: &App, person: &Person, form: Form, found: Found) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let mut rooms = list::own(&mut conn, person.id, LISTED).await?;
        let asked = form.room()?;
        let wanted: Vec<RoomId> = found.hits.iter().map(|hit| hit.message.room_id).chain(asked).collect();
        let seen = list::seen(&mut conn, person.id, &wanted).await?;
        let titles: HashMap<RoomId, String> = seen.iter().map(|room| (room.id, room.title().into_owned())).collect();
        // One looks into rooms that one isn't in.
        rooms.extend(seen.into_iter().filter(|room| asked == Some(room.id) && !room.is_member()));
        let line = |hit: Hit| Line { room: titles.get(&hit.message.room_id).cloned().unwrap_or_default(), hit };
        Ok(Self {
            chrome: Chrome::new(app, Some(person.clone())),
            form,
            errors: FieldErrors::default(),
            rooms,
            hits: found.hits.into_iter().map(line).collect(),
            next: found.next,
        })
    }

    fn is_chosen(&self, room: &RoomId) -> bool {
        self.form.room_id.trim() == room.to_string()
    }
}
