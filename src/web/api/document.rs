//! The OpenAPI 3.1 document of the API, put together from what every [`Area`] declares, once, when the router is made.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, header};
use serde_json::{Map, Value};
use utoipa::PartialSchema;
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem,
    ServerBuilder, Type,
};

use super::operation::{Area, op};
use super::problem;
use crate::app::App;
use crate::config::Config;
use crate::web::status;

/// What the document says of the API as a whole, the socket's protocol included.
const ABOUT: &str = include_str!("about.md");
/// What a path may take, in the order in which it is shown.
pub const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The document, as values to look things up in and as the text that is sent.
pub struct Document {
    pub json: Value,
    pub text: Bytes,
}

/// A described path, with its parameters in braces.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub template: &'a str,
    calls: &'a Map<String, Value>,
}

impl<'a> Place<'a> {
    /// What is declared for a method.
    pub fn call(&self, method: &str) -> Option<&'a Value> {
        self.calls.get(&method.to_ascii_lowercase())
    }

    /// The methods it takes, as requests name them.
    pub fn methods(&self) -> impl Iterator<Item = &'static str> {
        METHODS.into_iter().filter(|method| self.call(method).is_some())
    }
}

/// Whether a segment of a template stands for any text.
pub fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

impl Document {
    /// The document of these areas and of what describes itself: `/health` and its own address, whose route comes along.
    /// Cost: O(operations); some milliseconds.
    pub fn with(areas: &[Area], config: &Config) -> (Arc<Self>, Router<App>) {
        let text = Arc::new(OnceLock::new());
        let own = own_area(text.clone());
        let document = Self::of(areas.iter().chain([&own, &status::area()]), config);
        text.get_or_init(|| document.text.clone());
        (Arc::new(document), own.router)
    }

    fn of<'a>(areas: impl Iterator<Item = &'a Area>, config: &Config) -> Self {
        let json = serde_json::to_value(open_api(areas, config)).unwrap_or_default();
        let text = Bytes::from(serde_json::to_vec(&json).unwrap_or_default());
        Self { json, text }
    }

    /// The described path that `path` is an instance of; a literal wins over a parameter, as it does when routed.
    /// Cost: O(paths).
    pub fn locate(&self, path: &str) -> Option<Place<'_>> {
        let asked: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            let is_same =
                |(part, asked): (&&str, &&str)| if is_parameter(part) { !asked.is_empty() } else { part == asked };
            parts.len() == asked.len() && parts.iter().zip(&asked).all(is_same)
        };
        let literals_first = |template: &str| template.split('/').map(is_parameter).collect::<Vec<_>>();
        let all = self.paths().filter(|place| fits(place.template));
        all.min_by_key(|place| literals_first(place.template))
    }

    /// Every described path.
    pub fn paths(&self) -> impl Iterator<Item = Place<'_>> {
        let all = self.json["paths"].as_object().into_iter().flatten();
        all.filter_map(|(template, calls)| Some(Place { template, calls: calls.as_object()? }))
    }

    /// What `#/…` in `value` refers to, or `value` itself.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let place = value.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
        place.and_then(|place| self.json.pointer(place)).unwrap_or(value)
    }
}

/// `GET /openapi.json`: what `text` holds by then.
fn own_area(text: Arc<OnceLock<Bytes>>) -> Area {
    let send = move || {
        let text = text.get().cloned().unwrap_or_default();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    let schema = ObjectBuilder::new().schema_type(Type::Object).description(Some("An OpenAPI 3.1 document.")).build();
    let call = op("This document").about("The description of every call, for programs.").open().polled().answers_like(
        200,
        "The document.",
        "OpenApi",
        schema,
    );
    Area::new("Description", "The API about itself.").add(Method::GET, "/openapi.json", send, call)
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
