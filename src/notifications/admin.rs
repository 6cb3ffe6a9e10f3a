//! The admin of `notifications`: who was told of what, and whether they looked.

use super::Kind;
use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::ids::NotificationId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "notifications",
    table: "notifications",
    singular: "notification",
    plural: "notifications",
    group: "People",
    about: "What people were told of.",
    name: "{kind} for {user_id}",
    columns: &[
        Column::reference("user_id", "users").listed().filtered().label("Person"),
        Column::choice("kind", Kind::CHOICES).listed().filtered().sorted(),
        Column::reference("message_id", "messages").listed().nullable(),
        Column::reference("room_id", "rooms").listed().nullable(),
        Column::reference("actor_id", "users").listed().filtered().nullable().label("By"),
        Column::time("read_at").listed().nullable().label("Read"),
        Column::time("created_at").listed().filtered().sorted().label("Told"),
    ],
    search: Search::Through(&["user_id"]),
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights::VIEW,
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, NotificationId(row.key.id())))
}
