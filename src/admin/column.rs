//! The columns that a model declares: what each holds, and what lists, forms and addresses may do with it.
//!
//! A secret is a type of its own, without the methods that would list, search, filter, sort, export or edit it:
//!
//! ```compile_fail
//! use switchboard::admin::column::Secret;
//! const HASH: Secret = Secret::new("password_hash").listed();
//! ```
//!
//! and no place for columns takes one:
//!
//! ```compile_fail
//! use switchboard::admin::column::Secret;
//! use switchboard::admin::resource::Resource;
//! const USERS: Resource = Resource { columns: &[Secret::new("password_hash")], ..Resource::DEFAULT };
//! ```

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
