//! What helps people write: the page that says how, a preview of what is typed, and names to complete. Scripts of the
//! room's page call the last two.

use std::borrow::Cow;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, Response};
use serde::Deserialize;

use crate::app::App;
use crate::error::{Error, Result};
use crate::i18n;
use crate::ids::RoomId;
use crate::messages::{MOST_CHARACTERS, markup};
use crate::rooms;
use crate::rooms::members::{self, MOST_NAMES};
use crate::text::fold;
use crate::web::extract::{Asked, Fields, Id, SignedIn, Visitor};
use crate::web::render::{Chrome, PageError, Plain, page};

/// What is typed, and what to know of it; how it looks is rendered as in a message, so that this can't be wrong.
const EXAMPLES: &[(&str, &str)] = &[
    (msgid!("**bold** and *italic*"), ""),
    ("`code`", msgid!("Nothing in it is read as anything else.")),
    (msgid!("```\nseveral lines\nof code\n```"), ""),
    (msgid!("> what somebody said"), ""),
    (msgid!("- milk\n- bread"), msgid!("With numbers, 1. and 2., too.")),
    ("https://example.org", msgid!("A link. Nothing is fetched from there.")),
    (msgid!("[the notes](https://example.org/notes)"), msgid!("A link under another name says where it leads.")),
    ("@maria", msgid!("Tells Maria, if she is in this room and hasn't muted it.")),
    ("@here", msgid!("Tells every member who is online now.")),
    (msgid!("/me waves"), msgid!("What you do, in a message of one line.")),
    ("//me", msgid!("The words themselves. A backslash, \\, does the same for any other sign.")),
];

/// What everyone in the room is called at once.
const EVERYONE: &str = "here";

pub struct WritingPages;

#[derive(Template)]
#[template(path = "pages/help.html")]
struct HelpPage {
    chrome: Chrome,
    examples: Vec<Example>,
}

struct Example {
    typed: Cow<'static, str>,
    html: String,
    note: Cow<'static, str>,
}

impl Example {
    fn new(typed: &'static str, note: &'static str) -> Self {
        let typed = i18n::gettext(typed);
        // Nothing is the head of a catalogue there.
        let note = if note.is_empty() { Cow::default() } else { i18n::gettext(note) };
        Self { html: markup::render(&typed), typed, note }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Begun {
    q: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Draft {
    content: String,
}

impl WritingPages {
    /// `GET /help`, for anyone. Cost: 2 queries for who is signed in, O(examples).
    pub async fn help(State(app): State<App>, Visitor(person): Visitor) -> Response {
        let shown = |&(typed, note): &(&'static str, &'static str)| Example::new(typed, note);
        let examples = EXAMPLES.iter().map(shown).collect();
        page(StatusCode::OK, &HelpPage { chrome: Chrome::new(&app, person), examples })
    }

    /// `POST /chat/preview`: how a message would look, as a piece of HTML. Nothing is stored, and nobody is told. Errors: 422
    /// for more than a message may hold, in plain words. Cost: no query but who asks, O(length).
    pub async fn preview(_: SignedIn, Fields(Draft { content }): Fields<Draft>) -> Result<Html<String>, Plain> {
        let content = content.trim();
        match content.chars().count() {
            length if length > MOST_CHARACTERS => Err(Plain(Error::TooLong { limit: MOST_CHARACTERS, length })),
            _ => Ok(Html(markup::render(content))),
        }
    }

    /// `GET /chat/rooms/{id}/names?q=an`: names of members that begin so, at most eight, and `here` where that fits, as a JSON
    /// array. Cost: 2 indexed queries; see [`members::beginning`].
    pub async fn names(
        State(app): State<App>,
        SignedIn(person): SignedIn,
        Path(Id(id)): Path<Id>,
        Asked(Begun { q }): Asked<Begun>,
    ) -> Result<Json<Vec<String>>, PageError> {
        let mut conn = app.db.read().await?;
        let room = rooms::see(&mut conn, person.id, RoomId(id)).await?;
        let q = q.trim().trim_start_matches('@');
        let mut names = members::beginning(&mut conn, &room, q).await?;
        if EVERYONE.starts_with(&fold(q)) && !names.iter().any(|name| name.eq_ignore_ascii_case(EVERYONE)) {
            names.truncate(MOST_NAMES - 1);
            names.push(EVERYONE.to_owned());
        }
        Ok(Json(names))
    }
}
