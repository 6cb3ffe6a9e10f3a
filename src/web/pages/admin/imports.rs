//! Imports: `/admin/{slug}/import` takes a file, `/admin/{slug}/import/{token}` shows how far its check or its import
//! is, then what would change, and does it once that is confirmed.

use std::borrow::{Borrow, Cow};
use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::MethodRouter;

use super::frame::{Frame, framed};
use super::grant::{Add, Grant};
use super::sudo;
use crate::admin::form::{Sent, takes};
use crate::admin::import::file::{self, File};
use crate::admin::import::pending::{Pending, State};
use crate::admin::import::report::{Report, Unit};
use crate::admin::import::{self, MOST_LINES, MOST_PASSWORDS, MOST_STORED};
use crate::admin::resource::Resource;
use crate::app::App;
use crate::error::{Error, Result};
use crate::i18n::{self, gettext};
use crate::web::extract::Fields;
use crate::web::render::PageError;

/// Bytes of an upload.
const MOST_IN_A_FILE: usize = 16 * 1024 * 1024;
/// Bytes of a refused text that come back in the form.
const MOST_GIVEN_BACK: usize = 256 * 1024;
const GONE: Error = Error::NotFound(msgid!(
    "This upload isn't here any more: it is kept for 30 minutes, and not over a restart. Upload the file again."
));

#[derive(Template)]
#[template(path = "admin/import.html")]
struct ImportPage {
    chrome: Frame,
    resource: &'static Resource,
    /// The columns that it takes, of new rows or of those that are there.
    columns: Vec<&'static str>,
    text: String,
    error: String,
}

#[derive(Template)]
#[template(path = "admin/import_state.html")]
struct StatePage {
    chrome: Frame,
    resource: &'static Resource,
    token: String,
    stage: Stage,
}

/// What the state's page shows.
enum Stage {
    Running { what: Cow<'static, str>, done: usize, all: usize },
    Checked(Arc<Report>),
    Failed { line: usize, why: String },
}

/// What was uploaded.
#[derive(Default)]
pub struct Upload {
    name: String,
    bytes: Bytes,
    /// It was typed, and goes back into the form when it is refused.
    typed: bool,
}

/// The route of uploads, with a limit of its own.
pub fn uploading(route: MethodRouter<App>) -> MethodRouter<App> {
    route.layer(DefaultBodyLimit::max(MOST_IN_A_FILE))
}

/// `GET /admin/{slug}/import`.
pub async fn form(grant: Grant<Add>) -> Result<Response, PageError> {
    import::require(grant.resource, &grant.person)?;
    Ok(framed(StatusCode::OK, &ImportPage::new(&grant, String::new(), String::new())))
}

/// `POST /admin/{slug}/import`: `file` or `text`. Its check goes on by itself. Cost: O(length), then as
/// [`import::check`].
pub async fn upload(grant: Grant<Add>, upload: Upload) -> Result<Response, PageError> {
    let Grant { app, person, resource, .. } = &grant;
    import::require(resource, person)?;
    let bytes = upload.bytes.clone();
    let (who, model, name) = (person.clone(), *resource, upload.name.clone());
    let parse = move || {
        let text = file::text(&bytes)?;
        file::parse(model, &who, text, file::format(&name, text)?)
    };
    // As much as 16 MiB: not on a thread that others wait for.
    let language = i18n::current();
    let parse = move || i18n::said_in(language, parse);
    let file = match tokio::task::spawn_blocking(parse).await.map_err(Error::internal)? {
        Ok(file) => file,
        Err(Error::Malformed(why)) => {
            let text = if upload.typed && upload.bytes.len() <= MOST_GIVEN_BACK {
                String::from_utf8_lossy(&upload.bytes).into_owned()
            } else {
                String::new()
            };
            return Ok(framed(StatusCode::BAD_REQUEST, &ImportPage::new(&grant, text, why)));
        }
        Err(error) => Err(error)?,
    };
    let pending = app.imports.begin(person.id, resource.slug, upload.bytes.len(), app.clock.now())?;
    let to = format!("/admin/{}/import/{}", resource.slug, pending.token);
    pending.progress.begin(msgid!("Reading"), file.lines.len());
    tokio::spawn(i18n::within(language, check(grant, file, pending)));
    Ok(Redirect::to(&to).into_response())
}

async fn check(grant: Grant<Add>, file: File, pending: Arc<Pending>) {
    let _fails = Fails(pending.clone());
    let checked = import::check(&grant.app, &grant.person, grant.resource, file, &pending.progress).await;
    pending.set(match checked {
        Ok((report, deeds)) => State::Checked(Arc::new(report), Arc::new(deeds)),
        Err(error) => failed(&error),
    });
}

/// A task that ends in a panic leaves nobody waiting.
struct Fails(Arc<Pending>);

impl Drop for Fails {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set(failed(&Error::internal("a panic")));
        }
    }
}

fn failed(error: &Error) -> State {
    if !matches!(error, Error::Malformed(_)) {
        tracing::error!(%error, cause = ?error, "an import failed");
    }
    State::Failed(None, error.to_string())
}

/// `GET /admin/{slug}/import/{token}`: comes again every second while something runs. Cost: no query.
pub async fn state(grant: Grant<Add>, Path((_, token)): Path<(String, String)>) -> Result<Response, PageError> {
    let Grant { app, person, resource, .. } = &grant;
    let pending = find(&grant, &token)?;
    let stage = match pending.state() {
        State::Checking | State::Importing => {
            let (what, done, all) = pending.progress.told();
            Stage::Running { what: gettext(what), done, all }
        }
        State::Checked(report, _) => Stage::Checked(report),
        State::Failed(Some(stopped), why) => Stage::Failed { line: stopped.line, why },
        State::Failed(None, why) => Stage::Failed { line: 0, why },
        State::Done(number) => {
            let to = format!("/admin/{}/?done=imported-{number}", resource.slug);
            return Ok(Redirect::to(&to).into_response());
        }
    };
    let is_running = matches!(stage, Stage::Running { .. });
    let chrome = Frame::new(app, person, tr!("Import {}", resource.plural())).at(resource.slug);
    let mut page = framed(StatusCode::OK, &StatePage { chrome, resource, token, stage });
    if is_running {
        page.headers_mut().insert(HeaderName::from_static("refresh"), HeaderValue::from_static("1"));
    }
    Ok(page)
}

/// `POST /admin/{slug}/import/{token}`: does what was shown. Sent twice, it is done once. Cost: as [`import::run`], by
/// itself.
pub async fn confirm(
    grant: Grant<Add>,
    Path((_, token)): Path<(String, String)>,
    Fields(pairs): Fields<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let pending = find(&grant, &token)?;
    let to = format!("/admin/{}/import/{token}", grant.resource.slug);
    if import::needs_sudo(grant.resource) {
        let why = tr!("An import can change many records, and what they may do.");
        if let Some(page) = sudo::ask(&grant.app, &grant.person, &Sent(pairs), &to, &why, &[]).await? {
            return Ok(page);
        }
    }
    if let Some(deeds) = pending.confirm() {
        let run = async move {
            let Grant { app, person, ip, resource, .. } = grant;
            let _fails = Fails(pending.clone());
            pending.set(match import::run(&app, (&person, &ip), resource, &deeds, &pending.progress).await {
                Ok(None) => State::Done(deeds.len()),
                Ok(Some(stopped)) => {
                    let why = stopped.why.clone();
                    State::Failed(Some(Arc::new(stopped)), why)
                }
                Err(error) => failed(&error),
            });
        };
        tokio::spawn(i18n::within(i18n::current(), run));
    }
    Ok(Redirect::to(&to).into_response())
}

/// `POST /admin/{slug}/import/{token}/drop`: forgets the upload.
pub async fn forget(grant: Grant<Add>, Path((_, token)): Path<(String, String)>) -> Result<Redirect, PageError> {
    find(&grant, &token)?;
    grant.app.imports.drop(&token);
    Ok(Redirect::to(&format!("/admin/{}/import", grant.resource.slug)))
}

fn find(grant: &Grant<Add>, token: &str) -> Result<Arc<Pending>> {
    import::require(grant.resource, &grant.person)?;
    grant.app.imports.find(token, grant.person.id, grant.resource.slug, grant.app.clock.now()).ok_or(GONE)
}

impl FromRequest<App> for Upload {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("multipart/form-data") {
            let Fields(pairs) = Fields::<Vec<(String, String)>>::from_request(request, app).await?;
            let text = Sent(pairs).get("text").unwrap_or_default().to_owned();
            return Ok(Self { name: String::new(), bytes: text.into(), typed: true });
        }
        let unreadable = |status: StatusCode, why: String| match status {
            StatusCode::PAYLOAD_TOO_LARGE => PageError(Error::TooLarge),
            _ => PageError(Error::Malformed(tr!("This form can't be read: {}.", why))),
        };
        let mut parts =
            Multipart::from_request(request, app).await.map_err(|e| unreadable(e.status(), e.body_text()))?;
        let mut upload = Self { typed: true, ..Self::default() };
        while let Some(part) = parts.next_field().await.map_err(|e| unreadable(e.status(), e.body_text()))? {
            let (is_file, name) = (part.name() == Some("file"), part.file_name().unwrap_or_default().to_owned());
            let bytes = part.bytes().await.map_err(|e| unreadable(e.status(), e.body_text()))?;
            // A browser sends the file's field even when none was chosen.
            if is_file && !(name.is_empty() && bytes.is_empty()) {
                upload = Self { name, bytes, typed: false };
            } else if upload.typed && !bytes.is_empty() {
                upload.bytes = bytes;
            }
        }
        Ok(upload)
    }
}

impl ImportPage {
    fn new(grant: &Grant<Add>, text: String, error: String) -> Self {
        let Grant { app, person, resource, .. } = grant;
        let typed = resource.columns.iter().filter(|column| takes(person, column, true));
        Self {
            chrome: Frame::new(app, person, tr!("Import {}", resource.plural())).at(resource.slug),
            columns: typed.map(|column| column.name).chain(resource.passwords.iter().map(|field| field.name)).collect(),
            resource,
            text,
            error,
        }
    }

    fn most_lines(&self) -> String {
        i18n::number(MOST_LINES)
    }

    fn most_stored(&self) -> String {
        i18n::number(MOST_STORED)
    }

    fn most_passwords(&self) -> usize {
        MOST_PASSWORDS
    }
}

impl StatePage {
    fn number(&self, number: &usize) -> String {
        i18n::number(*number)
    }

    /// A number of records, in words.
    fn records(&self, number: impl Borrow<usize>) -> String {
        tr!("{n} record" | "{n} records" % *number.borrow())
    }

    /// What a table of lines is headed by.
    fn unit(&self, unit: &Unit) -> Cow<'static, str> {
        match unit {
            Unit::Line => tr!("Line"),
            Unit::Record => tr!("Record"),
        }
    }
}
