//! Rules for what people type that hold for every model.

use unicode_normalization::UnicodeNormalization;

use crate::error::FieldErrors;

/// The form of `text` under which two spellings of one name are equal: NFKC, lower case.
/// Computed here because SQLite's `lower()` knows ASCII only. Cost: O(length).
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// The text above every text that begins with `prefix`, when both compare byte by byte. Cost: O(length).
pub fn above(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

/// `text` trimmed, when it has at most `longest` characters and none that no database or page can show.
pub fn line(errors: &mut FieldErrors, field: &'static str, text: &str, longest: usize) -> String {
    let text = text.trim();
    let length = text.chars().count();
    if length > longest {
        errors.add(field, tr!("At most {longest} characters; this has {length}.", longest = longest, length = length));
    }
    if text.chars().any(|c| c.is_control()) {
        errors.add(field, tr!("Control characters can't be used here."));
    }
    text.to_owned()
}

/// `text` trimmed, of several lines, when it has at most `longest` characters and none but line ends and tabs that no
/// page can show.
pub fn paragraphs(errors: &mut FieldErrors, field: &'static str, text: &str, longest: usize) -> String {
    let text = text.trim().replace("\r\n", "\n");
    let length = text.chars().count();
    if length > longest {
        errors.add(field, tr!("At most {longest} characters; this has {length}.", longest = longest, length = length));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        errors.add(field, tr!("Control characters can't be used here."));
    }
    text
}

/// One or two letters that stand for somebody, of any script: the first of each name there is, else that of the user
/// name; `?` where there is none. Marks written as characters of their own are left out. Cost: O(length).
pub fn initials(first_name: &str, last_name: &str, username: &str) -> String {
    let letter = |name: &str| name.chars().find(|c| c.is_alphanumeric());
    let letters: String = [first_name, last_name].into_iter().filter_map(letter).collect();
    let letters = if letters.is_empty() { letter(username).map_or_else(|| "?".into(), String::from) } else { letters };
    letters.to_uppercase().chars().take(2).collect()
}

/// Bytes as hexadecimal digits, two each. Cost: O(bytes).
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// `text` with a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
