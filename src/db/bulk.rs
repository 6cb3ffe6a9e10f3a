//! Many rows in one statement, the same text on both engines. Called by what writes a site at once: `demo::store` and
//! `transfer`.

pub(crate) use super::statement::Value;
use super::statement::{Statement, places};
use super::{Conn, Engine};
use crate::error::Result;

/// Values in one statement of PostgreSQL, far below what it takes (65,535).
const PARAMETERS: usize = 160;
/// The same for SQLite, which takes 32,766, and whose thread is a hop away for each.
const SQLITE_PARAMETERS: usize = 640;

/// Runs `{before} (…), (…) {after}` over rows of `width` values each, as many at a time as fit a statement; says how
/// many rows it changed. The two texts are ours: nothing is escaped. Cost: 1 statement for some dozen rows.
pub(crate) async fn run(conn: &mut Conn, before: &str, width: usize, values: Vec<Value>, after: &str) -> Result<u64> {
    let parameters = match conn.engine() {
        Engine::Sqlite(_) => SQLITE_PARAMETERS,
        Engine::Postgres(_) => PARAMETERS,
    };
    let most = (parameters / width).max(1);
    let mut left = values.len() / width;
    let mut values = values.into_iter();
    let mut changed = 0;
    while left > 0 {
        let count = left.min(most);
        let text = format!("{before} {}{after}", places(width, count));
        let values = values.by_ref().take(count * width).collect();
        let statement = if count == most { Statement::new(text, values) } else { Statement::once(text, values) };
        changed += conn.run(vec![statement]).await?.iter().map(|answer| answer.changed).sum::<u64>();
        left -= count;
    }
    Ok(changed)
}
