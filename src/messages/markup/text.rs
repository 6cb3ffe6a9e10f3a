//! The text of a message: what in it could turn or bury what stands around it is tamed, its `@name`s are marked, and its
//! bare addresses made links. Called by `markup.rs` for every stretch of text.

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};
use unicode_normalization::char::is_combining_mark;

use super::link::Place;

/// Marks on one letter; scripts in use need fewer.
const MOST_MARKS: usize = 8;

/// Unicode's characters that open and close a stretch of text with a direction of its own (UAX #9, 2.1 to 2.5).
const ISOLATES: [char; 3] = ['\u{2066}', '\u{2067}', '\u{2068}'];
const ISOLATE_ENDS: char = '\u{2069}';
const EMBEDDINGS: [char; 2] = ['\u{202a}', '\u{202b}'];
const EMBEDDING_ENDS: char = '\u{202c}';
/// They show letters in another order than they are stored in: nobody who talks needs that.
const OVERRIDES: [char; 2] = ['\u{202d}', '\u{202e}'];

fn is_directing(c: char) -> bool {
    ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// `text` without overrides of direction, every other change of it closed by the end of its line, and with as many marks
/// on a letter as scripts have. Cost: O(length).
pub fn tamed(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    let mut open: Vec<char> = Vec::new();
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        let is_kept = match c {
            _ if OVERRIDES.contains(&c) || marks > MOST_MARKS => false,
            _ if ISOLATES.contains(&c) => {
                open.push(ISOLATE_ENDS);
                true
            }
            _ if EMBEDDINGS.contains(&c) => {
                open.push(EMBEDDING_ENDS);
                true
            }
            ISOLATE_ENDS | EMBEDDING_ENDS => open.pop_if(|end| *end == c).is_some(),
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => {
                tamed.extend(open.drain(..).rev());
                true
            }
            _ => true,
        };
        if is_kept {
            tamed.push(c);
        }
    }
    tamed.extend(open.drain(..).rev());
    tamed
}

/// A stretch of text with its `@name`s marked and its bare addresses made links.
pub fn marked<'a>(text: &str) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    let mut pending = String::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let at_start = !before.is_alphanumeric();
        let length = if at_start { mention(rest).or_else(|| address(rest)) } else { None };
        let (token, tail) = rest.split_at(length.unwrap_or(first.len_utf8()));
        match length {
            Some(_) => {
                flush(&mut events, &mut pending);
                token_events(&mut events, token);
            }
            None => pending.push_str(token),
        }
        before = token.chars().next_back().unwrap_or(' ');
        rest = tail;
    }
    flush(&mut events, &mut pending);
    events
}

fn flush<'a>(events: &mut Vec<Event<'a>>, pending: &mut String) {
    if !pending.is_empty() {
        events.push(Event::Text(tamed(&std::mem::take(pending)).into()));
    }
}

fn token_events<'a>(events: &mut Vec<Event<'a>>, token: &str) {
    let token = token.to_owned();
    if token.starts_with('@') {
        // Only the characters of a user name: nothing to escape.
        let class = if token.eq_ignore_ascii_case("@here") { "mention here" } else { "mention" };
        events.push(Event::InlineHtml(format!("<span class=\"{class}\">{token}</span>").into()));
        return;
    }
    let mut place = Place::new(&token);
    let said = tamed(&token);
    place.says(&said);
    let link = Tag::Link { link_type: LinkType::Autolink, dest_url: token.into(), title: "".into(), id: "".into() };
    events.extend([Event::Start(link), Event::Text(said.into()), Event::End(TagEnd::Link)]);
    events.extend(place.told());
}

/// The length of the `@name` that `text` starts with.
fn mention(text: &str) -> Option<usize> {
    let name = text.strip_prefix('@')?;
    let length = name.bytes().take(33).take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
    // A full stop after a name ends the sentence.
    let length = name[..length].trim_end_matches(['.', '-']).len();
    (3..=32).contains(&length).then_some(length + 1)
}

const ENDS_A_SENTENCE: [char; 8] = ['.', ',', ';', ':', '!', '?', '*', '_'];

/// The length of the web address that `text` starts with.
fn address(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let scheme = text.len() - rest.len();
    let end = rest
        .find(|c: char| c.is_whitespace() || c.is_control() || is_directing(c) || "<>\"'`".contains(c))
        .unwrap_or(rest.len());
    let mut address = rest[..end].trim_end_matches(ENDS_A_SENTENCE);
    // A bracket belongs to the address when it was opened in it.
    while let Some(shorter) =
        address.strip_suffix(')').filter(|_| address.matches(')').count() > address.matches('(').count())
    {
        address = shorter.trim_end_matches(ENDS_A_SENTENCE);
    }
    (!address.is_empty()).then_some(scheme + address.len())
}
