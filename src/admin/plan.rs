//! How a list is read so that no page costs more than a few thousand rows, however many there are.
//!
//! A list is rows that fit some conditions, in an order. Each condition is counted by its own index, up to
//! [`MOST_IN_A_SET`]. If one leaves no more than that, those rows are taken and sorted ([`Plan::Set`]). Otherwise every
//! condition fits a good part of the table, so the order's index is walked and rows that don't fit are passed over
//! ([`Plan::Walk`]); in the default order the leading condition has an index of its own on (column, order). Many hits of
//! a full-text search are walked newest first, as its index has them ([`Plan::Words`]).
//!
//! Two conditions that each fit many rows but none together are the one case that costs more: that walk goes to the
//! end of the shorter of the two indexes.

use super::condition::{Condition, guarded};
use super::query::{Cursor, Query};
use super::resource::{Column, Resource};
use super::sql::{Read, Sql};
use super::value::Value;
use crate::db::Conn;
use crate::error::Result;

/// Rows that are taken and sorted rather than walked.
pub const MOST_IN_A_SET: i64 = 2000;
/// Rows that are counted before a count says "and more".
pub const MOST_COUNTED: i64 = 10_000;
/// Rows looked at for a count of which not all fit.
const MOST_LOOKED_AT: i64 = 20_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// The condition at this place leaves few rows.
    Set(usize),
    /// Along the order's index; the condition at this place may lead.
    Walk(Option<usize>),
    /// Along the full-text index; its condition is at this place.
    Words(usize),
}

/// A count, and whether there are more than were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Total {
    pub count: i64,
    pub more: bool,
}

/// One list, ready to be read.
#[derive(Clone)]
pub struct Listing {
    pub resource: &'static Resource,
    pub conditions: Vec<Condition>,
    pub sort: Vec<(&'static Column, bool)>,
    pub plan: Plan,
}

impl Listing {
    /// Chooses the plan. Cost: 1 query, O(conditions × 2,000) index entries.
    pub async fn plan(
        conn: &mut Conn,
        resource: &'static Resource,
        conditions: Vec<Condition>,
        query: &Query,
    ) -> Result<Self> {
        let sort = query.sort.clone();
        let is_default = is_default_order(resource, &sort);
        let plan = match lead(conn, resource, &conditions).await? {
            None => Plan::Walk(None),
            // Its own index has them in this order already.
            Some((place, _)) if is_default && conditions[place].leads => Plan::Walk(Some(place)),
            Some((place, count)) if count <= MOST_IN_A_SET => Plan::Set(place),
            Some((place, _)) => match conditions.iter().position(|condition| condition.full_text) {
                Some(words) => Plan::Words(words),
                None => Plan::Walk(Some(place)),
            },
        };
        Ok(Self { resource, conditions, sort, plan })
    }

    /// The rows that fit, in no order, for counts: the leading condition by its own index.
    pub fn source(&self) -> Sql {
        let table = self.resource.table;
        let mut sql = Sql::default();
        match self.plan {
            Plan::Walk(None) => {
                sql.push(&format!(" from {table}"));
            }
            Plan::Set(lead) | Plan::Walk(Some(lead)) => {
                sql.push(&format!(" from {table} where ")).append(self.leading(lead));
                self.and_others(&mut sql, lead);
            }
            Plan::Words(words) => {
                self.found(&mut sql, words);
                sql.push(" where true");
                self.and_others(&mut sql, words);
            }
        }
        sql
    }

    /// The table and the conditions, up to the order.
    pub fn body(&self) -> Sql {
        let (table, key) = (self.resource.table, self.resource.key);
        let mut sql = Sql::default();
        match self.plan {
            Plan::Set(lead) => {
                sql.push(&format!(" from {table} where \"{key}\" in (select \"{key}\" from {table} where "));
                sql.append(&self.conditions[lead].natural);
                self.and_others(&mut sql, lead);
                sql.push(")");
            }
            Plan::Walk(lead) => {
                sql.push(&format!(" from {table} where true"));
                for (place, condition) in self.conditions.iter().enumerate() {
                    let leads = Some(place) == lead && condition.leads && is_default_order(self.resource, &self.sort);
                    // A range of what it is sorted by is a part of the walk.
                    let natural = leads || condition.column == self.sort.first().map(|(column, _)| column.name);
                    sql.push(" and ").append(if natural { &condition.natural } else { &condition.guarded });
                }
            }
            Plan::Words(words) => {
                self.found(&mut sql, words);
                sql.push(" where true");
                self.and_others(&mut sql, words);
            }
        }
        sql
    }

    /// The leading condition, in the form that finds all its rows.
    fn leading(&self, lead: usize) -> &Sql {
        let condition = &self.conditions[lead];
        let is_whole = !condition.partial || matches!(self.plan, Plan::Set(_));
        if is_whole { &condition.natural } else { &condition.guarded }
    }

    /// All conditions but the leading one.
    fn and_others(&self, sql: &mut Sql, lead: usize) {
        for (_, other) in self.conditions.iter().enumerate().filter(|(place, _)| *place != lead) {
            sql.push(" and ").append(&other.guarded);
        }
    }

    /// The hits of the full-text index, each with its row.
    fn found(&self, sql: &mut Sql, words: usize) {
        let (table, key) = (self.resource.table, self.resource.key);
        sql.push(" from (");
        // What stands in the brackets of `"id" in (select rowid as place from … where …)`.
        sql.append(&inner(&self.conditions[words].natural));
        sql.push(&format!(") as found join {table} on {table}.\"{key}\" = found.place"));
    }

    /// The expressions of the order with their directions, the key last; and how each is read.
    pub fn order(&self) -> Vec<(String, bool, Read)> {
        if let Plan::Words(_) = self.plan {
            // As its index has them. Ids are given in the order of posting.
            let falls = self.sort.first().is_none_or(|(_, falls)| *falls);
            return vec![("found.place".into(), falls, Read::Int)];
        }
        let is_set = matches!(self.plan, Plan::Set(_));
        let one = |(column, falls): &(&'static Column, bool)| {
            let natural = column.sort_expression();
            (if is_set { guarded(&natural, column) } else { natural }, *falls, Read::of(column))
        };
        let mut order: Vec<_> = self.sort.iter().map(one).collect();
        if self.sort.iter().all(|(column, _)| column.name != self.resource.key) {
            let falls = self.sort.last().is_some_and(|(_, falls)| *falls);
            let read = if self.resource.key == "id" { Read::Int } else { Read::Text };
            order.push((format!("\"{}\"", self.resource.key), falls, read));
        }
        order
    }

    /// The expressions of a row's key in the list: the order's own. A walk along the full-text index has the whole key
    /// too, so that a page can be found by it whatever plan finds the next.
    pub fn keys(&self) -> Vec<(String, bool, Read)> {
        let mut keys = self.order();
        if let Plan::Words(_) = self.plan {
            let own = self.sort.iter().map(|(column, falls)| (column.sort_expression(), *falls, Read::of(column)));
            keys.splice(0..0, own);
        }
        keys
    }

    /// What is asked for one page: `selected` and then the order's expressions, at most `limit` rows from `offset`.
    /// Before a key the rows come in reverse.
    pub fn page(
        &self,
        selected: &str,
        cursor: Option<&Cursor>,
        backwards: bool,
        limit: i64,
        offset: i64,
    ) -> (Sql, usize) {
        let order = self.order();
        let keys = self.keys();
        let expressions: Vec<&str> = keys.iter().map(|(expression, ..)| expression.as_str()).collect();
        let mut sql = Sql::new(format!("select {selected}, {}", expressions.join(", ")));
        sql.append(&self.body());
        match cursor {
            Some(Cursor::After(values) | Cursor::Before(values)) if values.len() >= order.len() => {
                // Of a full-text walk only the key counts.
                let values = &values[values.len() - order.len()..];
                sql.push(" and ").append(&beyond(&order, values, backwards));
            }
            _ => {}
        }
        sql.push(" order by ");
        for (place, (expression, falls, _)) in order.iter().enumerate() {
            let falls = *falls != backwards;
            sql.push(if place > 0 { ", " } else { "" }).push(expression).push(if falls { " desc" } else { "" });
        }
        sql.push(&format!(" limit {limit} offset {offset}"));
        (sql, order.len())
    }

    /// How many rows fit. Cost: 1 query, O(20,000) rows at most.
    pub async fn total(&self, conn: &mut Conn) -> Result<Total> {
        let mut sql = Sql::default();
        let table = self.resource.table;
        let lead = match self.plan {
            Plan::Walk(Some(lead)) | Plan::Words(lead) => Some(lead),
            Plan::Walk(None) | Plan::Set(_) => None,
        };
        if let Some(lead) = lead.filter(|lead| self.conditions.len() > 1 || self.conditions[*lead].partial) {
            let is_partial = self.conditions[lead].partial;
            sql.push("select count(*), cast(coalesce(sum(fit), 0) as bigint) from (select case when true");
            self.and_others(&mut sql, lead);
            if is_partial {
                sql.push(" and ").append(&self.conditions[lead].guarded);
            }
            sql.push(" then 1 else 0 end as fit");
            match self.plan {
                Plan::Words(words) => self.found(&mut sql, words),
                _ if is_partial => {
                    sql.push(&format!(" from {table}"));
                }
                _ => {
                    sql.push(&format!(" from {table} where ")).append(&self.conditions[lead].natural);
                }
            }
            sql.push(&format!(" limit {}) as looked_at", MOST_LOOKED_AT + 1));
            let rows = sql.rows(conn, &[Read::Int, Read::Int]).await?;
            let number = |place: usize| rows[0][place].as_int().unwrap_or(0);
            return Ok(Total { count: number(1), more: number(0) > MOST_LOOKED_AT });
        }
        sql.push("select count(*) from (select 1");
        match self.plan {
            // The index alone says how many.
            Plan::Words(words) => {
                sql.push(" from (").append(&inner(&self.conditions[words].natural)).push(") as found")
            }
            _ => sql.append(&self.source()),
        };
        sql.push(&format!(" limit {}) as counted", MOST_COUNTED + 1));
        let count = sql.number(conn).await?;
        Ok(Total { count: count.min(MOST_COUNTED), more: count > MOST_COUNTED })
    }
}

/// The select that a full-text condition has in its brackets.
fn inner(condition: &Sql) -> Sql {
    let mut inner = condition.clone();
    if let Some((_, asked)) = condition.text.split_once(" in (") {
        inner.text = asked.strip_suffix(')').unwrap_or(asked).to_owned();
    }
    inner
}

/// Whether the order is the default one or its reverse, in which filters have indexes of their own.
fn is_default_order(resource: &Resource, sort: &[(&'static Column, bool)]) -> bool {
    sort.len() == 1 && sort[0].0.name == resource.order.trim_start_matches('-')
}

/// The condition that leaves the fewest rows, and how many, up to [`MOST_IN_A_SET`] and one.
/// Cost: 1 query, O(conditions × 2,000) index entries.
async fn lead(conn: &mut Conn, resource: &Resource, conditions: &[Condition]) -> Result<Option<(usize, i64)>> {
    if conditions.is_empty() {
        return Ok(None);
    }
    let mut sql = Sql::new("select ");
    for (place, condition) in conditions.iter().enumerate() {
        sql.push(if place > 0 { ", " } else { "" });
        sql.push("(select count(*) from (");
        if condition.full_text {
            sql.append(&inner(&condition.natural));
        } else {
            sql.push(&format!("select 1 from {} where ", resource.table)).append(&condition.natural);
        }
        sql.push(&format!(" limit {}) as counted)", MOST_IN_A_SET + 1));
    }
    let rows = sql.rows(conn, &vec![Read::Int; conditions.len()]).await?;
    let counts = rows[0].iter().enumerate().map(|(place, count)| (place, count.as_int().unwrap_or(0)));
    Ok(counts.min_by_key(|(_, count)| *count))
}

/// What comes after the key `values` in `order` (before it, backwards). The first column bounds the walk, whatever the
/// others' directions; where all go one way, the whole key does.
fn beyond(order: &[(String, bool, Read)], values: &[Value], backwards: bool) -> Sql {
    let sign = |falls: bool| if falls != backwards { "<" } else { ">" };
    let mut sql = Sql::default();
    if order.iter().all(|(_, falls, _)| *falls == order[0].1) {
        let expressions: Vec<&str> = order.iter().map(|(expression, ..)| expression.as_str()).collect();
        sql.push(&format!("({}) {} (", expressions.join(", "), sign(order[0].1)));
        for (place, value) in values.iter().enumerate() {
            sql.push(if place > 0 { ", " } else { "" }).bind(value.clone());
        }
        sql.push(")");
        return sql;
    }
    sql.push(&format!("({} {}= ", order[0].0, sign(order[0].1))).bind(values[0].clone()).push(" and (false");
    for (place, (expression, falls, _)) in order.iter().enumerate() {
        sql.push(" or (");
        for (before, (expression, ..)) in order[..place].iter().enumerate() {
            sql.push(expression).push(" = ").bind(values[before].clone()).push(" and ");
        }
        sql.push(&format!("{expression} {} ", sign(*falls))).bind(values[place].clone()).push(")");
    }
    sql.push("))");
    sql
}
