//! What most messages are: one line of words, in which nothing could be Markdown, a name, an address or a letter that
//! needs taming. Its HTML is known without parsing it and without the sanitiser, at 0.01 of their cost. Called by
//! `markup.rs`; the test below holds it against the long way, letter by letter.

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

#[cfg(test)]
mod tests {
    use super::super::parsed;
    use super::rendered;

    /// What is plain, and from the 33rd on what isn't.
    const PIECES: [&str; 48] = [
        "a",
        "B",
        "word",
        "z9",
        "0",
        "1.",
        "-",
        " - ",
        "+ ",
        " ",
        "  ",
        "=",
        "===",
        ".",
        ",",
        ";",
        ":",
        "?",
        "!",
        "'",
        "\"",
        "(",
        ")",
        "%",
        "$",
        "http:",
        "www.x.org",
        "ä",
        "ß",
        "Ж",
        "中",
        "ا",
        "e\u{301}",
        "\u{202e}",
        "\u{a0}",
        "…",
        "*",
        "_",
        "`",
        "[a]",
        "<b>",
        "&amp;",
        "\\",
        "/me ",
        "@ann",
        "\n",
        "#",
        ">",
    ];

    /// Random lines of what is plain, with what isn't strewn in: where the short way answers, it says what the long one does.
    #[test]
    fn a_plain_line_is_rendered_as_the_parser_would() {
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut plain_ones = 0;
        for round in 0..8_000 {
            // Most of them without what can't be plain anyway.
            let among = if round % 4 == 0 { PIECES.len() } else { 32 };
            let line: String = (0..=next(8)).map(|_| PIECES[next(among)]).collect();
            if let Some(html) = rendered(&line) {
                assert_eq!(html, parsed(&line), "{line:?}");
                plain_ones += 1;
            }
        }
        assert!(plain_ones > 1_000, "{plain_ones}");
        let all: Vec<char> = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        let idle: Vec<char> = all.into_iter().filter(|c| rendered(&format!("a{c}b")).is_some()).collect();
        for some in idle.chunks(500) {
            let line: String = some.iter().map(|c| format!("a{c}b {c}")).chain(["z".to_owned()]).collect();
            assert_eq!(rendered(&line).as_ref(), Some(&parsed(&line)), "{some:?}");
        }
    }
}
