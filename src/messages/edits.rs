//! What messages said before they were edited or deleted: the model `message-edits`. It is kept for staff, who judge what
//! was said and not only what is left of it; no page, answer or frame outside the admin shows it. [`keep`] is a part of
//! every change of a text (`messages/change.rs`); the rows go with their message's.

pub mod admin;

use super::{Message, list};
use crate::error::Result;
use crate::ids::MessageId;
use crate::on_db;
use crate::work::Work;

/// Keeps the text of a held message that is about to be replaced, with who replaces it. A message without any leaves
/// nothing. Cost: 1 statement.
pub(super) async fn keep(work: &mut Work, message: &Message) -> Result<()> {
    if message.content.is_empty() {
        return Ok(());
    }
    let (by, now) = (work.by.as_ref().map(|by| by.id), work.now());
    Ok(on_db!(work, c => sqlx::query(
        "insert into message_edits (message_id, user_id, content, created_at) values ($1, $2, $3, $4)")
        .bind(message.id).bind(by).bind(&message.content).bind(now).execute(c).await.map(|_| ()))?)
}

/// Takes away all that these messages said before: for who wants what they wrote erased. Cost: 1 statement, O(texts).
pub(crate) async fn forget(work: &mut Work, messages: &[MessageId]) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let sql = format!("delete from message_edits where message_id in ({})", list(messages));
    Ok(on_db!(work, c => sqlx::query(&sql).persistent(false).execute(c).await.map(|_| ()))?)
}
