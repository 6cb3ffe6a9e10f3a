//! Lists, page by page: [`Paging`], what an address asks of one, and [`List`], what it gets. A cursor is the key of the
//! last row of a page, so that no page costs more than another and nothing is shown twice or passed over when rows come
//! or go meanwhile.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::params::Params;
use super::problem::Problem;
use crate::app::App;

const DEFAULT: i64 = 50;
const MOST: i64 = 100;

/// How many rows, and after which.
#[derive(Clone, Debug)]
pub struct Paging {
    /// 1 to 100.
    pub limit: i64,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Asked {
    limit: Option<String>,
    cursor: Option<String>,
}

impl FromRequestParts<App> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Params(Asked { limit, cursor }) = Params::from_request_parts(parts, app).await?;
        let limit = limit.filter(|limit| !limit.trim().is_empty());
        let limit = limit.map_or(Ok(DEFAULT), |limit| whole("limit", &limit))?.clamp(1, MOST);
        Ok(Self { limit, cursor: cursor.filter(|cursor| !cursor.is_empty()) })
    }
}

/// The whole number in `text`, or the nearest that there is. Errors: 400 at `name`.
pub fn whole(name: &str, text: &str) -> Result<i64, Problem> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::address().at(name, tr!("This is no whole number.")));
    }
    Ok(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

impl Paging {
    /// The key of the last row of the page before; none for the first page. Errors: 400 for a cursor that isn't one of ours.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let unreadable =
            || Problem::address().at("cursor", tr!("A cursor is the next of the page before, as it came."));
        key.map(Some).ok_or_else(unreadable)
    }
}

/// One page of a list.
#[derive(Serialize)]
pub struct List<T> {
    pub items: Vec<T>,
    /// The `cursor` of the page after this one; null on the last.
    pub next: Option<String>,
}

impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let next = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("The `cursor` of the page after this one; null on the last."));
        let page =
            ObjectBuilder::new().property("items", items).required("items").property("next", next).required("next");
        page.description(Some("One page of a list.")).into()
    }
}

/// Written out because a derived one has the same name for every `T`: in the document they would be one.
impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
    }
}

impl<T> List<T> {
    /// A page of `rows`, of which one more than `limit` was read to know if there is more. `key` is what the next page
    /// begins after. Cost: O(rows).
    pub fn page<R, K: Serialize>(mut rows: Vec<R>, limit: i64, key: impl Fn(&R) -> K, item: impl Fn(R) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| !is_last).map(|last| cursor(&key(last)));
        Self { items: rows.into_iter().map(item).collect(), next }
    }
}

/// The cursor of a page that begins after `key`.
pub fn cursor(key: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}
