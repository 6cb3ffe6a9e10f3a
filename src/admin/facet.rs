//! What stands beside a list to narrow it: choices with how many rows each would leave, given everything else that was
//! asked; dates to drill into; ranges and references.

use super::condition;
use super::plan::{Listing, MOST_IN_A_SET, Total};
use super::query::{Filter, Query, span};
use super::resource::{Column, Kind, Resource};
use super::sql::{Read, Sql};
use super::value::Value;
use super::{label::Labels, permission, record, wording};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::i18n::gettext;
use crate::users::Person;

/// Rows counted for a choice, where nothing else was asked.
const MOST_COUNTED_EACH: i64 = 1000;

/// One way to narrow the list.
pub struct Facet {
    pub column: &'static Column,
    pub kind: FacetKind,
}

pub enum FacetKind {
    /// What to choose from, with its name and count.
    Choices(Vec<Choice>),
    /// Spans to choose from inside the one that was chosen: years, months or days, as an address has them; and the
    /// spans around it, to go back to.
    Dates {
        inside: Vec<(String, String)>,
        around: Vec<(String, String)>,
    },
    Range,
    /// A word as it stands in the column.
    Word,
    /// The name of the row that was asked for.
    Reference {
        slug: &'static str,
        name: String,
    },
}

pub struct Choice {
    pub value: String,
    pub label: String,
    pub total: Option<Total>,
    pub chosen: bool,
}

/// All ways to narrow the list. Cost: 1 or 2 queries a column, O(2,000) rows each.
pub async fn all(conn: &mut Conn, person: &Person, query: &Query, listing: &Listing) -> Result<Vec<Facet>> {
    let resource = listing.resource;
    let mut facets = Vec::new();
    for column in resource.columns.iter().filter(|column| column.filtered && permission::sees(person, column)) {
        let kind = match column.kind {
            Kind::Choice(words) => {
                let words =
                    words.iter().map(|(word, label)| (Value::Text((*word).into()), wording::said(label).into_owned()));
                FacetKind::Choices(choices(conn, person, query, listing, column, words.collect()).await?)
            }
            Kind::Flag => {
                let words =
                    vec![(Value::Flag(true), tr!("Yes").into_owned()), (Value::Flag(false), tr!("No").into_owned())];
                FacetKind::Choices(choices(conn, person, query, listing, column, words).await?)
            }
            Kind::Time => dates(conn, resource, query, column).await?,
            Kind::Reference(slug) => reference(conn, query, column, slug).await?,
            Kind::Int | Kind::Count(..) => FacetKind::Range,
            Kind::Text | Kind::Long | Kind::Changes => FacetKind::Word,
        };
        facets.push(Facet { column, kind });
    }
    Ok(facets)
}

async fn choices(
    conn: &mut Conn,
    person: &Person,
    query: &Query,
    listing: &Listing,
    column: &'static Column,
    words: Vec<(Value, String)>,
) -> Result<Vec<Choice>> {
    let asked = query.filters.iter().find(|(other, _)| other.name == column.name);
    let base = match asked {
        None => listing.clone(),
        Some(_) => {
            let mut others = query.clone();
            others.filters.retain(|(other, _)| other.name != column.name);
            let conditions = condition::all(conn, listing.resource, person, &others);
            Listing::plan(conn, listing.resource, conditions, query).await?
        }
    };
    let values: Vec<Value> = words.iter().map(|(value, _)| value.clone()).collect();
    let totals = if base.conditions.is_empty() {
        each(conn, listing.resource, column, &values).await?
    } else {
        grouped(conn, &base, column, &values).await?
    };
    let choice = |((value, label), total): ((Value, String), Option<Total>)| {
        let text = value.plain();
        let chosen = asked.is_some_and(|(_, filter)| *filter == Filter::Is(value));
        Choice { value: text, label, total, chosen }
    };
    Ok(words.into_iter().zip(totals).map(choice).collect())
}

/// Each value's rows in the whole table, by the column's own index.
async fn each(conn: &mut Conn, resource: &Resource, column: &Column, values: &[Value]) -> Result<Vec<Option<Total>>> {
    let mut sql = Sql::new("select ");
    for (place, value) in values.iter().enumerate() {
        sql.push(if place > 0 { ", " } else { "" });
        sql.push(&format!("(select count(*) from (select 1 from {} where \"{}\" = ", resource.table, column.name));
        sql.bind(value.clone()).push(&format!(" limit {}) as counted)", MOST_COUNTED_EACH + 1));
    }
    let rows = sql.rows(conn, &vec![Read::Int; values.len()]).await?;
    let total = |count: &Value| {
        count.as_int().map(|count| Total { count: count.min(MOST_COUNTED_EACH), more: count > MOST_COUNTED_EACH })
    };
    Ok(rows[0].iter().map(total).collect())
}

/// Each value's rows among those of `base`; of many, among the first that are looked at.
async fn grouped(conn: &mut Conn, base: &Listing, column: &Column, values: &[Value]) -> Result<Vec<Option<Total>>> {
    let name = column.name;
    let mut sql = Sql::new(format!("select \"{name}\", count(*) from (select \"{name}\""));
    sql.append(&base.source()).push(&format!(" limit {}) as looked_at group by \"{name}\"", MOST_IN_A_SET + 1));
    let rows = sql.rows(conn, &[Read::of(column), Read::Int]).await?;
    let looked_at: i64 = rows.iter().filter_map(|row| row[1].as_int()).sum();
    let more = looked_at > MOST_IN_A_SET;
    let total = |value: &Value| {
        let count = rows.iter().find(|row| row[0] == *value).and_then(|row| row[1].as_int()).unwrap_or(0);
        Some(Total { count, more })
    };
    Ok(values.iter().map(total).collect())
}

/// Where the times of a column begin and end decides what there is to drill into.
async fn dates(conn: &mut Conn, resource: &Resource, query: &Query, column: &Column) -> Result<FacetKind> {
    let expression = column.sort_expression();
    let condition = if column.nullable { format!(" where {expression} > 0") } else { String::new() };
    let table = resource.table;
    // Two questions, each answered by one end of the index.
    let sql = Sql::new(format!(
        "select (select min({expression}) from {table}{condition}), (select max({expression}) from {table}{condition})"
    ));
    let rows = sql.rows(conn, &[Read::Time, Read::Time]).await?;
    let (Value::Time(first), Value::Time(last)) = (&rows[0][0], &rows[0][1]) else {
        return Ok(FacetKind::Dates { inside: Vec::new(), around: Vec::new() });
    };
    let chosen = query.asked(column.name);
    let around = [4, 7].into_iter().filter(|length| chosen.len() > *length).filter_map(|length| chosen.get(..length));
    let around = around.map(|text| (text.to_owned(), words_of(text))).collect();
    let inside = inside(chosen)
        .into_iter()
        .filter(|text| span(text).is_some_and(|span| span.start <= *last && span.end > *first));
    let years = || (first.date_time().year()..=last.date_time().year()).map(|year| format!("{year:04}"));
    let inside: Vec<String> = if span(chosen).is_some() { inside.collect() } else { years().collect() };
    Ok(FacetKind::Dates { inside: inside.into_iter().map(|text| (text.clone(), words_of(&text))).collect(), around })
}

/// The months of a year, the days of a month.
fn inside(text: &str) -> Vec<String> {
    let Some(span) = span(text) else { return Vec::new() };
    match text.len() {
        4 => (1..=12).map(|month| format!("{text}-{month:02}")).collect(),
        7 => {
            let days = Timestamp(span.end.0 - 1).date_time().day();
            (1..=days).map(|day| format!("{text}-{day:02}")).collect()
        }
        _ => Vec::new(),
    }
}

const MONTHS: [&str; 12] = [
    msgid!("January"),
    msgid!("February"),
    msgid!("March"),
    msgid!("April"),
    msgid!("May"),
    msgid!("June"),
    msgid!("July"),
    msgid!("August"),
    msgid!("September"),
    msgid!("October"),
    msgid!("November"),
    msgid!("December"),
];

/// How a year, a month or a day reads.
fn words_of(text: &str) -> String {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<usize>().ok());
    let month = number(5..7).and_then(|month| MONTHS.get(month.checked_sub(1)?));
    match (month.map(|month| gettext(month)), number(8..10)) {
        (Some(month), Some(day)) => tr!("{day} {month}", day = day, month = month),
        (Some(month), None) => month.into_owned(),
        _ => text.to_owned(),
    }
}

async fn reference(conn: &mut Conn, query: &Query, column: &Column, slug: &'static str) -> Result<FacetKind> {
    let asked = query.filters.iter().find(|(other, _)| other.name == column.name);
    let mut name = String::new();
    if let (Some((_, Filter::Is(Value::Int(id)))), Some(other)) = (asked, super::find(slug)) {
        let rows = record::named(conn, other, [*id]).await?;
        let labels = Labels::of(conn, &rows).await?;
        name = rows.first().map_or(format!("#{id}"), |row| labels.name(other, row));
    }
    Ok(FacetKind::Reference { slug, name })
}
