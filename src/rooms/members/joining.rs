//! Joining a public room when many do at once: a talk begins, and thousands open its page. Whoever comes first leads: once
//! it is their turn to write, they put in all who wait by then, in one transaction and with one flush of the disk. Who
//! comes meanwhile waits for the next. Called by [`super::join`].
//!
//! Of 2,000 who open a socket on a room that is new to them, each took 1.3 ms of CPU with a transaction of their own, and
//! takes 0.3 ms so; all of them 3.6 s, and 0.65 s so. With 10,000 it was 22 to 43 s, and is 3 s.

use std::collections::{BTreeMap, HashSet};
use std::mem::take;
use std::sync::{Mutex, PoisonError};

use sqlx::FromRow;
use tokio::sync::oneshot;

use crate::app::App;
use crate::auth::STANDS;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::statement::Value;
use crate::db::values::{MOST_ROWS, NOWHERE, hold, over, room_for};
use crate::error::{Error, Result};
use crate::ids::{RoomId, UserId};
use crate::users::{Person, Via};
use crate::work::Work;

/// Those who wait to be put in.
#[derive(Default)]
pub struct Waiting(Mutex<Vec<Newcomer>>);

struct Newcomer {
    room: RoomId,
    user: UserId,
    via: Via,
    reply: oneshot::Sender<Result<bool>>,
}

/// A person who was put in.
#[derive(PartialEq, Eq, Hash, FromRow)]
struct Joined {
    room_id: RoomId,
    user_id: UserId,
}

impl Waiting {
    /// True for the first, who leads.
    fn add(&self, newcomer: Newcomer) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(newcomer);
        waiting.len() == 1
    }

    fn all(&self) -> Vec<Newcomer> {
        take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Puts `person` into `room` with all who wait; false where there is something to say about it, and nothing was done: the
/// room isn't public, what they came in by has ended, they are in already. Errors: [`Error::Unavailable`].
/// Cost: a share of one write transaction.
pub(super) async fn put_in(app: &App, person: &Person, room: RoomId) -> Result<bool> {
    let (reply, answer) = oneshot::channel();
    if app.joining.add(Newcomer { room, user: person.id, via: person.via, reply }) {
        // Whoever leads may go away meanwhile; the others wait for it all the same.
        tokio::spawn(lead(app.clone()));
    }
    answer.await.unwrap_or(Ok(false))
}

async fn lead(app: App) {
    let begun = Work::begin(&app, None).await;
    let newcomers = app.joining.all();
    let joined = match begun {
        Ok(work) => together(work, &newcomers).await,
        Err(error) => Err(error),
    };
    match joined {
        Ok(mut joined) => {
            for Newcomer { room, user, reply, .. } in newcomers {
                // Once: of two sockets that somebody opens, one is the first.
                let _ = reply.send(Ok(joined.remove(&Joined { room_id: room, user_id: user })));
            }
        }
        Err(Error::Unavailable) => {
            newcomers.into_iter().for_each(|newcomer| drop(newcomer.reply.send(Err(Error::Unavailable))));
        }
        // One of them spoiled it: each by themselves.
        Err(error) => tracing::warn!(%error, people = newcomers.len(), "people can't be put into their rooms together"),
    }
}

/// Those of `newcomers` who may simply be put in are; says who. Cost: 2 statements for up to 64 and a commit, on
/// PostgreSQL 3 more; O(newcomers).
async fn together(mut work: Work, newcomers: &[Newcomer]) -> Result<HashSet<Joined>> {
    // What they came in by, then the rooms: as everywhere.
    hold(&mut work, "sessions", newcomers.iter().filter_map(|newcomer| newcomer.via.columns().0)).await?;
    hold(&mut work, "api_tokens", newcomers.iter().filter_map(|newcomer| newcomer.via.columns().1)).await?;
    hold(&mut work, "rooms", newcomers.iter().map(|newcomer| newcomer.room.0)).await?;
    let now = work.now();
    let mut all = HashSet::new();
    for newcomers in newcomers.chunks(MOST_ROWS) {
        let joined = insert(&mut work, newcomers, now).await?;
        count(&mut work, &joined).await?;
        all.extend(joined);
    }
    work.commit().await?;
    Ok(all)
}

async fn insert(conn: &mut Conn, newcomers: &[Newcomer], now: Timestamp) -> Result<Vec<Joined>> {
    let before = "with a (room, sender, session, token, moment) as (values";
    let after = format!(
        ") insert into memberships (room_id, user_id, role, last_read_seq, notify_all, joined_at)
         select r.id, a.sender, 'member', r.last_seq, false, a.moment
         from a join rooms r on r.id = a.room where r.kind = 'public' and {STANDS}
         on conflict (room_id, user_id) do nothing returning room_id, user_id"
    );
    let nothing = || Value::Number(None);
    let row = |newcomer: &Newcomer| {
        let (session, token) = newcomer.via.columns();
        [newcomer.room.0.into(), newcomer.user.0.into(), session.into(), token.into(), now.into()]
    };
    let filling = [NOWHERE.into(), NOWHERE.into(), nothing(), nothing(), now.into()];
    let rows = newcomers.iter().map(row).collect();
    conn.run_one(over(before, rows, filling, room_for(newcomers.len()), &after)).await?.read()
}

/// Counts those who `joined`. Cost: 1 statement.
async fn count(conn: &mut Conn, joined: &[Joined]) -> Result<()> {
    let mut counts = BTreeMap::<RoomId, i64>::new();
    joined.iter().for_each(|joined| *counts.entry(joined.room_id).or_default() += 1);
    if counts.is_empty() {
        return Ok(());
    }
    let before = "with came (room, people) as (values";
    let after = ") update rooms set member_count = member_count + came.people from came where id = came.room";
    let rows: Vec<_> = counts.into_iter().map(|(room, people)| [room.0, people].map(Value::from)).collect();
    let room = room_for(rows.len());
    conn.run_one(over(before, rows, [NOWHERE, 0].map(Value::from), room, after)).await?;
    Ok(())
}
