//! What a search shows of a message: the words around the first that was found, as HTML that is safe to put into a page.

use std::ops::Range;

use crate::admin::words::{self, Term};
use crate::text::fold;

/// Characters shown.
const LONGEST: usize = 200;
/// Of these, before the first that was found.
const BEFORE: usize = 60;

/// Text of `content` around the first place where one of `terms` is found, escaped, each place in `<mark>`. Words are what
/// the index takes for words. Cost: O(length × terms).
pub fn of(content: &str, terms: &[Term], last_begins: bool) -> String {
    let marks = marks(content, terms, last_begins);
    let first = marks.first().map_or(0, |mark| mark.start);
    let shown = window(content, first);
    let mut html = String::new();
    if shown.start > 0 {
        html.push('…');
    }
    let mut from = shown.start;
    for mark in marks.iter().filter(|mark| mark.start < shown.end) {
        escape(&mut html, &content[from..mark.start]);
        html.push_str("<mark>");
        escape(&mut html, &content[mark.start..mark.end.min(shown.end)]);
        html.push_str("</mark>");
        from = mark.end.min(shown.end);
    }
    escape(&mut html, &content[from..shown.end]);
    if shown.end < content.len() {
        html.push('…');
    }
    html
}

/// The places that were found, in bytes, in order and apart from each other.
fn marks(content: &str, terms: &[Term], last_begins: bool) -> Vec<Range<usize>> {
    let phrases: Vec<Vec<String>> = terms.iter().map(words::words).collect();
    let places = places(content);
    let folded: Vec<String> = places.iter().map(|place| fold(&content[place.clone()])).collect();
    let mut marks: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < places.len() {
        let fitting = phrases.iter().enumerate().filter(|(number, phrase)| {
            let begins = last_begins && number + 1 == phrases.len();
            !phrase.is_empty() && fits(&folded[at..], phrase, begins)
        });
        match fitting.map(|(_, phrase)| phrase.len()).max() {
            Some(length) => {
                marks.push(places[at].start..places[at + length - 1].end);
                at += length;
            }
            None => at += 1,
        }
    }
    marks
}

/// Whether `found` begins with the words of `phrase`, the last of which may be only begun.
fn fits(found: &[String], phrase: &[String], begins: bool) -> bool {
    let last = phrase.len() - 1;
    found.len() > last
        && phrase.iter().zip(found).enumerate().all(|(number, (word, found))| {
            if begins && number == last { found.starts_with(word.as_str()) } else { found == word }
        })
}

/// Where the words stand.
fn places(content: &str) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    for (at, c) in content.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
        match places.last_mut() {
            Some(last) if last.end == at => last.end = at + c.len_utf8(),
            _ => places.push(at..at + c.len_utf8()),
        }
    }
    places
}

/// What is shown, in bytes: from some words before `first`.
fn window(content: &str, first: usize) -> Range<usize> {
    let before = content[..first].char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    // Not from the middle of a word, where the text has spaces at all.
    let start = match content[before..first].find(char::is_whitespace) {
        Some(space) if before > 0 => before + space + 1,
        _ => before,
    };
    let start = (start..=first).find(|at| content.is_char_boundary(*at)).unwrap_or(first);
    let end = content[start..].char_indices().nth(LONGEST).map_or(content.len(), |(at, _)| start + at);
    start..end
}

/// Adds text as HTML; line ends and runs of spaces become one space.
fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_whitespace() || c.is_control() => {
                if !html.ends_with(' ') {
                    html.push(' ');
                }
            }
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(content: &str, q: &str) -> String {
        of(content, &words::terms(q), !q.ends_with('"'))
    }

    #[test]
    fn what_was_found_is_marked_and_everything_else_is_escaped() {
        assert_eq!(snippet("The cat sat", "cat"), "The <mark>cat</mark> sat");
        assert_eq!(snippet("Cats & CATALOGUES", "cat"), "<mark>Cats</mark> &amp; <mark>CATALOGUES</mark>");
        assert_eq!(snippet("a cat, cats", "cat sat"), "a <mark>cat</mark>, cats");
        assert_eq!(snippet("<b>cat</b> \"x\"'", "\"cat\""), "&lt;b&gt;<mark>cat</mark>&lt;/b&gt; &quot;x&quot;&#39;");
        assert_eq!(snippet("release notes, notes", "\"release notes\""), "<mark>release notes</mark>, notes");
        assert_eq!(snippet("one\n\n  two", "two"), "one <mark>two</mark>");
        assert_eq!(snippet("ŻÓŁW", "żół"), "<mark>ŻÓŁW</mark>");
        assert_eq!(snippet("nothing here", "cat"), "nothing here");
        assert_eq!(snippet("<mark>cat</mark>", "mark"), "&lt;<mark>mark</mark>&gt;cat&lt;/<mark>mark</mark>&gt;");
    }

    #[test]
    fn a_long_text_is_shown_around_the_first_place() {
        let long = format!("{} needle {}", "żaba ".repeat(200), "<&>".repeat(200));
        let html = snippet(&long, "needle");
        assert!(html.starts_with("…żaba") && html.contains("<mark>needle</mark>") && html.ends_with('…'), "{html}");
        let text = html
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
            .replace("</mark>", "")
            .replace("<mark>", "");
        assert!(text.chars().count() <= LONGEST + 2, "{text}");
        let unbroken = snippet(&format!("{}needle", "中".repeat(3000)), "中");
        assert!(unbroken.starts_with("<mark>中") && unbroken.ends_with("</mark>…"), "{unbroken}");
        assert_eq!(snippet("", "x"), "");
    }
}
