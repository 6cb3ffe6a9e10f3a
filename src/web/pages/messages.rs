//! The page of one message: all that can be done to it, each as a form, for whoever has no script and for whoever
//! follows a message's own link. The acts are the domain's; afterwards one is back at the message in its room.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::error::{Error, FieldErrors, Result};
use crate::ids::MessageId;
use crate::messages::{self, Message, acts, pins};
use crate::reactions::{self, Named};
use crate::reports;
use crate::rooms::Room;
use crate::users::{self, Person};
use crate::web::extract::{Asked, Client, Fields, Id, SignedIn};
use crate::web::pages::composer::as_typed;
use crate::web::render::{Chrome, PageError, page, refused, status};

/// Offered as buttons; any other emoji is typed.
const COMMON: [&str; 6] = ["👍", "❤️", "😂", "🎉", "😮", "😢"];

pub struct MessagePages;

#[derive(Template)]
#[template(path = "pages/message.html")]
struct MessagePage {
    chrome: Chrome,
    person: Person,
    room: Room,
    message: Message,
    reactions: Vec<Named>,
    is_pinned: bool,
    typed: Typed,
    /// What was typed into a form that isn't there any more.
    lost: String,
    was_reported: bool,
    errors: FieldErrors,
}

/// What was typed into the fields of the page, all in all: a form has one of them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    content: String,
    emoji: String,
    /// 1 or 0: whether to react; without it a reaction is made or taken back, whichever changes something.
    on: Option<String>,
    reason: String,
}

/// What led here.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Done {
    reported: Option<String>,
}

impl MessagePages {
    /// `GET /chat/messages/{id}`. Cost: 4 to 7 indexed queries.
    pub async fn show(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Asked(done): Asked<Done>,
    ) -> Result<Response, PageError> {
        let mut shown = MessagePage::load(&app, person, MessageId(id)).await?;
        shown.was_reported = done.reported.is_some();
        Ok(page(StatusCode::OK, &shown))
    }

    /// `POST /chat/messages/{id}/edit`.
    pub async fn edit(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(typed): Fields<Typed>,
    ) -> Result<Response, PageError> {
        let done = messages::edit(&app, &person, MessageId(id), &as_typed(&typed.content)).await.map(|_| ());
        answer(&app, person, id, typed, "content", done).await
    }

    /// `POST /chat/messages/{id}/delete`.
    pub async fn delete(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Client(device): Client,
        Path(Id(id)): Path<Id>,
    ) -> Result<Response, PageError> {
        let done = messages::remove(&app, &person, &device.ip, MessageId(id)).await;
        answer(&app, person, id, Typed::default(), "content", done).await
    }

    /// `POST /chat/messages/{id}/react`.
    pub async fn react(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(typed): Fields<Typed>,
    ) -> Result<Response, PageError> {
        let done = react(&app, &person, MessageId(id), &typed).await;
        answer(&app, person, id, typed, "emoji", done).await
    }

    /// `POST /chat/messages/{id}/pin`.
    pub async fn pin(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
    ) -> Result<Response, PageError> {
        let done = pins::pin(&app, &person, MessageId(id)).await;
        answer(&app, person, id, Typed::default(), "pin", done).await
    }

    /// `POST /chat/messages/{id}/unpin`.
    pub async fn unpin(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
    ) -> Result<Response, PageError> {
        let done = pins::unpin(&app, &person, MessageId(id)).await;
        answer(&app, person, id, Typed::default(), "pin", done).await
    }

    /// `POST /chat/messages/{id}/report`.
    pub async fn report(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Fields(typed): Fields<Typed>,
    ) -> Result<Response, PageError> {
        match reports::report(&app, &person, MessageId(id), &typed.reason).await {
            Ok(_) => Ok(Redirect::to(&format!("/chat/messages/{id}?reported=1")).into_response()),
            Err(error) => answer(&app, person, id, typed, "reason", Err(error)).await,
        }
    }
}

async fn react(app: &App, person: &Person, id: MessageId, typed: &Typed) -> Result<()> {
    let emoji = typed.emoji.trim();
    let on = match typed.on.as_deref().unwrap_or_default() {
        "1" => true,
        "0" => false,
        "" => {
            let message = messages::see(&mut app.db.read().await?, person.id, id).await?;
            !message.reactions.iter().any(|one| one.emoji == emoji && one.user_ids.contains(&person.id))
        }
        _ => return Err(Error::field("emoji", tr!("A reaction is on (1) or off (0)."))),
    };
    let reactions = match on {
        true => reactions::react(app, person, id, emoji).await,
        false => reactions::unreact(app, person, id, emoji).await,
    };
    reactions.map(|_| ())
}

/// Back to the message in its room; or the page again, with what was typed and what is wrong with it. That one writes
/// too fast is said at `field`.
async fn answer(
    app: &App,
    person: Person,
    id: i64,
    typed: Typed,
    field: &'static str,
    done: Result<()>,
) -> Result<Response, PageError> {
    let id = MessageId(id);
    match done {
        Ok(()) => {
            let message = messages::see(&mut app.db.read().await?, person.id, id).await?;
            Ok(Redirect::to(&message.address()).into_response())
        }
        Err(error @ (Error::Invalid(_) | Error::Throttled { .. })) => {
            let shown = MessagePage::load(app, person, id).await?;
            refused(error, field, |errors| shown.again(typed, errors))
        }
        // What was typed isn't lost over it.
        Err(error @ (Error::Forbidden(_) | Error::Conflict(_))) => {
            let mut shown = MessagePage::load(app, person, id).await?;
            shown.lost = if typed.content.is_empty() { typed.reason } else { typed.content };
            shown.errors = FieldErrors::one("page", error.to_string());
            Ok(page(status(&error), &shown))
        }
        Err(error) => Err(error.into()),
    }
}

impl MessagePage {
    async fn load(app: &App, person: Person, id: MessageId) -> Result<Self> {
        let mut conn = app.db.read().await?;
        let (room, message) = acts::with_room(&mut conn, person.id, id).await?;
        let mut users: Vec<_> = message.reactions.iter().flat_map(|reaction| reaction.user_ids.clone()).collect();
        users.dedup();
        let reactions = reactions::named(&message.reactions, &users::names(&mut conn, &users).await?, person.id);
        let is_pinned = pins::is_pinned(&mut conn, id).await?;
        drop(conn);
        let typed = Typed { content: message.content.clone(), ..Typed::default() };
        let chrome = Chrome::new(app, Some(person.clone()));
        let (lost, errors) = Default::default();
        Ok(Self { chrome, person, room, message, reactions, is_pinned, typed, lost, was_reported: false, errors })
    }

    /// The same after a form was refused. The fields of the other forms are as they were.
    fn again(mut self, typed: Typed, errors: FieldErrors) -> Self {
        if !errors.of("content").is_empty() {
            self.typed.content = typed.content;
        }
        self.typed.emoji = typed.emoji;
        self.typed.reason = typed.reason;
        self.errors = errors;
        self
    }

    fn is_own(&self) -> bool {
        self.message.user_id == Some(self.person.id)
    }

    fn may_edit(&self) -> bool {
        self.is_own() && self.room.is_member()
    }

    fn may_delete(&self) -> bool {
        self.is_own() || self.person.is_staff()
    }

    fn may_pin(&self) -> bool {
        pins::may_pin(&self.room, &self.person)
    }

    /// Common emoji that nobody has used here yet.
    fn to_offer(&self) -> Vec<&'static str> {
        let is_used = |emoji: &&str| self.reactions.iter().any(|one| one.emoji == **emoji);
        COMMON.into_iter().filter(|emoji| !is_used(emoji)).collect()
    }
}
