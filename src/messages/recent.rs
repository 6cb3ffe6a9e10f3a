//! The newest messages of rooms that are asked for often, kept in Redis for all nodes. They are taken from there only while
//! the room's revision is the one they were read at; what changes without one (somebody's name, rows erased for good, an
//! account that went with its reactions) is asked of the database each time. Called by `messages/history.rs`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::RedisResult;
use sqlx::FromRow;
use tokio::time::timeout;

use super::{Message, stored};
use crate::clock::{Clock, Timestamp};
use crate::db::Conn;
use crate::db::values::{NOWHERE, over, room_for};
use crate::error::Result;
use crate::ids::{MessageId, RoomId};
use crate::link::Lasting;
use crate::rooms::Room;

/// Messages of one room that are kept.
pub const KEPT: i64 = 100;
/// Seconds for which they are.
const LIFETIME: u64 = 24 * 3600;
/// How long Redis may take: the database is quicker than a cache that is slow.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long it isn't asked when it did not answer.
const REST: Duration = Duration::from_secs(5);

pub struct Recent {
    redis: Lasting,
    prefix: String,
    /// Until when Redis isn't asked, after it kept somebody waiting.
    rests_until: AtomicI64,
}

/// What may change in a message without a revision.
#[derive(FromRow)]
struct Passing {
    id: MessageId,
    room_id: RoomId,
    rev: i64,
    created_at: Timestamp,
    reply_to: Option<MessageId>,
    username: Option<String>,
    reactions: i64,
}

impl Recent {
    /// `prefix` begins the keys of this site.
    pub fn new(redis: Lasting, prefix: String) -> Self {
        Self { redis, prefix, rests_until: AtomicI64::new(0) }
    }

    /// The newest messages of `room`, oldest first, at most [`KEPT`]; and whether they come from the cache. `room` was read
    /// just before. Cost: 1 round trip to Redis and 1 indexed query; 2 and 1 when they aren't there.
    pub async fn newest(&self, conn: &mut Conn, room: &Room) -> Result<(Vec<Message>, bool)> {
        // Another version may write another text.
        let key = format!("{}:recent:{}:{}", self.prefix, env!("CARGO_PKG_VERSION"), room.id);
        if let Some((rev, text)) = self.in_time(self.get(&key)).await.flatten()
            && rev == room.last_rev
            && let Ok(messages) = stored::of_text(&text)
            && let Some(messages) = fresh(conn, messages).await?
        {
            return Ok((messages, true));
        }
        let text = stored::newest_text(conn, room.id, KEPT).await?;
        self.in_time(self.put(&key, room.last_rev, &text)).await;
        Ok((stored::of_text(&text)?, false))
    }

    async fn get(&self, key: &str) -> RedisResult<Option<(i64, String)>> {
        let found: (Option<i64>, Option<String>) =
            self.redis.get().await?.ask(redis::cmd("HMGET").arg(key).arg("rev").arg("messages")).await?;
        Ok(found.0.zip(found.1))
    }

    async fn put(&self, key: &str, rev: i64, text: &str) -> RedisResult<()> {
        let mut both = redis::pipe();
        both.cmd("HSET").arg(key).arg("rev").arg(rev).arg("messages").arg(text).ignore();
        both.cmd("EXPIRE").arg(key).arg(LIFETIME).ignore();
        both.query_async(&mut self.redis.get().await?).await
    }

    /// What Redis says, if it says so soon: without it everything is in the database.
    async fn in_time<T>(&self, asked: impl Future<Output = RedisResult<T>>) -> Option<T> {
        let now = Clock::System.now();
        if self.rests_until.load(Ordering::Relaxed) > now.0 {
            return None;
        }
        match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => self.redis.blame(&error),
            Err(_) => {}
        }
        self.rests_until.store(now.plus(REST).0, Ordering::Relaxed);
        None
    }
}

/// The messages with their senders' names of now; `None` when one is gone or its reactions are others.
/// Cost: 1 indexed query, O(messages).
async fn fresh(conn: &mut Conn, mut messages: Vec<Message>) -> Result<Option<Vec<Message>>> {
    let ids = messages.iter().map(|message| [message.id.0.into()]).collect();
    let before = "select m.id, m.room_id, m.rev, m.created_at, m.reply_to, u.username,
             (select count(*) from reactions e where e.message_id = m.id) as reactions
         from messages m left join users u on u.id = m.sender_id where m.id in (values";
    let asked = over(before, ids, [NOWHERE.into()], room_for(messages.len()), ")");
    let found = conn.run_one(asked).await?.read::<Passing>()?;
    let mut found: HashMap<MessageId, Passing> = found.into_iter().map(|one| (one.id, one)).collect();
    for message in &mut messages {
        let Some(now) = found.remove(&message.id) else { return Ok(None) };
        let reactions: usize = message.reactions.iter().map(|reaction| reaction.count).sum();
        // A database that was put back to an earlier state gives the same ids and revisions to others.
        let is_same = (now.room_id, now.rev, now.created_at) == (message.room_id, message.rev, message.created_at);
        let has_same =
            i64::try_from(reactions) == Ok(now.reactions) && message.user_id.is_some() == now.username.is_some();
        if !is_same || !has_same {
            return Ok(None);
        }
        (message.username, message.reply_to) = (now.username, now.reply_to);
    }
    Ok(Some(messages))
}
