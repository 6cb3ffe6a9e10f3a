//! Browsable pages: in DEBUG, a browser that opens an address of the API gets the answer as a page, with forms for every
//! call. Stands around the whole API: what a form sends becomes the call that it stands for before anything is routed,
//! and every refusal, that of an unknown address too, gets its page.

mod form;
mod highlight;
mod links;
mod page;
mod submission;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_sessions::Session;
use url::form_urlencoded;

use super::caller::{Anyone, Caller};
use super::document::{Document, Place};
use super::negotiation::{prefers_html, takes};
use super::problem::Problem;
use super::{ROOT, browse::page::ApiPage};
use crate::app::App;
use crate::error::Error;
use crate::i18n::{self, Language};
use crate::web::render;
use page::{Answer, Asked};
use submission::Submission;

#[derive(Clone)]
struct Browsable {
    app: App,
    document: Arc<Document>,
}

/// The API with its pages. `api` has its full paths.
pub fn around(app: &App, document: Arc<Document>, api: Router<App>) -> Router<App> {
    let browsable = Browsable { app: app.clone(), document };
    // As one service, since a layer of a router stands behind its choice of the method.
    let whole = Router::new().fallback_service(api.with_state(app.clone()));
    Router::new().nest_service(ROOT, whole.layer(from_fn_with_state(browsable, answer)))
}

/// Leaves the session of a request in its answer: the page says who is signed in after the call, and it stands outside of
/// what reads the session, since a call by a token has its cookie put away before that.
pub async fn hand_out(request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let mut response = next.run(request).await;
    if let Some(session) = session {
        response.extensions_mut().insert(session);
    }
    response
}

async fn answer(State(browsable): State<Browsable>, mut request: Request, next: Next) -> Response {
    let uri = request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().clone(), |uri| uri.0.clone());
    let (uri, is_forced) = without_format(&uri);
    *request.uri_mut() = uri;
    let mut response = if is_forced || !prefers_html(request.headers()) {
        next.run(request).await
    } else {
        browsable.page(request, next).await
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}

impl Browsable {
    async fn page(&self, request: Request, next: Next) -> Response {
        let uri = request.uri().clone();
        let place = self.document.locate(uri.path());
        let takes_any = takes_files(request.headers());
        let (mut parts, body) = request.into_parts();
        let request = as_program(Request::from_parts(parts.clone(), body));
        let (response, submission) = match self.call(request, place).await {
            Ok((request, submission)) => (next.run(request).await, submission),
            Err(error) => (Problem::from(error).into_response(), None),
        };
        let is_passed_on = response.status().is_redirection() || (takes_any && is_file(response.headers()));
        if is_passed_on {
            return response;
        }
        let (answer, mut response) = taken_apart(response).await;
        if let Some(session) = response.extensions_mut().remove::<Session>() {
            parts.extensions.insert(session);
        }
        let asked = Asked { submission, caller: self.caller(&mut parts).await, parts: &parts };
        let page = ApiPage::new(&self.app, &self.document, asked, &answer);
        // A browser shows no page with a 204: it would stay at the form.
        let status = if answer.status == StatusCode::NO_CONTENT { StatusCode::OK } else { answer.status };
        // All of it in English, as what it shows of the document is.
        let page = i18n::said_in(Language::English, || render::page(status, &page));
        let headers = response.headers_mut();
        headers.extend(page.headers().clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        *response.status_mut() = page.status();
        *response.body_mut() = page.into_body();
        response
    }

    /// The call that a request of a browser stands for.
    async fn call(&self, request: Request, place: Option<Place<'_>>) -> Result<(Request, Option<Submission>), Error> {
        if submission::is_form(&request) {
            let most = usize::try_from(self.app.config.upload_max_bytes).unwrap_or(usize::MAX);
            let (request, submission) = submission::read(request, &self.document, place, most).await?;
            return Ok((request, Some(submission)));
        }
        Ok((request, None))
    }

    /// Who is signed in now, after the call: it may have been to log in or out.
    async fn caller(&self, parts: &mut Parts) -> Option<Caller> {
        Anyone::from_request_parts(parts, &self.app).await.ok()?.0.ok()?
    }
}

/// The same request, asking as a program does: for JSON, all of it, and not for what a form's empty fields say.
fn as_program(mut request: Request) -> Request {
    let query = request.uri().query().unwrap_or_default();
    let said: Vec<_> = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()).collect();
    let is_all = said.len() == form_urlencoded::parse(query.as_bytes()).count();
    if !is_all {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
        *request.uri_mut() = with_query(request.uri(), &query);
    }
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.remove(header::IF_NONE_MATCH);
    request
}

/// The address without `format`, which only says what the answer looks like, and whether it says JSON.
fn without_format(uri: &Uri) -> (Uri, bool) {
    let query = uri.query().unwrap_or_default();
    let is_forced = form_urlencoded::parse(query.as_bytes()).any(|pair| pair == ("format".into(), "json".into()));
    if !is_forced {
        return (uri.clone(), false);
    }
    let others = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "format");
    (with_query(uri, &form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish()), true)
}

fn with_query(uri: &Uri, query: &str) -> Uri {
    let path = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// Whether `Accept` has room for what is no page: a browser's list does, and so a link to a file leads to the file.
fn takes_files(headers: &HeaderMap) -> bool {
    takes(headers, &["*/*"])
}

fn is_file(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_TYPE) && !is_json(headers)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind == "application/json" || kind.ends_with("+json")
}

/// What the API answered, and the frame of the answer without what described its body.
async fn taken_apart(response: Response) -> (Answer, Response) {
    let (mut parts, body) = response.into_parts();
    // JSON is made in memory, by us; a file isn't read.
    let bytes =
        if is_json(&parts.headers) { to_bytes(body, usize::MAX).await.unwrap_or_default() } else { Default::default() };
    let json = serde_json::from_slice(&bytes).ok();
    let answer = Answer { status: parts.status, headers: parts.headers.clone(), json, length: bytes.len() };
    let of_the_body =
        [header::CONTENT_LENGTH, header::ETAG, header::CONTENT_DISPOSITION, header::CONTENT_SECURITY_POLICY];
    of_the_body.iter().for_each(|name| drop(parts.headers.remove(name)));
    (answer, Response::from_parts(parts, Body::empty()))
}
