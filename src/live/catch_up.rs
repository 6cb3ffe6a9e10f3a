//! Reads from the database what didn't come: a change whose frame another node couldn't send, or one that nobody knows to
//! be stored. Every second the rooms in use are asked for their revision when other nodes may write, too: what joins the
//! nodes is never trusted to bring everything. Started by `jobs.rs`.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::event::{Event, Frame};
use crate::app::App;
use crate::db::Conn;
use crate::error::Result;
use crate::ids::RoomId;
use crate::messages::{self, MOST_REPLAYED};
use crate::rooms;

/// What comes out of order is mostly here so soon.
const MEANWHILE: Duration = Duration::from_millis(20);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until the task is dropped.
pub async fn run(app: App) {
    let mut every = interval(LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut late = HashSet::new();
    loop {
        tokio::select! {
            suspected = app.hub.suspected() => {
                sleep(MEANWHILE).await;
                said(look(&app, &suspected.into_iter().collect::<Vec<_>>()).await);
            }
            _ = every.tick() => said(look_around(&app, &mut late).await),
        }
    }
}

fn said(looked: Result<()>) {
    if let Err(error) = looked {
        tracing::warn!(%error, "the database can't be asked what is missing in rooms");
    }
}

/// Asks for the revisions of all rooms in use. With a bus that works, a room that is behind at one look only is left
/// alone: the frame is on its way.
async fn look_around(app: &App, late: &mut HashSet<RoomId>) -> Result<()> {
    let rooms = match app.db.has_other_writers() {
        true => app.hub.in_use(),
        // What could not be read last time.
        false => app.hub.in_use().into_iter().filter(|room| app.hub.gap(*room).is_some()).collect(),
    };
    if rooms.is_empty() {
        return Ok(());
    }
    let mut conn = app.db.read().await?;
    let revs = rooms::revisions(&mut conn, &rooms).await?;
    let behind: HashSet<RoomId> =
        revs.iter().filter(|(room, rev)| !app.hub.hear(*room, *rev)).map(|(id, _)| *id).collect();
    let patient = app.hub.bus().is_up();
    for room in behind.iter().filter(|room| !patient || late.contains(room)) {
        catch_up(app, &mut conn, *room).await?;
    }
    let standing: HashSet<RoomId> = revs.into_iter().map(|(room, _)| room).collect();
    for room in rooms.into_iter().filter(|room| !standing.contains(room)) {
        app.hub.end_room_here(room, Event::RoomDeleted { room_id: room, message: "This room was deleted." }.frame());
    }
    *late = behind;
    Ok(())
}

/// Reads what is missing in `rooms`, which may have changed. Cost: 1 query a 256 rooms, 2 for each that is behind.
pub async fn look(app: &App, rooms: &[RoomId]) -> Result<()> {
    let mut conn = app.db.read().await?;
    for (room, rev) in rooms::revisions(&mut conn, rooms).await? {
        if !app.hub.hear(room, rev) {
            catch_up(app, &mut conn, room).await?;
        }
    }
    Ok(())
}

/// Cost: 2 queries, O(what is missing).
async fn catch_up(app: &App, conn: &mut Conn, room: RoomId) -> Result<()> {
    let Some(after) = app.hub.gap(room) else { return Ok(()) };
    let Some(&(_, to)) = rooms::revisions(conn, &[room]).await?.first() else { return Ok(()) };
    if to.saturating_sub(after) > MOST_REPLAYED {
        app.hub.restart(room, to);
        return Ok(());
    }
    let missed = messages::since(conn, room, after, 2 * MOST_REPLAYED).await?;
    let frames: Vec<Frame> = missed.iter().map(|message| Event::Message(message).frame()).collect();
    app.hub.fill(room, frames, to);
    Ok(())
}
