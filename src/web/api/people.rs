//! `/api/v1/users`: who there is.

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Answer;
use super::caller::Caller;
use super::list::{List, Paging};
use super::operation::{Area, op};
use super::params::{At, Params};
use super::user::UserShape;
use crate::app::App;
use crate::ids::UserId;
use crate::users::directory::{self, Look};
use crate::users::{Person, User};

pub struct PeopleApi;

/// Somebody with an account, and whether they are here.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonShape {
    #[serde(flatten)]
    user: UserShape,
    /// Whether a socket of theirs is open now.
    online: bool,
}

#[derive(Deserialize)]
pub struct Asked {
    q: Option<String>,
}

/// Who there is.
pub fn area() -> Area {
    let list = op("List people")
        .about("By user name. Disabled accounts are shown to staff only.")
        .query::<String>("q", "The beginning of a user name, a first or a last name, in any case.")
        .paged()
        .polled()
        .answers::<List<PersonShape>>(200, "A page of people.");
    let show = op("Show a person")
        .id("id", "The person's id.")
        .polled()
        .answers::<PersonShape>(200, "The person.")
        .refuses(404, "There is no such person, or, for others than staff, their account is disabled.");
    Area::new("People", "Who there is, and who is here now.").add(Method::GET, "/users", PeopleApi::list, list).add(
        Method::GET,
        "/users/{id}",
        PeopleApi::show,
        show,
    )
}

impl PeopleApi {
    /// `GET /users`.
    pub async fn list(
        State(app): State<App>,
        caller: Caller,
        Params(Asked { q }): Params<Asked>,
        paging: Paging,
    ) -> Answer<Json<List<PersonShape>>> {
        let after: Option<String> = paging.after()?;
        let look = Look {
            q: q.as_deref().unwrap_or_default(),
            disabled: directory::shows_disabled(&caller.person),
            after: after.as_deref().unwrap_or_default(),
        };
        let people = directory::page(&mut app.db.read().await?, look, paging.limit + 1).await?;
        let shape = |user| PersonShape::new(&app, user, &caller.person);
        Ok(Json(List::page(people, paging.limit, |user| user.username.clone(), shape)))
    }

    /// `GET /users/{id}`.
    pub async fn show(State(app): State<App>, caller: Caller, At(id): At<UserId>) -> Answer<Json<PersonShape>> {
        let user = directory::see(&mut app.db.read().await?, &caller.person, id).await?;
        Ok(Json(PersonShape::new(&app, user, &caller.person)))
    }
}

impl PersonShape {
    fn new(app: &App, user: User, reader: &Person) -> Self {
        Self { online: app.hub.is_online(user.id), user: UserShape::for_reader(user, reader) }
    }
}
