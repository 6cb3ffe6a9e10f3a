//! What a model says about its admin: one [`Resource`], a constant next to the model, and nothing else. It is data;
//! the rest of `admin` reads it. How to add one is in the docs of [`crate::admin`].
//!
//! A secret is a type of its own, without the methods that would list, search, filter, sort, export or edit it:
//!
//! ```compile_fail
//! use switchboard::admin::resource::Secret;
//! const HASH: Secret = Secret::new("password_hash").listed();
//! ```
//!
//! and no place for columns takes one:
//!
//! ```compile_fail
//! use switchboard::admin::resource::{Resource, Secret};
//! const USERS: Resource = Resource { columns: &[Secret::new("password_hash")], ..Resource::DEFAULT };
//! ```

use futures_util::future::BoxFuture;

use super::input::Input;
use super::value::{Key, Row};
use crate::error::Result;
use crate::users::Person;
use crate::work::Work;

/// What a column holds, and with that how it is shown, typed, filtered and compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Int,
    Text,
    /// Text of several lines.
    Long,
    Flag,
    Time,
    /// One of a few words: what is stored, and how it reads.
    Choice(&'static [(&'static str, &'static str)]),
    /// The id of a row of the model with this slug.
    Reference(&'static str),
    /// How many rows of the model with this slug refer here by this column. Computed; capped.
    Count(&'static str, &'static str),
    /// History's JSON of what differs, by field; read-only.
    Changes,
}

/// When a form takes a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Typed {
    Never,
    /// Only while the row is made.
    Once,
    Always,
}

/// One column of a model.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// In the database, forms, addresses, JSON and exports.
    pub name: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    pub listed: bool,
    pub filtered: bool,
    pub sorted: bool,
    pub nullable: bool,
    pub required: bool,
    pub typed: Typed,
    /// Moderators don't see it anywhere.
    pub admins_only: bool,
    /// Changing it asks for the password again.
    pub sudo: bool,
    /// The database's column to compare and sort by, where that is another: a folded one.
    pub sort_by: &'static str,
    /// What a form of a new row begins with.
    pub initial: &'static str,
}

impl Column {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            label: "",
            kind,
            help: "",
            listed: false,
            filtered: false,
            sorted: false,
            nullable: false,
            required: false,
            typed: Typed::Never,
            admins_only: false,
            sudo: false,
            sort_by: "",
            initial: "",
        }
    }

    pub const fn int(name: &'static str) -> Self {
        Self::new(name, Kind::Int)
    }

    pub const fn text(name: &'static str) -> Self {
        Self::new(name, Kind::Text)
    }

    /// Text of several lines.
    pub const fn long(name: &'static str) -> Self {
        Self::new(name, Kind::Long)
    }

    pub const fn flag(name: &'static str) -> Self {
        Self::new(name, Kind::Flag)
    }

    pub const fn time(name: &'static str) -> Self {
        Self::new(name, Kind::Time)
    }

    /// History's JSON of what differs.
    pub const fn changes(name: &'static str) -> Self {
        Self::new(name, Kind::Changes)
    }

    /// One of a few words.
    pub const fn choice(name: &'static str, choices: &'static [(&'static str, &'static str)]) -> Self {
        Self::new(name, Kind::Choice(choices))
    }

    /// The id of a row of the model with this slug.
    pub const fn reference(name: &'static str, slug: &'static str) -> Self {
        Self::new(name, Kind::Reference(slug))
    }

    /// How many rows of the model `slug` refer here by `column`; only for lists. The name is its own.
    pub const fn count(name: &'static str, slug: &'static str, column: &'static str) -> Self {
        Self::new(name, Kind::Count(slug, column)).listed()
    }

    /// Shown in the list.
    pub const fn listed(mut self) -> Self {
        self.listed = true;
        self
    }

    /// The list can be narrowed by it: needs an index on (this, the default order).
    pub const fn filtered(mut self) -> Self {
        self.filtered = true;
        self
    }

    /// The list can be sorted by it: needs an index that begins with it (with `coalesce(name, 0)` when nullable).
    pub const fn sorted(mut self) -> Self {
        self.sorted = true;
        self
    }

    /// The list can be sorted by it, in the order of another column of the table: a folded one.
    pub const fn sorted_by(mut self, column: &'static str) -> Self {
        self.sorted = true;
        self.sort_by = column;
        self
    }

    /// May be empty in the database.
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Forms take it, and don't take it empty.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self.typed = Typed::Always;
        self
    }

    /// Forms take it.
    pub const fn typed(mut self) -> Self {
        self.typed = Typed::Always;
        self
    }

    /// Forms take it while the row is made; afterwards it only reads.
    pub const fn once(mut self) -> Self {
        self.typed = Typed::Once;
        self
    }

    pub const fn admins_only(mut self) -> Self {
        self.admins_only = true;
        self
    }

    pub const fn sudo(mut self) -> Self {
        self.sudo = true;
        self
    }

    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// What a form of a new row begins with.
    pub const fn initial(mut self, initial: &'static str) -> Self {
        self.initial = initial;
        self
    }

    /// How it reads; without this, its name with spaces.
    pub const fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// How it reads: its label, or its name in words.
    pub fn title(&self) -> String {
        if !self.label.is_empty() {
            return self.label.to_owned();
        }
        let words = self.name.trim_end_matches("_id").replace('_', " ");
        let mut letters = words.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    pub fn is_count(&self) -> bool {
        matches!(self.kind, Kind::Count(..))
    }

    /// Right-aligned in lists.
    pub fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Int | Kind::Count(..))
    }

    /// The expression by which it is compared and sorted: never null, so that a page's key can be found in an index.
    pub fn sort_expression(&self) -> String {
        let name = if self.sort_by.is_empty() { self.name } else { self.sort_by };
        if self.nullable { format!("coalesce(\"{name}\", 0)") } else { format!("\"{name}\"") }
    }
}

/// A column that no page, address, answer or export ever holds. It is named only so that asking for it is refused by
/// name; the engine has no way to read it.
#[derive(Clone, Copy, Debug)]
pub struct Secret(&'static str);

impl Secret {
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    pub fn name(&self) -> &'static str {
        self.0
    }
}

/// A password field of a form: it is written and never read back. History says only that it was set.
#[derive(Clone, Copy, Debug)]
pub struct Password {
    pub name: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    /// Whether a new row needs it.
    pub required: bool,
}

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
