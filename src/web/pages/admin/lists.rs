//! The list of a model: `/admin/{slug}/`.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::bookmarks;
use super::cell::{self, Cell, counted, said};
use super::frame::{Frame, framed};
use super::grant::{Grant, View};
use crate::admin::facet::{self, Facet, FacetKind};
use crate::admin::list::{self, Page};
use crate::admin::plan::Total;
use crate::admin::query::{PER_PAGE, Query};
use crate::admin::resource::{Act, Action, Column, Kind, Resource, Search};
use crate::admin::{change, permission};
use crate::error::Result;
use crate::text::capital;
use crate::web::render::PageError;

pub struct ListPages;

/// A column's heading, with what a click on it asks for.
struct Heading {
    column: &'static Column,
    title: String,
    /// Empty when the list can't be sorted by it.
    sort: String,
    /// Sorts by it where the columns before it tie; empty when that makes no sense.
    then: String,
    /// `ascending`, `descending` or `none`.
    state: &'static str,
}

struct Line {
    key: String,
    href: String,
    label: String,
    cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "admin/list.html")]
struct ListPage {
    chrome: Frame,
    resource: &'static Resource,
    query: Query,
    headings: Vec<Heading>,
    lines: Vec<Line>,
    facets: Vec<Facet>,
    /// How many fit, and that with what they are.
    total: String,
    counted: String,
    number: usize,
    previous: Option<String>,
    next: Option<String>,
    actions: Vec<&'static Action>,
    bookmarks: Vec<bookmarks::Bookmark>,
    may_add: bool,
    may_delete: bool,
    may_export: bool,
    may_import: bool,
    is_narrowed: bool,
    token: String,
}

impl ListPages {
    /// `GET /admin/{slug}`: the list has a slash at its end.
    pub async fn slash(grant: Grant<View>, RawQuery(query): RawQuery) -> Redirect {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Redirect::to(&format!("/admin/{}/{query}", grant.resource.slug))
    }

    /// `GET /admin/{slug}/`. Cost: a constant number of queries, whatever the model holds (see `admin::plan`).
    pub async fn list(grant: Grant<View>, RawQuery(asked): RawQuery) -> Result<Response, PageError> {
        let (asked, done) = without_done(&asked.unwrap_or_default());
        let query = Query::parse(grant.resource, &grant.person, &asked)?;
        let mut conn = grant.app.db.read().await?;
        let (page, listing) = list::load(&mut conn, grant.resource, &grant.person, &query).await?;
        let facets = facet::all(&mut conn, &grant.person, &query, &listing).await?;
        let bookmarks = bookmarks::of(&mut conn, grant.person.id, grant.resource.slug).await?;
        drop(conn);
        let shown = ListPage::new(&grant, query, page, facets, bookmarks, &done);
        Ok(framed(StatusCode::OK, &shown).into_response())
    }
}

/// The code of what was just done, out of the address.
pub fn without_done(asked: &str) -> (String, String) {
    let is_done = |pair: &&str| pair.starts_with("done=");
    let done = asked.split('&').find(is_done).and_then(|pair| pair.strip_prefix("done=")).unwrap_or_default();
    let rest: Vec<&str> = asked.split('&').filter(|pair| !is_done(pair)).collect();
    (rest.join("&"), done.to_owned())
}

impl ListPage {
    fn new(
        grant: &Grant<View>,
        query: Query,
        page: Page,
        facets: Vec<Facet>,
        bookmarks: Vec<bookmarks::Bookmark>,
        done: &str,
    ) -> Self {
        let Grant { app, person, resource, .. } = grant;
        let resource = *resource;
        let columns = list::listed(resource, person);
        let beside = |pairs: &Option<Vec<(&'static str, String)>>| {
            pairs.as_ref().map(|pairs| {
                let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
                format!("?{}", query.with_all(&pairs))
            })
        };
        let may = |act| permission::may(resource, person, act);
        Self {
            chrome: Frame::new(app, person, capital(&resource.plural())).at(resource.slug).saying(done),
            headings: headings(resource, &query, &columns),
            lines: lines(grant, &query, &columns, &page),
            facets,
            total: said(page.total),
            counted: counted(resource, page.total),
            number: page.number,
            previous: beside(&page.previous),
            next: beside(&page.next),
            actions: resource.actions.iter().filter(|action| change::may_act(resource, person, action)).collect(),
            bookmarks,
            may_add: may(Act::Add),
            may_delete: may(Act::Delete),
            may_export: may(Act::Export),
            may_import: may(Act::Add) && may(Act::Change),
            is_narrowed: !query.q.is_empty() || !query.filters.is_empty(),
            token: crate::auth::random_token(),
            resource,
            query,
        }
    }

    fn per_page(&self) -> [usize; 4] {
        PER_PAGE
    }

    fn said(&self, total: &Total) -> String {
        said(*total)
    }

    /// What was asked of one end of a column's range.
    fn end(&self, column: &str, end: &str) -> &str {
        self.query.asked(&format!("{column}.{end}"))
    }

    /// The day of it, which is what a date input takes.
    fn day(&self, column: &str, end: &str) -> &str {
        self.end(column, end).get(..10).unwrap_or_default()
    }

    fn is_between(&self, column: &str) -> bool {
        !self.end(column, "from").is_empty() || !self.end(column, "to").is_empty()
    }

    fn when_empty(&self, column: &str, value: &str) -> String {
        self.query.with(&format!("{column}.empty"), value)
    }

    fn is_searched(&self) -> bool {
        self.resource.search != Search::None
    }

    /// The pairs of the address that the search form keeps.
    fn kept(&self) -> Vec<&(String, String)> {
        self.query.pairs.iter().filter(|(name, _)| !["q", "page", "after", "before"].contains(&name.as_str())).collect()
    }

    /// The pairs that the form of one facet keeps: all but its own.
    fn kept_beside(&self, column: &str) -> Vec<&(String, String)> {
        let own = |name: &str| name.split('.').next() == Some(column) || ["page", "after", "before"].contains(&name);
        self.query.pairs.iter().filter(|(name, _)| !own(name)).collect()
    }
}

fn headings(resource: &Resource, query: &Query, columns: &[&'static Column]) -> Vec<Heading> {
    let mut headings: Vec<Heading> = columns.iter().map(|column| heading(query, column)).collect();
    if let (Some(first), true) = (headings.first_mut(), is_named(columns)) {
        first.title = capital(&resource.singular());
    }
    headings
}

/// Whether the first column holds what a row is called: a row that begins with a reference is no row of that model.
fn is_named(columns: &[&'static Column]) -> bool {
    columns.first().is_some_and(|column| matches!(column.kind, Kind::Reference(_)))
}

fn heading(query: &Query, column: &'static Column) -> Heading {
    let place = query.sort.iter().position(|(sorted, _)| sorted.name == column.name);
    let falls = place.map(|place| query.sort[place].1);
    let state = match falls {
        Some(true) => "descending",
        Some(false) => "ascending",
        None => "none",
    };
    let (mut sort, mut then) = (String::new(), String::new());
    if column.sorted {
        let turned = if falls == Some(false) { format!("-{}", column.name) } else { column.name.to_owned() };
        sort = format!("?{}", query.with("sort", &turned));
        if place.is_none() && !query.asked("sort").is_empty() {
            then = format!("?{}", query.with("sort", &format!("{},{}", query.asked("sort"), column.name)));
        }
    }
    Heading { column, title: column.heading(), sort, then, state }
}

fn lines(grant: &Grant<View>, query: &Query, columns: &[&'static Column], page: &Page) -> Vec<Line> {
    let resource = grant.resource;
    let list = query.text();
    let kept = if list.is_empty() { String::new() } else { format!("?{}", form_pair("list", &list)) };
    let line = |row: &crate::admin::value::Row| {
        let cell = |column: &&'static Column| {
            if column.is_count() {
                cell::count(column, row, page.counts.get(&(column.name, row.key.id())))
            } else {
                cell::cell(&grant.person, column, row, &page.labels)
            }
        };
        let href = format!("/admin/{}/{}/{kept}", resource.slug, row.key);
        let label = page.labels.name(resource, row);
        let mut cells: Vec<Cell> = columns.iter().map(cell).collect();
        if let (Some(first), true) = (cells.first_mut(), is_named(columns)) {
            first.text.clone_from(&label);
        }
        Line { key: row.key.to_string(), href, label, cells }
    };
    page.rows.iter().map(line).collect()
}

/// One pair as an address has it.
pub fn form_pair(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}
