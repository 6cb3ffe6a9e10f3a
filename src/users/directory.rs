//! Who there is: people by name, in pages. Called by the API's `/users` and where people are chosen for a room.

use super::{COLUMNS, Person, User, by_id};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::on_db;
use crate::text::{above, fold};

/// What of the directory is looked at.
#[derive(Clone, Copy, Default)]
pub struct Look<'a> {
    /// The beginning of a user name, a first or a last name, in any case; empty for everybody.
    pub q: &'a str,
    /// Disabled accounts too; see [`shows_disabled`].
    pub disabled: bool,
    /// Those whose user name comes after this one.
    pub after: &'a str,
}

/// Whether `reader` is shown accounts that are disabled: staff are.
pub fn shows_disabled(reader: &Person) -> bool {
    reader.is_staff()
}

/// People by user name; at most `limit`. Doesn't ask who looks. Cost: 1 indexed query, O(limit), or O(people found) with
/// a `q`.
pub async fn page(conn: &mut Conn, look: Look<'_>, limit: i64) -> Result<Vec<User>> {
    let from = fold(look.q.trim());
    // PostgreSQL takes no text with a NUL, so nobody is called by one.
    if from.contains('\0') || look.after.contains('\0') {
        return Ok(Vec::new());
    }
    let after = fold(look.after);
    if from.is_empty() {
        let sql = format!(
            "select {COLUMNS} from users where username_folded > $1 and (is_active or $2)
             order by username_folded limit $3"
        );
        return Ok(on_db!(conn, c => sqlx::query_as(&sql)
            .bind(after).bind(look.disabled).bind(limit).fetch_all(c).await)?);
    }
    let begins = |column| format!("select id from users where {column} >= $4 and {column} < $5");
    let found = ["username_folded", "first_name_folded", "last_name_folded"].map(begins).join(" union ");
    let sql = format!(
        "select {COLUMNS} from users where id in ({found}) and username_folded > $1 and (is_active or $2)
         order by username_folded limit $3"
    );
    let to = above(&from);
    Ok(on_db!(conn, c => sqlx::query_as(&sql)
        .bind(after).bind(look.disabled).bind(limit).bind(from).bind(to).fetch_all(c).await)?)
}

/// One person, as `reader` may see them: whose account is disabled is there for staff only. Errors: [`Error::NotFound`].
/// Cost: 1 indexed query.
pub async fn see(conn: &mut Conn, reader: &Person, id: UserId) -> Result<User> {
    let found = by_id(conn, id).await?.filter(|user| user.is_active || shows_disabled(reader));
    found.ok_or(Error::NotFound(msgid!("There is no such person.")))
}
