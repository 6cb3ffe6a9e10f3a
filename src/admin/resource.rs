//! What a model says about its admin: one [`Resource`], a constant next to the model, and nothing else. It is data;
//! the rest of `admin` reads it. How to add one is in the docs of [`crate::admin`]. Its columns are in `admin::column`.

use futures_util::future::BoxFuture;

pub use super::column::{Column, Kind, Password, Secret, Typed};
use super::input::Input;
use super::value::{Key, Row};
use crate::error::Result;
use crate::users::Person;
use crate::work::Work;

/// How `?q=` finds rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Search {
    None,
    /// Each word is the beginning of one of these: columns that are folded, or `lower(column)`; each is indexed.
    Prefix(&'static [&'static str]),
    /// By what these references are found by: the column, which is filtered too.
    Through(&'static [&'static str]),
    /// A full-text index.
    FullText(FullText),
}

/// A full-text index: a table of its own, whose `rowid` is the row's id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FullText {
    pub table: &'static str,
    /// References that stand in the index as words of their own, each with the letter before its id.
    pub tags: &'static [(&'static str, char)],
}

/// Rows of another model that refer to this one, shown with it.
#[derive(Clone, Copy, Debug)]
pub struct Inline {
    pub slug: &'static str,
    /// Their column that refers here.
    pub column: &'static str,
}

impl Inline {
    pub const fn new(slug: &'static str, column: &'static str) -> Self {
        Self { slug, column }
    }
}

/// What can be done on every model, by right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    View,
    Add,
    Change,
    Delete,
    Export,
}

/// Who may do what with a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rights {
    pub view: bool,
    pub add: bool,
    pub change: bool,
    pub delete: bool,
    pub export: bool,
}

impl Rights {
    pub const NONE: Self = Self { view: false, add: false, change: false, delete: false, export: false };
    pub const VIEW: Self = Self { view: true, ..Self::NONE };
    pub const READ: Self = Self { view: true, export: true, ..Self::NONE };
    pub const ALL: Self = Self { view: true, add: true, change: true, delete: true, export: true };

    pub const fn allow(&self, act: Act) -> bool {
        match act {
            Act::View => self.view,
            Act::Add => self.add,
            Act::Change => self.change,
            Act::Delete => self.delete,
            Act::Export => self.export,
        }
    }
}

pub type Done<'a, T = ()> = BoxFuture<'a, Result<T>>;

/// Something done to one row, from its page or to all that are ticked.
#[derive(Clone, Copy)]
pub struct Action {
    pub name: &'static str,
    pub label: &'static str,
    /// What it does, read before it is done.
    pub confirm: &'static str,
    /// Moderators may do it too; the act itself still checks each row.
    pub moderators: bool,
    /// Red, and apart.
    pub destructive: bool,
    /// Asks for the password again.
    pub sudo: bool,
    pub run: for<'a> fn(&'a mut Work, i64) -> Done<'a>,
}

impl Action {
    pub const fn new(
        name: &'static str,
        label: &'static str,
        confirm: &'static str,
        run: for<'a> fn(&'a mut Work, i64) -> Done<'a>,
    ) -> Self {
        Self { name, label, confirm, moderators: false, destructive: false, sudo: false, run }
    }

    pub const fn moderators(mut self) -> Self {
        self.moderators = true;
        self
    }

    pub const fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }

    pub const fn sudo(mut self) -> Self {
        self.sudo = true;
        self
    }
}

/// The admin of one model.
#[derive(Clone, Copy)]
pub struct Resource {
    pub slug: &'static str,
    pub table: &'static str,
    pub singular: &'static str,
    pub plural: &'static str,
    /// Where it stands in the menu.
    pub group: &'static str,
    pub about: &'static str,
    /// The column that names a row: `id`, or `key`.
    pub key: &'static str,
    /// What a row is called: column names in braces, a reference for what it refers to. Empty: the model and the id.
    pub name: &'static str,
    pub columns: &'static [Column],
    pub secrets: &'static [Secret],
    /// A row as a page of its own, HTML that is shown in a frame which can do nothing; for administrators only.
    pub preview: Option<fn(&Row) -> Result<String>>,
    pub passwords: &'static [Password],
    pub search: Search,
    /// The default order: one column, `-` before it for falling. The id settles ties.
    pub order: &'static str,
    /// The form's sections: a heading and its columns. What is in none comes last, under "Record".
    pub sections: &'static [(&'static str, &'static [&'static str])],
    pub inlines: &'static [Inline],
    pub actions: &'static [Action],
    pub admin: Rights,
    pub moderator: Rights,
    /// A condition on the rows that a moderator sees, in SQL; empty for none.
    pub moderator_rows: &'static str,
    /// Why this person may not do this to this row; asked besides the rights, which come first.
    pub row_rule: fn(&Person, Act, &Row) -> Result<(), &'static str>,
    /// Exporting it asks for the password again.
    pub export_sudo: bool,
    /// What a deletion does, read before it is done, where it is not simply gone.
    pub delete_note: &'static str,
    /// A deleted row keeps its place, and so does what refers to it.
    pub keeps_place: bool,
    /// Says why this row can't be deleted, before anybody tries; its acts refuse it all the same.
    pub protected: Option<for<'a> fn(&'a mut Work, &'a Row) -> Done<'a>>,
    pub create: Option<for<'a> fn(&'a mut Work, &'a Input) -> Done<'a, Key>>,
    /// Given the row as it stands, locked, and only those fields that differ from it.
    pub update: Option<for<'a> fn(&'a mut Work, &'a Row, &'a Input) -> Done<'a>>,
    pub delete: Option<for<'a> fn(&'a mut Work, &'a Row) -> Done<'a>>,
    /// Puts a deleted row back as history has it. Without it a deletion is final, and says so.
    pub restore: Option<for<'a> fn(&'a mut Work, &'a Row) -> Done<'a>>,
}

impl Resource {
    pub const DEFAULT: Self = Self {
        slug: "",
        table: "",
        singular: "",
        plural: "",
        group: "",
        about: "",
        key: "id",
        name: "",
        columns: &[],
        secrets: &[],
        preview: None,
        passwords: &[],
        search: Search::None,
        order: "-created_at",
        sections: &[],
        inlines: &[],
        actions: &[],
        admin: Rights::READ,
        moderator: Rights::READ,
        moderator_rows: "",
        row_rule: |_, _, _| Ok(()),
        export_sudo: false,
        delete_note: "",
        keeps_place: false,
        protected: None,
        create: None,
        update: None,
        delete: None,
        restore: None,
    };

    /// The column of this name. Cost: O(columns).
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether `name` is the name of a secret.
    pub fn is_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|secret| secret.name() == name)
    }

    pub fn action(&self, name: &str) -> Option<&'static Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// The columns that are stored, in their order.
    pub fn stored(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().filter(|column| !column.is_count())
    }

    /// The key that an address names. `None` when it can't be one.
    pub fn parse_key(&self, text: &str) -> Option<Key> {
        match self.key {
            "id" => text.parse().ok().map(Key::Id),
            // PostgreSQL takes no text with a NUL, so nothing is named by one.
            _ => (!text.contains('\0')).then(|| Key::Name(text.to_owned())),
        }
    }
}
