//! What counts as an emoji: one sequence as Unicode's UTS #51 has them, by its tables. Called by `reactions.rs`.

use unicode_properties::emoji::{
    UnicodeEmoji, is_emoji_presentation_selector, is_regional_indicator, is_tag_character, is_zwj,
};

use crate::error::{Error, Result};

/// Code points of the longest sequences in use, and some more: a family of four with skin tones has eleven.
const MOST_CHARACTERS: usize = 16;
const KEYCAP: char = '\u{20e3}';
const LAST_TAG: char = '\u{e007f}';

/// The emoji that `text` is. Errors: [`Error::Invalid`] at `emoji`. Cost: O(length).
pub fn parse(text: &str) -> Result<&str> {
    let text = text.trim();
    let is_short = text.chars().nth(MOST_CHARACTERS).is_none();
    if is_short && is_sequence(text) { Ok(text) } else { Err(Error::field("emoji", tr!("Choose one emoji."))) }
}

fn is_sequence(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    if let [first, second] = characters[..]
        && is_regional_indicator(first)
    {
        return is_regional_indicator(second);
    }
    characters.split(|c| is_zwj(*c)).all(is_element)
}

/// An emoji with its presentation or skin tone, and the tags of a region's flag; or a digit on its key.
fn is_element(element: &[char]) -> bool {
    let Some((&base, rest)) = element.split_first() else { return false };
    if base.is_ascii() {
        let on_key = matches!(*rest, [KEYCAP] | ['\u{fe0f}', KEYCAP]);
        return on_key && base.is_emoji_char();
    }
    if !base.is_emoji_char() || is_regional_indicator(base) {
        return false;
    }
    let is_shaped = |c: &char| is_emoji_presentation_selector(*c) || is_skin_tone(*c);
    let rest = rest.strip_prefix(&rest[..usize::from(rest.first().is_some_and(is_shaped))]).unwrap_or(rest);
    rest.is_empty() || (rest.iter().all(|c| is_tag_character(*c)) && rest.len() > 1 && rest.ends_with(&[LAST_TAG]))
}

fn is_skin_tone(c: char) -> bool {
    ('\u{1f3fb}'..='\u{1f3ff}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn one_emoji_is_taken_and_nothing_else() {
        for emoji in ["👍", "👍🏽", "❤", "❤️", "🎉", "👨‍👩‍👧‍👦", "👩🏽‍❤️‍💋‍👨🏻", "🏳️‍🌈", "🇬🇧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#⃣", "©", "☺️", "🫠"]
        {
            assert_eq!(parse(emoji).unwrap(), emoji);
        }
        for other in [
            "",
            " ",
            "a",
            "1",
            "12",
            ":tada:",
            "+1",
            "👍👍",
            "👍a",
            "a👍",
            "<b>",
            "🇬",
            "🇬🇧🇬",
            "\u{200d}",
            "\u{fe0f}",
            "👍\u{200d}",
            "é",
            "中",
            "\0",
            "👍\u{202e}",
        ] {
            assert!(parse(other).is_err(), "{other:?}");
        }
        assert!(parse(&"👨‍".repeat(9)).is_err());
    }
}
