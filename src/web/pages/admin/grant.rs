//! The door of the backoffice: [`Staff`] and [`Grant`] let in who may, and [`get`] and [`post`] make routes of those
//! handlers only whose first argument is one of the two. A route without one doesn't compile:
//!
//! ```compile_fail
//! use switchboard::web::pages::admin::grant;
//! async fn open_to_all() -> &'static str { "hello" }
//! let route = grant::get(open_to_all);
//! ```

use std::marker::PhantomData;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use crate::admin::resource::{Act, Resource};
use crate::admin::{self, permission};
use crate::app::App;
use crate::error::Error;
use crate::users::Person;
use crate::web::extract::{Client, SignedIn};
use crate::web::render::{PageError, error_page_with};

/// Somebody of the staff: visitors are sent to log in, others are refused. Cost: 2 indexed queries.
pub struct Staff {
    pub app: App,
    pub person: Person,
    pub ip: String,
}

/// Somebody who may do `A` with the model that the address names. Errors: as [`Staff`], 404 for no such model, 403
/// without the right. Cost: 2 indexed queries.
pub struct Grant<A> {
    pub app: App,
    pub person: Person,
    pub ip: String,
    pub resource: &'static Resource,
    right: PhantomData<A>,
}

/// A right as a type, for [`Grant`].
pub trait Right {
    const ACT: Act;
}

macro_rules! rights {
    ($($name:ident)*) => {$(
        pub struct $name;
        impl Right for $name {
            const ACT: Act = Act::$name;
        }
    )*};
}
rights!(View Add Change Delete Export);

impl FromRequestParts<App> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let SignedIn(person) = SignedIn::from_request_parts(parts, app).await?;
        permission::require_staff(&person).map_err(|error| {
            let mend = person.held_back.then_some(("/settings", msgid!("To your settings")));
            error_page_with(StatusCode::FORBIDDEN, error.to_string(), mend)
        })?;
        let Ok(Client(device)) = Client::from_request_parts(parts, app).await;
        Ok(Self { app: app.clone(), person, ip: device.ip })
    }
}

impl<A: Right> FromRequestParts<App> for Grant<A> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let Staff { app, person, ip } = Staff::from_request_parts(parts, app).await?;
        let refuse = |error: Error| PageError(error).into_response();
        let path = RawPathParams::from_request_parts(parts, &app).await.map_err(IntoResponse::into_response)?;
        let slug = path.iter().find(|(name, _)| *name == "slug").map(|(_, slug)| slug);
        let resource = slug.and_then(admin::find);
        let resource = resource.ok_or_else(|| refuse(Error::NotFound(msgid!("There is no such model."))))?;
        permission::require(resource, &person, A::ACT).map_err(refuse)?;
        Ok(Self { app, person, ip, resource, right: PhantomData })
    }
}

/// What lets in: [`Staff`] and [`Grant`].
pub trait Guard {}
impl Guard for Staff {}
impl<A> Guard for Grant<A> {}

/// The arguments of handlers that begin with a [`Guard`].
pub trait Guarded {}
impl<M, G: Guard> Guarded for (M, G) {}
impl<M, G: Guard, A> Guarded for (M, G, A) {}
impl<M, G: Guard, A, B> Guarded for (M, G, A, B) {}
impl<M, G: Guard, A, B, C> Guarded for (M, G, A, B, C) {}

/// `GET` by a guarded handler.
pub fn get<H: Handler<T, App>, T: Guarded + 'static>(handler: H) -> MethodRouter<App> {
    axum::routing::get(handler)
}

/// `POST` by a guarded handler.
pub fn post<H: Handler<T, App>, T: Guarded + 'static>(handler: H) -> MethodRouter<App> {
    axum::routing::post(handler)
}
