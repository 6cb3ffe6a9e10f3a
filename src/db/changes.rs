//! What was changed when: lets what was read be kept in memory for exactly as long as it is true. Called by what keeps
//! something: sessions (`auth/session/kept.rs`) and the chat page (`web/pages/chat/kept.rs`).
//!
//! Each commit of this process raises a clock and leaves its reading at what it changed: at everything, unless the
//! transaction said that it was less ([`crate::db::Tx::changes_only`]). A reader asks for the [`Moment`] first, then
//! reads, and keeps both; what it kept holds while nothing it is made of was changed after that moment. A commit is counted
//! when it can be seen and before anybody is told of it, so nobody who was told is shown what was before.
//!
//! Other processes write to the same SQLite file now and then (`switchboard user disable`). The one connection that writes
//! knows by `pragma data_version`: it is asked at the start of each transaction, and by who reads when that was
//! longer than [`TRUSTED`] ago. While a transaction of ours is open nobody else can write, so it needn't be asked: without
//! that, every request beside a busy writer went to the database. On PostgreSQL, where other nodes write all the time,
//! nothing is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

use super::Db;
use crate::error::Result;
use crate::ids::RoomId;

/// How long another process's commit may go unseen by what is kept.
const TRUSTED: Duration = Duration::from_millis(5);
/// Rooms share so many places; two in one only let go of more than they must.
const PLACES: usize = 4096;

/// A reading of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

/// What a transaction changed.
#[derive(Clone, Debug, Default)]
pub enum Extent {
    /// Anything.
    #[default]
    All,
    /// Nothing that anybody keeps.
    Nothing,
    /// What stands in these rooms, and how far their members have read; `public`: there is new talk, and one of them may be
    /// a public room, which others are shown in the order of their talk.
    Talk { rooms: Vec<RoomId>, public: bool },
}

pub struct Changes {
    clock: AtomicU64,
    all: AtomicU64,
    public: AtomicU64,
    rooms: Box<[AtomicU64]>,
    /// What `pragma data_version` said last.
    version: AtomicI64,
    /// Microseconds after `begun` at which it was asked.
    asked: AtomicU64,
    begun: Instant,
    /// A transaction of ours is open: SQLite keeps everybody else from writing.
    held: AtomicBool,
}

/// While it lives, SQLite's write lock is ours.
pub(super) struct Held(Arc<Changes>);

impl Held {
    /// From the look at the start of a transaction on.
    pub fn new(changes: Arc<Changes>) -> Self {
        changes.held.store(true, Ordering::Release);
        Self(changes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Release);
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            clock: AtomicU64::new(1),
            all: AtomicU64::new(1),
            public: AtomicU64::new(0),
            rooms: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            version: AtomicI64::new(-1),
            asked: AtomicU64::new(0),
            begun: Instant::now(),
            held: AtomicBool::new(false),
        }
    }
}

impl Changes {
    /// Counts a commit that can be seen by now.
    pub(super) fn count(&self, extent: &Extent) {
        let next = self.clock.load(Ordering::Acquire) + 1;
        match extent {
            Extent::Nothing => return,
            Extent::All => {
                self.all.fetch_max(next, Ordering::AcqRel);
            }
            Extent::Talk { rooms, public } => {
                for room in rooms {
                    self.place(*room).fetch_max(next, Ordering::AcqRel);
                }
                if *public {
                    self.public.fetch_max(next, Ordering::AcqRel);
                }
            }
        }
        self.clock.fetch_max(next, Ordering::AcqRel);
    }

    fn place(&self, room: RoomId) -> &AtomicU64 {
        &self.rooms[usize::try_from(room.0.rem_euclid(PLACES as i64)).unwrap_or(0)]
    }

    /// Until now nobody else has written: the lock is about to be let go of.
    pub(super) fn trust(&self) {
        self.asked.fetch_max(self.now(), Ordering::AcqRel);
    }

    fn is_trusted(&self) -> bool {
        if self.held.load(Ordering::Acquire) {
            return true;
        }
        let asked = self.begun + Duration::from_micros(self.asked.load(Ordering::Acquire));
        Instant::now().duration_since(asked) < TRUSTED
    }

    /// Asks the connection that writes whether another process wrote. Cost: 1 statement that reads nothing.
    async fn look(&self, writer: &mut SqliteConnection) -> Result<()> {
        let at = self.now();
        self.saw(sqlx::query_scalar("pragma data_version").fetch_one(writer).await?, at);
        Ok(())
    }

    /// The version that the connection that writes said when it was asked, at the earliest `at`.
    pub(super) fn saw(&self, version: i64, at: u64) {
        if self.version.swap(version, Ordering::AcqRel) != version {
            self.count(&Extent::All);
        }
        self.asked.fetch_max(at, Ordering::AcqRel);
    }

    /// Microseconds since it began.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(0)
    }
}

impl Db {
    /// The moment from which on what is read holds; `None` when that can't be known now, and nothing that was kept may
    /// be used. Cost: some atomic reads; at most 200 times a second a statement that reads nothing.
    pub async fn moment(&self) -> Option<Moment> {
        let Self::Sqlite { writer, changes, .. } = self else { return None };
        if !changes.is_trusted() {
            let mut writer = writer.lend_now().await?;
            changes.look(&mut writer).await.ok()?;
        }
        Some(Moment(changes.clock.load(Ordering::Acquire)))
    }

    /// Whether what was read at `since` is so still: nothing was changed that any transaction may change, nor the talk in
    /// `rooms`. False where that can't be known. Cost: as [`Db::moment`] and [`Db::holds`].
    pub async fn is_as_at(&self, since: Option<Moment>, rooms: &[RoomId]) -> bool {
        match (self.moment().await, since) {
            (Some(_), Some(since)) => self.holds(since, Some(rooms), false),
            _ => false,
        }
    }

    /// Whether nothing was changed after `moment` in what is kept: what any transaction may change, and the talk in
    /// `rooms` (in all rooms, with `None`), and with `public` in any public room. To be asked after [`Db::moment`], which
    /// looks for other processes. Cost: O(rooms) atomic reads.
    pub fn holds(&self, moment: Moment, rooms: Option<&[RoomId]>, public: bool) -> bool {
        let Self::Sqlite { changes, .. } = self else { return false };
        let before = |at: &AtomicU64| at.load(Ordering::Acquire) <= moment.0;
        before(&changes.all)
            && (!public || before(&changes.public))
            && match rooms {
                Some(rooms) => rooms.iter().all(|room| before(changes.place(*room))),
                None => before(&changes.clock),
            }
    }
}
