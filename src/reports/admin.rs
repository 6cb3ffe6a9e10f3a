//! The admin of `reports`: the queue of what people find wrong, and what staff do about it.

use super::{Former, Status};
use crate::admin::input::Input;
use crate::admin::resource::{Action, Column, Done, Resource, Rights, Search};
use crate::admin::value::{Key, Row};
use crate::ids::{MessageId, ReportId, UserId};
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "reports",
    table: "reports",
    singular: "report",
    plural: "reports",
    group: "Talk",
    about: "Messages that somebody finds wrong.",
    name: "report of {message_id}",
    columns: &[
        Column::reference("message_id", "messages").listed().filtered().required().once(),
        Column::reference("reporter_id", "users").listed().filtered().nullable(),
        Column::long("reason").listed().required().once(),
        Column::choice("status", Status::CHOICES).listed().filtered().sorted().typed(),
        Column::reference("handled_by", "users").listed().filtered().nullable(),
        Column::time("created_at").listed().filtered().sorted().label("Reported"),
    ],
    search: Search::Through(&["reporter_id"]),
    actions: &[
        Action::new("resolve", "Resolve", "They are done with; the messages stay as they are.", resolve).moderators(),
        Action::new("dismiss", "Dismiss", "Nothing was wrong; the messages stay as they are.", dismiss).moderators(),
        Action::new(
            "hide",
            "Hide message",
            "The messages are deleted, and every open report of them is resolved.",
            hide,
        )
        .moderators()
        .destructive(),
    ],
    admin: Rights::ALL,
    moderator: Rights { export: false, ..Rights::ALL },
    delete_note: "The message stays as it is.",
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    restore: Some(restore),
    ..Resource::DEFAULT
};

fn create<'a>(work: &'a mut Work, input: &'a Input) -> Done<'a, Key> {
    Box::pin(async move {
        let message = MessageId(input.int("message_id").unwrap_or(-1));
        let id = super::add(work, message, input.text("reason").unwrap_or_default()).await?;
        match status(input)? {
            None | Some(Status::Open) => {}
            Some(status) => super::set_status(work, id, status).await?,
        }
        Ok(Key::Id(id.0))
    })
}

fn status(input: &Input) -> Result<Option<Status>, crate::error::Error> {
    input.text("status").filter(|text| !text.is_empty()).map(|text| Status::try_from(text.to_owned())).transpose()
}

fn update<'a>(work: &'a mut Work, row: &'a Row, input: &'a Input) -> Done<'a> {
    Box::pin(async move {
        match status(input)? {
            Some(status) => super::set_status(work, ReportId(row.key.id()), status).await,
            None => Ok(()),
        }
    })
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, ReportId(row.key.id())))
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let former = Former {
            id: ReportId(row.key.id()),
            message: MessageId(row.int("message_id").unwrap_or(-1)),
            reporter: row.int("reporter_id").map(UserId),
            reason: row.text("reason").to_owned(),
            status: Status::try_from(row.text("status").to_owned())?,
            handled_by: row.int("handled_by").map(UserId),
            created_at: row.time("created_at"),
        };
        super::restore(work, &former).await
    })
}

fn resolve(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(super::set_status(work, ReportId(id), Status::Resolved))
}

fn dismiss(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(super::set_status(work, ReportId(id), Status::Dismissed))
}

fn hide(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(super::hide(work, ReportId(id)))
}
