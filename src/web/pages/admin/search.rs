//! Searching everything: `/admin/search?q=`.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::cell::said;
use super::frame::{Frame, framed};
use super::grant::Staff;
use super::lists::form_pair;
use crate::admin::search::{self, LONGEST};
use crate::error::Result;
use crate::text::capital;
use crate::web::extract::Asked;
use crate::web::render::PageError;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Search {
    q: String,
}

/// What one model has.
struct Group {
    title: String,
    rows: Vec<(String, String)>,
    /// The list with all of them; empty where these are all.
    all: String,
    total: String,
}

#[derive(Template)]
#[template(path = "admin/search.html")]
struct SearchPage {
    chrome: Frame,
    q: String,
    groups: Vec<Group>,
    is_cut: bool,
}

/// `GET /admin/search?q=`. Cost: a constant number of queries a model, each as its list's.
pub async fn show(staff: Staff, Asked(Search { q }): Asked<Search>) -> Result<Response, PageError> {
    let Staff { app, person, .. } = staff;
    let is_cut = q.trim().chars().count() > LONGEST;
    let q = search::asked(&q);
    let mut conn = app.db.read().await?;
    let found = search::everywhere(&mut conn, &person, &q).await?;
    drop(conn);
    let group = |hits: search::Hits| {
        let slug = hits.resource.slug;
        let is_more = hits.total.more || hits.total.count > i64::try_from(hits.rows.len()).unwrap_or(i64::MAX);
        let row = |(key, name): (crate::admin::value::Key, String)| (format!("/admin/{slug}/{key}/"), name);
        Group {
            title: capital(&hits.resource.plural()),
            rows: hits.rows.into_iter().map(row).collect(),
            all: if is_more { format!("/admin/{slug}/?{}", form_pair("q", &q)) } else { String::new() },
            total: said(hits.total),
        }
    };
    let groups = found.into_iter().map(group).collect();
    let page = SearchPage { chrome: Frame::new(&app, &person, tr!("Search everything")), q, groups, is_cut };
    Ok(framed(StatusCode::OK, &page).into_response())
}
