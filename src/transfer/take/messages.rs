//! Messages that come. In a room that was made for what the bundle has of it they keep their numbers: those up to the room's
//! last were kept free for them, whatever was said there meanwhile. In any other room they come behind what is there, as if they
//! were posted now, each with the room's next number and revision: nobody's numbers move. Their HTML is made here. Called by
//! `transfer::take`.

use std::collections::BTreeMap;

use super::Taking;
use super::row::{Row, text};
use crate::db::{Conn, bulk};
use crate::error::{Error, Result};
use crate::messages::markup;
use crate::on_db;
use crate::transfer::lines::{Line, Lines};

impl Taking<'_> {
    pub(super) async fn store_messages(&mut self, conn: &mut Conn, lines: &Lines, fresh: Vec<Line>) -> Result<()> {
        let numbered = self.numbered(conn, lines, &fresh).await?;
        let mut references = self.references(conn, lines, &fresh, &[]).await?;
        let ids = self.ids(conn, lines, &fresh).await?;
        // An answer may come with what it answers.
        let own: Vec<(String, i64)> = fresh.iter().map(|line| line.theirs.clone()).zip(ids.iter().copied()).collect();
        references.add("messages", own);
        let mut rows = Vec::with_capacity(fresh.len());
        for (line, ours) in fresh.into_iter().zip(ids) {
            let html = markup::render(text(lines, &line, "content"));
            if let Some(mut row) = self.row(lines, line, ours, &references) {
                row.values.push(html.into());
                rows.push(row);
            }
        }
        let room = lines.place("room_id");
        let mut behind: BTreeMap<i64, Vec<&mut Row>> = BTreeMap::new();
        for row in rows.iter_mut().filter(|row| !numbered.contains(&row.number(room))) {
            behind.entry(row.number(room)).or_default().push(row);
        }
        // In the order of their ids, as whoever posts takes them: two can't wait for each other in a ring.
        for (room, rows) in behind {
            number(conn, lines, room, rows).await?;
        }
        self.insert(conn, lines, rows, &["html"], false).await.map(|_| ())
    }
}

/// Gives messages the next numbers of a room, in their order. Cost: 1 statement.
async fn number(conn: &mut Conn, lines: &Lines, room: i64, rows: Vec<&mut Row>) -> Result<()> {
    let (seq, rev, at) = (lines.place("seq"), lines.place("rev"), lines.place("created_at"));
    let client = lines.place("client_id");
    let count = rows.len() as i64;
    let newest = rows.iter().map(|row| row.number(at)).max().unwrap_or(0);
    let last: Option<(i64, i64)> = on_db!(conn, c => sqlx::query_as(
        "update rooms set last_seq = last_seq + $2, last_rev = last_rev + $2,
             last_message_at = case when last_message_at < $3 then $3 else last_message_at end
         where id = $1 returning last_seq, last_rev")
        .bind(room).bind(count).bind(newest).fetch_optional(c).await)?;
    let (last_seq, last_rev) = last.ok_or_else(|| Error::internal("a room is gone"))?;
    for (place, row) in (1..).zip(rows) {
        row.values[seq] = (last_seq - count + place).into();
        row.values[rev] = (last_rev - count + place).into();
        // It knows a post that is tried again. Two accounts that are one person here might have the same.
        row.values[client] = bulk::Value::Text(None);
    }
    Ok(())
}
