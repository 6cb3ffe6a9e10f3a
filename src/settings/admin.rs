//! The admin of `settings`: one value each, checked by its key in `settings.rs`.

use crate::admin::input::Input;
use crate::admin::resource::{Column, Done, Resource, Rights, Search};
use crate::admin::value::Row;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "settings",
    table: "settings",
    singular: "setting",
    plural: "settings",
    group: "Site",
    about: "The site's choices. A change holds at once.",
    key: "key",
    name: "{key}",
    columns: &[
        Column::text("key").listed().sorted(),
        Column::text("value").listed().typed().sudo().help(
            "site_name: 1 to 80 characters. registration: open, invite (by an invitation only), \
             closed (nobody, invited or not). room_creation: anyone, admins. \
             direct_chat: anyone, after_interest. retention_days: empty, or 1 and up. upload_types: *, or MIME types by \
             commas. staff_two_factor: optional, required.",
        ),
        Column::time("updated_at").listed().label("Changed"),
    ],
    search: Search::Prefix(&["key"]),
    order: "key",
    admin: Rights { change: true, ..Rights::READ },
    moderator: Rights::NONE,
    update: Some(update),
    ..Resource::DEFAULT
};

fn update<'a>(work: &'a mut Work, row: &'a Row, input: &'a Input) -> Done<'a> {
    Box::pin(async move {
        match input.text("value") {
            Some(value) => super::set(work, &row.key.to_string(), value).await,
            None => Ok(()),
        }
    })
}
