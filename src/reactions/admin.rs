//! The admin of `reactions`: what it shows, and how its forms reach the acts in `reactions.rs`.

use super::New;
use crate::admin::input::Input;
use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::{Key, Row};
use crate::error::Error;
use crate::ids::{MessageId, ReactionId, UserId};
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "reactions",
    table: "reactions",
    singular: "reaction",
    plural: "reactions",
    group: "Talk",
    about: "Who reacted to which message, and how.",
    name: "{emoji} by {user_id}",
    columns: &[
        Column::reference("message_id", "messages").listed().filtered().required().once(),
        Column::reference("user_id", "users").listed().filtered().label("Person").help("A new one is your own"),
        Column::text("emoji").listed().required().once(),
        Column::time("created_at").listed().filtered().sorted().label("Made"),
    ],
    search: Search::Through(&["user_id"]),
    admin: Rights { change: false, ..Rights::ALL },
    moderator: Rights::READ,
    delete_note: "It disappears from the message at once.",
    create: Some(create),
    delete: Some(delete),
    restore: Some(restore),
    ..Resource::DEFAULT
};

fn create<'a>(work: &'a mut Work, input: &'a Input) -> Done<'a, Key> {
    Box::pin(async move {
        let by = work.by.as_ref().ok_or(Error::Forbidden(msgid!("A reaction is a person's.")))?;
        let (user, at) = (by.id, work.now());
        let message = MessageId(input.int("message_id").unwrap_or(-1));
        let new = New { id: None, message, user, emoji: input.text_or("emoji", ""), at };
        Ok(Key::Id(super::add(work, &new).await?.0))
    })
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::remove(work, ReactionId(row.key.id())))
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let new = New {
            id: Some(ReactionId(row.key.id())),
            message: MessageId(row.int("message_id").unwrap_or(-1)),
            user: UserId(row.int("user_id").unwrap_or(-1)),
            emoji: row.text("emoji").to_owned(),
            at: row.time("created_at"),
        };
        super::add(work, &new).await.map(|_| ())
    })
}
