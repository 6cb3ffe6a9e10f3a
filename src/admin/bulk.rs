//! The same act on many rows: those ticked, or all that a list's query finds. Each row is asked for and done by
//! itself, with its own entry in history; what is refused is told, and the rest is done.

use std::sync::Arc;

use super::change;
use super::list;
use super::plan::Listing;
use super::query::Query;
use super::resource::{Action, Resource};
use super::value::{Key, Value};
use super::{condition, record};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::users::{self, Person};
use crate::work::Work;

/// Rows in one go. More would keep others waiting, and nobody reads what they confirm any more.
pub const MOST: usize = 10_000;
pub const TOO_MANY: Error = Error::Conflict(msgid!("These are more than 10,000: narrow the list first."));
/// Rows in one transaction: other writers have their turn in between.
const TOGETHER: usize = 100;

/// What is done to each row.
#[derive(Clone, Copy)]
pub enum Deed {
    Delete,
    Act(&'static Action),
}

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    pub done: usize,
    /// Rows that were left as they are, and why.
    pub refused: Vec<(Key, String)>,
}

/// The keys of all rows that `query` finds. Errors: [`Error::Conflict`] when there are more than [`MOST`], and
/// [`Error::Malformed`] when a part of the query can't be read: it would be done to more than was meant.
/// Cost: 1 query for each 1,000 rows.
pub async fn matching(
    conn: &mut Conn,
    resource: &'static Resource,
    person: &Person,
    query: &Query,
) -> Result<Vec<Key>> {
    if let Some(complaint) = query.complaints.first() {
        return Err(Error::Malformed(complaint.clone()));
    }
    let conditions = condition::all(conn, resource, person, query);
    let listing = Listing::plan(conn, resource, conditions, query).await?;
    let columns: record::Columns = Arc::default();
    let (mut keys, mut after): (Vec<Key>, Option<Vec<Value>>) = (Vec::new(), None);
    loop {
        let (rows, last) = list::batch(conn, &listing, &columns, after, 1000).await?;
        keys.extend(rows.into_iter().map(|row| row.key));
        if keys.len() > MOST {
            return Err(TOO_MANY);
        }
        match last {
            Some(last) => after = Some(last),
            None => return Ok(keys),
        }
    }
}

/// Does it to each of `keys`, a hundred in a transaction. Cost: the act's own for each row.
pub async fn run(
    app: &App,
    person: &Person,
    ip: &str,
    resource: &'static Resource,
    deed: Deed,
    keys: &[Key],
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for some in keys.chunks(TOGETHER) {
        let mut work = Work::begin(app, Some(person)).await?;
        work.ip = ip.to_owned();
        let now = users::by_id(&mut work, person.id).await?;
        if now.is_none_or(|now| !now.is_active || now.role != person.role) {
            return Err(Error::Forbidden(msgid!("Your account has changed meanwhile; the rest was left as it is.")));
        }
        let mut done = 0;
        for key in some {
            let one = async |work: &mut Work| match deed {
                Deed::Delete => change::delete(work, resource, key).await,
                Deed::Act(action) => change::act(work, resource, key, action).await,
            };
            match work.attempt(one).await {
                Ok(()) => done += 1,
                Err(error @ (Error::Internal(_) | Error::Unavailable)) => return Err(error),
                Err(error) => outcome.refused.push((key.clone(), error.to_string())),
            }
        }
        work.commit().await?;
        outcome.done += done;
    }
    Ok(outcome)
}
