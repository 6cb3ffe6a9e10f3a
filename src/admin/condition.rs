//! The conditions of a list: what a [`Query`] and a person's own scope come to in SQL, each in two forms. The natural
//! one lets the database use an index; the guarded one says the same in a way that no index serves, so that
//! `admin::plan` decides which index leads and not a planner that can't know the values.

use super::plan::MOST_IN_A_SET;
use super::query::{Filter, Query};
use super::resource::{Column, FullText, Kind, Resource, Search};
use super::sql::Sql;
use super::value::Value;
use super::words::{self, Term};
use super::{find, permission};
use crate::db::Conn;
use crate::text::above;
use crate::users::Person;

/// One condition, in both forms.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The column it narrows; none for a search or a scope.
    pub column: Option<&'static str>,
    pub natural: Sql,
    pub guarded: Sql,
    /// Its own index goes on in the default order: a walk in that order may be led by it.
    pub leads: bool,
    /// The natural form finds no more than make a set: a walk is led by the guarded one.
    pub partial: bool,
    /// It is the full-text index that finds these: it has no other form.
    pub full_text: bool,
}

/// All conditions of `query` for `person`. A full-text search takes the room and the sender into itself.
/// Cost: no query.
pub fn all(conn: &mut Conn, resource: &'static Resource, person: &Person, query: &Query) -> Vec<Condition> {
    let mut conditions: Vec<Condition> =
        query.filters.iter().map(|(column, filter)| narrowed(column, filter)).collect();
    if let Some(scope) = permission::scope(resource, person) {
        let (natural, guarded) = (Sql::new(format!("({scope})")), Sql::new(format!("({scope})")));
        conditions.push(Condition { column: None, natural, guarded, leads: false, partial: false, full_text: false });
    }
    match resource.search {
        Search::None => {}
        Search::Prefix(columns) => {
            conditions.extend(query.terms.iter().map(|term| searched(|guard| begins(columns, term, guard))));
        }
        Search::Through(columns) => {
            let one = |term| Condition { partial: true, ..searched(|guard| through(resource, columns, term, guard)) };
            conditions.extend(query.terms.iter().map(one));
        }
        Search::FullText(_) if query.terms.is_empty() => {}
        Search::FullText(index) => conditions.push(worded(conn, index, query)),
    }
    conditions
}

fn searched(write: impl Fn(bool) -> Sql) -> Condition {
    Condition {
        column: None,
        natural: write(false),
        guarded: write(true),
        leads: false,
        partial: false,
        full_text: false,
    }
}

/// A column's own expression, out of every index's reach when guarded.
fn expression(column: &Column, guard: bool) -> String {
    let natural = match column.kind {
        Kind::Time | Kind::Int if column.nullable => format!("coalesce(\"{}\", 0)", column.name),
        _ => format!("\"{}\"", column.name),
    };
    if guard { guarded(&natural, column) } else { natural }
}

/// `expression` of the column's type, out of every index's reach.
pub fn guarded(expression: &str, column: &Column) -> String {
    match column.kind {
        Kind::Int | Kind::Reference(_) | Kind::Count(..) | Kind::Time => format!("({expression} + 0)"),
        Kind::Flag => format!("(case when {expression} then true else false end)"),
        Kind::Text | Kind::Long | Kind::Choice(_) | Kind::Changes => format!("({expression} || '')"),
    }
}

fn narrowed(column: &'static Column, filter: &Filter) -> Condition {
    let write = |guard| {
        let expression = expression(column, guard);
        let mut sql = Sql::default();
        match filter {
            Filter::Is(value) => {
                sql.push(&expression).push(" = ").bind(value.clone());
            }
            Filter::Between(from, to) => {
                sql.push("(");
                // Nothing counts as 0, and lies in no range.
                let from = from.clone().unwrap_or(Value::Int(if column.nullable { 1 } else { i64::MIN }));
                sql.push(&expression).push(" >= ").bind(from);
                if let Some(to) = to {
                    let below = if column.kind == Kind::Time { " < " } else { " <= " };
                    sql.push(" and ").push(&expression).push(below).bind(to.clone());
                }
                sql.push(")");
            }
            Filter::Empty(empty) => {
                let indexed = matches!(column.kind, Kind::Time | Kind::Int);
                sql.push(&expression).push(match (indexed, empty) {
                    (true, true) => " = 0",
                    (true, false) => " > 0",
                    (false, true) => " is null",
                    (false, false) => " is not null",
                });
            }
        }
        sql
    };
    // As `admin::schema` demands of every column that lists are narrowed by.
    let leads = matches!(filter, Filter::Is(_)) && !matches!(column.kind, Kind::Time | Kind::Int);
    Condition {
        column: Some(column.name),
        natural: write(false),
        guarded: write(true),
        leads,
        partial: false,
        full_text: false,
    }
}

/// One of `columns` begins with `term`.
fn begins(columns: &[&str], term: &Term, guard: bool) -> Sql {
    let mut sql = Sql::new("(");
    for (place, column) in columns.iter().enumerate() {
        let column = if guard { format!("({column} || '')") } else { (*column).to_owned() };
        sql.push(if place > 0 { " or (" } else { "(" }).push(&column).push(" >= ").bind(Value::Text(term.0.clone()));
        sql.push(" and ").push(&column).push(" < ").bind(Value::Text(above(&term.0))).push(")");
    }
    sql.push(")");
    sql
}

/// One of the references `columns` leads to a row that is found by `term`. In its natural form each reference's own
/// index is asked for as many rows as make a set; an `or` between them would use none.
fn through(resource: &Resource, columns: &[&str], term: &Term, guard: bool) -> Sql {
    let (key, table) = (resource.key, resource.table);
    let mut parts = Vec::new();
    for name in columns {
        let Some(column) = resource.column(name) else { continue };
        let Kind::Reference(slug) = column.kind else { continue };
        let Some((other, Search::Prefix(prefixes))) = find(slug).map(|other| (other, other.search)) else { continue };
        let mut part =
            Sql::new(format!("{} in (select \"{}\" from {} where ", expression(column, guard), other.key, other.table));
        part.append(&begins(prefixes, term, false)).push(")");
        if !guard {
            let found = std::mem::take(&mut part);
            part.push(&format!("select \"{key}\" from (select \"{key}\" from {table} where ")).append(&found);
            part.push(&format!(" limit {}) as found_{name}", MOST_IN_A_SET + 1));
        }
        parts.push(part);
    }
    let mut sql = Sql::new(if guard { "(" } else { "(\"id\" in (" });
    sql.join(&parts, if guard { " or " } else { " union " }).push(if guard { ")" } else { "))" });
    sql
}

/// The words in the full-text index, with the filters on its tags: the shorter list leads there.
fn worded(conn: &mut Conn, index: FullText, query: &Query) -> Condition {
    let tag = |(column, filter): &(&'static Column, Filter)| match filter {
        Filter::Is(Value::Int(id)) => {
            index.tags.iter().find(|(name, _)| *name == column.name).map(|(_, letter)| format!("{letter}{id}"))
        }
        _ => None,
    };
    let tags: Vec<String> = query.filters.iter().filter_map(tag).collect();
    let found = match words::full_text(conn, &query.terms, false, &tags, &[]) {
        Some(asked) => words::fits(conn, index.table, &asked),
        // No letter and no digit: nothing is found by that.
        None => Sql::new("false"),
    };
    let mut natural = Sql::new(format!("\"id\" in (select rowid as place from {} where ", index.table));
    natural.append(&found).push(")");
    Condition { column: None, guarded: natural.clone(), natural, leads: false, partial: false, full_text: true }
}
