//! The admin of `memberships`: what it shows, and how its forms reach the acts in `rooms/members/change.rs`.

use super::change::{self, Former, Membership};
use crate::admin::input::Input;
use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::{Key, Row};
use crate::error::Error;
use crate::ids::{MembershipId, RoomId, UserId};
use crate::work::Work;
use crate::{rooms, users};

const ROLES: &[(&str, &str)] = &[("owner", "Owner"), ("member", "Member")];

pub const RESOURCE: Resource = Resource {
    slug: "memberships",
    table: "memberships",
    singular: "membership",
    plural: "memberships",
    group: "Talk",
    about: "Who is in which room.",
    name: "{user_id} in {room_id}",
    columns: &[
        Column::reference("room_id", "rooms").listed().filtered().required().once(),
        Column::reference("user_id", "users").listed().filtered().required().once().label("Person"),
        Column::choice("role", ROLES).listed().filtered().sorted().typed(),
        Column::flag("muted").listed().filtered().sorted().typed().help("On: not told of what is said there"),
        Column::flag("notify_all")
            .listed()
            .typed()
            .label("Every message")
            .help("On: told of every message, unless muted. Off: of mentions and replies"),
        Column::int("last_read_seq").listed().label("Read up to").help("The number of a message"),
        Column::time("joined_at").listed().filtered().sorted().label("Joined"),
    ],
    search: Search::Through(&["user_id", "room_id"]),
    order: "-joined_at",
    admin: Rights::ALL,
    moderator: Rights { export: false, ..Rights::ALL },
    delete_note: "The person is out of the room at once, and their connections to it end.",
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    restore: Some(restore),
    ..Resource::DEFAULT
};

fn create<'a>(work: &'a mut Work, input: &'a Input) -> Done<'a, Key> {
    Box::pin(async move {
        let room = RoomId(input.int("room_id").unwrap_or(-1));
        let room = rooms::change::hold(work, room).await.map_err(|error| match error {
            Error::NotFound(_) => Error::field("room_id", tr!("There is no such room.")),
            error => error,
        })?;
        let user = users::by_id(work, UserId(input.int("user_id").unwrap_or(-1))).await?;
        let user = user.ok_or_else(|| Error::field("user_id", tr!("There is no such account.")))?;
        let role = input.text("role").filter(|role| !role.is_empty()).unwrap_or("member");
        let id = change::put_in(work, &room, &user, role).await?;
        let id = id.ok_or_else(|| Error::field("user_id", tr!("This person is in the room already.")))?;
        let (muted, all) = (input.flag("muted"), input.flag("notify_all"));
        change::set_notices(work, room.id, user.id, muted, all).await?;
        Ok(Key::Id(id.0))
    })
}

fn update<'a>(work: &'a mut Work, row: &'a Row, input: &'a Input) -> Done<'a> {
    Box::pin(async move {
        let (_, membership) = change::hold(work, MembershipId(row.key.id())).await?;
        if let Some(role) = input.text("role") {
            change::set_role(work, &membership, role).await?;
        }
        let (muted, all) = (input.flag("muted"), input.flag("notify_all"));
        change::set_notices(work, membership.room_id, membership.user_id, muted, all).await
    })
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let (room, membership) = change::hold(work, MembershipId(row.key.id())).await?;
        change::take_out(work, &room, membership.user_id).await
    })
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let membership = Membership {
            id: MembershipId(row.key.id()),
            room_id: RoomId(row.int("room_id").unwrap_or(-1)),
            user_id: UserId(row.int("user_id").unwrap_or(-1)),
            role: row.text("role").to_owned(),
            muted: row.flag("muted"),
            notify_all: row.flag("notify_all"),
        };
        let last_read_seq = row.int("last_read_seq").unwrap_or(0);
        change::restore(work, &Former { membership, last_read_seq, joined_at: row.time("joined_at") }).await
    })
}
