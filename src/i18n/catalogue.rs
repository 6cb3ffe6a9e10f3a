//! A language's words, read from a catalogue in gettext's form. Which form of a plural is right for a count Unicode's
//! rules say (CLDR, through ICU4X); a catalogue has them in gettext's order, which is that of the rules' categories.

use std::collections::HashMap;

use icu_locale_core::Locale;
use icu_plurals::{PluralCategory, PluralRules, PluralRulesOptions};
use polib::po_file::parse_from_reader;

/// Between what tells meanings apart and the words themselves, as gettext's own files have it.
const MEANS: char = '\u{4}';

pub struct Catalogue {
    /// The forms by the words; one where there is no plural.
    words: HashMap<String, Vec<String>>,
    rules: PluralRules,
    categories: Vec<PluralCategory>,
}

impl Catalogue {
    /// Errors: text that isn't a catalogue, or a language without rules. Cost: O(length), some milliseconds.
    pub fn read(locale: &Locale, po: &[u8]) -> Result<Self, Box<dyn std::error::Error>> {
        let rules = PluralRules::try_new(locale.into(), PluralRulesOptions::default())?;
        let file = parse_from_reader(po)?;
        let told = file.messages().filter(|message| message.is_translated());
        let words = told.map(|message| {
            let forms = match message.msgstr_plural() {
                Ok(forms) => forms.clone(),
                Err(_) => message.msgstr().map(|one| vec![one.to_owned()]).unwrap_or_default(),
            };
            (key(message.msgctxt().unwrap_or_default(), message.msgid()), forms)
        });
        let mut categories: Vec<PluralCategory> = rules.categories().collect();
        // Zero, one, two, few, many, the rest.
        categories.sort_unstable();
        Ok(Self { words: words.collect(), categories, rules })
    }

    /// The words for `id`, if there are any. Cost: 1 look-up.
    pub fn one(&self, id: &str) -> Option<&str> {
        self.words.get(id)?.first().map(String::as_str)
    }

    /// The same for one of its meanings.
    pub fn meant(&self, meant: &str, id: &str) -> Option<&str> {
        self.one(&key(meant, id))
    }

    /// The form of `id` for `n` of something.
    pub fn form(&self, n: u64, id: &str) -> Option<&str> {
        let category = self.rules.category_for(n);
        let place = self.categories.iter().position(|one| *one == category)?;
        self.words.get(id)?.get(place).map(String::as_str)
    }
}

fn key(meant: &str, id: &str) -> String {
    if meant.is_empty() { id.to_owned() } else { format!("{meant}{MEANS}{id}") }
}

#[cfg(test)]
mod tests {
    use icu_locale_core::locale;

    use super::Catalogue;

    const PO: &str = "msgid \"\"\nmsgstr \"Language: ar\\n\"\n\nmsgid \"{n} room\"\nmsgid_plural \"{n} rooms\"\nmsgstr[0] \"zero\"\n\
        msgstr[1] \"one\"\nmsgstr[2] \"two\"\nmsgstr[3] \"few\"\nmsgstr[4] \"many\"\nmsgstr[5] \"other\"\n\n\
        msgid \"Open\"\nmsgstr \"an adjective\"\n\nmsgctxt \"verb\"\nmsgid \"Open\"\nmsgstr \"a verb\"\n\n\
        msgid \", \"\nmsgstr \"، \"\n\nmsgid \"Close\"\nmsgstr \"\"\n";

    #[test]
    fn words_are_found_by_what_they_mean_and_how_many() {
        let catalogue = Catalogue::read(&locale!("ar"), PO.as_bytes()).unwrap();
        let forms = [0, 1, 2, 3, 10, 11, 99, 100, 102, 103, 1011].map(|n| catalogue.form(n, "{n} room").unwrap());
        assert_eq!(forms, ["zero", "one", "two", "few", "few", "many", "many", "other", "other", "few", "many"]);
        assert_eq!((catalogue.one("Open"), catalogue.meant("verb", "Open")), (Some("an adjective"), Some("a verb")));
        assert_eq!(catalogue.one(", "), Some("، "), "an end that is a space");
        assert_eq!((catalogue.one("Close"), catalogue.one("Shut")), (None, None), "nothing is said of these");
        assert_eq!(catalogue.meant("noun", "Open"), None);
        assert!(Catalogue::read(&locale!("ar"), b"msgid no quotes").is_err());
    }
}
