//! The OpenAPI 3.1 document of the API, put together from what every [`Area`] declares, once, when the router is made.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::middleware::from_fn;
use axum::routing::get;
use serde_json::Value;
use utoipa::PartialSchema;
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, ServerBuilder,
};

use super::operation::Area;
use super::{ROOT, negotiation, problem};
use crate::app::App;
use crate::config::Config;

/// What the document says of the API as a whole, the socket's protocol included.
const ABOUT: &str = include_str!("about.md");

/// The document, as values to look things up in and as the text that is sent.
pub struct Document {
    pub json: Value,
    pub text: Bytes,
}

impl Document {
    /// Cost: O(operations); some milliseconds.
    pub fn of<'a>(areas: impl Iterator<Item = &'a Area>, config: &Config) -> Self {
        let json = serde_json::to_value(open_api(areas, config)).unwrap_or_default();
        let text = Bytes::from(serde_json::to_vec(&json).unwrap_or_default());
        Self { json, text }
    }

    /// What is declared at `path`, by method in small letters.
    pub fn path(&self, path: &str) -> Option<&serde_json::Map<String, Value>> {
        self.json["paths"].get(path)?.as_object()
    }

    /// What `#/…` in `value` refers to, or `value` itself.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let place = value.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
        place.and_then(|place| self.json.pointer(place)).unwrap_or(value)
    }
}

/// `GET /api/v1/openapi.json`.
pub fn routes(document: Arc<Document>) -> Router<App> {
    let text = document.text.clone();
    let send = move || async move { ([(header::CONTENT_TYPE, "application/json")], text) };
    Router::new().route(&format!("{ROOT}/openapi.json"), get(send).layer(from_fn(negotiation::conditional)))
}

fn open_api<'a>(areas: impl Iterator<Item = &'a Area>, config: &Config) -> OpenApi {
    let areas: Vec<&Area> = areas.collect();
    let info = InfoBuilder::new()
        .title("Switchboard")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .contact(Some(ContactBuilder::new().name(Some("The site's administrators")).build()))
        .build();
    let mut paths = PathsBuilder::new().build();
    let mut components = ComponentsBuilder::new();
    for area in &areas {
        for (method, path, operation) in &area.operations {
            let item = PathItem::new(method.clone(), operation.clone());
            match paths.paths.get_mut(path) {
                Some(there) => there.merge_operations(item),
                None => drop(paths.paths.insert(path.clone(), item)),
            }
        }
        for (name, schema) in &area.schemas {
            components = components.schema(name.clone(), schema.clone());
        }
    }
    components = components.schema("Problem", problem::Document::schema());
    for (name, response) in problem::common() {
        components = components.response(name, response);
    }
    for (name, scheme) in schemes(config) {
        components = components.security_scheme(name, scheme);
    }
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(areas.iter().map(|area| area.tag.clone())))
        .build()
}

fn schemes(config: &Config) -> [(&'static str, SecurityScheme); 2] {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An access token of `/auth/login`, good for 15 minutes, or a personal token of the settings page.",
        ))
        .build();
    let name = if config.is_https() { "__Host-switchboard" } else { "switchboard" };
    let about =
        "The session of a browser that is logged in. What changes something has to come from the site's own pages.";
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(name, about));
    [("bearer", SecurityScheme::Http(bearer)), ("cookie", SecurityScheme::ApiKey(cookie))]
}
