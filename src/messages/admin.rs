//! The admin of `messages`: what it shows, and how its forms reach the acts in `messages/change.rs`. Nobody writes here in
//! another's name: messages are posted in their room.

use super::change;
use crate::admin::input::Input;
use crate::admin::resource::{Act, Action, Column, Done, FullText, Inline, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::error::{Error, Result};
use crate::ids::MessageId;
use crate::users::Person;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "messages",
    table: "messages",
    singular: "message",
    plural: "messages",
    group: "Talk",
    about: "Everything that was said.",
    name: "{sender_id} in {room_id} #{seq}",
    columns: &[
        Column::reference("room_id", "rooms").listed().filtered(),
        Column::int("seq").listed().label("Number"),
        Column::int("rev").label("Revision"),
        Column::reference("sender_id", "users").listed().filtered().nullable(),
        Column::long("content").listed().required().label("Text").help("1 to 4000 characters, Markdown-light"),
        Column::text("client_id").nullable(),
        Column::reference("reply_to", "messages").nullable().label("Answers"),
        Column::time("edited_at").listed().filtered().sorted().nullable().label("Edited"),
        Column::time("deleted_at").listed().filtered().sorted().nullable().label("Deleted"),
        Column::time("created_at").listed().filtered().sorted().label("Sent"),
    ],
    search: Search::FullText(FullText { table: "messages_text", tags: &[("room_id", 'r'), ("sender_id", 's')] }),
    sections: &[("Message", &["room_id", "seq", "sender_id", "content", "reply_to"])],
    inlines: &[
        Inline::new("message-edits", "message_id"),
        Inline::new("attachments", "message_id"),
        Inline::new("reactions", "message_id"),
        Inline::new("reports", "message_id"),
    ],
    actions: &[
        Action::new("hide", "Hide", "Their text is gone from the room; the place stays.", hide)
            .moderators()
            .destructive(),
        Action::new(
            "erase",
            "Erase for good",
            "Deleted messages go from the database too. Nothing brings them back.",
            erase,
        )
        .destructive()
        .sudo(),
    ],
    admin: Rights { add: false, ..Rights::ALL },
    moderator: Rights { add: false, export: false, ..Rights::ALL },
    row_rule,
    delete_note: "The text, its attachments and reactions go; the place in the room stays, staff keep the text among the \
                  earlier ones, and history can put it back.",
    keeps_place: true,
    update: Some(update),
    delete: Some(delete),
    restore: Some(restore),
    ..Resource::DEFAULT
};

/// A deletion that is sent twice must not do more the second time: erasing is an act of its own.
fn row_rule(_: &Person, act: Act, row: &Row) -> Result<(), &'static str> {
    match act {
        Act::Delete if !row.get("deleted_at").is_null() => {
            Err(msgid!("This message is deleted already. An administrator can erase it for good."))
        }
        _ => Ok(()),
    }
}

fn update<'a>(work: &'a mut Work, row: &'a Row, input: &'a Input) -> Done<'a> {
    Box::pin(async move {
        match input.text("content") {
            Some(content) => change::edit(work, MessageId(row.key.id()), content).await,
            None => Ok(()),
        }
    })
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(change::delete(work, MessageId(row.key.id())))
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let restored = change::restore(work, MessageId(row.key.id()), row.text("content")).await;
        restored.map_err(|error| match error {
            Error::NotFound(_) => Error::Conflict(msgid!("This message was erased: it can't be put back.")),
            error => error,
        })
    })
}

fn erase(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(async move {
        let id = MessageId(id);
        if change::hold(work, id).await?.deleted_at.is_none() {
            return Err(Error::Conflict(msgid!("This message stands: delete it first.")));
        }
        change::erase(work, id).await
    })
}

fn hide(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(change::delete(work, MessageId(id)))
}
