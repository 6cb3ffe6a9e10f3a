//! The admin of `api_tokens`: whose they are, when they were used, and revoking them. The hash is never seen.

use crate::admin::resource::{Action, Column, Done, Resource, Rights, Search, Secret};
use crate::admin::value::Row;
use crate::ids::ApiTokenId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "api-tokens",
    table: "api_tokens",
    singular: "API token",
    plural: "API tokens",
    group: "Security",
    about: "What programs sign in with. Only a hash of each is stored.",
    name: "{name} of {user_id}",
    columns: &[
        Column::reference("user_id", "users").listed().filtered().label("Person"),
        Column::text("name").listed(),
        Column::time("last_used_at").listed().nullable().label("Last used"),
        Column::time("expires_at").listed().nullable().label("Ends"),
        Column::time("revoked_at").listed().nullable().label("Revoked"),
        Column::time("created_at").listed().filtered().sorted().label("Made"),
    ],
    secrets: &[Secret::new("token_hash")],
    search: Search::Through(&["user_id"]),
    actions: &[
        Action::new("revoke", "Revoke", "Whatever signs in with them is shut out at once.", revoke).destructive()
    ],
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights::NONE,
    export_sudo: true,
    delete_note: "Whatever signs in with it is shut out at once.",
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn revoke(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(super::revoke(work, ApiTokenId(id)))
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, ApiTokenId(row.key.id())))
}
