//! The admin of `pins`: which messages rooms keep at hand, and taking one down.

use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::ids::PinId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "pins",
    table: "pins",
    singular: "pin",
    plural: "pins",
    group: "Talk",
    about: "Messages that rooms keep at hand.",
    name: "pin of {message_id}",
    columns: &[
        Column::reference("message_id", "messages").listed().filtered(),
        Column::reference("room_id", "rooms").listed().filtered(),
        Column::reference("pinned_by", "users").listed().filtered().nullable(),
        Column::time("created_at").listed().filtered().sorted().label("Pinned"),
    ],
    search: Search::Through(&["room_id", "pinned_by"]),
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights { delete: true, ..Rights::VIEW },
    delete_note: "The message stays as it is, and its room is told.",
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, PinId(row.key.id())))
}
