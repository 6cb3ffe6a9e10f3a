//! The fields of a form, each with the one input that is right for its kind.

use std::borrow::Cow;

use super::cell::cell;
use crate::admin::form::{self, Sent};
use crate::admin::history::{self, Line};
use crate::admin::label::Labels;
use crate::admin::resource::{Column, Kind, Resource};
use crate::admin::value::Row;
use crate::admin::{find, permission, record, wording};
use crate::db::Conn;
use crate::error::Result;
use crate::users::Person;

/// What no section of a form claims.
const REST: &str = msgid!("Record");

pub struct Section {
    pub heading: Cow<'static, str>,
    pub fields: Vec<Field>,
}

pub struct Field {
    pub name: &'static str,
    pub title: String,
    pub help: Cow<'static, str>,
    pub error: String,
    /// `text`, `email`, `number`, `long`, `flag`, `choice`, `reference`, `time`, `password`, `changes`; `read` for what
    /// the form doesn't take.
    pub kind: &'static str,
    pub is_typed: bool,
    pub required: bool,
    /// As it was typed, or as it is stored.
    pub value: String,
    pub stored: String,
    /// What a reference refers to, or a value reads as.
    pub shown: String,
    pub href: String,
    pub slug: &'static str,
    pub choices: Vec<(&'static str, Cow<'static, str>)>,
    pub lines: Vec<Line>,
}

/// The sections of a form for `person`. Cost: 1 query for each reference that was typed.
pub async fn sections(
    conn: &mut Conn,
    person: &Person,
    resource: &'static Resource,
    row: Option<&Row>,
    sent: &Sent,
    labels: &Labels,
    may_change: bool,
) -> Result<Vec<Section>> {
    let mut all: Vec<Section> = resource
        .sections
        .iter()
        .map(|(heading, _)| Section { heading: wording::said(heading), fields: Vec::new() })
        .collect();
    all.push(Section { heading: wording::said(REST), fields: Vec::new() });
    for column in resource.stored().filter(|column| permission::sees(person, column)) {
        let takes = may_change && form::takes(person, column, row.is_none());
        if row.is_none() && !takes {
            continue;
        }
        let field = field(conn, person, column, row, sent, labels, takes).await?;
        let place = resource.sections.iter().position(|(_, names)| names.contains(&column.name));
        all[place.unwrap_or(resource.sections.len())].fields.push(field);
    }
    if may_change && !resource.passwords.is_empty() {
        let fields = resource.passwords.iter().map(|password| Field {
            title: if row.is_none() { tr!("Password") } else { password.label() }.into_owned(),
            help: password.help(),
            kind: "password",
            is_typed: true,
            required: password.required && row.is_none(),
            ..Field::of(password.name)
        });
        all.insert(resource.sections.len(), Section { heading: tr!("Password"), fields: fields.collect() });
    }
    for (section, (_, names)) in all.iter_mut().zip(resource.sections) {
        section.fields.sort_by_key(|field| names.iter().position(|name| *name == field.name));
    }
    all.retain(|section| !section.fields.is_empty());
    Ok(all)
}

impl Field {
    /// Whether this choice is the one made.
    pub fn is(&self, word: &str) -> bool {
        self.value == word
    }

    fn of(name: &'static str) -> Self {
        Self {
            name,
            title: String::new(),
            help: Cow::Borrowed(""),
            error: String::new(),
            kind: "read",
            is_typed: false,
            required: false,
            value: String::new(),
            stored: String::new(),
            shown: String::new(),
            href: String::new(),
            slug: "",
            choices: Vec::new(),
            lines: Vec::new(),
        }
    }
}

async fn field(
    conn: &mut Conn,
    person: &Person,
    column: &'static Column,
    row: Option<&Row>,
    sent: &Sent,
    labels: &Labels,
    takes: bool,
) -> Result<Field> {
    let stored = row.map(|row| row.get(column.name).plain()).unwrap_or_default();
    let initial = if row.is_none() { column.initial } else { &stored };
    let value = sent.get(column.name).filter(|_| takes).unwrap_or(initial).to_owned();
    let mut field = Field {
        title: column.heading(),
        help: column.hint(),
        kind: if takes { input_of(column) } else { "read" },
        is_typed: takes,
        required: column.required,
        value,
        stored,
        ..Field::of(column.name)
    };
    if let Some(row) = row {
        let cell = cell(person, column, row, labels);
        (field.shown, field.href) = (cell.text, cell.href);
        if matches!(column.kind, Kind::Text | Kind::Long) && !field.stored.is_empty() {
            field.shown = field.stored.clone();
        }
        if column.kind == Kind::Changes {
            field.kind = "changes";
            field.lines = history::lines_of(row.text("model"), &field.stored, person);
        }
    }
    match column.kind {
        Kind::Choice(choices) => {
            field.choices = choices.iter().map(|(word, label)| (*word, wording::said(label))).collect();
        }
        Kind::Reference(slug) => {
            field.slug = slug;
            if takes && field.value != field.stored {
                (field.shown, field.href) = (name_of(conn, slug, &field.value).await?, String::new());
            }
        }
        _ => {}
    }
    Ok(field)
}

/// What the row is called whose id was typed; empty for what is no id.
async fn name_of(conn: &mut Conn, slug: &str, typed: &str) -> Result<String> {
    let (Some(resource), Ok(id)) = (find(slug), typed.trim().parse::<i64>()) else { return Ok(String::new()) };
    let rows = record::named(conn, resource, [id]).await?;
    let labels = Labels::of(conn, &rows).await?;
    Ok(rows.first().map(|row| labels.name(resource, row)).unwrap_or_default())
}

fn input_of(column: &Column) -> &'static str {
    match column.kind {
        Kind::Text if column.name.contains("email") => "email",
        Kind::Text => "text",
        Kind::Long => "long",
        Kind::Int | Kind::Count(..) => "number",
        Kind::Flag => "flag",
        Kind::Time => "time",
        Kind::Choice(_) => "choice",
        Kind::Reference(_) => "reference",
        Kind::Changes => "read",
    }
}
