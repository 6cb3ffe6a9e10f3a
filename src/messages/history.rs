//! A stretch of a room's talk, as programs ask for it: the newest, what is before or after a message, or what changed.
//! Called by the JSON API.

use serde::Serialize;
use utoipa::ToSchema;

use super::recent::{KEPT, Recent};
use super::{Message, stored};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::RoomId;
use crate::rooms::Room;

/// Which stretch is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stretch {
    /// The newest messages numbered below this.
    Before(i64),
    /// The oldest messages numbered above this.
    After(i64),
    /// What is new or was changed after this revision, in the order of the revisions.
    Since(i64),
}

impl Stretch {
    /// One of the three, or none of them for the newest messages. Errors: [`Error::Malformed`] for two at once and for
    /// numbers below 0.
    pub fn parse(before: Option<i64>, after: Option<i64>, since_rev: Option<i64>) -> Result<Self> {
        let asked = [("before", before), ("after", after), ("since_rev", since_rev)];
        if let Some((name, _)) = asked.iter().find(|(_, number)| number.is_some_and(|number| number < 0)) {
            return Err(Error::Malformed(tr!("{name} is a number of 0 or more.", name = name)));
        }
        match (before, after, since_rev) {
            (None, None, None) => Ok(Self::Before(i64::MAX)),
            (Some(seq), None, None) => Ok(Self::Before(seq)),
            (None, Some(seq), None) => Ok(Self::After(seq)),
            (None, None, Some(rev)) => Ok(Self::Since(rev)),
            _ => Err(Error::Malformed(tr!("Ask for one of before, after and since_rev at a time.").into())),
        }
    }
}

/// Where messages were read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Cache,
    Database,
}

/// A stretch of talk.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct History {
    pub room_id: RoomId,
    /// Oldest first; of changes, in the order of their revisions.
    pub messages: Vec<Message>,
    /// Whether there is more in the direction that was asked for.
    pub has_more: bool,
    /// What to ask `before` for the messages before these; null where there are none, and after other questions.
    #[schema(required = true)]
    pub next_before: Option<i64>,
    /// The room's last revision: who has these messages and goes on from it misses nothing.
    pub rev: i64,
    pub source: Source,
}

/// At most `limit` messages of `room`, which was read just before: so its revision can't be ahead of the messages. The
/// newest are taken from `recent`, if there is such. Doesn't check who may see it. Cost: 1 to 3 indexed queries, O(limit).
pub async fn history(
    conn: &mut Conn,
    recent: Option<&Recent>,
    room: &Room,
    stretch: Stretch,
    limit: i64,
) -> Result<History> {
    let mut source = Source::Database;
    // One more tells whether there are more: numbers can't, where messages were erased.
    let mut messages = match stretch {
        Stretch::Before(i64::MAX) if let Some(recent) = recent.filter(|_| limit < KEPT) => {
            let (mut messages, is_kept) = recent.newest(conn, room).await?;
            source = if is_kept { Source::Cache } else { Source::Database };
            let more = usize::try_from(limit + 1).map_err(Error::internal)?;
            messages.drain(..messages.len().saturating_sub(more));
            messages
        }
        Stretch::Before(seq) => stored::page(conn, room.id, seq, limit + 1).await?,
        Stretch::After(seq) => stored::after(conn, room.id, seq, limit + 1).await?,
        Stretch::Since(rev) => stored::since(conn, room.id, rev, limit + 1).await?,
    };
    let limit = usize::try_from(limit).map_err(Error::internal)?;
    let has_more = messages.len() > limit;
    let mut next_before = None;
    match stretch {
        Stretch::Before(_) if has_more => {
            messages.remove(0);
            next_before = messages.first().map(|first| first.seq);
        }
        _ => messages.truncate(limit),
    }
    Ok(History { room_id: room.id, messages, has_more, next_before, rev: room.last_rev, source })
}
