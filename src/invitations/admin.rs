//! The admin of `invitations`: who was invited by whom, and what came of it. The link's token is never seen.

use crate::admin::input::Input;
use crate::admin::resource::{Action, Column, Done, Resource, Rights, Search, Secret};
use crate::admin::value::{Key, Row};
use crate::ids::InvitationId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "invitations",
    table: "invitations",
    singular: "invitation",
    plural: "invitations",
    group: "People",
    about: "Links to register by, each for one address, once, within seven days. Only a hash of each is stored.",
    name: "{email}",
    columns: &[
        Column::text("email").listed().required().once().label("E-mail").help("Gets a letter with the link at once."),
        Column::reference("invited_by", "users").listed().filtered().nullable().label("Invited by"),
        Column::reference("user_id", "users").listed().nullable().label("Registered as"),
        Column::time("created_at").listed().filtered().sorted().label("Invited"),
        Column::time("expires_at").listed().filtered().sorted().label("Ends"),
        Column::time("used_at").listed().nullable().label("Used"),
    ],
    secrets: &[Secret::new("token_hash")],
    search: Search::Prefix(&["lower(email)"]),
    sections: &[("Invitation", &["email"])],
    actions: &[Action::new(
        "send-again",
        "Send again",
        "They get a new letter with a new link, for seven days. The link before it stops working.",
        send_again,
    )],
    admin: Rights { change: false, ..Rights::ALL },
    moderator: Rights::NONE,
    export_sudo: true,
    delete_note: "Its link is worth nothing from then on.",
    create: Some(create),
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn create<'a>(work: &'a mut Work, input: &'a Input) -> Done<'a, Key> {
    Box::pin(async move {
        let id = super::invite(work, input.text("email").unwrap_or_default()).await?;
        Ok(Key::Id(id.0))
    })
}

fn send_again(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(super::send_again(work, InvitationId(id)))
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, InvitationId(row.key.id())))
}
