//! What a page of a room shows of its talk, the same for all who look: messages with what they answer and who reacts to
//! them, what is pinned, and who has read how far. One statement finds all of it. Called by the chat page.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use sqlx::FromRow;

use super::quote::{self, Quote};
use super::stored::{self, Found};
use super::{Message, pins};
use crate::db::direct::Look;
use crate::db::rows::{Dialect, Text};
use crate::db::{Conn, Db, rows};
use crate::error::{Error, Result};
use crate::ids::{RoomId, UserId};
use crate::live::hub::MOST_FOR_RECEIPTS;
use crate::on_db;
use crate::rooms::list::{self, FoundSide, Side};
use crate::rooms::members::{self, Reader};

/// A message, what it answers, and the names of those who react to it.
pub struct Told {
    pub message: Arc<Message>,
    pub quote: Option<Quote>,
    pub names: HashMap<UserId, String>,
}

pub struct Talk {
    /// The room's revision when this was read.
    pub rev: i64,
    /// Oldest first.
    pub messages: Vec<Told>,
    /// The newest pin first.
    pub pins: Vec<Quote>,
    /// By name; nobody in a room of more than 50.
    pub readers: Vec<Reader>,
}

/// What [`beside`] finds.
#[derive(FromRow)]
struct FoundBeside {
    pins: String,
    rev: Option<i64>,
    readers: Option<String>,
}

/// The same with the messages.
#[derive(FromRow)]
struct FoundTalk {
    messages: String,
    #[sqlx(flatten)]
    beside: FoundBeside,
}

impl FoundTalk {
    fn read(self) -> Result<Talk> {
        self.beside.read(rows::read(&self.messages)?)
    }
}

impl FoundBeside {
    /// With `messages`, the newest first.
    fn read(self, messages: Vec<Found>) -> Result<Talk> {
        let readers = self.readers.as_deref().map_or(Ok(Vec::new()), rows::read)?;
        let messages = messages.into_iter().rev().map(Told::from).collect();
        Ok(Talk { rev: self.rev.unwrap_or(0), messages, pins: rows::read(&self.pins)?, readers })
    }
}

/// The messages: `$4` is the room, `$5` the number that all are below, `$6` how many.
fn messages_from() -> String {
    format!("{} where m.room_id = $4 and m.seq < $5 order by m.seq desc limit $6", stored::FROM)
}

/// What stands beside the messages of room `$4`.
fn beside(dialect: Dialect) -> String {
    format!(
        "cast({} as text) as pins, (select last_rev from rooms where id = $4) as rev,
         cast(case when (select member_count from rooms where id = $4) <= {MOST_FOR_RECEIPTS} then {} end as text) as readers",
        dialect.rows(
            &quote::ROW,
            &format!(
                "{} join pins p on p.message_id = q.id where p.room_id = $4
                 order by p.created_at desc, p.id desc limit {}",
                quote::FROM,
                pins::MOST
            )
        ),
        dialect.rows(&members::READER, members::READERS),
    )
}

fn columns(dialect: Dialect) -> String {
    let messages = dialect.rows(&stored::columns(dialect, true), &messages_from());
    format!("cast({messages} as text) as messages, {}", beside(dialect))
}

/// The newest `limit` messages of `room` numbered below `before`, and what stands beside them. Doesn't check membership.
/// Cost: 1 query, O(limit + what is pinned + 50).
pub async fn talk(conn: &mut Conn, room: RoomId, before: i64, limit: i64) -> Result<Talk> {
    static TALK: Text = Text::new();
    let text = || format!("select {}", columns(conn.dialect()));
    let sql = TALK.of(conn, || text().replace("$4", "$1").replace("$5", "$2").replace("$6", "$3"));
    let found: FoundTalk =
        on_db!(conn, c => sqlx::query_as(sql).bind(room).bind(before).bind(limit).fetch_one(c).await)?;
    found.read()
}

/// The newest `limit` messages of `room` as [`talk`] has them, and as [`list::side`] what stands beside a page for `person`.
/// Cost: 1 query; on SQLite 2 on this thread, where that may be.
pub async fn newest_beside(
    db: &Db,
    person: UserId,
    (own, to_join): (i64, i64),
    room: RoomId,
    limit: i64,
) -> Result<(Side, Talk)> {
    #[derive(FromRow)]
    struct Both {
        #[sqlx(flatten)]
        side: FoundSide,
        #[sqlx(flatten)]
        talk: FoundTalk,
    }
    static BOTH: Text = Text::new();
    let values = [person.0, own, to_join, room.0, i64::MAX, limit];
    if let Some(found) = db.look((person, room), |look| look_at(look, &values)) {
        return Ok(found);
    }
    let mut conn = db.read().await?;
    let dialect = conn.dialect();
    let sql = BOTH.of(&conn, || format!("select {}, {}", list::side_columns(dialect), columns(dialect)));
    let [person, own, to_join, room, before, limit] = values;
    let found: Both = on_db!(conn, c => sqlx::query_as(sql)
        .bind(person).bind(own).bind(to_join).bind(room).bind(before).bind(limit).fetch_one(c).await)?;
    Ok((found.side.read()?, found.talk.read()?))
}

/// What [`newest_beside`] finds, by its `values`.
fn look_at(look: &Look<'_>, values: &[i64; 6]) -> Result<(Side, Talk)> {
    static BESIDE: LazyLock<String> = LazyLock::new(|| {
        let dialect = Dialect::Sqlite;
        format!("select {}, {}", list::side_columns(dialect), beside(dialect)).replace('$', "?")
    });
    static MESSAGES: LazyLock<String> = LazyLock::new(|| {
        let columns = stored::columns(Dialect::Sqlite, true).join(", ");
        format!("select {columns} {}", messages_from()).replace('$', "?")
    });
    let found = look.list(&BESIDE, values)?.pop().ok_or_else(|| Error::internal("no rows"))?;
    let (own, to_join, notices, of_room, pins, rev, readers) = found;
    let talk = FoundBeside { pins, rev, readers }.read(look.list(&MESSAGES, values)?)?;
    Ok((FoundSide { own, to_join, notices, room: of_room }.read()?, talk))
}

impl Talk {
    /// The newest `count` of its messages, and whether there are older ones: one more was asked for than is shown, since
    /// numbers can't tell where messages were erased.
    pub fn newest(&self, count: i64) -> (bool, &[Told]) {
        let over = self.messages.len().saturating_sub(usize::try_from(count).unwrap_or(0));
        (over > 0, &self.messages[over..])
    }
}

impl From<Found> for Told {
    fn from(mut found: Found) -> Self {
        let quote = found.quote.take().and_then(|mut quotes| quotes.pop());
        let (message, names) = found.split();
        Self { message: Arc::new(message), quote, names: names.into_iter().collect() }
    }
}
