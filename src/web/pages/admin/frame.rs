//! What stands around every page of the backoffice: the menu, the search box, what was just done.

use std::borrow::Cow;
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
    /// What of the menu this is: a model's slug, or `dashboard`, `live`, `queue`, `help`.
    pub here: &'static str,
    pub groups: Vec<(Cow<'static, str>, Vec<Entry>)>,
    pub admin_script: &'static str,
    pub admin_css: &'static str,
    /// What was just done, in words.
    pub notice: String,
}

/// One model in the menu.
pub struct Entry {
    pub slug: &'static str,
    pub title: String,
}

impl Frame {
    /// The frame of a page called `title`, with the models that `person` sees. Cost: no query.
    pub fn new(app: &App, person: &Person, title: impl Into<String>) -> Self {
        let mut groups: Vec<(Cow<'static, str>, Vec<Entry>)> = Vec::new();
        for resource in permission::visible(person) {
            let entry = Entry { slug: resource.slug, title: capital(&resource.plural()) };
            let its = resource.group();
            match groups.iter_mut().find(|(group, _)| *group == its) {
                Some((_, entries)) => entries.push(entry),
                None => groups.push((its, vec![entry])),
            }
        }
        Self {
            outer: Chrome::new(app, Some(person.clone())),
            person: person.clone(),
            title: title.into(),
            here: "",
            groups,
            admin_script: assets::admin_script(),
            admin_css: assets::admin_css(),
            notice: String::new(),
        }
    }

    /// Marks where in the menu this page is.
    pub fn at(self, here: &'static str) -> Self {
        Self { here, ..self }
    }

    /// Says what the page before did, by the code that it left in the address.
    pub fn saying(mut self, code: &str) -> Self {
        let (what, number) = code.split_once('-').unwrap_or((code, ""));
        let number: Option<u64> = number.split('-').next().and_then(|number| number.parse().ok());
        self.notice = match (what, number) {
            ("saved", _) => tr!("Saved.").into(),
            ("added", _) => tr!("Added.").into(),
            ("deleted", _) => tr!("Deleted.").into(),
            ("unchanged", _) => tr!("Nothing differed, so nothing was changed.").into(),
            ("reverted", _) => tr!("Reverted.").into(),
            ("done", None) => tr!("Done.").into(),
            ("done", Some(count)) => {
                tr!("Done for {count} record." | "Done for {count} records." % count, count = count)
            }
            ("imported", Some(count)) => tr!("Imported: {} records were made or changed.", count),
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
