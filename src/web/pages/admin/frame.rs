//! What stands around every page of the backoffice: the menu, the search box, what was just done.

use std::ops::Deref;

use crate::admin::permission;
use crate::app::App;
use crate::text::capital;
use crate::users::Person;
use crate::web::assets;
use crate::web::render::Chrome;
pub use crate::web::render::page as framed;

/// The frame: the field `chrome` of every template that extends `admin/frame.html`.
pub struct Frame {
    outer: Chrome,
    pub person: Person,
    pub title: String,
    pub groups: Vec<(&'static str, Vec<Entry>)>,
    pub admin_script: &'static str,
    pub admin_css: &'static str,
    /// What was just done, in words.
    pub notice: String,
}

/// One model in the menu.
pub struct Entry {
    pub slug: &'static str,
    pub title: String,
    pub is_current: bool,
}

impl Frame {
    /// The frame of a page called `title`, with the models that `person` sees. Cost: no query.
    pub fn new(app: &App, person: &Person, title: impl Into<String>) -> Self {
        let mut groups: Vec<(&'static str, Vec<Entry>)> = Vec::new();
        for resource in permission::visible(person) {
            let entry = Entry { slug: resource.slug, title: capital(resource.plural), is_current: false };
            match groups.iter_mut().find(|(group, _)| *group == resource.group) {
                Some((_, entries)) => entries.push(entry),
                None => groups.push((resource.group, vec![entry])),
            }
        }
        Self {
            outer: Chrome::new(app, Some(person.clone())),
            person: person.clone(),
            title: title.into(),
            groups,
            admin_script: assets::admin_script(),
            admin_css: assets::admin_css(),
            notice: String::new(),
        }
    }

    /// Marks the model whose page this is.
    pub fn at(mut self, slug: &str) -> Self {
        let entries = self.groups.iter_mut().flat_map(|(_, entries)| entries);
        entries.for_each(|entry| entry.is_current = entry.slug == slug);
        self
    }

    /// Says what the page before did, by the code that it left in the address.
    pub fn saying(mut self, code: &str) -> Self {
        let (what, number) = code.split_once('-').unwrap_or((code, ""));
        let number: Option<u64> = number.split('-').next().and_then(|number| number.parse().ok());
        self.notice = match (what, number) {
            ("saved", _) => "Saved.".into(),
            ("added", _) => "Added.".into(),
            ("deleted", _) => "Deleted.".into(),
            ("unchanged", _) => "Nothing differed, so nothing was changed.".into(),
            ("reverted", _) => "Reverted.".into(),
            ("done", None) => "Done.".into(),
            ("done", Some(1)) => "Done for 1 record.".into(),
            ("done", Some(number)) => format!("Done for {number} records."),
            ("imported", Some(number)) => format!("Imported: {number} records were made or changed."),
            _ => String::new(),
        };
        self
    }
}

impl Deref for Frame {
    type Target = Chrome;
    fn deref(&self) -> &Chrome {
        &self.outer
    }
}
