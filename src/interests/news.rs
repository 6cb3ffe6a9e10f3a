//! Who is told of an interest: the two it is between, by an `interest` frame that shows it as it stands and by a
//! notification. Called by the acts in `interests.rs`, and by the admin for what staff decide.

use super::list::{self, Entry};
use super::{Interest, Status};
use crate::error::Result;
use crate::ids::{RoomId, UserId};
use crate::live::event::Event;
use crate::notifications::{self, Kind, News};
use crate::work::Work;

/// Tells one of the two, `user`, what the other has done, or staff for them; `room` is the one that came of it. What was
/// taken back isn't news: what was told of it and isn't read goes. Cost: 1 statement.
pub(super) async fn tell(work: &mut Work, entry: &Entry, user: UserId, room: Option<RoomId>) -> Result<()> {
    let other = if user == entry.sender_id { entry.recipient_id } else { entry.sender_id };
    match entry.status {
        Status::Cancelled if user == entry.recipient_id => {
            notifications::withdraw_of(work, user, Some(other), Kind::Interest).await?;
        }
        Status::Cancelled => {}
        _ => {
            let news = News { kind: Kind::Interest, room, message: None };
            notifications::tell_of(work, user, Some(other), news).await?;
        }
    }
    let frame = Event::Interest(entry).frame();
    work.then(move |app| app.hub.tell(user, &frame));
    Ok(())
}

/// Tells the two what staff have made of their interest. Opened again, it is news to who is asked alone. Cost: 1 query,
/// 2 statements.
pub(super) async fn tell_both(work: &mut Work, interest: &Interest, room: Option<RoomId>) -> Result<()> {
    let entry = list::entry(work, interest.id).await?;
    if entry.status == interest.status {
        return Ok(());
    }
    tell(work, &entry, interest.recipient_id, room).await?;
    if entry.status != Status::Pending {
        return tell(work, &entry, interest.sender_id, room).await;
    }
    let frame = Event::Interest(&entry).frame();
    let sender = interest.sender_id;
    work.then(move |app| app.hub.tell(sender, &frame));
    Ok(())
}
