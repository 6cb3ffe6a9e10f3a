//! The words of declarations in the reader's language. A declaration has them in English and without marks; what shows
//! them calls the methods here, and [`msgids`] lists them for the test that holds every catalogue complete.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;

use super::RESOURCES;
use super::resource::{Action, Column, Kind, Password, Resource};
use crate::config::SETTINGS;
use crate::i18n::{Language, gettext};

/// What history calls an act that no model declares.
pub const ACTS: [&str; 9] = [
    msgid!("create"),
    msgid!("change"),
    msgid!("delete"),
    msgid!("revert"),
    msgid!("import"),
    msgid!("export"),
    msgid!("disconnect"),
    msgid!("revoke"),
    msgid!("warn"),
];
/// What history has in the place of a value that it doesn't keep.
pub const CHANGED: &str = msgid!("changed");
pub const NOT_KEPT: &str = msgid!("not kept");

/// `text` in the reader's language; nothing stays nothing.
pub fn said(text: &'static str) -> Cow<'static, str> {
    if text.is_empty() { text.into() } else { gettext(text) }
}

/// Whether there is something to translate in the pattern by which a model's rows are called.
pub fn has_words(pattern: &str) -> bool {
    pattern.split('{').any(|piece| piece.rsplit('}').next().is_some_and(|text| text.contains(char::is_alphabetic)))
}

impl Resource {
    /// `person`.
    pub fn singular(&self) -> Cow<'static, str> {
        said(self.singular)
    }

    /// `people`.
    pub fn plural(&self) -> Cow<'static, str> {
        said(self.plural)
    }

    pub fn group(&self) -> Cow<'static, str> {
        said(self.group)
    }

    pub fn about(&self) -> Cow<'static, str> {
        said(self.about)
    }

    pub fn delete_note(&self) -> Cow<'static, str> {
        said(self.delete_note)
    }

    /// A number of these, written already: `1 person`, `10,000+ people`.
    pub fn counted(&self, number: impl Display, is_one: bool) -> String {
        let word = if is_one { self.singular() } else { self.plural() };
        tr!("{number} {word}", number = number, word = word)
    }
}

impl Column {
    /// [`Column::title`] in the reader's language.
    pub fn heading(&self) -> String {
        gettext(&self.title()).into_owned()
    }

    /// Its help in the reader's language.
    pub fn hint(&self) -> Cow<'static, str> {
        said(self.help)
    }
}

impl Action {
    pub fn label(&self) -> Cow<'static, str> {
        said(self.label)
    }

    pub fn confirm(&self) -> Cow<'static, str> {
        said(self.confirm)
    }
}

impl Password {
    pub fn label(&self) -> Cow<'static, str> {
        said(self.label)
    }

    pub fn help(&self) -> Cow<'static, str> {
        said(self.help)
    }
}

/// Every text of a declaration that pages show, each once, in English. Cost: O(declarations).
pub fn msgids() -> Vec<String> {
    let mut all = BTreeSet::new();
    for resource in RESOURCES {
        all.extend([resource.singular, resource.plural, resource.group, resource.about, resource.delete_note]);
        all.extend(Some(resource.name).filter(|name| has_words(name)));
        all.extend(resource.sections.iter().map(|(heading, _)| *heading));
        all.extend(resource.actions.iter().flat_map(|action| [action.name, action.label, action.confirm]));
        all.extend(resource.passwords.iter().flat_map(|password| [password.name, password.label, password.help]));
        for column in resource.columns {
            all.insert(column.help);
            if let Kind::Choice(choices) = column.kind {
                all.extend(choices.iter().map(|(_, label)| *label));
            }
        }
    }
    all.extend(SETTINGS.iter().map(|setting| setting.meaning));
    // A language is called by its own name everywhere.
    all.retain(|text| !text.is_empty() && Language::ALL.iter().all(|language| language.name() != *text));
    let titles = RESOURCES.iter().flat_map(|resource| resource.columns).map(Column::title);
    all.into_iter().map(str::to_owned).chain(titles).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_once_and_names_of_columns_are_no_text() {
        let all = msgids();
        for text in
            ["people", "Public rooms, groups and direct chats.", "Last seen", "Username", "{user_id} in {room_id}"]
        {
            assert_eq!(all.iter().filter(|id| *id == text).count(), 1, "{text}");
        }
        for text in ["", "{username}", "{action} {object_label}", "Deutsch"] {
            assert!(!all.iter().any(|id| id == text), "{text}");
        }
    }
}
