//! Rules for what people type that hold for every model.

use unicode_normalization::UnicodeNormalization;

use crate::error::FieldErrors;

/// The form of `text` under which two spellings of one name are equal: NFKC, lower case.
/// Computed here because SQLite's `lower()` knows ASCII only. Cost: O(length).
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// `text` trimmed, when it has at most `longest` characters and none that no database or page can show.
pub fn line(errors: &mut FieldErrors, field: &'static str, text: &str, longest: usize) -> String {
    let text = text.trim();
    let length = text.chars().count();
    if length > longest {
        errors.add(field, format!("At most {longest} characters; this has {length}."));
    }
    if text.chars().any(|c| c.is_control()) {
        errors.add(field, "Control characters can't be used here.");
    }
    text.to_owned()
}

/// `text` trimmed, of several lines, when it has at most `longest` characters and none but line ends and tabs that no
/// page can show.
pub fn paragraphs(errors: &mut FieldErrors, field: &'static str, text: &str, longest: usize) -> String {
    let text = text.trim().replace("\r\n", "\n");
    let length = text.chars().count();
    if length > longest {
        errors.add(field, format!("At most {longest} characters; this has {length}."));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        errors.add(field, "Control characters can't be used here.");
    }
    text
}
