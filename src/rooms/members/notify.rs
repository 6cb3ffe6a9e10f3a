//! What a member is told of in a room: all that is said, what concerns them, or nothing. Called by pages and the API; in the
//! table it is two columns, `muted` and `notify_all`, which the admin changes one by one.

use serde::Serialize;
use utoipa::ToSchema;

use super::change;
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::RoomId;
use crate::rooms::{self, NOT_JOINED, Room};
use crate::users::Person;
use crate::work::Work;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// Every message.
    All,
    /// Mentions and replies.
    Mentions,
    /// The room counts as unread, and that is all.
    Nothing,
}

impl Notify {
    /// Each as forms and programs write it, and in words.
    pub const CHOICES: &[(&str, &str, &str)] = &[
        ("all", msgid!("Every message"), msgid!("As it comes, also when no page is open.")),
        ("mentions", msgid!("Mentions and replies"), msgid!("When somebody names you or answers you.")),
        ("nothing", msgid!("Nothing"), msgid!("The room is muted; its unread messages are still counted.")),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::Nothing => "nothing",
        }
    }

    /// Errors: [`Error::Invalid`] at `notify`.
    pub fn parse(text: &str) -> Result<Self> {
        let all = [Self::All, Self::Mentions, Self::Nothing];
        let found = all.into_iter().find(|choice| choice.as_str() == text.trim());
        found.ok_or_else(|| Error::field("notify", tr!("Choose one: all, mentions or nothing.")))
    }
}

impl Room {
    /// What its viewer is told of; who only looks in is told of nothing.
    pub fn notify(&self) -> Notify {
        match (self.muted, self.notify_all) {
            (Some(false), Some(true)) => Notify::All,
            (Some(false), _) => Notify::Mentions,
            _ => Notify::Nothing,
        }
    }
}

/// Chooses for `person`. Errors: [`Error::NotFound`] for a room that isn't there or is private to others,
/// [`Error::Forbidden`] for a public one they haven't joined. Cost: 1 write transaction of 5 statements.
pub async fn set_notify(app: &App, person: &Person, room: RoomId, notify: Notify) -> Result<()> {
    let mut work = Work::begin(app, Some(person)).await?;
    let room = rooms::change::hold_open(&mut work, room).await?;
    if !room.is_member() {
        return Err(NOT_JOINED);
    }
    let (muted, all) = (notify == Notify::Nothing, notify == Notify::All);
    change::set_notices(&mut work, room.id, person.id, Some(muted), Some(all)).await?;
    work.commit().await
}
