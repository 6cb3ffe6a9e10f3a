//! The way into a site that is asked without a socket in between.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::response::Response;
use tower::ServiceExt;

/// The cookie of a session of `name`. Not every bench logs in by the page.
#[allow(dead_code)]
pub async fn log_in(router: &Router, name: &str, password: &str) -> String {
    let body = format!("username={name}&password={}", password.replace(' ', "+"));
    let form = "application/x-www-form-urlencoded";
    let request = Request::post("/login").header(header::CONTENT_TYPE, form).body(Body::from(body)).unwrap();
    cookie(&router.clone().oneshot(request).await.unwrap())
}

/// The first that an answer sets, as `name=value`.
pub fn cookie(answer: &Response) -> String {
    let status = answer.status();
    let set = answer.headers().get(header::SET_COOKIE).unwrap_or_else(|| panic!("nobody is logged in: {status}"));
    set.to_str().unwrap().split(';').next().unwrap().to_owned()
}
