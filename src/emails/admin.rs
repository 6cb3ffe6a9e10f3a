//! The admin of `emails`: what was sent, what waits and what fails. Moderators see to whom and about what, and no more: a
//! reset link that they could read would be an account taken over.

use askama::Template;

use super::NewEmail;
use crate::admin::input::Input;
use crate::admin::resource::{Action, Column, Done, Resource, Rights, Search};
use crate::admin::value::{Key, Row};
use crate::error::{Error, Result};
use crate::ids::EmailId;
use crate::work::Work;

const STATUSES: &[(&str, &str)] = &[("queued", "Queued"), ("sent", "Sent"), ("failed", "Failed")];

pub const RESOURCE: Resource = Resource {
    slug: "emails",
    table: "emails",
    singular: "mail",
    plural: "mails",
    group: "Site",
    about: "The outbox: what was sent, what waits and what fails.",
    name: "{subject}",
    columns: &[
        Column::text("to").listed().required().once(),
        Column::text("subject").listed().required().once(),
        Column::long("text").required().once().admins_only(),
        Column::long("html").admins_only().label("HTML"),
        Column::choice("status", STATUSES).listed().filtered().sorted(),
        Column::int("attempts").listed().filtered().sorted(),
        Column::text("last_error").nullable().admins_only(),
        Column::time("next_attempt_at").listed().nullable().label("Next attempt"),
        Column::time("sent_at").listed().nullable().label("Sent"),
        Column::time("created_at").listed().filtered().sorted().label("Queued"),
    ],
    search: Search::Prefix(&["lower(\"to\")"]),
    sections: &[("Mail", &["to", "subject", "text", "html"])],
    actions: &[
        Action::new("resend", "Send again", "They are queued once more and sent at once.", resend),
        Action::new("cancel", "Cancel", "They aren't sent, unless somebody sends them again.", cancel),
    ],
    preview: Some(preview),
    admin: Rights { change: false, ..Rights::ALL },
    moderator: Rights::VIEW,
    export_sudo: true,
    delete_note: "One that waits is never sent.",
    create: Some(create),
    delete: Some(delete),
    ..Resource::DEFAULT
};

fn create<'a>(work: &'a mut Work, input: &'a Input) -> Done<'a, Key> {
    Box::pin(async move {
        let text = |name| input.text(name).unwrap_or_default();
        let new = NewEmail::parse(text("to"), text("subject"), text("text"))?;
        Ok(Key::Id(super::queue(work, &new, None).await?.0))
    })
}

fn resend(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(super::resend(work, EmailId(id)))
}

fn cancel(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(super::cancel(work, EmailId(id)))
}

#[derive(Template)]
#[template(path = "email/plain.html")]
struct Plain<'a> {
    subject: &'a str,
    text: &'a str,
}

/// The mail as its reader sees it: its HTML, or its text where it has none.
fn preview(row: &Row) -> Result<String> {
    match row.text("html") {
        "" => Plain { subject: row.text("subject"), text: row.text("text") }.render().map_err(Error::internal),
        html => Ok(html.to_owned()),
    }
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(super::delete(work, EmailId(row.key.id())))
}
