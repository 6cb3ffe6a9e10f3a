//! A socket takes up a room's feed: a place in the feed first, then what the store has, then live. Between the two
//! nothing is missed and nothing comes twice: frames up to the revision that was read are passed over.

use std::sync::Arc;

use super::event::{Event, Frame};
use super::feed::Cursor;
use super::mailbox::{Item, Mailbox};
use crate::app::App;
use crate::db::Conn;
use crate::db::changes::Moment;
use crate::error::{Error, Result};
use crate::ids::RoomId;
use crate::messages::{self, MOST_REPLAYED};
use crate::rooms::{self, NO_ROOM, Room};
use crate::users::Person;

/// Rooms that one socket may follow.
const MOST_FOLLOWED: usize = 64;
/// Looks at a room until one isn't behind what others have read.
const MOST_TURNS: u32 = 10;

/// A room as somebody saw it, and from which moment on it was so, where that can be known.
pub struct Seen {
    room: Room,
    since: Option<Moment>,
}

impl Seen {
    /// Errors: as [`rooms::see`]. Cost: 1 indexed query.
    pub async fn look(app: &App, person: &Person, id: RoomId) -> Result<Self> {
        let since = app.db.moment().await;
        let room = rooms::see_with_others(app, person.id, id).await?;
        Ok(Self { room, since })
    }

    pub fn id(&self) -> RoomId {
        self.room.id
    }

    pub fn is_member(&self) -> bool {
        self.room.is_member()
    }

    /// The room as it is now. Cost: 1 indexed query, none where nothing was changed meanwhile.
    async fn now(self, app: &App, person: &Person) -> Result<Room> {
        match app.db.is_as_at(self.since, &[self.id()]).await {
            true => Ok(self.room),
            false => rooms::see_with_others(app, person.id, self.id()).await,
        }
    }
}

/// Makes `mailbox` follow `room`, which may have been `seen` already; with `after`, what is new or changed since that
/// revision comes first. Errors: [`Error::NotFound`], or [`Error::Invalid`] beyond 64 rooms. Cost: 1 query, 1 more if the room
/// was changed since it was seen, with `after` 1 more, O(what was missed).
pub async fn subscribe(
    app: &App,
    person: &Person,
    mailbox: &Arc<Mailbox>,
    room: RoomId,
    after: Option<i64>,
    seen: Option<Seen>,
) -> Result<()> {
    let followed = mailbox.follow(room);
    if followed.is_some_and(|count| count > MOST_FOLLOWED) {
        mailbox.unfollow(room);
        return Err(Error::field("room_id", tr!("One socket follows at most {most} rooms.", most = MOST_FOLLOWED)));
    }
    let taken = take_up(app, person, mailbox, room, after, seen, followed.is_none()).await;
    match taken {
        Ok(()) if followed.is_some() => app.hub.arrive(mailbox, room, &person.username),
        // Followed before and still allowed to: a passing fault leaves the place it has.
        Ok(()) | Err(Error::Unavailable | Error::Internal(_)) if followed.is_none() => {}
        Ok(()) | Err(_) => {
            app.hub.leave(mailbox, room);
            mailbox.push(Item::Detach(room));
        }
    }
    taken
}

async fn take_up(
    app: &App,
    person: &Person,
    mailbox: &Arc<Mailbox>,
    room: RoomId,
    after: Option<i64>,
    seen: Option<Seen>,
    again: bool,
) -> Result<()> {
    // A room that nobody here follows is made only for who may: other nodes hear of it.
    let seen = match seen {
        Some(seen) => seen,
        None => Seen::look(app, person, room).await?,
    };
    let mut cursor = app.hub.join(mailbox, room).ok_or(NO_ROOM)?;
    // Asked only now: who is removed after this look is found among the room's followers and closed.
    let mut seen = seen.now(app, person).await?;
    // Somebody has read a later revision, and what led to it was handed on before this socket had its place: once more.
    let mut turns = 0;
    while !app.hub.begin(room, seen.last_rev, seen.last_seq) {
        seen = rooms::see_with_others(app, person.id, room).await?;
        turns += 1;
        if turns > MOST_TURNS {
            return Err(Error::Unavailable);
        }
    }
    let connected = Event::Connected {
        user_id: person.id,
        username: &person.username,
        room_id: Some(room),
        last_seq: Some(seen.last_seq),
        rev: Some(seen.last_rev),
    };
    let mut replay = vec![connected.frame()];
    cursor.start(seen.last_rev);
    match after {
        Some(after) => missed(&mut app.db.read().await?, &seen, after.max(0), &mut cursor, &mut replay).await?,
        // Followed already and nothing asked for: the place it has is the right one.
        None if again => {
            mailbox.send(connected.frame());
            return Ok(());
        }
        None => {}
    }
    mailbox.push(Item::Attach { cursor, replay });
    Ok(())
}

/// Adds to `replay` what changed after revision `after`. The rows are read after the room's own, so they may go
/// beyond its revision; live begins where they end.
async fn missed(conn: &mut Conn, room: &Room, after: i64, cursor: &mut Cursor, replay: &mut Vec<Frame>) -> Result<()> {
    if room.last_rev.saturating_sub(after) > MOST_REPLAYED {
        replay.push(Event::Gap { room_id: room.id, from: after + 1, to: room.last_rev }.frame());
    } else {
        let messages = messages::since(conn, room.id, after, 2 * MOST_REPLAYED).await?;
        cursor.start(messages.last().map_or(room.last_rev, |last| last.rev.max(room.last_rev)));
        replay.extend(messages.iter().map(|message| Event::Message(message).frame()));
    }
    replay.push(Event::Synced { room_id: room.id, rev: cursor.rev() }.frame());
    Ok(())
}
