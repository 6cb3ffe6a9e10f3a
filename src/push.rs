//! Web Push: people without an open socket here are told by their browsers, even closed ones (RFC 8030). What there is to
//! tell comes in through [`Push::told`] and [`Push::said`], after the commit of what it tells of; [`run`], a job, makes
//! notes of it for those who subscribed (`push/note.rs`), and hands them to `push/delivery.rs`, which sends them.
//! The site's key is in `push/keys.rs`, people's browsers in `push/subscriptions.rs`, which addresses are spoken to in
//! `push/network.rs`.

pub mod delivery;
pub mod keys;
pub mod network;
pub mod note;
pub mod subscriptions;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{MessageId, RoomId, UserId};
use crate::messages::Message;
use crate::notifications::Told;
use delivery::Outbox;
use keys::SiteKey;
use network::Reach;

/// What is said in quick succession is looked at together.
const PAUSE: Duration = Duration::from_millis(200);
/// Of a room's ordinary messages, a person is pushed one in so long.
const QUIET: Duration = Duration::from_secs(60);
/// Notifications, and rooms, that may wait to be looked at.
const MOST_WAITING: usize = 10_000;

/// Part of `App`. Cheap to clone.
#[derive(Clone)]
pub struct Push(Arc<Inner>);

struct Inner {
    key: SiteKey,
    outbox: Outbox,
    waiting: Mutex<Waiting>,
    woken: Notify,
    /// When somebody was last pushed an ordinary message of a room.
    lately: Mutex<HashMap<(UserId, RoomId), Timestamp>>,
}

#[derive(Default)]
struct Waiting {
    told: VecDeque<Told>,
    /// The newest message of each who wrote in a room.
    said: HashMap<(RoomId, UserId), MessageId>,
}

impl Push {
    /// Errors: [`crate::error::Error::Internal`] when no client can be made.
    pub fn new(key: SiteKey, reach: Reach) -> Result<Self> {
        let outbox = Outbox::new(reach)?;
        let (waiting, woken, lately) = Default::default();
        Ok(Self(Arc::new(Inner { key, outbox, waiting, woken, lately })))
    }

    /// The site's public key, as a page needs it to subscribe: base64url of the uncompressed point.
    pub fn public_key(&self) -> &str {
        self.0.key.public()
    }

    fn key(&self) -> &SiteKey {
        &self.0.key
    }

    fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Somebody without an open socket was told of something. Called once it is committed. Cost: O(1).
    pub fn told(&self, told: &Told) {
        let mut waiting = self.waiting();
        if waiting.told.len() >= MOST_WAITING {
            waiting.told.pop_front();
        }
        waiting.told.push_back(told.clone());
        drop(waiting);
        self.0.woken.notify_one();
    }

    /// A message was stored. Called once it is committed. Cost: O(1).
    pub fn said(&self, message: &Message) {
        let Some(sender) = message.user_id else { return };
        let mut waiting = self.waiting();
        if waiting.said.len() < MOST_WAITING {
            waiting.said.insert((message.room_id, sender), message.id);
        }
        drop(waiting);
        self.0.woken.notify_one();
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `user` may be pushed an ordinary message of `room` now; if so, that is remembered.
    fn may_disturb(&self, user: UserId, room: RoomId, now: Timestamp) -> bool {
        let mut lately = self.0.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= MOST_WAITING {
            lately.retain(|_, at| at.plus(QUIET) > now);
        }
        let quiet = lately.get(&(user, room)).is_some_and(|at| at.plus(QUIET) > now);
        if !quiet {
            lately.insert((user, room), now);
        }
        !quiet
    }
}

/// The job: makes notes of what was told and said, until it is dropped.
pub async fn run(app: App) {
    loop {
        app.push.0.woken.notified().await;
        let waiting = std::mem::take(&mut *app.push.waiting());
        if let Err(error) = look(&app, waiting).await {
            tracing::warn!(%error, "what is new can't be pushed");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Cost: 1 query; where anybody has subscribed 1 query for all notifications and a few for each that is pushed, and 1 for
/// each room with news and a few for each person pushed.
async fn look(app: &App, waiting: Waiting) -> Result<()> {
    let mut conn = app.db.read().await?;
    if !subscriptions::exist(&mut conn).await? {
        return Ok(());
    }
    for ((room, sender), message) in waiting.said {
        note::of_said(app, &mut conn, room, sender, message).await?;
    }
    note::of_told(app, &mut conn, waiting.told.into()).await
}
