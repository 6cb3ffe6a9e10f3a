//! Tells people of unread messages in rooms that they don't have before them. What is posted in quick succession is
//! told once, at most five times a second a room.

use std::time::Duration;

use super::event::Event;
use crate::app::App;
use crate::error::Result;
use crate::ids::RoomId;
use crate::rooms::members;

const PAUSE: Duration = Duration::from_millis(200);

/// Runs until the task is dropped.
pub async fn run(app: App) {
    loop {
        for room in app.hub.touched().await {
            if let Err(error) = tell(&app, room).await {
                tracing::warn!(%error, %room, "unread counts can't be told");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Cost: nothing when everyone online follows the room; else 1 query, O(members + open sockets).
async fn tell(app: &App, room: RoomId) -> Result<()> {
    let elsewhere = app.hub.elsewhere(room);
    if elsewhere.is_empty() {
        return Ok(());
    }
    let mut conn = app.db.read().await?;
    for (user, read, last_seq) in members::unread_of(&mut conn, room, &elsewhere).await? {
        let frame = Event::Unread { room_id: room, count: last_seq - read, last_seq }.frame();
        app.hub.tell_elsewhere(user, room, &frame);
    }
    Ok(())
}
