//! A person as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::ids::UserId;
use crate::users::{Person, User};

/// Somebody with an account. Address, role and state are told to themselves and to staff.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserShape {
    id: UserId,
    #[schema(example = "maria")]
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    first_name: String,
    last_name: String,
    bio: String,
    /// Their picture, or one of their initials; a path on this site.
    #[schema(example = "/avatars/initials/M-1.svg")]
    avatar_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "user")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_active: Option<bool>,
    created_at: Timestamp,
    #[schema(required = true)]
    last_seen_at: Option<Timestamp>,
}

impl UserShape {
    /// As `reader` may see them: address, role and state are for themselves and for staff.
    pub fn for_reader(user: User, reader: &Person) -> Self {
        let sees_all = reader.is_staff() || reader.id == user.id;
        let all = Self::own(user);
        if sees_all { all } else { Self { email: None, role: None, is_active: None, ..all } }
    }

    /// As they see themselves.
    pub fn own(user: User) -> Self {
        Self {
            avatar_url: user.avatar_url(),
            id: user.id,
            username: user.username,
            email: Some(user.email),
            first_name: user.first_name,
            last_name: user.last_name,
            bio: user.bio,
            role: Some(user.role.as_str()),
            is_active: Some(user.is_active),
            created_at: user.created_at,
            last_seen_at: user.last_seen_at,
        }
    }
}
