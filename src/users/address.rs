//! The address of an account, changed by its owner. Called by the page of settings and the JSON API.

use super::{Profile, Registration, User, change as users};
use crate::error::{Error, Result};
use crate::work::Work;

/// Changes the address of `user`, who was asked for the password. Errors: [`Error::Invalid`] at `email` for what is no
/// address, and for one that another account has. Cost: 1 statement.
pub async fn change(work: &mut Work, user: &User, new_email: &str) -> Result<()> {
    let form = Registration {
        username: user.username.clone(),
        email: new_email.to_owned(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        password: String::new(),
    };
    let profile = Profile::parse(&form, &user.bio)?;
    users::set_profile(work, user, &profile).await.map_err(|error| match error {
        Error::Invalid(_) => Error::field("email", "This address is already taken."),
        error => error,
    })
}
