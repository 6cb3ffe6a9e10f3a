//! The page around an answer: what it shows, put together from the document, the call and what came back.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use url::form_urlencoded;

use super::super::caller::Caller;
use super::super::document::{Document, Place};
use super::super::{ROOT, markdown};
use super::form::{self, CallForm, Field, Filling, Input, Refusal};
use super::highlight;
use super::links::Links;
use super::submission::{BODY, METHOD, Submission};
use crate::app::App;
use crate::web::assets;
use crate::web::render::Chrome;

/// Bytes of JSON that a page shows; longer answers are read by themselves.
const MOST_SHOWN: usize = 128 * 1024;

/// What was asked, as the browser sent it.
pub struct Asked<'a> {
    pub parts: &'a Parts,
    pub submission: Option<Submission>,
    pub caller: Option<Caller>,
}

/// What the API answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `None` of what is no JSON, and of nothing.
    pub json: Option<Value>,
    pub length: usize,
}

#[derive(Template)]
#[template(path = "api/page.html")]
pub struct ApiPage {
    chrome: Chrome,
    css: &'static str,
    title: String,
    about: String,
    /// The name of each part of the path, and where it leads, if anywhere.
    trail: Vec<(String, Option<String>)>,
    /// The path with what was asked after the `?`.
    address: String,
    path: String,
    json_address: String,
    log_in_address: String,
    method: String,
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Body,
    made: Option<String>,
    pages: Vec<(&'static str, String)>,
    allowed: Vec<&'static str>,
    query: Vec<Field>,
    complaint: String,
    forms: Vec<CallForm>,
    /// The method whose form was sent and refused.
    refused: Option<&'static str>,
    below: Vec<(String, String, String)>,
    by_token: bool,
}

enum Body {
    Json(String),
    Nothing,
    /// Too long to be shown, in bytes.
    Long(usize),
    File,
}

impl ApiPage {
    /// Cost: no query; O(length of the answer) and O(paths of the document).
    pub fn new(app: &App, document: &Document, asked: Asked<'_>, answer: &Answer) -> Self {
        let Asked { parts, submission, caller } = asked;
        let path = parts.uri.path().to_owned();
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let place = document.locate(&path);
        let links = Links::new(document, app.config.origin(), &path, place);
        let method = submission.as_ref().map_or(parts.method.as_str(), |sent| sent.method.as_str()).to_owned();
        let refusal = refusal(answer);
        let is_read = method == "GET" || method == "HEAD";
        let (asked_wrongly, sent_wrongly) = if is_read { (refusal.as_ref(), None) } else { (None, refusal.as_ref()) };
        let there = answer.json.as_ref().filter(|_| is_read && answer.status.is_success());
        let filling = Filling { sent: submission.as_ref(), refusal: sent_wrongly, there };
        let forms = place.map(|place| form::of_calls(document, place, &filling)).unwrap_or_default();
        let query = place.map(|place| form::of_query(document, place, &pairs, asked_wrongly)).unwrap_or_default();
        let called = place.and_then(|place| place.call(&method));
        let described = called.or_else(|| place.and_then(|place| place.call(place.methods().next()?)));
        let title = described.map_or("Nothing here", |call| call["summary"].as_str().unwrap_or_default());
        let about = called.and_then(|call| call["description"].as_str()).unwrap_or_default();
        let by_token = caller.as_ref().is_some_and(|caller| caller.by_token);
        Self {
            chrome: Chrome::new(app, caller.map(|caller| caller.person)),
            css: assets::api_css(),
            title: title.to_owned(),
            about: markdown::html(about),
            trail: trail(document, &path),
            address: with_query(&path, &pairs),
            json_address: with_query(&path, &[pairs.clone(), vec![("format".into(), "json".into())]].concat()),
            log_in_address: with_query("/login", &[("next".into(), with_query(&path, &pairs))]),
            status: answer.status,
            headers: shown_headers(&answer.headers),
            body: body(answer, &links),
            made: made(answer, &method, &links),
            pages: if is_read { pages(answer, &path, &pairs) } else { Vec::new() },
            allowed: place.map(|place| place.methods().collect()).unwrap_or_default(),
            complaint: asked_wrongly.map(|refusal| refusal.detail.clone()).unwrap_or_default(),
            query,
            refused: forms.iter().find(|form| form.ways.iter().any(|way| way.is_refused)).map(|form| form.method),
            forms,
            below: below(document, &path, place),
            by_token,
            method,
            path,
        }
    }
}

fn body(answer: &Answer, links: &Links<'_>) -> Body {
    match &answer.json {
        Some(_) if answer.length > MOST_SHOWN => Body::Long(answer.length),
        Some(json) => Body::Json(highlight::html(json, links)),
        None if answer.headers.contains_key(header::CONTENT_TYPE) => Body::File,
        None => Body::Nothing,
    }
}

fn refusal(answer: &Answer) -> Option<Refusal> {
    let json = answer.json.as_ref().filter(|_| !answer.status.is_success())?;
    let texts = |messages: &Value| {
        let all = messages.as_array().into_iter().flatten().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join(" ")
    };
    let errors = json["errors"].as_object().into_iter().flatten();
    let errors: BTreeMap<_, _> = errors.map(|(name, messages)| (name.clone(), texts(messages))).collect();
    Some(Refusal { detail: json["detail"].as_str().unwrap_or_default().to_owned(), errors })
}

/// The answer's headers, without what signs somebody in.
fn shown_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let open = headers.iter().filter(|(name, _)| **name != header::SET_COOKIE);
    open.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

/// Where what was just made stands.
fn made(answer: &Answer, method: &str, links: &Links<'_>) -> Option<String> {
    let json = answer.json.as_ref().filter(|_| method == "POST" && answer.status.is_success())?;
    links.object("", json["id"].as_i64()?)
}

/// The ways to the first and the next page of a list.
fn pages(answer: &Answer, path: &str, pairs: &[(String, String)]) -> Vec<(&'static str, String)> {
    let Some(json) = answer.json.as_ref().filter(|_| answer.status.is_success()) else { return Vec::new() };
    let mut pages = Vec::new();
    for (key, next, title) in [("cursor", &json["next"], "Next page"), ("before", &json["next_before"], "Older")] {
        let others: Vec<_> = pairs.iter().filter(|(name, _)| name != key).cloned().collect();
        if others.len() < pairs.len() {
            pages.push(("First page", with_query(path, &others)));
        }
        let next = next.as_str().map(str::to_owned).or_else(|| next.as_i64().map(|seq| seq.to_string()));
        if let Some(next) = next {
            pages.push((title, with_query(path, &[others, vec![(key.to_owned(), next)]].concat())));
        }
    }
    pages
}

fn with_query(path: &str, pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// The parts of `path` below the root, each with its address where one can open it.
fn trail(document: &Document, path: &str) -> Vec<(String, Option<String>)> {
    let mut so_far = ROOT.to_owned();
    let opens = |path: &str| document.locate(path).is_some_and(|place| place.call("GET").is_some());
    let mut trail = vec![("API".to_owned(), Some(so_far.clone()))];
    for part in path.strip_prefix(ROOT).unwrap_or_default().split('/').skip(1) {
        so_far = format!("{so_far}/{part}");
        let name = percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
        trail.push((name, Some(so_far.clone()).filter(|path| opens(path))));
    }
    trail
}

/// The paths one word below this one: address, methods and what the first of them is for.
fn below(document: &Document, path: &str, place: Option<Place<'_>>) -> Vec<(String, String, String)> {
    let Some(place) = place else { return Vec::new() };
    // The root lists everything that needs no id, so that all can be reached from there.
    let is_root = place.template == ROOT;
    let near = document.paths().filter_map(|other| {
        let rest = other.template.strip_prefix(place.template)?.strip_prefix('/')?;
        let is_near = !rest.contains('{') && (is_root || !rest.contains('/'));
        let first = other.call(other.methods().next()?)?["summary"].as_str()?;
        let methods = other.methods().collect::<Vec<_>>().join(", ");
        is_near.then(|| (format!("{path}/{rest}"), methods, first.to_owned()))
    });
    near.collect()
}
