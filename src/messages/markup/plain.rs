//! What most messages are: one line of words, in which nothing could be Markdown, a name, an address or a letter that
//! needs taming. Its HTML is known without parsing it and without the sanitiser, at some 2 % of their cost. Called by
//! `markup.rs`; `markup/tests.rs` holds it against the long way, letter by letter.

use unicode_normalization::char::is_combining_mark;

/// ASCII besides letters and digits that means nothing anywhere in a line that begins with a letter.
const IDLE: &[u8] = b" ,.;:?!'\"()%$+-=";

/// The HTML of a plain line; `None` for whatever might be more. Cost: O(length).
pub fn rendered(content: &str) -> Option<String> {
    // A digit or a dash begins a list, a blank a block of code.
    let begins_well = content.starts_with(char::is_alphabetic);
    // An address begins with its scheme, which ends in a slash; there is none in a plain line.
    let is_plain = begins_well && !content.ends_with(' ') && content.chars().all(is_idle);
    is_plain.then(|| format!("<p>{content}</p>"))
}

fn is_idle(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric() || IDLE.contains(&byte),
        // Marks are counted where they stand on a letter; what is neither letter nor one of these may direct the text.
        _ => (c.is_alphanumeric() && !is_combining_mark(c)) || is_typographic(c),
    }
}

/// Dashes, quotation marks, the ellipsis, and pictures.
fn is_typographic(c: char) -> bool {
    matches!(c, '\u{2013}' | '\u{2014}' | '\u{2018}'..='\u{201e}' | '\u{2026}' | '\u{20ac}' | '\u{1f300}'..='\u{1faff}')
}
