//! The admin of `password_reset_tokens`: who asked for one when, and ending it. The hash is never seen.

use crate::admin::resource::{Column, Done, Resource, Rights, Search, Secret};
use crate::admin::value::Row;
use crate::ids::ResetTokenId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "password-reset-tokens",
    table: "password_reset_tokens",
    singular: "password reset",
    plural: "password resets",
    group: "Security",
    about: "Links that set a new password. Only a hash of each is stored.",
    name: "reset for {user_id}",
    columns: &[
        Column::reference("user_id", "users").listed().filtered().label("Person"),
        Column::time("created_at").listed().filtered().sorted().label("Asked for"),
        Column::time("expires_at").listed().filtered().sorted().label("Ends"),
        Column::time("used_at").listed().nullable().label("Used"),
    ],
    secrets: &[Secret::new("token_hash")],
    search: Search::Through(&["user_id"]),
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights::NONE,
    export_sudo: true,
    delete_note: "Its link is worth nothing from then on.",
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, ResetTokenId(row.key.id())))
}
