//! The open connections of this node: who, in which rooms, since when, from where; and ending one. The hub knows the
//! sockets, the database whose they are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::label::Labels;
use super::resource::{Act, Resource};
use super::sql::{Read, Sql};
use super::value::{Key, Row, Value};
use super::{change, find, permission, record};
use crate::app::App;
use crate::auth::api_tokens;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::live::mailbox::{Close, Mailbox};
use crate::text::{above, fold};
use crate::users::{Person, Role, Via, authority};
use crate::work::Work;

/// Connections shown.
pub const MOST_SHOWN: usize = 200;
/// Rooms named of one connection.
const MOST_ROOMS: usize = 3;
/// People looked up by one query.
const BATCH: usize = 1000;

/// One open socket.
pub struct Connection {
    pub socket: u64,
    pub user: i64,
    pub username: String,
    /// Some of the rooms that it follows, with their names; and how many more there are.
    pub rooms: Vec<(i64, String)>,
    pub more_rooms: usize,
    pub since: Timestamp,
    /// Only administrators see sessions: the two are empty for others.
    pub ip: String,
    pub user_agent: String,
    pub may_disconnect: bool,
    pub may_log_out: bool,
}

/// Open connections of people whose names begin with `q`, newest first, at most 200; and how many there are.
/// Cost: 3 queries by keys, O(open sockets); with a `q` 1 more for each 1,000 people online.
pub async fn open(app: &App, person: &Person, q: &str) -> Result<(Vec<Connection>, usize)> {
    let mut conn = app.db.read().await?;
    let whose = if q.is_empty() { None } else { Some(named(&mut conn, app, q).await?) };
    let (sockets, count) = app.hub.newest(whose.as_ref(), MOST_SHOWN);
    let people = people(&mut conn, &sockets).await?;
    let rooms = rooms(&mut conn, &sockets).await?;
    let agents = if sees_sessions(person) { agents(&mut conn, &sockets).await? } else { HashMap::new() };
    let agent = |via: &Via| match via {
        Via::Session(id) => agents.get(&id.0).cloned().unwrap_or_default(),
        Via::Token(_) if sees_sessions(person) => tr!("API token").into_owned(),
        Via::Token(_) => String::new(),
    };
    let shown = sockets.iter().map(|mailbox| {
        let (username, role) =
            people.get(&mailbox.user.0).cloned().unwrap_or((tr!("deleted account").into(), Role::User));
        let mut followed: Vec<i64> = mailbox.followed().iter().map(|room| room.0).collect();
        followed.sort_unstable();
        let more_rooms = followed.len().saturating_sub(MOST_ROOMS);
        let room = |id: &i64| (*id, rooms.get(id).cloned().unwrap_or_else(|| tr!("room {}", id)));
        Connection {
            socket: mailbox.id,
            user: mailbox.user.0,
            username,
            rooms: followed.iter().take(MOST_ROOMS).map(room).collect(),
            more_rooms,
            since: mailbox.since,
            ip: mailbox.ip.filter(|_| sees_sessions(person)).map(|ip| ip.to_string()).unwrap_or_default(),
            user_agent: agent(&mailbox.via),
            may_disconnect: authority::may(Some(person), authority::Act::Disconnect, mailbox.user, role).is_ok(),
            may_log_out: may_end_sessions(person) && mailbox.via != person.via,
        }
    });
    Ok((shown.collect(), count))
}

/// Closes a socket; its program may come back at once. Errors: [`Error::NotFound`] when it is gone by now,
/// [`Error::Forbidden`] for staff who don't stand above its person. Cost: 6 statements.
pub async fn disconnect(work: &mut Work, socket: u64) -> Result<()> {
    let (mailbox, by) = reach(work, socket)?;
    let key = Key::Id(mailbox.user.0);
    change::recorded(work, model("users")?, &key, Act::View, "disconnect", async |work: &mut Work, row: &Row| {
        let role = Role::try_from(row.text("role").to_owned())?;
        authority::may(Some(&by), authority::Act::Disconnect, mailbox.user, role)?;
        work.then(move |_| mailbox.close(Close::ByStaff));
        Ok(())
    })
    .await
}

/// Ends the session that a socket was opened with, as deleting it from the list of sessions does, or revokes its token:
/// everything open by it closes. Errors: as [`disconnect`]; [`Error::Conflict`] for one's own. Cost: 8 statements.
pub async fn log_out(work: &mut Work, socket: u64) -> Result<()> {
    let (mailbox, _) = reach(work, socket)?;
    match mailbox.via {
        Via::Session(id) => change::delete(work, model("sessions")?, &Key::Id(id.0)).await,
        Via::Token(id) => {
            let (tokens, key) = (model("api-tokens")?, Key::Id(id.0));
            let revoke = async |work: &mut Work, _: &Row| api_tokens::revoke(work, id).await;
            change::recorded(work, tokens, &key, Act::Delete, "revoke", revoke).await
        }
    }
}

fn reach(work: &Work, socket: u64) -> Result<(Arc<Mailbox>, Person)> {
    let by = work.by.clone().ok_or(Error::SignedOut)?;
    let mailbox = work.app.hub.socket(socket).filter(|mailbox| !mailbox.is_closing());
    Ok((mailbox.ok_or(Error::NotFound(msgid!("This connection is gone already.")))?, by))
}

fn model(slug: &str) -> Result<&'static Resource> {
    find(slug).ok_or(Error::NotFound(msgid!("There is no such model.")))
}

fn sees_sessions(person: &Person) -> bool {
    find("sessions").is_some_and(|sessions| permission::may(sessions, person, Act::View))
}

fn may_end_sessions(person: &Person) -> bool {
    find("sessions").is_some_and(|sessions| permission::may(sessions, person, Act::Delete))
}

/// People online whose names begin with `q`.
async fn named(conn: &mut Conn, app: &App, q: &str) -> Result<HashSet<crate::ids::UserId>> {
    let prefix = fold(&q.replace('\0', " "));
    let prefix = prefix.trim();
    let mut found = HashSet::new();
    for batch in app.hub.online().into_iter().collect::<Vec<_>>().chunks(BATCH) {
        let mut sql = Sql::new("select \"id\" from users where username_folded >= ");
        sql.bind(Value::Text(prefix.to_owned())).push(" and username_folded < ").bind(Value::Text(above(prefix)));
        // Online is the shorter list by far.
        sql.push(" and \"id\" in (").ids(batch.iter().map(|user| user.0)).push(")");
        let rows = sql.rows(conn, &[Read::Int]).await?;
        found.extend(rows.iter().filter_map(|row| row[0].as_int()).map(crate::ids::UserId));
    }
    Ok(found)
}

async fn people(conn: &mut Conn, sockets: &[Arc<Mailbox>]) -> Result<HashMap<i64, (String, Role)>> {
    let mut sql = Sql::new("select \"id\", username, role from users where \"id\" in (");
    sql.ids(sockets.iter().map(|mailbox| mailbox.user.0)).push(")");
    let rows = sql.rows(conn, &[Read::Int, Read::Text, Read::Text]).await?;
    let person = |row: Vec<Value>| Some((row[0].as_int()?, (row[1].plain(), Role::try_from(row[2].plain()).ok()?)));
    Ok(rows.into_iter().filter_map(person).collect())
}

async fn rooms(conn: &mut Conn, sockets: &[Arc<Mailbox>]) -> Result<HashMap<i64, String>> {
    let rooms = model("rooms")?;
    let ids: HashSet<i64> = sockets.iter().flat_map(|mailbox| mailbox.followed()).map(|room| room.0).collect();
    let rows = record::named(conn, rooms, ids).await?;
    let labels = Labels::of(conn, &rows).await?;
    Ok(rows.iter().map(|row| (row.key.id(), labels.name(rooms, row))).collect())
}

async fn agents(conn: &mut Conn, sockets: &[Arc<Mailbox>]) -> Result<HashMap<i64, String>> {
    let mut sql = Sql::new("select \"id\", user_agent from sessions where \"id\" in (");
    let session = |mailbox: &Arc<Mailbox>| match mailbox.via {
        Via::Session(id) => Some(id.0),
        Via::Token(_) => None,
    };
    sql.ids(sockets.iter().filter_map(session)).push(")");
    let rows = sql.rows(conn, &[Read::Int, Read::Text]).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row[0].as_int()?, row[1].plain()))).collect())
}
