//! The beginning of a message, as it stands above a message that answers it. Called by the pages.

use std::collections::HashMap;

use sqlx::FromRow;

use super::{Message, excerpt, list};
use crate::db::Conn;
use crate::error::Result;
use crate::ids::MessageId;
use crate::on_db;

/// Characters of a quote.
const LONGEST: usize = 120;

/// Who said what, in a line.
#[derive(Clone, Debug, FromRow)]
pub struct Quote {
    pub id: MessageId,
    pub seq: i64,
    pub username: Option<String>,
    content: String,
    is_deleted: bool,
}

impl From<Message> for Quote {
    fn from(message: Message) -> Self {
        let Message { id, seq, username, content, deleted_at, .. } = message;
        Self { id, seq, username, content, is_deleted: deleted_at.is_some() }
    }
}

impl Quote {
    pub fn author(&self) -> &str {
        self.username.as_deref().unwrap_or("Deleted account")
    }

    /// Its beginning as it was typed, in one line.
    pub fn beginning(&self) -> String {
        match self.content.as_str() {
            "" if self.is_deleted => "This message was deleted.".into(),
            "" => "a file".into(),
            content => excerpt::plain(content, LONGEST),
        }
    }
}

/// The messages of `ids` as quotes. Doesn't check who may see them: who may see an answer may see what it answers, since both
/// are in one room. Cost: no query without ids, else 1 indexed query, O(ids).
pub async fn quotes(conn: &mut Conn, ids: &[MessageId]) -> Result<HashMap<MessageId, Quote>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "select m.id, m.seq, u.username, substr(m.content, 1, 500) as content, m.deleted_at is not null as is_deleted
         from messages m left join users u on u.id = m.sender_id where m.id in ({})",
        list(ids)
    );
    let found: Vec<Quote> = on_db!(conn, c => sqlx::query_as(&sql).persistent(false).fetch_all(c).await)?;
    Ok(found.into_iter().map(|quote| (quote.id, quote)).collect())
}
