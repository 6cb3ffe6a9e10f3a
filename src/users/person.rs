//! Who may act: a [`Person`], made anew on each request of what the database says of a session or a token. This is the
//! one place where somebody's rights are decided.

use sqlx::FromRow;

use super::Role;
use crate::clock::Timestamp;
use crate::i18n::Language;
use crate::ids::{ApiTokenId, SessionId, UserId};
use crate::settings::Settings;

/// What somebody is signed in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// A browser's cookie, or a program's access token.
    Session(SessionId),
    /// A personal token.
    Token(ApiTokenId),
}

impl Via {
    /// As the database has it: the session's id, or else the token's.
    pub(crate) fn columns(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Session(id) => (Some(id.0), None),
            Self::Token(id) => (None, Some(id.0)),
        }
    }
}

/// Who is signed in, as checked on this request.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub id: UserId,
    pub username: String,
    /// The rights they have; the account's own role unless they are held back.
    pub role: Role,
    pub via: Via,
    /// When they signed in; `None` for who came by a personal token.
    pub signed_in_at: Option<Timestamp>,
    /// When the password was last asked for again in this session.
    pub confirmed_at: Option<Timestamp>,
    /// Their picture's file, as `User::avatar`.
    pub avatar: Option<String>,
    /// Staff with an ordinary person's rights, until they turn two-factor on.
    pub held_back: bool,
    /// The language they chose.
    pub language: Option<Language>,
}

/// Whose a session or a token is.
#[derive(Clone, FromRow)]
pub(crate) struct Holder {
    pub user_id: UserId,
    pub username: String,
    #[sqlx(try_from = "String")]
    pub role: Role,
    pub totp_enabled: bool,
    pub avatar: Option<String>,
    /// The code of the language they chose, or nothing.
    pub language: String,
}

impl Person {
    /// Whoever holds a session or a token that stands. With the setting `staff_two_factor` at `required`, staff without
    /// two-factor have the rights of anybody: they can still turn it on, and are staff again by their next request.
    pub(crate) fn new(settings: &Settings, holder: Holder, via: Via, confirmed_at: Option<Timestamp>) -> Self {
        let Holder { user_id: id, username, role, totp_enabled, avatar, language } = holder;
        let held_back = settings.staff_need_two_factor && role != Role::User && !totp_enabled;
        let role = if held_back { Role::User } else { role };
        let language = Language::of(&language);
        Self { id, username, role, via, signed_in_at: None, confirmed_at, avatar, held_back, language }
    }

    pub fn is_staff(&self) -> bool {
        self.role != Role::User
    }

    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// The session they are in; none for whoever came by a personal token.
    pub fn session(&self) -> Option<SessionId> {
        match self.via {
            Via::Session(id) => Some(id),
            Via::Token(_) => None,
        }
    }

    /// Their picture, if they have one.
    pub fn picture(&self) -> Option<String> {
        self.avatar.as_deref().map(super::avatar::file_url)
    }
}
