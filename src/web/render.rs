//! What answers look like: pages, an [`Error`] as a page or as plain text, and what every page's frame needs.

use std::borrow::Cow;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::app::App;
use crate::error::{Error, FieldErrors};
use crate::users::Person;
use crate::web::assets;

/// What the layout shows around every page.
pub struct Chrome {
    pub site_name: String,
    pub person: Option<Person>,
    pub css: &'static str,
    pub script: &'static str,
    pub push_script: &'static str,
    pub icon: &'static str,
}

impl Chrome {
    pub fn new(app: &App, person: Option<Person>) -> Self {
        Self::around(app.settings().site_name.clone(), person)
    }

    /// Around a page that is the same for everybody and asks no database.
    pub fn nobodys() -> Self {
        Self::around(String::new(), None)
    }

    fn around(site_name: String, person: Option<Person>) -> Self {
        Self {
            site_name,
            person,
            css: assets::css(),
            script: assets::script(),
            push_script: assets::push_script(),
            icon: assets::icon(),
        }
    }
}

/// A page with its status.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => PageError(Error::internal(error)).into_response(),
    }
}

/// A form again with what is wrong in it; who tries too often is told so at `field`. Other errors are pages of their own.
pub fn refused<T: Template>(
    error: Error,
    field: &'static str,
    again: impl FnOnce(FieldErrors) -> T,
) -> Result<Response, PageError> {
    let status = status(&error);
    let wait = error.retry_after();
    let errors = match error {
        Error::Invalid(errors) => errors,
        Error::TooMany { .. } | Error::Throttled { .. } => FieldErrors::one(field, error.to_string()),
        error => return Err(error.into()),
    };
    Ok(waiting(page(status, &again(errors)), wait))
}

/// The answer with `Retry-After`, in seconds.
fn waiting(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(super) fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(super) fn log(error: &Error) {
    if let Error::Internal(cause) = error {
        tracing::error!(%cause, "a request failed");
    }
}

/// An error as a page of its own.
#[derive(Debug)]
pub struct PageError(pub Error);

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorPage {
    chrome: Chrome,
    status: u16,
    title: Cow<'static, str>,
    message: String,
    /// Where to mend it, and what that is called.
    link: Option<(&'static str, &'static str)>,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        log(&self.0);
        let status = status(&self.0);
        let message = self.0.to_string();
        waiting(error_page(status, message), self.0.retry_after())
    }
}

/// A refusal as a page. Cost: no query, so that it works without a database.
pub fn error_page(status: StatusCode, message: String) -> Response {
    error_page_with(status, message, None)
}

/// The same with a link to where the reader can mend it.
pub fn error_page_with(status: StatusCode, message: String, link: Option<(&'static str, &'static str)>) -> Response {
    let title = match status {
        StatusCode::BAD_REQUEST => tr!("That can't be understood"),
        StatusCode::FORBIDDEN => tr!("Not allowed"),
        StatusCode::NOT_FOUND => tr!("Not found"),
        StatusCode::METHOD_NOT_ALLOWED => tr!("Not like that"),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => tr!("Just a moment"),
        StatusCode::INTERNAL_SERVER_ERROR => tr!("Something went wrong"),
        _ => tr!("That didn't work"),
    };
    let chrome = Chrome::nobodys();
    let page = ErrorPage { chrome, status: status.as_u16(), title, message, link };
    let html = page.render().unwrap_or_else(|_| page.title.into_owned());
    waiting((status, Html(html)).into_response(), (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1))
}

/// An error as a line of text, for programs that open sockets.
pub struct Plain(pub Error);

impl IntoResponse for Plain {
    fn into_response(self) -> Response {
        log(&self.0);
        (status(&self.0), self.0.to_string()).into_response()
    }
}
