//! Files that go with messages: the model `attachments`. Called by the admin.

pub mod admin;

use std::path::PathBuf;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::ids::{AttachmentId, MessageId};
use crate::messages::change as messages;
use crate::on_db;
use crate::work::Work;

/// Where the file with this digest lies; `None` for what is no digest. Whether anything is there isn't asked.
pub fn path(config: &Config, sha256: &str) -> Option<PathBuf> {
    let is_digest = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
    is_digest.then(|| config.upload_dir.join("files").join(sha256))
}

/// Takes a file off its message; everyone in the room sees the message without it. Errors: [`Error::NotFound`].
/// Cost: 7 indexed statements, O(sockets in the room).
pub async fn delete(work: &mut Work, id: AttachmentId) -> Result<()> {
    const NO_FILE: Error = Error::NotFound("There is no such attachment.");
    let message: Option<MessageId> = on_db!(work, c => sqlx::query_scalar(
        "select message_id from attachments where id = $1").bind(id).fetch_optional(c).await)?;
    let mut message = messages::hold(work, message.ok_or(NO_FILE)?).await?;
    let gone = on_db!(work, c => sqlx::query("delete from attachments where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 {
        return Err(NO_FILE);
    }
    messages::renumber(work, &mut message).await?;
    work.then(move |app| app.hub.publish_edited(&message));
    Ok(())
}
