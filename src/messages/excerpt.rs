//! The beginning of a message as one line of plain text, for what shows no HTML: pushes and mails.

use super::Message;

/// Tags between which no word ends.
const INLINE: [&str; 5] = ["strong", "em", "code", "a", "span"];

/// What `message` says, without its marks, at most `longest` characters and `…`; of one without words the names of its
/// files. Cost: O(length).
pub fn of(message: &Message, longest: usize) -> String {
    let said = of_html(&message.html, longest);
    if !said.is_empty() || message.attachments.is_empty() {
        return said;
    }
    let names: Vec<&str> = message.attachments.iter().map(|file| file.filename.as_str()).collect();
    plain(&names.join(", "), longest)
}

/// The words of HTML that the renderer made, as [`plain`] shows them. Cost: O(length).
pub fn of_html(html: &str, longest: usize) -> String {
    plain(&text(html), longest)
}

/// `text` on one line, at most `longest` characters and `…`, without what would turn or hide the words around it.
/// Cost: O(length).
pub fn plain(text: &str, longest: usize) -> String {
    let shown = |c: &char| !matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let one_by_one = text.chars().filter(shown).map(|c| if c.is_control() { ' ' } else { c });
    let line = one_by_one.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// The words of HTML that the renderer made. Cost: O(length).
fn text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut parts = html.split('<');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        // Whatever an attribute holds: the renderer's only ones are addresses, in which `>` is written otherwise.
        let (tag, words) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        if !INLINE.contains(&name.trim_start_matches('/')) {
            text.push(' ');
        }
        text.push_str(words);
    }
    // The one that makes the others comes last.
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", "\u{a0}")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::{plain, text};
    use crate::messages::markup::render;

    fn said(content: &str, longest: usize) -> String {
        plain(&text(&render(content)), longest)
    }

    #[test]
    fn marks_go_and_words_stay() {
        assert_eq!(said("**Ten** _o'clock_ @ann, `x<y` & <b>", 120), "Ten o'clock @ann, x<y & <b>");
        assert_eq!(said("> one\n\n- two\n- three\nfour", 120), "one two three four");
        assert_eq!(said("[here](https://a.example/?a=%3E&b) &amp;lt;", 120), "here (a.example) &lt;");
    }

    #[test]
    fn it_is_short_and_turns_nothing_around() {
        assert_eq!(said(&"a ".repeat(2000), 5), "a a a…");
        assert_eq!(said("äöü", 3), "äöü");
        assert_eq!(plain("a\u{202e}b\u{0}c\u{200b}d\n\te", 9), "ab cd e");
        assert_eq!(plain("👩\u{200d}🚀", 9), "👩\u{200d}🚀");
    }
}
