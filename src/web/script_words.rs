//! The words of scripts in the reader's language: what stands as `say("…")` in `assets/*.js`, for the page to carry. English
//! needs none: it stands in the scripts. Called by the pages that have a script with words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::assets;
use crate::i18n::{self, Language};

const MARK: &str = "say(\"";

/// What scripts say, in English, for catalogues to have. Cost: O(scripts), once.
pub fn script_msgids() -> Vec<String> {
    IDS.clone()
}

static IDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut ids: Vec<String> = assets::script_texts().flat_map(|script| said(&script)).collect();
    ids.sort();
    ids.dedup();
    ids
});

/// The literals that a script says.
fn said(script: &str) -> Vec<String> {
    let literals = script.split(MARK).skip(1).filter_map(|rest| rest.get(..end(rest)?));
    // Such a literal is JSON's, too, but for what no word of ours has.
    literals.filter_map(|literal| serde_json::from_str(&format!("\"{literal}\"")).ok()).collect()
}

/// Where a literal ends that has begun.
fn end(rest: &str) -> Option<usize> {
    let mut escaped = false;
    rest.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
}

/// The block that `assets/dom.js` reads, as HTML; nothing in English. Cost: O(words of scripts).
pub fn block() -> String {
    if i18n::current() == Language::English {
        return String::new();
    }
    let words: BTreeMap<&str, _> = IDS.iter().map(|id| (id.as_str(), i18n::gettext(id))).collect();
    let json = serde_json::to_string(&words).unwrap_or_default().replace('<', "\\u003c");
    format!("<script type=\"application/json\" id=\"words\">{json}</script>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_says_is_found_with_its_quotes() {
        let script = r#"x = say("One"); hold("Two"); say("A \"third\" {}", n) + say("")"#;
        assert_eq!(said(script), ["One", "A \"third\" {}", ""]);
    }

    #[test]
    fn english_pages_carry_no_words_and_no_word_ends_a_script() {
        assert_eq!(block(), "");
        let words = i18n::said_in(Language::Marked, block);
        assert!(
            words.starts_with("<script type=\"application/json\" id=\"words\">{\"") && words.contains("⟦"),
            "{words}"
        );
        assert_eq!(words.matches('<').count(), 2);
    }
}
