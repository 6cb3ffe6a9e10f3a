//! What of a site moves: every model with what the backoffice declares of it, what is stored besides, and how much of it is
//! taken in again. Called by all of `transfer`.
//!
//! A message's HTML isn't written: it is made anew from what was typed, so that nobody puts a page's worth of script into a
//! site by way of an export. Neither is what can be counted from the rest.
//!
//! What proves who somebody is: passwords move as their hashes, or nobody could sign in. A second factor moves as it is
//! stored, sealed with `SECRET_KEY`, which doesn't move: where the key is another, its owner is kept out until staff turn it
//! off, and is never let in without it. Sessions, tokens and links that wait move as what staff may see of them, and aren't
//! taken in: their hashes stay where they are.

use std::sync::Arc;

use crate::admin;
use crate::admin::record::Columns;
use crate::admin::resource::{Column, Resource};
use crate::i18n::Language;
use crate::users;

/// What becomes of a model's rows where they are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Everywhere.
    Always,
    /// Where ids are kept: the rows tell of others by their ids, or are the site's own.
    Whole,
    /// Nowhere, for this reason.
    Never(&'static str),
}

/// A model that moves.
#[derive(Clone, Copy)]
pub struct Model {
    pub resource: &'static Resource,
    /// Stored besides what the backoffice shows.
    pub more: &'static [Column],
    /// Counted from other rows.
    pub counted: &'static [&'static str],
    pub taken: Taken,
}

const fn model(resource: &'static Resource) -> Model {
    Model { resource, more: &[], counted: &[], taken: Taken::Always }
}

/// Every model, each behind those that it refers to.
pub const MODELS: &[Model] = &[
    Model {
        more: &[
            Column::text("password_hash"),
            Column::choice("digest", DIGESTS),
            Column::choice("language", Language::CHOICES),
            Column::time("digested_at").nullable(),
            Column::time("signed_in_at").nullable(),
        ],
        ..model(&users::admin::RESOURCE)
    },
    Model { counted: &["member_count"], ..model(&crate::rooms::admin::RESOURCE) },
    model(&crate::messages::admin::RESOURCE),
    model(&crate::messages::edits::admin::RESOURCE),
    model(&crate::attachments::admin::RESOURCE),
    model(&crate::reactions::admin::RESOURCE),
    model(&crate::messages::pins::admin::RESOURCE),
    model(&crate::rooms::members::admin::RESOURCE),
    model(&crate::interests::admin::RESOURCE),
    model(&users::blocks::admin::RESOURCE),
    model(&crate::notifications::admin::RESOURCE),
    model(&crate::reports::admin::RESOURCE),
    model(&TWO_FACTORS),
    model(&RECOVERY_CODES),
    model(&DEPARTURES),
    Model { taken: Taken::Whole, ..model(&BOOKMARKS) },
    Model { taken: Taken::Whole, ..model(&crate::emails::admin::RESOURCE) },
    Model { taken: Taken::Whole, ..model(&crate::audit::admin::RESOURCE) },
    Model { taken: Taken::Whole, ..model(&crate::settings::admin::RESOURCE) },
    Model {
        taken: Taken::Never("their links are kept as hashes, which don't move: invite them again"),
        ..model(&crate::invitations::admin::RESOURCE)
    },
    Model { taken: Taken::Never("people sign in again"), ..model(&crate::auth::session::admin::RESOURCE) },
    Model {
        taken: Taken::Never("tokens are kept as hashes, which don't move: programs need new ones"),
        ..model(&crate::auth::api_tokens::admin::RESOURCE)
    },
    Model {
        taken: Taken::Never("their links are kept as hashes, which don't move"),
        ..model(&crate::auth::reset_tokens::admin::RESOURCE)
    },
];

const DIGESTS: &[(&str, &str)] = &[("never", "Never"), ("hourly", "Hourly"), ("daily", "Daily")];

const TWO_FACTORS: Resource = Resource {
    slug: "two-factors",
    table: "two_factors",
    key: "user_id",
    columns: &[
        Column::text("secret"),
        Column::int("last_step"),
        Column::time("confirmed_at").nullable(),
        Column::time("created_at"),
    ],
    ..Resource::DEFAULT
};

const RECOVERY_CODES: Resource = Resource {
    slug: "recovery-codes",
    table: "recovery_codes",
    columns: &[Column::reference("user_id", "users"), Column::text("code_hash"), Column::time("used_at").nullable()],
    ..Resource::DEFAULT
};

/// Who asked that what they wrote be erased: it is erased where they move to, too.
const DEPARTURES: Resource = Resource {
    slug: "departures",
    table: "departures",
    key: "user_id",
    columns: &[Column::time("created_at")],
    ..Resource::DEFAULT
};

const BOOKMARKS: Resource = Resource {
    slug: "bookmarks",
    table: "bookmarks",
    columns: &[
        Column::reference("user_id", "users"),
        Column::text("model"),
        Column::text("name"),
        Column::text("query"),
        Column::time("created_at"),
    ],
    ..Resource::DEFAULT
};

impl Model {
    pub fn slug(&self) -> &'static str {
        self.resource.slug
    }

    pub fn table(&self) -> &'static str {
        self.resource.table
    }

    /// The file of its rows.
    pub fn file(&self) -> String {
        format!("{}.jsonl", self.slug())
    }

    /// Whether its rows have ids of their own, and not somebody else's, or a name.
    pub fn has_ids(&self) -> bool {
        self.resource.key == "id"
    }

    /// What stands in a line besides the key, which comes first.
    pub fn columns(&self) -> Columns {
        let all = self.resource.stored().chain(self.more);
        let is_written = |name: &str| name != self.resource.key && !self.counted.contains(&name);
        Arc::new(all.filter(|column| is_written(column.name)).collect())
    }
}

/// The model with this slug, which must be one of [`MODELS`].
pub fn find(slug: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.slug() == slug)
}

/// Whether the backoffice has models that don't move: asked by a test, so that none is forgotten.
pub fn forgotten() -> Vec<&'static str> {
    admin::RESOURCES.iter().map(|resource| resource.slug).filter(|slug| find(slug).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::column::Kind;

    #[test]
    fn every_model_moves_behind_those_that_it_refers_to() {
        assert_eq!(forgotten(), Vec::<&str>::new());
        let place = |slug: &str| MODELS.iter().position(|model| model.slug() == slug);
        for model in MODELS {
            for column in model.columns().iter() {
                if let Kind::Reference(other) = column.kind {
                    assert!(place(other) <= place(model.slug()), "{} comes before {other}", model.slug());
                }
            }
        }
    }
}
