//! How far people have read, as a batch of the writer stores it. Of several marks of a person in a room the furthest
//! counts, and is told once. Called by `writer/store.rs`.

use std::collections::HashMap;

use sqlx::FromRow;

use super::{Job, Mark, Outcome};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::statement::Statement;
use crate::db::values::MOST_ROWS;
use crate::error::{Error, Result};
use crate::ids::{RoomId, UserId};
use crate::notifications;

/// A mark that was moved, and its room as it is.
#[derive(FromRow)]
struct Moved {
    room_id: RoomId,
    user_id: UserId,
    last_read_seq: i64,
    members: i64,
    last_seq: i64,
}

/// Moves the marks of `jobs`, never back and never past the room's last message, and says of those that moved so in
/// `outcomes`. Cost: nothing without marks, else 2 statements for up to 64, O(marks + what these people haven't read).
pub(super) async fn store(
    conn: &mut Conn,
    jobs: &[Job],
    outcomes: &mut [Result<Outcome>],
    now: Timestamp,
) -> Result<()> {
    let mut furthest: HashMap<(RoomId, UserId), (usize, Mark)> = HashMap::new();
    for (place, job) in jobs.iter().enumerate() {
        if let Job::Read(mark, _) = job {
            let best = furthest.entry((mark.room, mark.user)).or_insert((place, *mark));
            if mark.seq > best.1.seq {
                *best = (place, *mark);
            }
        }
    }
    if furthest.is_empty() {
        return Ok(());
    }
    let marks: Vec<Mark> = furthest.values().map(|(_, mark)| *mark).collect();
    // Where the mark stands further already, too: who writes in a room has read it, and was told of something there.
    for marks in marks.chunks(MOST_ROWS) {
        let answers = conn.run(vec![notifications::read_in_rooms(marks, now), moving(marks)]).await?;
        let moved = answers.last().ok_or_else(|| Error::internal("a statement wasn't answered"))?;
        for Moved { room_id, user_id, last_read_seq, members, last_seq } in moved.read()? {
            if let Some((place, _)) = furthest.get(&(room_id, user_id)) {
                outcomes[*place] = Ok(Outcome::Read { members, seq: last_read_seq, last_seq });
            }
        }
    }
    Ok(())
}

fn moving(marks: &[Mark]) -> Statement {
    Mark::over(
        marks,
        ") update memberships set last_read_seq = case when r.last_seq < marks.seq then r.last_seq else marks.seq end
         from marks join rooms r on r.id = marks.room
         where room_id = marks.room and user_id = marks.person
           and last_read_seq < marks.seq and last_read_seq < r.last_seq
         returning room_id, user_id, last_read_seq,
             (select o.member_count from rooms o where o.id = room_id) as members,
             (select o.last_seq from rooms o where o.id = room_id) as last_seq",
    )
}
