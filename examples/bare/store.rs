//! The durable kind: SQLite, one thread that writes. It takes what waits, commits it in one transaction, then publishes
//! and answers. Statements are prepared once. The log is moved into the database by the writer itself, when its queue
//! is empty and there is enough to move, so never between a message and its answer.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::ValueEnum;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::mpsc;

use super::Fault;
use super::room::{Audit, Post, Posts, Room, fnv, frame_message};

const QUEUE: usize = 4096;
/// Messages after which a quiet moment is used to checkpoint, and after which the next moment is.
const CHECKPOINT_AFTER: usize = 1000;
const CHECKPOINT_AT_LAST: usize = 32_000;
const TIMED: usize = 4096;

#[derive(Clone, Copy, ValueEnum)]
pub enum Synchronous {
    Full,
    Normal,
}

pub struct Store {
    file: PathBuf,
    synchronous: Synchronous,
    /// Microseconds of the last transactions that held one message.
    lone: Mutex<VecDeque<u32>>,
}

const SCHEMA: &str = "
    create table if not exists rooms (id integer primary key, last_seq integer not null, last_rev integer not null);
    insert or ignore into rooms values (1, 0, 0);
    create table if not exists messages (
        id integer primary key autoincrement, room_id integer not null, seq integer not null, content text not null,
        client_id text, created_at integer not null, unique (room_id, seq)
    );
    create virtual table if not exists messages_text using fts5 (
        content, tags, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0', prefix = '3 4'
    );";

impl Store {
    /// Makes the folder and the database, or opens what is there.
    pub fn open(folder: &Path, synchronous: Synchronous) -> Result<Self, Fault> {
        std::fs::create_dir_all(folder)?;
        let store = Self { file: folder.join("bare.db"), synchronous, lone: Mutex::default() };
        store.connect()?.execute_batch(SCHEMA)?;
        Ok(store)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let conn = Connection::open(&self.file)?;
        let synchronous = match self.synchronous {
            Synchronous::Full => "full",
            Synchronous::Normal => "normal",
        };
        conn.execute_batch(&format!(
            "pragma journal_mode = wal; pragma synchronous = {synchronous}; pragma wal_autocheckpoint = 0;
             pragma busy_timeout = 5000;"
        ))?;
        Ok(conn)
    }

    pub fn last_seq(&self) -> Result<i64, Fault> {
        let found = self.connect()?.query_row("select last_seq from rooms where id = 1", [], |row| row.get(0));
        Ok(found.optional()?.unwrap_or_default())
    }

    /// Starts the thread that writes, `most` messages a transaction.
    pub fn start_writer(self: &Arc<Self>, room: Arc<Room>, most: usize) -> Result<Posts, Fault> {
        let (posts, mut queue) = mpsc::channel(QUEUE);
        let (conn, store) = (self.connect()?, self.clone());
        std::thread::Builder::new().name("writer".into()).spawn(move || {
            let mut batch = Vec::with_capacity(most);
            let mut unmoved = 0;
            while queue.blocking_recv_many(&mut batch, most) > 0 {
                unmoved += batch.len();
                if let Err(error) = store.write(&conn, &room, &mut batch) {
                    // Who waits for an answer hears that there is none.
                    eprintln!("nothing can be stored: {error}");
                    batch.clear();
                }
                let quiet = queue.is_empty() && unmoved >= CHECKPOINT_AFTER;
                if quiet || unmoved >= CHECKPOINT_AT_LAST {
                    unmoved = 0;
                    let _ = conn.execute_batch("pragma wal_checkpoint(passive)");
                }
            }
        })?;
        Ok(Posts::ToWriter(posts))
    }

    fn write(&self, conn: &Connection, room: &Room, batch: &mut Vec<Post>) -> rusqlite::Result<()> {
        let begun = Instant::now();
        let mut frames = Vec::with_capacity(batch.len() * 512);
        let mut numbers = Vec::with_capacity(batch.len());
        conn.prepare_cached("begin immediate")?.execute([])?;
        let stored = batch.iter().try_for_each(|post| {
            let seq = insert(conn, post)?;
            frame_message(&mut frames, seq, post);
            numbers.push(seq);
            Ok(())
        });
        let ended = stored.and_then(|()| conn.prepare_cached("commit")?.execute([]));
        if let Err(error) = ended {
            let _ = conn.execute_batch("rollback");
            return Err(error);
        }
        if batch.len() == 1 {
            let mut lone = self.lone.lock().unwrap_or_else(PoisonError::into_inner);
            if lone.len() == TIMED {
                lone.pop_front();
            }
            lone.push_back(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        room.publish(frames);
        for (post, seq) in batch.drain(..).zip(numbers) {
            if let Some(reply) = post.reply {
                let _ = reply.send(seq);
            }
        }
        Ok(())
    }

    /// Reads all that is stored after `after`. Cost: O(messages).
    pub fn audit(&self, after: i64) -> Result<Audit, Fault> {
        let conn = self.connect()?;
        let mut audit = Audit::default();
        let mut messages = conn.prepare("select seq, content from messages where room_id = 1 and seq > ?1")?;
        let mut rows = messages.query([after])?;
        while let Some(row) = rows.next()? {
            audit.count += 1;
            audit.last_seq = audit.last_seq.max(row.get(0)?);
            audit.sum = audit.sum.wrapping_add(fnv(row.get_ref(1)?.as_bytes()?));
        }
        let mut lone: Vec<u32> = self.lone.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        lone.sort_unstable();
        audit.lone_commit_us = lone.get(lone.len() / 2).copied().map(f64::from);
        Ok(audit)
    }
}

/// Numbers and stores one message and its words.
fn insert(conn: &Connection, post: &Post) -> rusqlite::Result<i64> {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_micros() as i64);
    let seq: i64 = conn
        .prepare_cached(
            "update rooms set last_seq = last_seq + 1, last_rev = last_rev + 1 where id = 1 returning last_seq",
        )?
        .query_row([], |row| row.get(0))?;
    conn.prepare_cached(
        "insert into messages (room_id, seq, content, client_id, created_at) values (1, ?1, ?2, ?3, ?4)",
    )?
    .execute(params![seq, post.content, post.client_id, now])?;
    conn.prepare_cached("insert into messages_text (rowid, content, tags) values (?1, ?2, ?3)")?.execute(params![
        conn.last_insert_rowid(),
        post.content,
        format!("r1 s1 d{} e{} f{}", now / 86_400_000_000, now / 2_764_800_000_000, now / 88_473_600_000_000)
    ])?;
    Ok(seq)
}
