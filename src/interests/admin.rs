//! The admin of `interests`: who asked whom, and what became of it.

use super::{Interest, Status, change, news};
use crate::admin::input::Input;
use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::ids::{InterestId, UserId};
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "interests",
    table: "interests",
    singular: "interest",
    plural: "interests",
    group: "People",
    about: "Who asked whom to talk.",
    name: "{sender_id} to {recipient_id}",
    columns: &[
        Column::reference("sender_id", "users").listed().filtered().label("From"),
        Column::reference("recipient_id", "users").listed().filtered().label("To"),
        Column::long("note").listed(),
        Column::choice("status", Status::CHOICES)
            .listed()
            .filtered()
            .sorted()
            .typed()
            .help("Accepted, the two have a direct room"),
        Column::time("created_at").listed().filtered().sorted().label("Sent"),
        Column::time("decided_at").listed().nullable().label("Decided"),
    ],
    search: Search::Through(&["sender_id", "recipient_id"]),
    admin: Rights { add: false, ..Rights::ALL },
    moderator: Rights::VIEW,
    delete_note: "A direct room that came of it stays.",
    update: Some(update),
    delete: Some(delete),
    restore: Some(restore),
    ..Resource::DEFAULT
};

fn update<'a>(work: &'a mut Work, row: &'a Row, input: &'a Input) -> Done<'a> {
    Box::pin(async move {
        let Some(status) = input.text("status") else { return Ok(()) };
        let status = Status::try_from(status.to_owned())?;
        let interest = change::hold(work, InterestId(row.key.id())).await?;
        let room = change::set_status(work, &interest, status).await?;
        news::tell_both(work, &interest, room).await
    })
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(change::delete(work, InterestId(row.key.id())))
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let former = Interest {
            id: InterestId(row.key.id()),
            sender_id: UserId(row.int("sender_id").unwrap_or(-1)),
            recipient_id: UserId(row.int("recipient_id").unwrap_or(-1)),
            note: row.text("note").to_owned(),
            status: Status::try_from(row.text("status").to_owned())?,
            created_at: row.time("created_at"),
            decided_at: (!row.get("decided_at").is_null()).then(|| row.time("decided_at")),
        };
        change::restore(work, &former).await
    })
}
