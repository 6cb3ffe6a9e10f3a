//! `/people`: who there is and who is here, who asked whom to talk, and whom one has blocked. Each act is a form, and
//! comes back to where in the directory it was pressed, or shows the page again with why not.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::app::App;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::{InterestId, UserId};
use crate::interests::list::{Entry, Folder, Look as Interests};
use crate::interests::relation::{self, Relation};
use crate::interests::{self, NewInterest, Status, list};
use crate::messages::excerpt;
use crate::rooms::{self, NewRoom, RoomForm};
use crate::users::blocks::{self, Blocked};
use crate::users::directory::{self, Look};
use crate::users::{Person, User};
use crate::web::extract::{Asked, Fields, Id, SignedIn};
use crate::web::once::Once;
use crate::web::render::{self, Chrome, PageError, page};

/// People on a page.
const SHOWN: usize = 30;
/// Interests and blocked people shown above the directory, of each.
const LISTED: i64 = 50;
/// Characters of what somebody says of themselves.
const MOST_OF_BIO: usize = 160;

pub struct PeoplePages;

#[derive(Template)]
#[template(path = "pages/people.html")]
struct PeoplePage {
    chrome: Chrome,
    place: Place,
    people: Vec<Card>,
    /// The name after which the next page begins.
    next: Option<String>,
    asked_me: Vec<Entry>,
    i_asked: Vec<Entry>,
    blocked: Vec<Blocked>,
    notice: String,
    /// Why what was asked for wasn't done.
    refusal: String,
    ask: Ask,
    errors: FieldErrors,
}

/// Somebody in the directory.
struct Card {
    user: User,
    is_self: bool,
    online: bool,
    about: String,
    relation: Relation,
}

/// Where in the directory one is.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Place {
    q: String,
    after: String,
}

/// The form of a new interest.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Ask {
    recipient_id: String,
    recipient: String,
    note: String,
    q: String,
    after: String,
}

impl PeoplePages {
    /// `GET /people?q=&after=`. Cost: 8 indexed queries, O(30 + interests and blocks shown).
    pub async fn list(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        headers: HeaderMap,
        Asked(place): Asked<Place>,
    ) -> Result<Response, PageError> {
        let mut shown = PeoplePage::load(&app, &person, place).await?;
        let Some(once) = Once::of(&app, &headers, person.session())? else {
            return Ok(page(StatusCode::OK, &shown));
        };
        shown.notice = once.notice;
        let mut response = page(StatusCode::OK, &shown);
        Once::end(&app, &mut response)?;
        Ok(response)
    }

    /// `POST /people/interests`: asks somebody to talk.
    pub async fn ask(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Fields(ask): Fields<Ask>,
    ) -> Result<Response, PageError> {
        let place = Place { q: ask.q.clone(), after: ask.after.clone() };
        let sent = match ask.parse() {
            Ok(new) => interests::send(&app, &person, new).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(entry) => place.back(&app, &person, tr!("You asked {name} to talk.", name = entry.recipient)),
            Err(error) => PeoplePage::refused(&app, &person, place, ask, error).await,
        }
    }

    /// `POST /people/interests/{id}/accept`: into the direct room of the two.
    pub async fn accept(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(place): Fields<Place>,
    ) -> Result<Response, PageError> {
        match interests::accept(&app, &person, InterestId(id)).await {
            Ok((_, room)) => Ok(Redirect::to(&format!("/chat/rooms/{}", room.id)).into_response()),
            Err(error) => PeoplePage::refused(&app, &person, place, Ask::default(), error).await,
        }
    }

    /// `POST /people/interests/{id}/reject`.
    pub async fn reject(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(place): Fields<Place>,
    ) -> Result<Response, PageError> {
        let done = interests::reject(&app, &person, InterestId(id)).await;
        place.told(&app, &person, done.map(|entry| tr!("You said no to {name}.", name = entry.sender))).await
    }

    /// `POST /people/interests/{id}/cancel`.
    pub async fn cancel(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(place): Fields<Place>,
    ) -> Result<Response, PageError> {
        let done = interests::cancel(&app, &person, InterestId(id)).await;
        place.told(&app, &person, done.map(|entry| tr!("You don't ask {name} any more.", name = entry.recipient))).await
    }

    /// `POST /people/{id}/talk`: into the direct room of the two, which is made where there is none.
    pub async fn talk(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(place): Fields<Place>,
    ) -> Result<Response, PageError> {
        directory::see(&mut app.db.read().await?, &person, UserId(id)).await?;
        let form = RoomForm { kind: "direct".into(), member_ids: vec![UserId(id)], ..RoomForm::default() };
        let made = match NewRoom::parse(&person, &form) {
            Ok(new) => rooms::create(&app, &person, new).await,
            Err(error) => Err(error),
        };
        match made {
            Ok((room, _)) => Ok(Redirect::to(&format!("/chat/rooms/{room}")).into_response()),
            Err(error) => PeoplePage::refused(&app, &person, place, Ask::default(), error).await,
        }
    }

    /// `POST /people/{id}/block`.
    pub async fn block(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(place): Fields<Place>,
    ) -> Result<Response, PageError> {
        let done = blocks::block(&app, &person, UserId(id)).await;
        place.told(&app, &person, done.map(|()| tr!("Blocked. They aren't told.").into())).await
    }

    /// `POST /people/{id}/unblock`.
    pub async fn unblock(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(place): Fields<Place>,
    ) -> Result<Response, PageError> {
        let done = blocks::unblock(&app, &person, UserId(id)).await;
        place.told(&app, &person, done.map(|()| tr!("Unblocked.").into())).await
    }
}

impl Place {
    fn address(&self) -> String {
        let asked = [("q", &self.q), ("after", &self.after)];
        let asked = asked.into_iter().filter(|(_, value)| !value.is_empty());
        let query = Serializer::new(String::new()).extend_pairs(asked).finish();
        if query.is_empty() { "/people".into() } else { format!("/people?{query}") }
    }

    /// Back to here, where it is said what was done.
    fn back(&self, app: &App, person: &Person, notice: String) -> Result<Response, PageError> {
        Ok(Once::notice(notice).along(app, person.session(), Redirect::to(&self.address()))?)
    }

    /// The same, or the page with why nothing was done.
    async fn told(self, app: &App, person: &Person, done: Result<String>) -> Result<Response, PageError> {
        match done {
            Ok(notice) => self.back(app, person, notice),
            Err(error) => PeoplePage::refused(app, person, self, Ask::default(), error).await,
        }
    }
}

impl Ask {
    fn parse(&self) -> Result<NewInterest> {
        let id = self.recipient_id.trim();
        let recipient_id = match id.parse() {
            _ if id.is_empty() => None,
            Ok(id) => Some(UserId(id)),
            Err(_) => return Err(Error::field("recipient_id", tr!("There is no active account with this id."))),
        };
        NewInterest::parse(recipient_id, Some(self.recipient.clone()), &self.note)
    }
}

impl PeoplePage {
    async fn load(app: &App, person: &Person, place: Place) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let look = Look { q: &place.q, disabled: directory::shows_disabled(person), after: &place.after };
        let mut users = directory::page(&mut conn, look, SHOWN as i64 + 1).await?;
        let more = users.len() > SHOWN;
        users.truncate(SHOWN);
        let others: Vec<UserId> = users.iter().map(|user| user.id).filter(|id| *id != person.id).collect();
        let mut relations = relation::of(&mut conn, app, person, &others).await?;
        let pending = |folder| Interests { folder, status: Some(Status::Pending), before: None };
        let card = |user: User| Card {
            is_self: user.id == person.id,
            online: app.hub.is_online(user.id),
            about: excerpt::plain(user.bio.lines().next().unwrap_or_default(), MOST_OF_BIO),
            relation: relations.remove(&user.id).unwrap_or_default(),
            user,
        };
        Ok(Self {
            next: users.last().filter(|_| more).map(|last| last.username.clone()),
            people: users.into_iter().map(card).collect(),
            asked_me: list::of(&mut conn, person.id, pending(Folder::In), LISTED).await?,
            i_asked: list::of(&mut conn, person.id, pending(Folder::Out), LISTED).await?,
            blocked: blocks::of(&mut conn, person.id, None, LISTED).await?,
            chrome: Chrome::new(app, Some(person.clone())),
            place,
            notice: String::new(),
            refusal: String::new(),
            ask: Ask::default(),
            errors: FieldErrors::default(),
        })
    }

    /// The page with why something wasn't done, and what was typed. Errors: what isn't about what was asked for.
    async fn refused(app: &App, person: &Person, place: Place, ask: Ask, error: Error) -> Result<Response, PageError> {
        let status = render::status(&error);
        let (refusal, errors) = match error {
            Error::Invalid(errors) if !ask.is_empty() => (String::new(), errors),
            Error::Invalid(_) | Error::Forbidden(_) | Error::Conflict(_) | Error::TooSoon(_) | Error::Malformed(_) => {
                (error.to_string(), FieldErrors::default())
            }
            error => return Err(error.into()),
        };
        let mut shown = Self::load(app, person, place).await?;
        (shown.refusal, shown.errors) = (refusal, errors);
        shown.ask = ask.named(app).await?;
        Ok(page(status, &shown))
    }

    /// What is wrong with whom they ask.
    fn wrong_recipient(&self) -> String {
        [self.errors.of("recipient_id"), self.errors.of("recipient")].concat()
    }
}

impl Ask {
    fn is_empty(&self) -> bool {
        self.recipient_id.is_empty() && self.recipient.is_empty() && self.note.is_empty()
    }

    /// The same with the name of whom it asks by id. Cost: at most 1 indexed query.
    async fn named(mut self, app: &App) -> Result<Self> {
        if let (true, Ok(id)) = (self.recipient.is_empty(), self.recipient_id.trim().parse()) {
            let found = crate::users::by_id(&mut app.db.read().await?, UserId(id)).await?;
            self.recipient = found.filter(|user| user.is_active).map(|user| user.username).unwrap_or_default();
        }
        Ok(self)
    }
}
