//! Links that set a new password: the model `password_reset_tokens`, of which only a hash is stored. Here is how one ends;
//! called by the admin.

pub mod admin;

use crate::error::{Error, Result};
use crate::ids::ResetTokenId;
use crate::on_db;
use crate::work::Work;

/// Deletes a token: its link is worth nothing from now on. Errors: [`Error::NotFound`]. Cost: 1 statement.
pub async fn delete(work: &mut Work, id: ResetTokenId) -> Result<()> {
    let gone = on_db!(work, c => sqlx::query("delete from password_reset_tokens where id = $1")
        .bind(id).execute(c).await.map(|done| done.rows_affected()))?;
    if gone == 0 { Err(Error::NotFound("There is no such token.")) } else { Ok(()) }
}
