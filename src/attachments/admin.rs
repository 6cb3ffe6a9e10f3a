//! The admin of `attachments`: which files there are, of whom, how big, and taking them off their messages.

use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::ids::AttachmentId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "attachments",
    table: "attachments",
    singular: "attachment",
    plural: "attachments",
    group: "Talk",
    about: "Files that go with messages.",
    name: "{filename}",
    columns: &[
        Column::text("filename").listed().label("File"),
        Column::reference("message_id", "messages").listed().filtered(),
        Column::reference("uploader_id", "users").listed().filtered().nullable(),
        Column::text("content_type").listed().label("Type"),
        Column::int("size").listed().filtered().sorted().help("In bytes"),
        Column::text("sha256").label("SHA-256"),
        Column::int("width").nullable(),
        Column::int("height").nullable(),
        Column::time("created_at").listed().filtered().sorted().label("Uploaded"),
    ],
    search: Search::Prefix(&["lower(filename)"]),
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights::READ,
    delete_note: "The message stays, without the file.",
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, AttachmentId(row.key.id())))
}
