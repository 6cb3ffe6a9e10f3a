//! Reads from the database what didn't come: a change whose frame another node couldn't send, or one that nobody knows to
//! be stored. Every second the rooms in use are asked for their revision when other nodes may write, too: what joins the
//! nodes is never trusted to bring everything. Started by `jobs.rs`.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::event::Event;
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::RoomId;
use crate::messages::{self, MOST_REPLAYED};
use crate::rooms;

/// What comes out of order is mostly here so soon.
const MEANWHILE: Duration = Duration::from_millis(20);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a look may take: the next may find the database in a better state.
const PATIENCE: Duration = Duration::from_secs(5);
/// After one that failed.
const REST: Duration = Duration::from_millis(500);

/// Runs until the task is dropped.
pub async fn run(app: App) {
    let mut every = interval(LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut late = HashSet::new();
    loop {
        tokio::select! {
            suspected = app.hub.suspected() => {
                let rooms: Vec<RoomId> = suspected.into_iter().collect();
                if !in_time(look(&app, &rooms)).await {
                    rooms.into_iter().for_each(|room| app.hub.suspect(room));
                    sleep(REST).await;
                }
            }
            waiting = app.hub.waiting() => {
                sleep(MEANWHILE).await;
                // What is still missing then, and can't be read now, is found by the look around.
                in_time(fill(&app, &waiting)).await;
            }
            _ = every.tick() => {
                in_time(look_around(&app, &mut late)).await;
            }
        }
    }
}

async fn in_time(looked: impl Future<Output = Result<()>>) -> bool {
    match timeout(PATIENCE, looked).await.unwrap_or(Err(Error::Unavailable)) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the database can't be asked what is missing in rooms");
            false
        }
    }
}

/// Asks for the revisions of all rooms in use. With a bus that works, a room that is behind at one look only is left
/// alone: the frame is on its way.
async fn look_around(app: &App, late: &mut HashSet<RoomId>) -> Result<()> {
    let mut rooms = app.hub.in_use();
    if !app.db.has_other_writers() {
        // What could not be read last time.
        rooms.retain(|room| app.hub.gap(*room).is_some());
    }
    if rooms.is_empty() {
        return Ok(());
    }
    let mut conn = app.db.read().await?;
    let found = rooms::progress(&mut conn, &rooms).await?;
    let standing: HashSet<RoomId> = found.iter().map(|(room, ..)| *room).collect();
    let is_behind = |(room, rev, _): (RoomId, i64, i64)| (!app.hub.hear(room, rev)).then_some(room);
    let behind: HashSet<RoomId> = found.into_iter().filter_map(is_behind).collect();
    let patient = app.hub.bus().is_up();
    for room in behind.iter().filter(|room| !patient || late.contains(room)) {
        catch_up(app, &mut conn, *room).await?;
    }
    for room in rooms.into_iter().filter(|room| !standing.contains(room)) {
        app.hub.end_room_here(room, Event::RoomDeleted { room_id: room, message: "This room was deleted." }.frame());
    }
    *late = behind;
    Ok(())
}

/// Reads what is missing in `rooms`, which may have changed. Cost: 1 query a 256 rooms, 2 for each that is behind.
async fn look(app: &App, rooms: &[RoomId]) -> Result<()> {
    let mut conn = app.db.read().await?;
    for (room, rev, _) in rooms::progress(&mut conn, rooms).await? {
        if !app.hub.hear(room, rev) {
            catch_up(app, &mut conn, room).await?;
        }
    }
    Ok(())
}

/// Reads what is missing in those of `rooms` where a change still waits for one before it.
async fn fill(app: &App, rooms: &HashSet<RoomId>) -> Result<()> {
    for room in rooms.iter().filter(|room| app.hub.gap(**room).is_some()) {
        catch_up(app, &mut app.db.read().await?, *room).await?;
    }
    Ok(())
}

/// Cost: 2 queries, O(what is missing).
async fn catch_up(app: &App, conn: &mut Conn, room: RoomId) -> Result<()> {
    let Some(after) = app.hub.gap(room) else { return Ok(()) };
    let Some(&(_, to, seq)) = rooms::progress(conn, &[room]).await?.first() else { return Ok(()) };
    if to.saturating_sub(after) > MOST_REPLAYED {
        app.hub.restart(room, to, seq);
        return Ok(());
    }
    let missed = messages::since(conn, room, after, 2 * MOST_REPLAYED).await?;
    app.hub.fill(room, &missed, to);
    Ok(())
}
