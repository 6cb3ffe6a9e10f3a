//! Bookmarks: a person's own names for the queries of lists.

use axum::extract::Path;
use axum::response::Redirect;
use sqlx::FromRow;

use super::grant::{Grant, View};
use crate::admin::form::Sent;
use crate::admin::query::Query;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::on_db;
use crate::web::extract::{Fields, Id};
use crate::web::render::PageError;

/// Bookmarks that one person may have for one list.
const MOST: i64 = 50;

#[derive(FromRow)]
pub struct Bookmark {
    pub id: i64,
    pub name: String,
    pub query: String,
}

/// The bookmarks of `user` for a model, by name. Cost: 1 indexed query.
pub async fn of(conn: &mut Conn, user: UserId, model: &str) -> Result<Vec<Bookmark>> {
    Ok(on_db!(conn, c => sqlx::query_as(
        "select id, name, query from bookmarks where user_id = $1 and model = $2 order by name")
        .bind(user).bind(model).fetch_all(c).await)?)
}

/// `POST /admin/{slug}/bookmarks`: keeps the list's query under a name; the same name again means the new query.
pub async fn add(grant: Grant<View>, Fields(pairs): Fields<Vec<(String, String)>>) -> Result<Redirect, PageError> {
    let sent = Sent(pairs);
    let mut errors = crate::error::FieldErrors::default();
    let name = crate::text::line(&mut errors, "name", sent.get("name").unwrap_or_default(), 60);
    if name.is_empty() {
        errors.add("name", tr!("A bookmark needs a name."));
    }
    errors.or(())?;
    // Read as the list would, so that no bookmark leads to a refusal.
    let query = Query::parse(grant.resource, &grant.person, sent.get("list").unwrap_or_default())?.with("", "");
    let slug = grant.resource.slug;
    let mut tx = grant.app.db.write().await?;
    let count: i64 = on_db!(tx, c => sqlx::query_scalar(
        "select count(*) from bookmarks where user_id = $1 and model = $2 and name <> $3")
        .bind(grant.person.id).bind(slug).bind(&name).fetch_one(c).await)
    .map_err(Error::from)?;
    if count >= MOST {
        return Err(Error::Conflict(msgid!("These are as many bookmarks as one list can have: delete one first.")))?;
    }
    on_db!(tx, c => sqlx::query(
        "insert into bookmarks (user_id, model, name, query, created_at) values ($1, $2, $3, $4, $5)
         on conflict (user_id, model, name) do update set query = excluded.query")
        .bind(grant.person.id).bind(slug).bind(&name).bind(&query).bind(grant.app.clock.now())
        .execute(c).await.map(|_| ()))
    .map_err(Error::from)?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/admin/{slug}/?{query}")))
}

/// `POST /admin/{slug}/bookmarks/{id}/delete`: only one's own.
pub async fn delete(grant: Grant<View>, Path((_, Id(id))): Path<(String, Id)>) -> Result<Redirect, PageError> {
    let mut tx = grant.app.db.write().await?;
    on_db!(tx, c => sqlx::query("delete from bookmarks where id = $1 and user_id = $2")
        .bind(id).bind(grant.person.id).execute(c).await.map(|_| ()))
    .map_err(Error::from)?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/admin/{}/", grant.resource.slug)))
}
