//! Rooms that come. A pair has one direct room: theirs becomes the one that is here. A public room is never taken for one of
//! the same name here: its name is made free, and the report says so. Called by `transfer::take`.

use std::collections::{HashMap, HashSet};

use super::Taking;
use super::row::{References, Row, set, text};
use crate::admin::value::Value;
use crate::db::bulk;
use crate::db::{Conn, Engine};
use crate::error::Result;
use crate::ids::UserId;
use crate::messages::list;
use crate::on_db;
use crate::rooms::change::direct_key;
use crate::text::fold;
use crate::transfer::lines::{Line, Lines};
use crate::transfer::mapping::NUMBERED;

/// Characters of a room's name.
const LONGEST_NAME: usize = 80;

impl Taking<'_> {
    /// The rooms under names that are free.
    pub(super) async fn name_rooms(
        &mut self,
        conn: &mut Conn,
        lines: &Lines,
        mut batch: Vec<Line>,
    ) -> Result<Vec<Line>> {
        if self.keeps_ids {
            return Ok(batch);
        }
        let mut given = HashSet::new();
        for line in batch.iter_mut().filter(|line| text(lines, line, "kind") == "public") {
            let name = text(lines, line, "name").to_owned();
            let free = free_name(conn, &name, &given).await?;
            given.insert(fold(&free));
            if free != name {
                self.report.note(
                    "Public rooms whose name is another's here, and what they are called",
                    format!("{name} → {free}"),
                );
                set(lines, line, "name", Value::Text(free));
            }
        }
        Ok(batch)
    }

    pub(super) async fn store_rooms(&mut self, conn: &mut Conn, lines: &Lines, fresh: Vec<Line>) -> Result<()> {
        let fresh = self.name_rooms(conn, lines, fresh).await?;
        let pairs: Vec<(&'static str, String)> = fresh
            .iter()
            .filter_map(|line| self.survey.directs.get(&line.theirs))
            .flatten()
            .map(|user| ("users", user.clone()))
            .collect();
        let pairs: Vec<(&'static str, &str)> = pairs.iter().map(|(slug, user)| (*slug, user.as_str())).collect();
        let references = self.references(conn, lines, &fresh, &pairs).await?;
        let ids = self.ids(conn, lines, &fresh).await?;
        let (mut rows, mut met) = (Vec::new(), Vec::new());
        for (mut line, ours) in fresh.into_iter().zip(ids) {
            let key = self.pair(&line.theirs, &references);
            if text(lines, &line, "kind") == "direct" && !self.keeps_ids {
                if let Some(key) = &key
                    && let Some(here) = find_direct(conn, key).await?
                {
                    met.push((line.theirs, here));
                    continue;
                }
                if self.is_of_one(&line.theirs, &references) {
                    set(lines, &mut line, "kind", Value::Text("group".to_owned()));
                    self.report.note(
                        "Direct chats of two accounts that are one person here, and became groups",
                        line.theirs.clone(),
                    );
                }
            }
            let name = fold(text(lines, &line, "name"));
            if let Some(mut row) = self.row(lines, line, ours, &references) {
                row.values.extend([name.into(), key.as_deref().into(), bulk::Value::from(0)]);
                rows.push(row);
            }
        }
        self.remember_rooms(conn, &rows, met).await?;
        self.insert(conn, lines, rows, &["name_folded", "direct_key", "member_count"], false).await.map(|_| ())
    }

    async fn remember_rooms(&mut self, conn: &mut Conn, rows: &[Row], met: Vec<(String, i64)>) -> Result<()> {
        self.report.here("rooms", met.len() as u64);
        let source = self.source()?;
        source.remember(conn, "rooms", met).await?;
        let mark = &self.bundle.mark;
        source.remember(conn, NUMBERED, rows.iter().map(|row| (format!("{mark}/{}", row.theirs), row.ours))).await
    }

    /// The people here who are in a direct room there.
    fn people_of(&self, theirs: &str, references: &References) -> Vec<i64> {
        let people = self.survey.directs.get(theirs);
        people.into_iter().flatten().filter_map(|user| references.of("users", user)).collect()
    }

    /// The key of a direct room that is between two people here.
    fn pair(&self, theirs: &str, references: &References) -> Option<String> {
        match self.people_of(theirs, references)[..] {
            [one, other] if one != other => Some(direct_key(UserId(one), UserId(other))),
            _ => None,
        }
    }

    fn is_of_one(&self, theirs: &str, references: &References) -> bool {
        matches!(self.people_of(theirs, references)[..], [one, other] if one == other)
    }

    /// Those rooms of ours that `fresh` is in whose numbers are the bundle's. Cost: 1 query for each 64 of them.
    pub(super) async fn numbered(&self, conn: &mut Conn, lines: &Lines, fresh: &[Line]) -> Result<HashSet<i64>> {
        let rooms: HashSet<&str> = fresh.iter().map(|line| text(lines, line, "room_id")).collect();
        let marked: Vec<String> = rooms.into_iter().map(|room| format!("{}/{room}", self.bundle.mark)).collect();
        let marked: Vec<&str> = marked.iter().map(String::as_str).collect();
        Ok(self.source()?.came(conn, NUMBERED, &marked).await?.into_values().collect())
    }

    /// Who is in which room, and with it how many are.
    pub(super) async fn store_memberships(&mut self, conn: &mut Conn, lines: &Lines, fresh: Vec<Line>) -> Result<()> {
        let numbered = self.numbered(conn, lines, &fresh).await?;
        let mut rows = self.rows(conn, lines, fresh).await?;
        let room = lines.place("room_id");
        let rooms: HashSet<i64> = rows.iter().map(|row| row.number(room)).collect();
        let others: Vec<i64> = rooms.difference(&numbered).copied().collect();
        // What came stands behind other talk there, under other numbers: who comes with it has read all of it.
        let last = last_seqs(conn, &others).await?;
        let read = lines.place("last_read_seq");
        for row in &mut rows {
            if let Some(last) = last.get(&row.number(room)) {
                row.values[read] = (*last).into();
            }
        }
        self.insert(conn, lines, rows, &[], true).await?;
        count_members(conn, &rooms.into_iter().collect::<Vec<_>>()).await
    }
}

async fn last_seqs(conn: &mut Conn, rooms: &[i64]) -> Result<HashMap<i64, i64>> {
    if rooms.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("select id, last_seq from rooms where id in ({})", list(rooms));
    let rows: Vec<(i64, i64)> = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

async fn count_members(conn: &mut Conn, rooms: &[i64]) -> Result<()> {
    if rooms.is_empty() {
        return Ok(());
    }
    // One after the other by their ids, as those who post beside it hold them.
    let hold = format!("select id from rooms where id in ({}) order by id for update", list(rooms));
    if let Engine::Postgres(conn) = conn.engine() {
        sqlx::query(&hold).persistent(false).execute(conn).await?;
    }
    let sql = format!(
        "update rooms set member_count = (select count(*) from memberships m where m.room_id = rooms.id) where id in ({})",
        list(rooms)
    );
    Ok(on_db!(conn, c => sqlx::query(&sql).persistent(false).execute(c).await.map(|_| ()))?)
}

/// `name`, or `name (2)`, `name (3)` … if another public room has it.
async fn free_name(conn: &mut Conn, name: &str, given: &HashSet<String>) -> Result<String> {
    let mut number = 1;
    loop {
        let end = if number == 1 { String::new() } else { format!(" ({number})") };
        let free: String = name.chars().take(LONGEST_NAME - end.len()).chain(end.chars()).collect();
        if !given.contains(&fold(&free)) && !is_public(conn, &free).await? {
            return Ok(free);
        }
        number += 1;
    }
}

async fn is_public(conn: &mut Conn, name: &str) -> Result<bool> {
    let found: Option<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from rooms where name_folded = $1 and kind = 'public'").bind(fold(name)).fetch_optional(c).await)?;
    Ok(found.is_some())
}

async fn find_direct(conn: &mut Conn, key: &str) -> Result<Option<i64>> {
    Ok(
        on_db!(conn, c => sqlx::query_scalar("select id from rooms where direct_key = $1").bind(key).fetch_optional(c).await)?,
    )
}
