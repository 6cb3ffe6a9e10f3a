//! Pictures of people.

use super::User;

/// Where the picture of `user` is read; `None` for who has none.
pub fn url(_user: &User) -> Option<String> {
    None
}
