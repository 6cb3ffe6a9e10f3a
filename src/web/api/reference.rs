//! `/redoc`: the document as one page for reading, rendered once. In DEBUG only.

mod types;

use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use serde_json::Value;

use super::document::{Document, METHODS};
use super::markdown;
use super::schema::{self, Property};
use crate::app::App;
use crate::error::Error;
use crate::i18n::{self, Language};
use crate::web::assets;
use crate::web::render::{Chrome, PageError};
use types::{limits, type_html};

#[derive(Template)]
#[template(path = "api/reference.html")]
struct ReferencePage {
    chrome: Chrome,
    css: &'static str,
    title: String,
    version: String,
    about: String,
    areas: Vec<Area>,
    schemes: Vec<(String, String)>,
    schemas: Vec<Shape>,
}

struct Area {
    name: String,
    anchor: String,
    about: String,
    calls: Vec<Call>,
}

struct Call {
    anchor: String,
    method: &'static str,
    path: String,
    summary: String,
    about: String,
    is_open: bool,
    /// Where each stands (`path`, `query`), and what it is.
    parameters: Vec<(String, Row)>,
    bodies: Vec<Content>,
    responses: Vec<Answer>,
}

/// A parameter or a field.
struct Row {
    name: String,
    /// With links to the schemas that it names.
    kind: String,
    required: bool,
    about: String,
    limits: String,
    example: String,
}

struct Content {
    media_type: String,
    kind: String,
    example: String,
}

struct Answer {
    status: String,
    about: String,
    contents: Vec<Content>,
    headers: Vec<(String, String)>,
}

/// A schema of its own.
struct Shape {
    name: String,
    about: String,
    kind: String,
    rows: Vec<Row>,
}

/// The page, made when it is first asked for.
pub fn routes(document: Arc<Document>) -> Router<App> {
    let page = Arc::new(OnceLock::new());
    let show = move || {
        // For all who ask, whatever they read.
        let made = page.get_or_init(|| i18n::said_in(Language::English, || page_of(&document).render()));
        let answer = match made {
            Ok(html) => Html(html.clone()).into_response(),
            Err(error) => PageError(Error::internal(error.to_string())).into_response(),
        };
        async move { answer }
    };
    Router::new().route("/redoc", get(show))
}

fn page_of(document: &Document) -> ReferencePage {
    let json = &document.json;
    let named = |place: &str| json["components"][place].as_object().into_iter().flatten();
    ReferencePage {
        chrome: Chrome::nobodys(),
        css: assets::api_css(),
        title: text(&json["info"], "title"),
        version: text(&json["info"], "version"),
        about: markdown::html(&text(&json["info"], "description")),
        areas: json["tags"].as_array().into_iter().flatten().map(|tag| area(document, tag)).collect(),
        schemes: named("securitySchemes").map(|(name, about)| (name.clone(), described(about))).collect(),
        schemas: named("schemas").map(|(name, schema)| shape(document, name, schema)).collect(),
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn described(value: &Value) -> String {
    markdown::line(&text(value, "description"))
}

fn area(document: &Document, tag: &Value) -> Area {
    let name = text(tag, "name");
    let is_in = |call: &Value| call["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| *tag == name.as_str()));
    let mut calls = Vec::new();
    for place in document.paths() {
        for method in METHODS {
            let found = place.call(method).filter(|call| is_in(call));
            calls.extend(found.map(|found| call(document, method, place.template, found)));
        }
    }
    Area { anchor: format!("area-{}", name.to_lowercase().replace(' ', "-")), about: described(tag), name, calls }
}

fn call(document: &Document, method: &'static str, path: &str, call: &Value) -> Call {
    let parameters = call["parameters"].as_array().into_iter().flatten();
    let parameters = parameters
        .filter_map(|stated| Some((text(stated, "in"), row(&schema::parameter(document, stated)?, &stated["schema"]))));
    let is_open = call["security"]
        .as_array()
        .is_none_or(|ways| ways.iter().any(|way| way.as_object().is_some_and(|way| way.is_empty())));
    let responses = call["responses"].as_object().into_iter().flatten();
    Call {
        anchor: text(call, "operationId"),
        method,
        path: path.to_owned(),
        summary: text(call, "summary"),
        about: markdown::html(&text(call, "description")),
        is_open,
        parameters: parameters.collect(),
        bodies: contents(document, &call["requestBody"]["content"]),
        responses: responses.map(|(status, response)| answer(document, status, response)).collect(),
    }
}

fn answer(document: &Document, status: &str, response: &Value) -> Answer {
    let response = document.resolve(response);
    let headers = response["headers"].as_object().into_iter().flatten();
    Answer {
        status: status.to_owned(),
        about: described(response),
        contents: contents(document, &response["content"]),
        headers: headers.map(|(name, header)| (name.clone(), described(header))).collect(),
    }
}

fn contents(document: &Document, contents: &Value) -> Vec<Content> {
    let one = |(media_type, content): (&String, &Value)| {
        let is_json = media_type == "application/json";
        let example = is_json.then(|| schema::example(document, &content["schema"], None));
        let example = example.filter(|example| example.as_object().is_some_and(|fields| !fields.is_empty()));
        Content {
            media_type: media_type.clone(),
            kind: type_html(&content["schema"]),
            example: example.and_then(|example| serde_json::to_string_pretty(&example).ok()).unwrap_or_default(),
        }
    };
    contents.as_object().into_iter().flatten().map(one).collect()
}

fn shape(document: &Document, name: &str, schema: &Value) -> Shape {
    let properties = schema::properties(document, schema).unwrap_or_default();
    let stated = |name: &str| schema["properties"].get(name);
    let rows = properties.iter().map(|property| row(property, stated(property.name).unwrap_or(property.schema)));
    let rows: Vec<Row> = rows.collect();
    let kind = if rows.is_empty() { type_html(schema) } else { String::new() };
    Shape { name: name.to_owned(), about: described(schema), kind, rows }
}

fn row(property: &Property<'_>, stated: &Value) -> Row {
    let example = property.example().map(|example| example.to_string()).unwrap_or_default();
    Row {
        name: property.name.to_owned(),
        kind: type_html(stated),
        required: property.required,
        about: markdown::line(property.about),
        limits: limits(property.schema),
        example,
    }
}
