//! A page of a list: its rows, what they are called, what is counted for them, and the keys of the pages beside it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::condition;
use super::label::{self, Labels};
use super::plan::{Listing, Total};
use super::query::{Cursor, Query, key_text};
use super::record::{self, Columns};
use super::resource::{Column, Kind, Resource};
use super::sql::{Read, Sql};
use super::value::{Row, Value};
use super::{find, permission};
use crate::db::Conn;
use crate::error::Result;
use crate::users::Person;

/// Rows of another model that are counted for one row before the count says "and more".
const MOST_COUNTED_EACH: i64 = 1000;
/// Rows passed over for a page that is asked for by its number alone; links go by keys and pass over none.
const MOST_PASSED: usize = 50_000;

/// A page of rows.
pub struct Page {
    pub rows: Vec<Row>,
    pub labels: Labels,
    /// By the name of a computed column and a row's id.
    pub counts: HashMap<(&'static str, i64), Total>,
    pub total: Total,
    /// Its number, from 1. Beyond what is counted it is how far one has leafed.
    pub number: usize,
    /// What to ask for the page before, and after: pairs of the address.
    pub previous: Option<Vec<(&'static str, String)>>,
    pub next: Option<Vec<(&'static str, String)>>,
}

/// The listed columns that `person` sees.
pub fn listed(resource: &Resource, person: &Person) -> Vec<&'static Column> {
    resource.columns.iter().filter(|column| column.listed && permission::sees(person, column)).collect()
}

/// Rows with the values of the order's expressions.
struct Keyed {
    rows: Vec<Row>,
    keys: Vec<Vec<Value>>,
}

/// What `query` asks of the model, for `person`. A page past the end is the last one. Cost: a constant number of
/// queries, O(page size) rows, and the counts' bounds (see `admin::plan`).
pub async fn load(
    conn: &mut Conn,
    resource: &'static Resource,
    person: &Person,
    query: &Query,
) -> Result<(Page, Listing)> {
    let conditions = condition::all(conn, resource, person, query);
    let listing = Listing::plan(conn, resource, conditions, query).await?;
    let total = listing.total(conn).await?;
    let columns = page_columns(resource, person);
    let (keyed, number, more) = rows(conn, &listing, &columns, query, total).await?;
    let labels = Labels::of(conn, &keyed.rows).await?;
    let counts = counts(conn, resource, person, &keyed.rows).await?;
    let neighbour = |name: &'static str, key: Option<&Vec<Value>>, number: usize| {
        key.map(|key| vec![("page", number.to_string()), (name, key_text(key))])
    };
    let previous = match number {
        1 => None,
        2 => Some(Vec::new()),
        _ => neighbour("before", keyed.keys.first(), number - 1),
    };
    let next = if more { neighbour("after", keyed.keys.last(), number + 1) } else { None };
    Ok((Page { rows: keyed.rows, labels, counts, total, number, previous, next }, listing))
}

/// What is read of each row: what is listed, and what it is called by.
fn page_columns(resource: &'static Resource, person: &Person) -> Columns {
    let mut columns: Vec<&'static Column> = listed(resource, person);
    columns.retain(|column| !column.is_count());
    for name in label::columns_of(resource) {
        if columns.iter().all(|column| column.name != name) {
            columns.extend(resource.column(name));
        }
    }
    Arc::new(columns)
}

/// The rows of the page asked for, its number, and whether there are more.
async fn rows(
    conn: &mut Conn,
    listing: &Listing,
    columns: &Columns,
    query: &Query,
    total: Total,
) -> Result<(Keyed, usize, bool)> {
    let per_page = query.per_page;
    if let Some(Cursor::Before(_)) = &query.cursor {
        let mut keyed = fetch(conn, listing, columns, query.cursor.as_ref(), per_page + 1, 0).await?;
        if keyed.rows.len() > per_page {
            keyed.cut(per_page);
            keyed.reverse();
            return Ok((keyed, query.page.max(2), true));
        }
        // What came before doesn't fill a page any more: that is the first one.
        let mut first = fetch(conn, listing, columns, None, per_page + 1, 0).await?;
        let more = first.cut(per_page);
        return Ok((first, 1, more));
    }
    let offset = if query.cursor.is_some() { 0 } else { (query.page - 1).saturating_mul(per_page) };
    // No further than there are rows, as far as that is known.
    let beyond =
        offset > MOST_PASSED || (!total.more && i64::try_from(offset).is_ok_and(|offset| offset >= total.count));
    if !beyond || query.page == 1 {
        let mut keyed = fetch(conn, listing, columns, query.cursor.as_ref(), per_page + 1, offset).await?;
        // After a key that nothing comes after, the end is the last page, whatever number the address has.
        if !keyed.rows.is_empty() || (query.page == 1 && query.cursor.is_none()) {
            let more = keyed.cut(per_page);
            return Ok((keyed, query.page, more));
        }
    }
    last(conn, listing, columns, query, total).await
}

/// The last page: read from the end, as many rows as it has.
async fn last(
    conn: &mut Conn,
    listing: &Listing,
    columns: &Columns,
    query: &Query,
    total: Total,
) -> Result<(Keyed, usize, bool)> {
    let per_page = query.per_page;
    let count = usize::try_from(total.count).unwrap_or(0);
    let (number, length) = match (total.more, count % per_page) {
        // Where the end isn't counted the last page is a full one, under the number asked for.
        (true, _) => (query.page, per_page),
        (false, 0) => ((count / per_page).max(1), per_page),
        (false, rest) => (count / per_page + 1, rest),
    };
    let end = Cursor::Before(Vec::new());
    let mut keyed = fetch(conn, listing, columns, Some(&end), length, 0).await?;
    keyed.reverse();
    Ok((keyed, number, false))
}

async fn fetch(
    conn: &mut Conn,
    listing: &Listing,
    columns: &Columns,
    cursor: Option<&Cursor>,
    limit: usize,
    offset: usize,
) -> Result<Keyed> {
    let backwards = matches!(cursor, Some(Cursor::Before(_)));
    let selected = record::selected(listing.resource, columns);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    let (sql, _) = listing.page(&selected, cursor, backwards, limit, offset);
    let mut reads = record::reads(listing.resource, columns);
    reads.extend(listing.keys().into_iter().map(|(.., read)| read));
    let mut keyed = Keyed { rows: Vec::new(), keys: Vec::new() };
    for mut values in sql.rows(conn, &reads).await? {
        keyed.rows.push(record::row(columns, &mut values));
        keyed.keys.push(values);
    }
    Ok(keyed)
}

impl Keyed {
    /// Leaves at most `length` rows; says whether there were more.
    fn cut(&mut self, length: usize) -> bool {
        let more = self.rows.len() > length;
        self.rows.truncate(length);
        self.keys.truncate(length);
        more
    }

    fn reverse(&mut self) {
        self.rows.reverse();
        self.keys.reverse();
    }
}

/// Rows after a key, for exports and programs: the columns asked for, and the key to go on after, if there is more.
/// Cost: 1 query, O(limit).
pub async fn batch(
    conn: &mut Conn,
    listing: &Listing,
    columns: &Columns,
    after: Option<Vec<Value>>,
    limit: usize,
) -> Result<(Vec<Row>, Option<Vec<Value>>)> {
    let cursor = after.map(Cursor::After);
    let mut keyed = fetch(conn, listing, columns, cursor.as_ref(), limit + 1, 0).await?;
    let more = keyed.cut(limit);
    let last = if more { keyed.keys.last().cloned() } else { None };
    Ok((keyed.rows, last))
}

/// How many rows of other models refer to each of `rows`, up to [`MOST_COUNTED_EACH`]. Cost: 1 query a computed column.
async fn counts(
    conn: &mut Conn,
    resource: &'static Resource,
    person: &Person,
    rows: &[Row],
) -> Result<HashMap<(&'static str, i64), Total>> {
    let mut counts = HashMap::new();
    let ids: BTreeSet<i64> = rows.iter().map(|row| row.key.id()).collect();
    for column in listed(resource, person) {
        let Kind::Count(slug, reference) = column.kind else { continue };
        let Some(other) = find(slug) else { continue };
        let mut sql = Sql::new(format!(
            "select \"id\", (select count(*) from (select 1 from {} as one where one.\"{reference}\" = {}.\"id\" \
             limit {}) as counted) from {} where \"id\" in (",
            other.table,
            resource.table,
            MOST_COUNTED_EACH + 1,
            resource.table
        ));
        sql.ids(ids.iter().copied()).push(")");
        for values in sql.rows(conn, &[Read::Int, Read::Int]).await? {
            if let (Some(id), Some(count)) = (values[0].as_int(), values[1].as_int()) {
                let total = Total { count: count.min(MOST_COUNTED_EACH), more: count > MOST_COUNTED_EACH };
                counts.insert((column.name, id), total);
            }
        }
    }
    Ok(counts)
}
