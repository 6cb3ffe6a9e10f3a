//! The admin of `audit_entries`: history as it is, which nobody adds to, changes or deletes by hand.

use crate::admin::resource::{Column, Resource, Rights, Search};

pub const RESOURCE: Resource = Resource {
    slug: "audit-entries",
    table: "audit_entries",
    singular: "history entry",
    plural: "history",
    group: "Site",
    about: "What staff did here: who, when, from where, before and after.",
    name: "{action} {object_label}",
    columns: &[
        Column::reference("actor_id", "users").listed().filtered().nullable().label("Who"),
        Column::text("action").listed().filtered(),
        Column::text("model").listed().filtered(),
        Column::text("object_id").label("Object"),
        Column::text("object_label").listed().label("Called"),
        Column::changes("changes"),
        Column::text("ip").listed().label("From"),
        Column::time("created_at").listed().filtered().sorted().label("When"),
    ],
    search: Search::Prefix(&["lower(object_label)"]),
    admin: Rights::READ,
    moderator: Rights::VIEW,
    // What moderators can't see as it is they don't see as it was; mails hold links that open accounts.
    export_sudo: true,
    moderator_rows: "model not in ('sessions', 'api-tokens', 'password-reset-tokens', 'settings', 'emails')",
    ..Resource::DEFAULT
};
