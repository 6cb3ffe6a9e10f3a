//! The admin of `blocks`: who has blocked whom. Nobody blocks in another's name; administrators lift a block.

use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::ids::{BlockId, UserId};
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "blocks",
    table: "blocks",
    singular: "block",
    plural: "blocks",
    group: "People",
    about: "Who doesn't want to hear from whom.",
    name: "{user_id} blocks {blocked_id}",
    columns: &[
        Column::reference("user_id", "users").listed().filtered().label("Who"),
        Column::reference("blocked_id", "users").listed().filtered().label("Whom"),
        Column::time("created_at").listed().filtered().sorted().label("Since"),
    ],
    search: Search::Through(&["user_id", "blocked_id"]),
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights::VIEW,
    delete_note: "The two can write to each other again. Neither is told.",
    delete: Some(delete),
    restore: Some(restore),
    ..Resource::DEFAULT
};

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, BlockId(row.key.id())))
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let user = |column| UserId(row.int(column).unwrap_or(-1));
        let (id, at) = (BlockId(row.key.id()), row.time("created_at"));
        super::restore(work, id, user("user_id"), user("blocked_id"), at).await
    })
}
