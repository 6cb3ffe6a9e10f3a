//! What a page of a room shows of its talk, the same for all who look: messages with what they answer and who reacts to
//! them, what is pinned, and who has read how far. One statement finds all of it. Called by the chat page.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::FromRow;

use super::quote::{self, Quote};
use super::stored::{self, Found};
use super::{Message, pins};
use crate::db::rows::Text;
use crate::db::{Conn, rows};
use crate::error::Result;
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

/// What [`columns`] find.
#[derive(FromRow)]
struct FoundTalk {
    messages: String,
    pins: String,
    rev: Option<i64>,
    readers: Option<String>,
}

impl FoundTalk {
    fn read(self) -> Result<Talk> {
        let mut messages: Vec<Told> = rows::read::<Found>(&self.messages)?.into_iter().map(Told::from).collect();
        messages.reverse();
        let readers = self.readers.as_deref().map_or(Ok(Vec::new()), rows::read)?;
        Ok(Talk { rev: self.rev.unwrap_or(0), messages, pins: rows::read(&self.pins)?, readers })
    }
}

/// `$4` is the room, `$5` the number that all are below, `$6` how many.
fn columns(conn: &Conn) -> String {
    let columns = stored::columns(conn, true);
    let from = stored::FROM;
    format!(
        "cast({} as text) as messages, cast({} as text) as pins,
         (select last_rev from rooms where id = $4) as rev,
         cast(case when (select member_count from rooms where id = $4) <= {MOST_FOR_RECEIPTS} then {} end as text) as readers",
        conn.rows(&columns, &format!("{from} where m.room_id = $4 and m.seq < $5 order by m.seq desc limit $6")),
        conn.rows(
            &quote::ROW,
            &format!(
                "{} join pins p on p.message_id = q.id where p.room_id = $4
                 order by p.created_at desc, p.id desc limit {}",
                quote::FROM,
                pins::MOST
            )
        ),
        conn.rows(&members::READER, members::READERS),
    )
}

/// The newest `limit` messages of `room` numbered below `before`, and what stands beside them. Doesn't check membership.
/// Cost: 1 query, O(limit + what is pinned + 50).
pub async fn talk(conn: &mut Conn, room: RoomId, before: i64, limit: i64) -> Result<Talk> {
    static TALK: Text = Text::new();
    let sql = TALK
        .of(conn, || format!("select {}", columns(conn)).replace("$4", "$1").replace("$5", "$2").replace("$6", "$3"));
    let found: FoundTalk =
        on_db!(conn, c => sqlx::query_as(sql).bind(room).bind(before).bind(limit).fetch_one(c).await)?;
    found.read()
}

/// The newest `limit` messages of `room` as [`talk`] has them, and as [`list::side`] what stands beside a page for `person`.
/// Cost: 1 query.
pub async fn newest_beside(
    conn: &mut Conn,
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
    let sql = BOTH.of(conn, || format!("select {}, {}", list::side_columns(conn), columns(conn)));
    let found: Both = on_db!(conn, c => sqlx::query_as(sql)
        .bind(person).bind(own).bind(to_join).bind(room).bind(i64::MAX).bind(limit).fetch_one(c).await)?;
    Ok((found.side.read()?, found.talk.read()?))
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
