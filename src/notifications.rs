//! What people are told of: the model `notifications`. Called by the admin.

pub mod admin;

use crate::error::{Error, Result};
use crate::ids::NotificationId;
use crate::on_db;
use crate::work::Work;

/// Deletes a notification. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: NotificationId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from notifications where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(Error::NotFound("There is no such notification.")) } else { Ok(()) }
}
