//! Writes the demo into an empty database, in transactions of some thousand rows, on either engine. Called by
//! `cli::demo`.

use rand::Rng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;

use super::Site;
use super::batch::{Message, Notice, Reaction, Report};
use super::names::{BIOS, entries};
use super::people::Person;
use super::rooms::Room;
use super::rows::{Rows, Value, first_id};
use super::sentences::any;
use super::talk::Talk;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::rooms::Kind;
use crate::rooms::change::direct_key;
use crate::text::fold;
use crate::{on_db, settings};

/// Rows of people, rooms or memberships in one transaction.
pub(super) const TOGETHER: usize = 10_000;
/// Batches that wait while one is written.
const AHEAD: usize = 2;
const DAY_MICROS: f64 = 86.4e9;
const USERS: &str = "users (username, username_folded, email, email_folded, password_hash, first_name, last_name, bio, \
     role, is_active, last_seen_at, created_at, updated_at, first_name_folded, last_name_folded)";
const ROOMS: &str = "rooms (kind, name, name_folded, description, created_by, direct_key, member_count, \
     last_message_at, created_at, updated_at)";
const REASONS: [&str; 7] = [
    "Advertising",
    "Rude to a newcomer",
    "Wrong room",
    "Somebody's telephone number is in it",
    "Off topic, again",
    "Posted twice",
    "Please have a look at the tone",
];

/// What was written.
#[derive(Default)]
pub struct Made {
    pub users: u64,
    pub rooms: u64,
    pub memberships: u64,
    pub messages: u64,
    /// Reactions, notifications, reports, interests, e-mails and tokens.
    pub others: u64,
}

/// The ids of the first ones; the others follow one by one.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) users: i64,
    rooms: i64,
    messages: Option<i64>,
}

impl Ids {
    pub(super) fn user(&self, place: u32) -> i64 {
        self.users + i64::from(place)
    }

    pub(super) fn room(&self, place: u32) -> i64 {
        self.rooms + i64::from(place)
    }

    fn message(&self, number: u64) -> i64 {
        self.messages.unwrap_or_default() + number as i64
    }
}

pub(super) struct Store<'a, F: Fn(u64)> {
    pub(super) app: &'a App,
    pub(super) rng: StdRng,
    pub(super) ids: Ids,
    pub(super) made: Made,
    done: F,
    now: Timestamp,
    staff: u32,
    reported: usize,
}

/// Writes `site`; every account's password is the one that `password_hash` was made of. Calls `done` with the number
/// of rows of [`Site::size`] that were written since the last call. Nobody may use the database meanwhile; on SQLite
/// no server may run on it, since only one process may move the log into the database. Errors: [`Error::Conflict`]
/// when there is an account or a room already; a fault after the first transaction leaves a part of the site.
/// Cost: O(rows) time; memory for some ten thousand messages, and on SQLite 64 MiB of pages.
pub async fn fill(app: &App, site: Site, password_hash: &str, done: impl Fn(u64)) -> Result<Made> {
    let (rng, now, staff) = (site.plan.dice(5), site.rhythm.now(), site.plan.staff());
    let mut store = Store { app, rng, ids: Ids::default(), made: Made::default(), done, now, staff, reported: 0 };
    app.db.prepare_bulk_write().await?;
    store.users(&site, password_hash).await?;
    store.rooms(&site).await?;
    let talk = store.talk(site).await?;
    store.counters(&talk).await?;
    store.memberships(&talk.site).await?;
    store.rest(&talk.site).await?;
    Ok(store.made)
}

/// Whether nothing was ever made here. Cost: 2 indexed queries.
pub async fn is_empty(conn: &mut Conn) -> Result<bool> {
    let rows: Vec<i64> = on_db!(conn, c => sqlx::query_scalar(
        "select id from (select id from users limit 1) u union all select id from (select id from rooms limit 1) r")
        .fetch_all(c).await)?;
    Ok(rows.is_empty())
}

/// Under a domain that is kept from ever getting mail.
pub(super) fn address(username: &str) -> String {
    format!("{}@example.org", username.to_lowercase())
}

/// Some hours or weeks before now, not before they joined; a few never came back.
fn last_seen(rng: &mut StdRng, joined: Timestamp, now: Timestamp, is_active: bool) -> Option<Timestamp> {
    let days = if is_active { rng.random::<f64>().powi(4) * 30.0 } else { rng.random_range(20.0..80.0) };
    let seen = Timestamp(now.0 - (days * DAY_MICROS) as i64);
    (!rng.random_ratio(1, 20)).then_some(seen.max(joined))
}

impl<F: Fn(u64)> Store<'_, F> {
    pub(super) async fn commit(&self, tx: Tx, rows: usize) -> Result<()> {
        tx.commit().await?;
        self.app.db.checkpoint().await?;
        (self.done)(rows as u64);
        Ok(())
    }

    async fn users(&mut self, site: &Site, hash: &str) -> Result<()> {
        let bios = entries(BIOS);
        for (number, people) in site.people.chunks(TOGETHER).enumerate() {
            let mut rows = Rows::new();
            for (place, person) in (number * TOGETHER..).zip(people) {
                rows.push(self.user(site, place, person, hash, &bios));
            }
            let mut tx = self.app.db.write().await?;
            if number == 0 {
                settings::lock(&mut tx).await?;
                if !is_empty(&mut tx).await? {
                    return Err(Error::Conflict("Somebody has just made an account or a room: nothing was written."));
                }
            }
            rows.insert(&mut tx, USERS).await?;
            self.made.users += people.len() as u64;
            self.ids.users = first_id(&mut tx, "users", self.made.users).await?;
            self.commit(tx, people.len()).await?;
        }
        Ok(())
    }

    fn user(&mut self, site: &Site, place: usize, person: &Person, hash: &str, bios: &[&str]) -> [Value; 15] {
        let is_staff = place < site.plan.staff() as usize;
        let is_active = is_staff || !self.rng.random_ratio(1, 25);
        let named = self.rng.random_ratio(7, 10);
        let (first, last) = if named { (person.first_name, person.last_name) } else { ("", "") };
        let bio = if self.rng.random_ratio(1, 3) { any(&mut self.rng, bios) } else { "" };
        let joined = site.rhythm.at(person.joined);
        let email = address(&person.username);
        [
            person.username.as_str().into(),
            fold(&person.username).into(),
            email.as_str().into(),
            fold(&email).into(),
            hash.into(),
            first.into(),
            last.into(),
            bio.into(),
            if place == 0 {
                "admin"
            } else if is_staff {
                "moderator"
            } else {
                "user"
            }
            .into(),
            is_active.into(),
            last_seen(&mut self.rng, joined, site.rhythm.now(), is_active).into(),
            joined.into(),
            joined.into(),
            fold(first).into(),
            fold(last).into(),
        ]
    }

    /// Their counters follow when the talk is over.
    async fn rooms(&mut self, site: &Site) -> Result<()> {
        for rooms in site.rooms.chunks(TOGETHER) {
            let mut rows = Rows::new();
            rooms.iter().for_each(|room| rows.push(self.room(site, room)));
            let mut tx = self.app.db.write().await?;
            rows.insert(&mut tx, ROOMS).await?;
            self.made.rooms += rooms.len() as u64;
            self.ids.rooms = first_id(&mut tx, "rooms", self.made.rooms).await?;
            self.commit(tx, rooms.len()).await?;
        }
        Ok(())
    }

    fn room(&self, site: &Site, room: &Room) -> [Value; 10] {
        let key = (room.kind == Kind::Direct && room.members.len() == 2).then(|| {
            let [one, other] = [0, 1].map(|place| UserId(self.ids.user(room.members[place].user)));
            direct_key(one, other)
        });
        let created = site.rhythm.at(room.created);
        [
            room.kind.as_str().into(),
            room.name.as_str().into(),
            fold(&room.name).into(),
            room.description.into(),
            self.ids.user(room.owner).into(),
            key.as_deref().into(),
            (room.members.len() as i64).into(),
            created.into(),
            created.into(),
            created.into(),
        ]
    }

    /// The talk is made up on a thread of its own while what there is of it is written.
    async fn talk(&mut self, site: Site) -> Result<Talk> {
        let (batches, mut waiting) = mpsc::channel(AHEAD);
        let making = tokio::task::spawn_blocking(move || {
            let mut talk = Talk::new(site.plan.dice(6), site);
            for batch in talk.by_ref() {
                // Nobody takes it when writing has failed.
                if batches.blocking_send(batch).is_err() {
                    break;
                }
            }
            talk
        });
        let now = self.now;
        while let Some(batch) = waiting.recv().await {
            let count = batch.messages.len();
            let mut tx = self.app.db.write().await?;
            self.messages(&mut tx, batch.messages).await?;
            self.made.others += (batch.reactions.len() + batch.notices.len() + batch.reports.len()) as u64;
            self.reactions(&mut tx, batch.reactions).await?;
            self.notices(&mut tx, batch.notices, now).await?;
            self.reports(&mut tx, batch.reports).await?;
            self.commit(tx, count).await?;
        }
        making.await.map_err(Error::internal)
    }

    async fn messages(&mut self, conn: &mut Conn, mut messages: Vec<Message>) -> Result<()> {
        // The first one of all goes ahead, because the others may answer it by its id.
        if self.ids.messages.is_none() && !messages.is_empty() {
            let later = messages.split_off(1);
            self.insert(conn, messages).await?;
            messages = later;
        }
        self.insert(conn, messages).await
    }

    async fn insert(&mut self, conn: &mut Conn, messages: Vec<Message>) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        self.made.messages += messages.len() as u64;
        let mut rows = Rows::new();
        for message in messages {
            rows.push([
                self.ids.room(message.room).into(),
                i64::from(message.seq).into(),
                i64::from(message.seq).into(),
                self.ids.user(message.sender).into(),
                message.content.into(),
                message.html.into(),
                message.reply_to.map(|number| self.ids.message(number)).into(),
                message.at.into(),
            ]);
        }
        rows.insert(conn, "messages (room_id, seq, rev, sender_id, content, html, reply_to, created_at)").await?;
        self.ids.messages = Some(first_id(conn, "messages", self.made.messages).await?);
        Ok(())
    }

    async fn reactions(&self, conn: &mut Conn, reactions: Vec<Reaction>) -> Result<()> {
        let mut rows = Rows::new();
        for Reaction { message, user, emoji, at } in reactions {
            rows.push([self.ids.message(message).into(), self.ids.user(user).into(), emoji.into(), at.into()]);
        }
        rows.insert(conn, "reactions (message_id, user_id, emoji, created_at)").await
    }

    async fn notices(&mut self, conn: &mut Conn, notices: Vec<Notice>, now: Timestamp) -> Result<()> {
        let mut rows = Rows::new();
        for notice in notices {
            let is_old = now.0 - notice.at.0 > 3 * DAY_MICROS as i64;
            let read = self.rng.random_ratio(if is_old { 17 } else { 7 }, 20);
            let soon = Timestamp(notice.at.0 + self.rng.random_range(0..DAY_MICROS as i64 / 4));
            rows.push([
                self.ids.user(notice.user).into(),
                notice.kind.into(),
                notice.message.map(|number| self.ids.message(number)).into(),
                notice.room.map(|number| self.ids.room(number)).into(),
                self.ids.user(notice.actor).into(),
                read.then_some(soon).filter(|read| *read <= now).into(),
                notice.at.into(),
            ]);
        }
        rows.insert(conn, "notifications (user_id, kind, message_id, room_id, actor_id, read_at, created_at)").await
    }

    async fn reports(&mut self, conn: &mut Conn, reports: Vec<Report>) -> Result<()> {
        let mut rows = Rows::new();
        for report in reports {
            self.reported += 1;
            let status = ["open", "resolved", "dismissed", "resolved", "open"][self.reported % 5];
            let handler = self.ids.user(self.rng.random_range(0..self.staff));
            let handler = Some(handler).filter(|_| status != "open");
            rows.push([
                self.ids.message(report.message).into(),
                self.ids.user(report.reporter).into(),
                any(&mut self.rng, &REASONS).into(),
                status.into(),
                handler.into(),
                report.at.into(),
            ]);
        }
        rows.insert(conn, "reports (message_id, reporter_id, reason, status, handled_by, created_at)").await
    }
}
