//! The backoffice: one engine over every model. A model says what its admin is in one [`Resource`] next to itself; the
//! rest is the same for all: lists, forms, deletion, actions, history, export and import. No part of the engine knows
//! a model by name. It knows no HTTP either: `web::pages::admin` and the JSON API stand on the same functions.
//!
//! # Adding a model
//!
//! 1. Write its table into a new migration for each engine, with an index that begins with each column to sort by, and
//!    one on (column, order) for each to filter by.
//! 2. Write `src/<model>/admin.rs` with `pub const RESOURCE: Resource = Resource { … ..Resource::DEFAULT }`: its slug,
//!    table, names, and a line for each column, `Column::text("name").listed().sorted()`.
//! 3. A column whose content must never be seen is a [`column::Secret`]: nothing here can read one.
//! 4. `create`, `update` and `delete` are functions that hand what was typed to the model's own acts; without them
//!    the model can only be read. `restore` puts a deleted row back, for history's *revert*.
//! 5. Say in `admin` and `moderator` who may do what; in `row_rule`, to which rows.
//! 6. Add a line to [`RESOURCES`]. The start and a test check the declaration against both schemas.

pub mod bulk;
pub mod cascade;
pub mod change;
pub mod column;
pub mod condition;
pub mod connections;
pub mod csv;
pub mod dashboard;
pub mod export;
pub mod facet;
pub mod form;
pub mod history;
pub mod import;
pub mod input;
pub mod label;
pub mod list;
pub mod lookup;
pub mod permission;
pub mod plan;
pub mod query;
pub mod record;
pub mod resource;
pub mod schema;
pub mod search;
pub mod sql;
pub mod value;
pub mod wording;
pub mod words;

use resource::Resource;

/// Every model, in the order of the menu.
pub const RESOURCES: &[&Resource] = &[
    &crate::users::admin::RESOURCE,
    &crate::invitations::admin::RESOURCE,
    &crate::interests::admin::RESOURCE,
    &crate::users::blocks::admin::RESOURCE,
    &crate::notifications::admin::RESOURCE,
    &crate::rooms::admin::RESOURCE,
    &crate::rooms::members::admin::RESOURCE,
    &crate::messages::admin::RESOURCE,
    &crate::messages::edits::admin::RESOURCE,
    &crate::messages::pins::admin::RESOURCE,
    &crate::attachments::admin::RESOURCE,
    &crate::reactions::admin::RESOURCE,
    &crate::reports::admin::RESOURCE,
    &crate::auth::session::admin::RESOURCE,
    &crate::auth::api_tokens::admin::RESOURCE,
    &crate::auth::reset_tokens::admin::RESOURCE,
    &crate::emails::admin::RESOURCE,
    &crate::settings::admin::RESOURCE,
    &crate::audit::admin::RESOURCE,
];

/// The model with this slug.
pub fn find(slug: &str) -> Option<&'static Resource> {
    RESOURCES.iter().copied().find(|resource| resource.slug == slug)
}
