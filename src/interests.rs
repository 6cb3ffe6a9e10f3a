//! Interests: the model `interests`, one person asking another to talk, and the acts of the two: asking, accepting,
//! rejecting, taking back. Of a pair one is pending or accepted at a time. What changes the rows is in
//! `interests/change.rs`, the lists in `interests/list.rs`, who is told in `interests/news.rs`. Called by pages, the API and
//! the admin.

pub mod admin;
pub mod change;
pub mod list;
mod news;
pub mod relation;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::i18n;
use crate::ids::{InterestId, RoomId, UserId};
use crate::text::paragraphs;
use crate::users::blocks::{self, Block};
use crate::users::{self, Person, User};
use crate::work::Work;
use crate::{on_db, rooms};
use list::Entry;

/// Characters in a note.
const LONGEST_NOTE: usize = 1000;
/// Who was rejected asks the same person again only after this.
const PEACE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const NO_INTEREST: Error = Error::NotFound(msgid!("There is no such interest."));

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = InterestStatus)]
pub enum Status {
    Pending,
    Accepted,
    Rejected,
    Cancelled,
}

impl Status {
    pub const CHOICES: &[(&str, &str)] = &[
        ("pending", msgid!("Pending")),
        ("accepted", msgid!("Accepted")),
        ("rejected", msgid!("Rejected")),
        ("cancelled", msgid!("Cancelled")),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Status {
    /// Of a pair one interest is open at a time.
    fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Accepted)
    }
}

impl TryFrom<String> for Status {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        match text.as_str() {
            "pending" => Ok(Self::Pending),
            "accepted" => Ok(Self::Accepted),
            "rejected" => Ok(Self::Rejected),
            "cancelled" => Ok(Self::Cancelled),
            _ => Err(Error::field("status", tr!("An interest is pending, accepted, rejected or cancelled."))),
        }
    }
}

#[derive(Clone, Debug, FromRow)]
pub struct Interest {
    pub id: InterestId,
    pub sender_id: UserId,
    pub recipient_id: UserId,
    pub note: String,
    #[sqlx(try_from = "String")]
    pub status: Status,
    pub created_at: Timestamp,
    pub decided_at: Option<Timestamp>,
}

impl Interest {
    /// Whether `person` may make it `status`. Errors: [`Error::NotFound`] for who is neither of the two,
    /// [`Error::Forbidden`] for the wrong one, [`Error::Conflict`] when it was decided before.
    fn may_become(&self, status: Status, person: UserId) -> Result<()> {
        if person != self.sender_id && person != self.recipient_id {
            return Err(NO_INTEREST);
        }
        match status {
            Status::Cancelled if person != self.sender_id => {
                return Err(Error::Forbidden(msgid!("Only the person who asked can take this back.")));
            }
            Status::Accepted | Status::Rejected if person != self.recipient_id => {
                return Err(Error::Forbidden(msgid!("Only the person who was asked can accept or reject this.")));
            }
            _ => {}
        }
        match self.status {
            Status::Pending => Ok(()),
            Status::Accepted => Err(Error::Conflict(msgid!("This was accepted already."))),
            Status::Rejected => Err(Error::Conflict(msgid!("This was rejected already."))),
            Status::Cancelled => Err(Error::Conflict(msgid!("This was taken back already."))),
        }
    }

    /// The one of the two that `person` isn't.
    fn other(&self, person: UserId) -> UserId {
        if person == self.sender_id { self.recipient_id } else { self.sender_id }
    }
}

/// Who is asked.
#[derive(Clone, Debug)]
pub enum Recipient {
    Id(UserId),
    /// A user name, in any case.
    Name(String),
}

impl Recipient {
    fn field(&self) -> &'static str {
        match self {
            Self::Id(_) => "recipient_id",
            Self::Name(_) => "recipient",
        }
    }

    fn nobody(&self) -> Error {
        let why = match self {
            Self::Id(_) => tr!("There is no active account with this id."),
            Self::Name(_) => tr!("There is no active account with this name."),
        };
        Error::field(self.field(), why)
    }

    /// Errors: [`Error::Invalid`] at the field that named them. Cost: 1 indexed query.
    async fn find(&self, work: &mut Work) -> Result<User> {
        let found = match self {
            Self::Id(id) => users::by_id(work, *id).await?,
            Self::Name(name) => users::by_name(work, name).await?,
        };
        found.ok_or_else(|| self.nobody())
    }
}

/// An interest that may be sent.
pub struct NewInterest {
    recipient: Recipient,
    note: String,
}

impl NewInterest {
    /// Who is named twice is asked by id. Errors: [`Error::Invalid`] with a message for each bad field.
    pub fn parse(recipient_id: Option<UserId>, recipient: Option<String>, note: &str) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let note = paragraphs(&mut errors, "note", note, LONGEST_NOTE);
        let Some(recipient) = recipient_id.map(Recipient::Id).or(recipient.map(Recipient::Name)) else {
            errors.add("recipient_id", tr!("Say whom you ask, by recipient_id or recipient."));
            return Err(Error::Invalid(errors));
        };
        errors.or(Self { recipient, note })
    }
}

/// Asks somebody, who is told by a notification and an `interest` frame. Errors: [`Error::Malformed`] to oneself,
/// [`Error::Invalid`] when there is no such person, [`Error::Forbidden`] when one of the two has blocked the other,
/// [`Error::Conflict`] when one is pending or accepted between the two, whoever sent it, [`Error::TooSoon`] within 30 days
/// of a rejection. Cost: 1 write transaction.
pub async fn send(app: &App, person: &Person, new: NewInterest) -> Result<Entry> {
    let mut work = Work::begin(app, Some(person)).await?;
    let recipient = new.recipient.find(&mut work).await?.id;
    if recipient == person.id {
        return Err(Error::Malformed(tr!("You can't send an interest to yourself.").into()));
    }
    // In one order for both: two who ask each other at once go one after the other, and the second finds the first's.
    for id in [person.id.min(recipient), person.id.max(recipient)] {
        let user = users::change::hold(&mut work, id).await.map_err(|error| match error {
            Error::NotFound(_) => new.recipient.nobody(),
            error => error,
        })?;
        if !user.is_active {
            return Err(new.recipient.nobody());
        }
    }
    match blocks::between(&mut work, person.id, recipient).await? {
        Some(Block::Theirs) => return Err(Error::Forbidden(msgid!("This person can't be asked."))),
        Some(mine) => return Err(mine.refusal()),
        None => {}
    }
    refuse_another(&mut work, person.id, recipient).await?;
    refuse_insisting(&mut work, person.id, recipient).await?;
    let now = work.now();
    let id: InterestId = on_db!(work, c => sqlx::query_scalar(
        "insert into interests (sender_id, recipient_id, note, created_at) values ($1, $2, $3, $4) returning id")
        .bind(person.id).bind(recipient).bind(&new.note).bind(now).fetch_one(c).await)?;
    let entry = list::entry(&mut work, id).await?;
    news::tell(&mut work, &entry, recipient, None).await?;
    work.commit().await?;
    Ok(entry)
}

/// Errors: [`Error::Conflict`] with words that say which of the two asked, and what became of it. Cost: 1 indexed query.
async fn refuse_another(work: &mut Work, person: UserId, other: UserId) -> Result<()> {
    Err(Error::Conflict(match change::open_between(work, person, other).await? {
        None => return Ok(()),
        Some((_, Status::Accepted)) => {
            msgid!("An interest of you two is accepted already: you can talk to each other.")
        }
        Some((sender, _)) if sender == person => {
            msgid!("You have asked this person already; the interest is pending.")
        }
        Some(_) => msgid!("This person has asked you already: the interest is pending, accept or reject it."),
    }))
}

/// Errors: [`Error::TooSoon`] with words that say when, for who was rejected less than 30 days ago. Cost: 1 indexed query.
async fn refuse_insisting(work: &mut Work, person: UserId, other: UserId) -> Result<()> {
    let again = change::rejected_at(work, person, &[other]).await?.first().map(|(_, at)| at.plus(PEACE));
    match again.filter(|again| work.now() < *again) {
        Some(again) => Err(Error::TooSoon(tr!(
            "This person didn't want to talk when you last asked. You can ask them again from {date} at {time} UTC.",
            date = i18n::date(again),
            time = i18n::time_of_day(again)
        ))),
        None => Ok(()),
    }
}

/// Closes the interest that is pending between `person` and `other`, if there is one, as `person` may: takes back their
/// own, rejects the other's. Cost: 1 indexed query, some 14 statements when there is one.
pub(crate) async fn turn_down(work: &mut Work, person: &Person, other: UserId) -> Result<()> {
    let Some((id, sender)) = change::pending_between(work, person.id, other).await? else { return Ok(()) };
    let status = if sender == person.id { Status::Cancelled } else { Status::Rejected };
    decide(work, person, id, status).await.map(|_| ())
}

/// Accepts what `person` was asked; the two have the direct room that comes with it from now on. The other is told.
/// Errors: as [`reject`], [`Error::Conflict`] also when the other's account isn't active any more,
/// [`Error::Forbidden`] also when one has blocked the other. Cost: 1 write
/// transaction.
pub async fn accept(app: &App, person: &Person, id: InterestId) -> Result<(Entry, rooms::list::Entry)> {
    let mut work = Work::begin(app, Some(person)).await?;
    let (entry, room) = decide(&mut work, person, id, Status::Accepted).await?;
    let room = room.ok_or_else(|| Error::internal("an accepted interest has no room"))?;
    let room = rooms::list::entry(&mut work, person.id, room).await?;
    work.commit().await?;
    Ok((entry, room))
}

/// Rejects what `person` was asked. The other is told. Errors: [`Error::NotFound`] for who is neither of the two,
/// [`Error::Forbidden`] for who asked, [`Error::Conflict`] when it was decided before. Cost: 1 write transaction.
pub async fn reject(app: &App, person: &Person, id: InterestId) -> Result<Entry> {
    let mut work = Work::begin(app, Some(person)).await?;
    let (entry, _) = decide(&mut work, person, id, Status::Rejected).await?;
    work.commit().await?;
    Ok(entry)
}

/// Takes back what `person` asked; the other's sockets are told. Errors: [`Error::NotFound`] for who is neither of the
/// two, [`Error::Forbidden`] for who was asked, [`Error::Conflict`] when it was decided before. Cost: 1 write
/// transaction.
pub async fn cancel(app: &App, person: &Person, id: InterestId) -> Result<Entry> {
    let mut work = Work::begin(app, Some(person)).await?;
    let (entry, _) = decide(&mut work, person, id, Status::Cancelled).await?;
    work.commit().await?;
    Ok(entry)
}

async fn decide(work: &mut Work, person: &Person, id: InterestId, status: Status) -> Result<(Entry, Option<RoomId>)> {
    let interest = change::hold(work, id).await?;
    interest.may_become(status, person.id)?;
    let other = interest.other(person.id);
    if status == Status::Accepted
        && let Some(block) = blocks::between(work, person.id, other).await?
    {
        return Err(block.refusal());
    }
    let room = change::set_status(work, &interest, status).await.map_err(|error| match error {
        Error::Invalid(_) => Error::Conflict(msgid!("The other's account isn't active any more.")),
        error => error,
    })?;
    let entry = list::entry(work, id).await?;
    news::tell(work, &entry, other, room).await?;
    Ok((entry, room))
}
