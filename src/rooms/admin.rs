//! The admin of `rooms`: what it shows, and how its forms reach the acts in `rooms/change.rs`.

use super::{Kind, NewRoom, RoomForm, change};
use crate::admin::input::Input;
use crate::admin::resource::{Act, Column, Done, Inline, Resource, Rights, Search};
use crate::admin::value::{Key, Row};
use crate::error::{Error, Result};
use crate::ids::{RoomId, UserId};
use crate::users::Person;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "rooms",
    table: "rooms",
    singular: "room",
    plural: "rooms",
    group: "Talk",
    about: "Public rooms, groups and direct chats.",
    name: "{name}",
    columns: &[
        Column::text("name").listed().sorted_by("name_folded").typed().help("Public rooms need one, of their own"),
        Column::choice("kind", Kind::CHOICES)
            .listed()
            .filtered()
            .sorted()
            .required()
            .once()
            .help("Public: everyone reads and joins. Direct chats are begun by the two themselves."),
        Column::long("description").typed(),
        Column::reference("created_by", "users").listed().filtered().nullable().label("Made by"),
        Column::int("member_count").listed().filtered().sorted().label("Members"),
        Column::int("last_seq").listed().filtered().sorted().label("Messages").help("The number of the last message"),
        Column::int("last_rev").label("Revision").help("How often anything in it was changed"),
        Column::time("last_message_at").listed().sorted().label("Last talk"),
        Column::time("created_at").listed().filtered().sorted().label("Made"),
        Column::time("updated_at"),
    ],
    search: Search::Prefix(&["name_folded"]),
    sections: &[("Room", &["kind", "name", "description", "created_by"])],
    inlines: &[Inline::new("memberships", "room_id"), Inline::new("messages", "room_id")],
    admin: Rights::ALL,
    moderator: Rights::ALL,
    row_rule,
    delete_note: "Its messages and memberships go for good, and everyone connected is told. Put back, a room is empty.",
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    restore: Some(restore),
    ..Resource::DEFAULT
};

fn row_rule(_: &Person, act: Act, row: &Row) -> Result<(), &'static str> {
    match act {
        Act::Change if row.text("kind") == "direct" => Err(msgid!("A direct chat has no name of its own.")),
        _ => Ok(()),
    }
}

fn create<'a>(work: &'a mut Work, input: &'a Input) -> Done<'a, Key> {
    Box::pin(async move {
        let owner = work.by.clone().ok_or(Error::Forbidden(msgid!("A room is made by a person.")))?;
        let kind = kind(input.text("kind").unwrap_or_default())?;
        if kind == Kind::Direct {
            return Err(Error::field(
                "kind",
                tr!("A direct chat is begun by the two themselves. Make a group instead."),
            ));
        }
        let form = RoomForm {
            kind: kind.as_str().to_owned(),
            name: input.text_or("name", ""),
            description: input.text_or("description", ""),
            member_ids: Vec::new(),
        };
        let new = NewRoom::parse(&owner, &form)?;
        Ok(Key::Id(change::make(work, &owner, &new).await?.0))
    })
}

fn kind(text: &str) -> Result<Kind> {
    Kind::try_from(text.to_owned())
}

fn update<'a>(work: &'a mut Work, row: &'a Row, input: &'a Input) -> Done<'a> {
    Box::pin(async move {
        let room = change::hold(work, RoomId(row.key.id())).await?;
        let name = input.text_or("name", &room.name);
        let description = input.text_or("description", &room.description);
        change::set_names(work, &room, &name, &description).await
    })
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let room = change::hold(work, RoomId(row.key.id())).await?;
        change::delete(work, &room).await
    })
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let former = change::Former {
            id: RoomId(row.key.id()),
            kind: kind(row.text("kind"))?,
            name: row.text("name").to_owned(),
            description: row.text("description").to_owned(),
            created_by: row.int("created_by").map(UserId),
            last_seq: row.int("last_seq").unwrap_or(0),
            last_rev: row.int("last_rev").unwrap_or(0),
            created_at: row.time("created_at"),
        };
        change::restore(work, &former).await
    })
}
