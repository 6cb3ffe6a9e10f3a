//! Rows of other models that refer to the one whose page this is: a room's members, a user's sessions.

use super::cell::{Cell, cell, said};
use super::lists::form_pair;
use crate::admin::list;
use crate::admin::query::Query;
use crate::admin::resource::{Act, Column, Resource};
use crate::admin::value::Key;
use crate::admin::{find, permission};
use crate::db::Conn;
use crate::error::Result;
use crate::text::capital;
use crate::users::Person;

/// Rows shown with the one they refer to.
const SHOWN: usize = 5;

pub struct Related {
    pub resource: &'static Resource,
    pub title: String,
    pub headings: Vec<String>,
    /// Where each leads, and its cells.
    pub rows: Vec<(String, Vec<Cell>)>,
    pub total: String,
    /// The whole list.
    pub href: String,
    /// Empty when none may be added.
    pub add: String,
}

/// All that the model declares to show with `key`, as far as `person` sees it. Cost: a list's first page each.
pub async fn related(conn: &mut Conn, person: &Person, resource: &Resource, key: &Key) -> Result<Vec<Related>> {
    let mut all = Vec::new();
    for inline in resource.inlines {
        let Some(other) = find(inline.slug).filter(|other| permission::may(other, person, Act::View)) else { continue };
        let pair = form_pair(inline.column, &key.to_string());
        let mut query = Query::parse(other, person, &pair)?;
        query.per_page = SHOWN;
        let (page, _) = list::load(conn, other, person, &query).await?;
        let columns: Vec<&'static Column> = list::listed(other, person)
            .into_iter()
            .filter(|column| column.name != inline.column && !column.is_count())
            .collect();
        let cells = |row| columns.iter().map(|column| cell(person, column, row, &page.labels)).collect();
        all.push(Related {
            title: capital(&other.plural()),
            headings: columns.iter().map(|column| column.heading()).collect(),
            rows: page.rows.iter().map(|row| (format!("/admin/{}/{}/", other.slug, row.key), cells(row))).collect(),
            total: said(page.total),
            href: format!("/admin/{}/?{pair}", other.slug),
            add: if permission::may(other, person, Act::Add) {
                format!("/admin/{}/add?{pair}", other.slug)
            } else {
                String::new()
            },
            resource: other,
        });
    }
    Ok(all)
}
