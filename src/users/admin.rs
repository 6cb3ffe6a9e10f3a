//! The admin of `users`: what it shows, and how its forms reach the acts in `users/change.rs`.

use super::authority::{Act, may_to};
use super::{NewUser, Profile, Registration, Role, change};
use crate::admin::input::Input;
use crate::admin::resource::{Action, Column, Done, Inline, Password, Resource, Rights, Search, Secret};
use crate::admin::value::{Key, Row};
use crate::auth::two_factor;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::work::Work;

pub const RESOURCE: Resource = Resource {
    slug: "users",
    table: "users",
    singular: "person",
    plural: "people",
    group: "People",
    about: "Everyone with an account.",
    name: "{username}",
    columns: &[
        Column::text("username")
            .listed()
            .sorted_by("username_folded")
            .required()
            .help("3 to 32 of A–Z, a–z, 0–9, _, . and -"),
        Column::text("email").listed().sorted_by("email_folded").required().sudo().label("E-mail"),
        Column::text("first_name").typed(),
        Column::text("last_name").typed(),
        Column::long("bio").typed(),
        Column::text("avatar").nullable(),
        Column::choice("role", Role::CHOICES).listed().filtered().sorted().typed().sudo().initial("user"),
        Column::flag("is_active")
            .listed()
            .filtered()
            .sorted()
            .typed()
            .initial("true")
            .label("Active")
            .help("Off: can't log in"),
        Column::flag("totp_enabled").filtered().sorted().label("Two-factor"),
        Column::count("rooms", "memberships", "user_id"),
        Column::count("messages", "messages", "sender_id"),
        Column::time("last_seen_at").listed().filtered().sorted().nullable().label("Last seen"),
        Column::time("created_at").listed().filtered().sorted().label("Joined"),
        Column::time("updated_at"),
    ],
    secrets: &[Secret::new("password_hash")],
    passwords: &[Password {
        name: "password",
        label: "New password",
        help: "8 to 128 characters. Setting one ends all their sessions.",
        required: true,
    }],
    search: Search::Prefix(&["username_folded", "email_folded", "first_name_folded", "last_name_folded"]),
    sections: &[
        ("Account", &["username", "email", "role", "is_active"]),
        ("Profile", &["first_name", "last_name", "bio", "avatar"]),
    ],
    inlines: &[
        Inline::new("memberships", "user_id"),
        Inline::new("sessions", "user_id"),
        Inline::new("messages", "sender_id"),
    ],
    actions: &[
        Action::new("disable", "Disable", "They are logged out everywhere and can't log in.", disable)
            .moderators()
            .destructive(),
        Action::new("enable", "Enable", "They can log in again.", enable).moderators(),
        Action::new(
            "reset-two-factor",
            "Turn off two-factor",
            "Their password alone opens their account until they turn it on again. They are told by mail.",
            reset_two_factor,
        )
        .destructive()
        .sudo(),
        Action::new("end-sessions", "End sessions", "They are logged out everywhere and can log in again.", end),
    ],
    admin: Rights::ALL,
    moderator: Rights::VIEW,
    export_sudo: true,
    delete_note: "What they wrote stays, as by a deleted account.",
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    protected: Some(protected),
    restore: Some(restore),
    ..Resource::DEFAULT
};

fn create<'a>(work: &'a mut Work, input: &'a Input) -> Done<'a, Key> {
    Box::pin(async move {
        let password = input.text_or("password", "");
        let new = NewUser::parse(&Registration { password, ..overlaid(None, input) }, &work.app.settings().site_name)?;
        let role = input.text("role").map_or(Ok(Role::User), |role| Role::try_from(role.to_owned()))?;
        let id = super::add_in(work, new, role).await?;
        let user = change::hold(work, id).await?;
        if let Some(bio) = input.text("bio") {
            change::set_profile(work, &user, &Profile::parse(&overlaid(None, input), bio)?).await?;
        }
        change::set_active(work, &user, input.flag("is_active").unwrap_or(true)).await?;
        Ok(Key::Id(id.0))
    })
}

fn update<'a>(work: &'a mut Work, row: &'a Row, input: &'a Input) -> Done<'a> {
    Box::pin(async move {
        let user = change::hold(work, UserId(row.key.id())).await?;
        if ["username", "email", "first_name", "last_name", "bio"].iter().any(|name| input.is_given(name)) {
            let profile = Profile::parse(&overlaid(Some(row), input), &input.text_or("bio", row.text("bio")))?;
            change::set_profile(work, &user, &profile).await?;
        }
        if let Some(role) = input.text("role") {
            change::set_role(work, &user, Role::try_from(role.to_owned())?).await?;
        }
        if let Some(active) = input.flag("is_active") {
            // As it is by now: a role was perhaps just taken.
            let user = change::hold(work, user.id).await?;
            change::set_active(work, &user, active).await?;
        }
        match input.text("password") {
            Some(password) if !password.is_empty() => change::set_password(work, &user, password.to_owned()).await,
            _ => Ok(()),
        }
    })
}

/// The row's own values where the input has none.
fn overlaid(row: Option<&Row>, input: &Input) -> Registration {
    let value = |name| input.text_or(name, row.map_or("", |row| row.text(name)));
    Registration {
        username: value("username"),
        email: value("email"),
        first_name: value("first_name"),
        last_name: value("last_name"),
        password: String::new(),
    }
}

fn delete<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let user = change::hold(work, UserId(row.key.id())).await?;
        change::delete(work, &user).await
    })
}

fn protected<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let user = change::hold(work, UserId(row.key.id())).await?;
        change::may_delete(work, &user).await
    })
}

fn restore<'a>(work: &'a mut Work, row: &'a Row) -> Done<'a> {
    Box::pin(async move {
        let profile = Profile::parse(&overlaid(Some(row), &Input::default()), row.text("bio"))?;
        let role = Role::try_from(row.text("role").to_owned())?;
        let id = UserId(row.key.id());
        change::restore(work, id, &profile, role, row.time("created_at")).await?;
        if row.flag("is_active") {
            return Ok(());
        }
        let user = change::hold(work, id).await?;
        change::set_active(work, &user, false).await
    })
}

fn disable(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(set_active(work, id, false))
}

fn enable(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(set_active(work, id, true))
}

async fn set_active(work: &mut Work, id: i64, active: bool) -> Result<()> {
    let user = change::hold(work, UserId(id)).await?;
    change::set_active(work, &user, active).await
}

fn reset_two_factor(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(async move {
        let user = change::hold(work, UserId(id)).await?;
        if work.by.as_ref().is_some_and(|by| by.id == user.id) {
            return Err(Error::Conflict(msgid!("This is your own account: turn it off in your settings.")));
        }
        two_factor::disable(work, &user).await
    })
}

fn end(work: &mut Work, id: i64) -> Done<'_> {
    Box::pin(async move {
        let user = change::hold(work, UserId(id)).await?;
        may_to(work.by.as_ref(), Act::EndSessions, &user)?;
        change::end_sessions(work, &user).await
    })
}
