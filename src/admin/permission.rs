//! Who may do what: the rights a model declares, asked by role, by row and by column. The extractor that stands before
//! every route (`web::pages::admin::grant`) asks here, and so does every act of the engine that reaches further.

use super::RESOURCES;
use super::resource::{Act, Column, Kind, Resource, Rights};
use super::value::Row;
use crate::error::{Error, Result};
use crate::users::{Person, Role};

/// What a role may do with a model.
pub fn rights(resource: &Resource, role: Role) -> Rights {
    match role {
        Role::Admin => resource.admin,
        Role::Moderator => resource.moderator,
        Role::User => Rights::NONE,
    }
}

/// Whether `person` may do this with rows of the model at all.
pub fn may(resource: &Resource, person: &Person, act: Act) -> bool {
    let possible = match act {
        Act::Add => resource.create.is_some(),
        Act::Change => resource.update.is_some(),
        Act::Delete => resource.delete.is_some(),
        Act::View | Act::Export => true,
    };
    possible && rights(resource, person.role).allow(act)
}

/// Errors: [`Error::Forbidden`] in words.
pub fn require(resource: &Resource, person: &Person, act: Act) -> Result<()> {
    if may(resource, person, act) {
        return Ok(());
    }
    Err(Error::Forbidden(match act {
        Act::View => msgid!("Your role doesn't see these."),
        Act::Add => msgid!("Your role can't add these here."),
        Act::Change => msgid!("Your role can't change these here."),
        Act::Delete => msgid!("Your role can't delete these here."),
        Act::Export => msgid!("Your role can't export these."),
    }))
}

/// The way in. Errors: [`Error::Forbidden`] for who isn't of the staff, or isn't for as long as they lack two-factor.
pub fn require_staff(person: &Person) -> Result<()> {
    match person {
        _ if person.held_back => Err(Error::Forbidden(msgid!(
            "Staff of this site need two-factor. Turn it on in your settings, and this part of the site is yours again \
             at once."
        ))),
        _ if !person.is_staff() => Err(Error::Forbidden(msgid!("This part of the site is for its staff."))),
        _ => Ok(()),
    }
}

/// The same for one row. Errors: [`Error::Forbidden`] with the model's own reason.
pub fn require_row(resource: &Resource, person: &Person, act: Act, row: &Row) -> Result<()> {
    require(resource, person, act)?;
    (resource.row_rule)(person, act, row).map_err(Error::Forbidden)
}

/// The models that `person` sees, in the order of the menu.
pub fn visible(person: &Person) -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().copied().filter(|resource| may(resource, person, Act::View))
}

/// Whether `person` sees this column.
pub fn sees(person: &Person, column: &Column) -> bool {
    let counted = match column.kind {
        Kind::Count(slug, _) => super::find(slug).is_some_and(|counted| may(counted, person, Act::View)),
        _ => true,
    };
    counted && (person.is_admin() || !column.admins_only)
}

/// The column that an address names. Errors: [`Error::Malformed`] that says which field isn't there or can't be asked.
pub fn column(resource: &Resource, person: &Person, name: &str) -> Result<&'static Column> {
    if resource.is_secret(name) {
        return Err(Error::Malformed(tr!("“{}” is secret: it can't be asked for.", name)));
    }
    let column = resource.column(name).filter(|column| sees(person, column));
    let name = super::query::shortened(name);
    column.ok_or_else(|| {
        Error::Malformed(tr!("{models} have no field “{name}”.", models = resource.plural(), name = name))
    })
}

/// The condition on the rows that `person` sees, in SQL; `None` for all of them.
pub fn scope(resource: &Resource, person: &Person) -> Option<&'static str> {
    if person.is_admin() || resource.moderator_rows.is_empty() { None } else { Some(resource.moderator_rows) }
}
