//! Reads of SQLite by whoever asks, on their own thread: no way to another thread and back, and rows as they are, not first as
//! one JSON text. Called by `messages/talk.rs`, for the newest page of a room: with both it takes a sixth less CPU.
//!
//! While it reads, its thread does nothing else: a tenth of a millisecond, as long as what it reads is in memory. So it is only
//! for what the same person asked for within [`LATELY`]; a slow disk is waited for elsewhere. Where anything is in its way it
//! gives up, and the other way is taken, which waits, and says what is wrong.

use std::hash::{BuildHasher, Hash, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use serde::de::value::{Error as Unread, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::Db;
use crate::error::{Error, Result};

/// For so long what was read is taken to be in memory.
const LATELY: Duration = Duration::from_secs(600);
/// Keys share so many places: of two in one, each is read the other way after the other was.
const PLACES: usize = 4096;
/// Bits of a place that hold the second at which it was read; the others tell what.
const SECONDS: u64 = (1 << 32) - 1;
/// Connections that are kept: more were in use at once only on a machine of more processors.
const KEPT: usize = 8;

/// Connections that read. Opened when they are wanted; never one that writes or moves the log.
pub struct Direct {
    file: Arc<Path>,
    /// Those that are free; `None` when there are to be no more.
    free: Mutex<Option<Vec<Connection>>>,
    seen: Box<[AtomicU64]>,
    hasher: RandomState,
    begun: Instant,
}

/// One state of the site, until it is dropped.
pub(crate) struct Look<'a>(&'a Connection);

impl Direct {
    pub(super) fn new(file: Arc<Path>) -> Self {
        let seen = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { file, free: Mutex::new(Some(Vec::new())), seen, hasher: RandomState::new(), begun: Instant::now() }
    }

    /// Whether `key` was asked about before, lately.
    fn has_seen(&self, key: impl Hash) -> bool {
        let (hash, now) = (self.hasher.hash_one(key), self.begun.elapsed().as_secs() & SECONDS);
        let place = &self.seen[(hash & SECONDS) as usize % PLACES];
        let before = place.swap((hash & !SECONDS) | now, Ordering::Relaxed);
        before & !SECONDS == hash & !SECONDS && now.saturating_sub(before & SECONDS) < LATELY.as_secs()
    }

    fn free(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self) -> Result<Connection> {
        let lent = self.free().as_mut().ok_or(Error::Unavailable)?.pop();
        lent.map_or_else(|| self.open().map_err(Error::internal), Ok)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.file, flags)?;
        // Nobody is waited for on a thread that serves others.
        conn.execute_batch("pragma busy_timeout = 0; pragma temp_store = memory")?;
        Ok(conn)
    }

    /// One that failed isn't kept.
    fn look<T>(&self, read: impl FnOnce(&Look<'_>) -> Result<T>) -> Result<T> {
        let conn = self.lend()?;
        let (begin, end) = ("begin", "rollback");
        conn.prepare_cached(begin).and_then(|mut begin| begin.execute([])).map_err(Error::internal)?;
        let found = read(&Look(&conn))?;
        conn.prepare_cached(end).and_then(|mut end| end.execute([])).map_err(Error::internal)?;
        if let Some(free) = self.free().as_mut().filter(|free| free.len() < KEPT) {
            free.push(conn);
        }
        Ok(found)
    }

    pub(super) fn close(&self) {
        self.free().take();
    }
}

impl Db {
    /// What `read` finds on this thread, of one state of the site; `None` where it has to be looked for the other way: on
    /// PostgreSQL, the first time for `key`, and when something is in the way. Cost: 2 statements, without a way to a thread.
    pub(crate) fn look<T>(&self, key: impl Hash, read: impl FnOnce(&Look<'_>) -> Result<T>) -> Option<T> {
        let Self::Sqlite { direct, .. } = self else { return None };
        if !direct.has_seen(key) {
            return None;
        }
        direct.look(read).inspect_err(|error| tracing::debug!(%error, "not to be read directly")).ok()
    }
}

impl Look<'_> {
    /// The rows of a select whose places are `?1` and so on: each is read into the fields of a struct, or a tuple, in the order
    /// of its columns; lists in it are JSON texts. Kept prepared. Cost: 1 statement.
    pub fn list<T: DeserializeOwned>(&self, text: &str, values: &[i64]) -> Result<Vec<T>> {
        let mut statement = self.0.prepare_cached(text).map_err(Error::internal)?;
        for place in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(place, values[place - 1]).map_err(Error::internal)?;
        }
        let (mut rows, mut found) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next().map_err(Error::internal)? {
            let columns = Columns { row, next: 0 };
            found.push(T::deserialize(SeqAccessDeserializer::new(columns)).map_err(Error::internal)?);
        }
        Ok(found)
    }
}

struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> SeqAccess<'r> for Columns<'r> {
    type Error = Unread;

    fn next_element_seed<T: DeserializeSeed<'r>>(&mut self, seed: T) -> Result<Option<T::Value>, Unread> {
        let Ok(value) = self.row.get_ref(self.next) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(Cell(value)).map(Some)
    }
}

struct Cell<'r>(ValueRef<'r>);

impl<'r> Cell<'r> {
    fn text(&self) -> Result<&'r str, Unread> {
        self.0.as_str().map_err(Unread::custom)
    }
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.0 {
            ValueRef::Null => visitor.visit_unit(),
            ValueRef::Integer(number) => visitor.visit_i64(number),
            ValueRef::Real(number) => visitor.visit_f64(number),
            ValueRef::Text(_) => visitor.visit_borrowed_str(self.text()?),
            ValueRef::Blob(bytes) => visitor.visit_borrowed_bytes(bytes),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_bool(self.0.as_i64().map_err(Unread::custom)? != 0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if matches!(self.0, ValueRef::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        serde_json::Deserializer::from_str(self.text()?).deserialize_seq(visitor).map_err(Unread::custom)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        self.text()?.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map
        struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Direct, Look};
    use crate::clock::Timestamp;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Public,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Found {
        at: Timestamp,
        kind: Kind,
        name: Option<String>,
        none: Option<i64>,
        is_new: bool,
        files: Option<Vec<(i64, String)>>,
    }

    #[test]
    fn rows_are_read_as_their_json_would_be_and_what_is_something_else_is_an_error() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let look = Look(&conn);
        let text = "select ?1, 'public', 'é', null, 1, json_array(json_array(?2, 'a'))";
        let found = Found {
            at: Timestamp(7),
            kind: Kind::Public,
            name: Some("é".into()),
            none: None,
            is_new: true,
            files: Some(vec![(8, "a".into())]),
        };
        assert_eq!(look.list::<Found>(text, &[7, 8, 9]).unwrap(), [found]);
        for wrong in ["select 'a'", "select null", "select x'00'", "select no_such_column", ""] {
            assert!(look.list::<(i64,)>(wrong, &[]).is_err(), "{wrong}");
        }
        assert!(look.list::<(i64, i64)>("select 1", &[]).is_err(), "a column too few");
    }

    #[test]
    fn only_what_was_asked_about_before_is_read_here_and_nothing_once_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch("create table a (b)").unwrap();
        let direct = Direct::new(file.into());
        assert_eq!([(1, 2), (1, 2), (1, 3), (1, 3)].map(|key| direct.has_seen(key)), [false, true, false, true]);
        assert_eq!(direct.look(|look| look.list::<(i64,)>("select 5", &[])).unwrap(), [(5,)]);
        assert!(direct.look(|look| look.list::<(i64,)>("insert into a values (1) returning 1", &[])).is_err());
        direct.close();
        assert!(direct.look(|look| look.list::<(i64,)>("select 5", &[])).is_err());
    }
}
