//! Who may call `/api/v1/admin`: [`Staff`].

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::super::caller::Caller;
use super::super::problem::Problem;
use crate::admin::permission;
use crate::app::App;
use crate::error::Result;
use crate::users::Person;
use crate::web::extract::Client;
use crate::work::Work;

/// Somebody of the staff. Errors: 401, 403. Cost: 1 or 2 indexed queries.
pub struct Staff {
    pub person: Person,
    /// By a token, and not by a browser's cookie.
    pub by_token: bool,
    ip: String,
}

impl FromRequestParts<App> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller { person, by_token } = Caller::from_request_parts(parts, app).await?;
        permission::require_staff(&person)?;
        let Ok(Client(device)) = Client::from_request_parts(parts, app).await;
        Ok(Self { person, by_token, ip: device.ip })
    }
}

impl Staff {
    /// A work in their name, from where they are.
    pub async fn work(&self, app: &App) -> Result<Work> {
        let mut work = Work::begin(app, Some(&self.person)).await?;
        work.ip.clone_from(&self.ip);
        Ok(work)
    }
}
