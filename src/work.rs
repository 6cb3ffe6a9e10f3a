//! A unit of work: [`Work`], one transaction in which acts of the domain are done together, and what the world is
//! told once it is committed. Forms of the admin, imports, reverts and the command line begin one, call the domain
//! and commit; acts that need no company wrap themselves in one.
//!
//! While a work stands, the writer of messages waits: what both publish to a room leaves in the order of the commits.

use std::ops::{Deref, DerefMut};

use tokio::sync::OwnedMutexGuard;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::changes::Extent;
use crate::db::{Conn, Tx, Uncommitted};
use crate::error::{Error, Result};
use crate::ids::RoomId;
use crate::users::Person;
use crate::{auth, on_db};

type Effect = Box<dyn FnOnce(&App) + Send>;

/// Dropped without [`Work::commit`], nothing was done and nobody is told.
pub struct Work {
    pub app: App,
    /// Whoever does it; `None` for the command line.
    pub by: Option<Person>,
    /// Where they are, for history.
    pub ip: String,
    tx: Tx,
    effects: Vec<Effect>,
    rooms: Vec<RoomId>,
    _turn: OwnedMutexGuard<()>,
}

impl Work {
    /// Waits for the writer's turn to end, then begins a transaction. What `by` came in by may have ended while it
    /// waited: it is asked for again, and held. Errors: [`Error::SignedOut`]. Cost: 1 transaction; on SQLite the only
    /// one; 1 statement.
    pub async fn begin(app: &App, by: Option<&Person>) -> Result<Self> {
        let turn = app.writer.turn().await;
        let mut tx = app.db.write().await?;
        if let Some(person) = by {
            auth::hold(&mut tx, person).await?;
        }
        Ok(Self {
            app: app.clone(),
            by: by.cloned(),
            ip: String::new(),
            tx,
            effects: Vec::new(),
            rooms: Vec::new(),
            _turn: turn,
        })
    }

    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Tells the world, once this is committed: closes sockets, publishes frames. It can't fail any more.
    pub fn then(&mut self, effect: impl FnOnce(&App) + Send + 'static) {
        self.effects.push(Box::new(effect));
    }

    /// A revision of `room` is stored in this work: if nobody knows whether the commit took place, who follows the
    /// room resumes from the database.
    pub fn touches(&mut self, room: RoomId) {
        self.rooms.push(room);
    }

    /// Says that nothing is changed here but what stands in `room`: what is kept of the rest still holds.
    pub fn only_talk_of(&mut self, room: RoomId) {
        self.tx.changes_only(Extent::Talk { rooms: vec![room], public: false });
    }

    /// Does a part that may fail and leave the rest standing: what it did is undone then, and nobody is told of it.
    /// Cost: 2 statements besides its own.
    pub async fn attempt<T>(&mut self, part: impl AsyncFnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (effects, rooms) = (self.effects.len(), self.rooms.len());
        self.run("savepoint part").await?;
        let done = part(self).await;
        if done.is_err() {
            self.effects.truncate(effects);
            self.rooms.truncate(rooms);
            self.run("rollback to savepoint part").await?;
        }
        self.run("release savepoint part").await?;
        done
    }

    async fn run(&mut self, statement: &str) -> Result<()> {
        Ok(on_db!(self, c => sqlx::query(statement).execute(c).await.map(|_| ()))?)
    }

    /// Makes it durable and tells the world, in the order of the acts.
    pub async fn commit(self) -> Result<()> {
        // A browser that goes away cuts its handler off; what is committed is told all the same.
        tokio::spawn(self.finish()).await.map_err(Error::internal)?
    }

    async fn finish(self) -> Result<()> {
        match self.tx.commit_or_say().await {
            Ok(()) => {
                self.effects.into_iter().for_each(|effect| effect(&self.app));
                Ok(())
            }
            Err(uncommitted) => {
                if let Uncommitted::Unknown(_) = &uncommitted {
                    self.rooms.iter().for_each(|room| self.app.hub.suspect(*room));
                }
                Err(uncommitted.into())
            }
        }
    }
}

impl Deref for Work {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.tx
    }
}

impl DerefMut for Work {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.tx
    }
}
