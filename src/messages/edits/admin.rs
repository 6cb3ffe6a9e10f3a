//! The admin of `message-edits`: what messages said before, to be read; nobody writes it.

use crate::admin::resource::{Column, Resource, Rights, Search};

pub const RESOURCE: Resource = Resource {
    slug: "message-edits",
    table: "message_edits",
    singular: "earlier text",
    plural: "earlier texts",
    group: "Talk",
    about: "What messages said before they were edited or deleted. Only staff see it.",
    name: "earlier text of {message_id}",
    columns: &[
        Column::reference("message_id", "messages").listed().filtered(),
        Column::long("content").listed().label("Text"),
        Column::reference("user_id", "users").listed().filtered().nullable().label("Replaced by"),
        Column::time("created_at").listed().filtered().sorted().label("Replaced"),
    ],
    search: Search::Through(&["user_id"]),
    // Whoever wants a text gone deletes its message: a deletion of the text alone would stand in history with it.
    admin: Rights::READ,
    moderator: Rights::VIEW,
    ..Resource::DEFAULT
};
