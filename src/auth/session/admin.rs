//! The admin of `sessions`: who is signed in from where, and ending it.

use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::error::Error;
use crate::ids::SessionId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "sessions",
    table: "sessions",
    singular: "session",
    plural: "sessions",
    group: "Security",
    about: "Who is signed in, from where.",
    name: "{user_id} from {ip}",
    columns: &[
        Column::reference("user_id", "users").listed().filtered().label("Person"),
        Column::text("ip").listed().label("Address"),
        Column::text("user_agent").listed().label("Browser"),
        Column::time("created_at").listed().filtered().sorted().label("Signed in"),
        Column::time("last_seen_at").listed().filtered().sorted().label("Last seen"),
        Column::time("expires_at").listed().filtered().sorted().label("Ends"),
    ],
    search: Search::Through(&["user_id"]),
    admin: Rights { delete: true, ..Rights::READ },
    moderator: Rights::NONE,
    export_sudo: true,
    delete_note: "They are logged out there at once, and their connections end.",
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let id = SessionId(row.key.id());
        if work.by.as_ref().is_some_and(|by| by.session() == Some(id)) {
            return Err(Error::Conflict(msgid!("This is your own session: log out instead.")));
        }
        super::end(work, id).await
    })
}
