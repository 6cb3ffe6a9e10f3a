//! The admin of `message-edits`: what messages said before, to be read; nobody writes it.

use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::ids::MessageEditId;
use crate::work::Work;

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
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights::VIEW,
    delete_note: "The message stays as it is.",
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, MessageEditId(row.key.id())))
}
