//! Tells people of unread messages in rooms that they don't have before them. What is posted in quick succession is
//! told once, at most five times a second a room, and less often where telling is much work: it takes a tenth of one
//! core's time at most.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::event::Event;
use crate::app::App;
use crate::error::Result;
use crate::ids::RoomId;
use crate::rooms::members;

const PAUSE: Duration = Duration::from_millis(200);
/// Pauses are at least so many times as long as the work between.
const SHARE: u32 = 9;
/// However much there is to do.
const LONGEST: Duration = Duration::from_secs(2);

/// Runs until the task is dropped.
pub async fn run(app: App) {
    loop {
        let rooms = app.hub.touched().await;
        let began = Instant::now();
        for room in rooms {
            if let Err(error) = tell(&app, room).await {
                tracing::warn!(%error, %room, "unread counts can't be told");
            }
        }
        sleep((began.elapsed() * SHARE).clamp(PAUSE, LONGEST)).await;
    }
}

/// Cost: nothing when everyone online follows the room; else O(open sockets), and what `members::unread_of` costs.
async fn tell(app: &App, room: RoomId) -> Result<()> {
    let elsewhere = app.hub.elsewhere(room);
    if elsewhere.is_empty() {
        return Ok(());
    }
    let mut conn = app.db.read().await?;
    for (user, read, last_seq) in members::unread_of(&mut conn, room, &elsewhere).await? {
        let frame = Event::Unread { room_id: room, count: last_seq - read, last_seq }.frame();
        app.hub.tell_here(user, Some(room), &frame);
    }
    Ok(())
}
