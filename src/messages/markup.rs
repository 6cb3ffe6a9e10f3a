//! Markdown-light to HTML, once, when a message is written: bold, italic, code, fences, quotes, lists, links and
//! `@name`; `/me` makes a line an act. What people type never becomes markup of its own: raw HTML is shown as text, images
//! as links, a link says where it leads (`markup/link.rs`), text can't turn what stands around it (`markup/text.rs`), and
//! the result passes a sanitiser that knows only the elements below. Cost: O(length).

mod link;
mod plain;
mod text;

#[cfg(test)]
mod check;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::Builder;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, TextMergeStream, html};

use super::MOST_CHARACTERS;
use link::Place;

const ELEMENTS: [&str; 13] =
    ["p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span", "hr"];

/// Rounds in which link definitions are looked for: each shows those that hid behind another of the same name.
const MOST_ROUNDS: usize = 16;

/// Quotes, lists, items and emphasis inside each other.
const MOST_NESTED: usize = 16;

/// What an act is parsed behind: whatever follows is in a paragraph then, and no list or quote.
const LEAD: &str = "x ";

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    let classes = HashMap::from([("span", HashSet::from(["mention", "here", "host"])), ("p", HashSet::from(["act"]))]);
    builder
        .tags(HashSet::from(ELEMENTS))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .allowed_classes(classes)
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("nofollow noopener noreferrer"));
    builder
});

/// How a name that is marked begins; `@here` is marked as such, too.
const MENTION: &str = "<span class=\"mention";

/// The names that HTML rendered here marks, as they were typed: who is told is who is shown as named. Nobody types the
/// mark themselves, since what they type never becomes markup. Cost: O(length).
pub fn names(html: &str) -> impl Iterator<Item = &str> {
    let named = html.split(MENTION).skip(1).filter_map(|rest| rest.split_once(">@"));
    named.filter_map(|(_, rest)| rest.split_once('<').map(|(name, _)| name))
}

/// `content` as HTML that is safe to put into a page. What is longer than a message may be is shown as it is typed.
pub fn render(content: &str) -> String {
    if content.chars().nth(MOST_CHARACTERS).is_some() {
        return typed(content);
    }
    plain::rendered(content).unwrap_or_else(|| parsed(content))
}

fn parsed(content: &str) -> String {
    match spoken(content) {
        Spoken::Said(content) => sanitised(Shown::new(&without_definitions(content)).all()),
        Spoken::Done(deed) => {
            let html = sanitised(Shown::new(&without_definitions(&format!("{LEAD}{deed}"))).all());
            match html.strip_prefix("<p>").and_then(|html| html.strip_prefix(LEAD)) {
                Some(html) => format!("<p class=\"act\">{html}"),
                None => html,
            }
        }
    }
}

enum Spoken<'a> {
    Said(&'a str),
    /// `/me waves`: what whoever wrote it does.
    Done(&'a str),
}

/// `/me waves` is an act, when that is all the message; `//me` is how to say `/me`.
fn spoken(content: &str) -> Spoken<'_> {
    let is_command = |text: &str| text.strip_prefix("/me").is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if let Some(escaped) = content.strip_prefix('/').filter(|rest| is_command(rest)) {
        return Spoken::Said(escaped);
    }
    let deed = content.strip_prefix("/me ").map(str::trim).filter(|deed| !deed.is_empty());
    match deed {
        Some(deed) if !deed.contains(['\n', '\r']) => Spoken::Done(deed),
        _ => Spoken::Said(content),
    }
}

fn sanitised(events: Vec<Event<'_>>) -> String {
    SANITISER.clean(&written(events)).to_string().trim_end().to_owned()
}

fn written(events: Vec<Event<'_>>) -> String {
    let mut html = String::new();
    html::push_html(&mut html, events.into_iter());
    html
}

/// A paragraph of text and nothing else: all of it is escaped, and there is nothing to sanitise.
fn typed(content: &str) -> String {
    let text = Event::Text(text::tamed(content).into());
    let html = written(vec![Event::Start(Tag::Paragraph), text, Event::End(TagEnd::Paragraph)]);
    html.trim_end().to_owned()
}

/// What is shown of a message, as far as it has been read.
struct Shown<'a> {
    content: &'a str,
    events: Vec<Event<'a>>,
    /// The link that stands open.
    link: Option<Place>,
    /// Links and images inside it, of which only the words are shown.
    within: usize,
    code_depth: usize,
    nesting: usize,
}

impl<'a> Shown<'a> {
    fn new(content: &'a str) -> Self {
        Self { content, events: Vec::new(), link: None, within: 0, code_depth: 0, nesting: 0 }
    }

    fn all(mut self) -> Vec<Event<'a>> {
        for event in TextMergeStream::new(Parser::new_ext(self.content, Options::empty())) {
            if !too_deep(&event, &mut self.nesting) {
                self.take(plain(event));
            }
        }
        self.events
    }

    fn take(&mut self, event: Event<'a>) {
        match event {
            Event::Start(Tag::Link { .. }) if self.link.is_some() => self.within += 1,
            Event::End(TagEnd::Link) if self.within > 0 => self.within -= 1,
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                self.link = Some(Place::new(dest_url));
                self.events.push(event);
            }
            Event::End(TagEnd::Link) => {
                self.events.push(event);
                self.events.extend(self.link.take().map(Place::told).unwrap_or_default());
            }
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                let code = text::tamed(&code);
                self.link.iter_mut().for_each(|link| link.says(&code));
                self.events.push(Event::Code(code.into()));
            }
            Event::Start(Tag::CodeBlock(_)) => {
                self.code_depth += 1;
                self.events.push(event);
            }
            Event::End(TagEnd::CodeBlock) => {
                self.code_depth = self.code_depth.saturating_sub(1);
                self.events.push(event);
            }
            event => self.events.push(event),
        }
    }

    fn text(&mut self, typed: &str) {
        match &mut self.link {
            None if self.code_depth == 0 => self.events.extend(text::marked(typed)),
            link => {
                let tamed = text::tamed(typed);
                link.iter_mut().for_each(|link| link.says(&tamed));
                self.events.push(Event::Text(tamed.into()));
            }
        }
    }
}

/// `[todo]: milk` defines a link in Markdown and shows nothing; in a message it is what somebody said. Escapes the
/// bracket of whatever the parser takes for a definition, until it finds none. Cost: O(length) a round.
fn without_definitions(content: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(content);
    for _ in 0..MOST_ROUNDS {
        let parser = Parser::new_ext(&text, Options::empty());
        let mut starts: Vec<usize> = parser.reference_definitions().iter().map(|(_, def)| def.span.start).collect();
        if starts.is_empty() {
            return text;
        }
        starts.sort_unstable();
        let mut escaped = text.into_owned();
        for start in starts.into_iter().rev() {
            escaped.insert(start, '\\');
        }
        text = Cow::Owned(escaped);
    }
    // Nobody talks like that: brackets are only brackets then.
    Cow::Owned(content.replace('[', "\\["))
}

/// Whether `event` opens or closes a quote, list or emphasis inside more of them than anybody reads: its text stays, its
/// frame goes. Without this, 4,000 `>` are 100 KB of page, and a browser's parser meets a tree a thousand deep.
fn too_deep(event: &Event<'_>, nesting: &mut usize) -> bool {
    match event {
        Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Item | Tag::Emphasis | Tag::Strong) => {
            *nesting += 1;
            *nesting > MOST_NESTED
        }
        Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item | TagEnd::Emphasis | TagEnd::Strong) => {
            *nesting -= 1;
            *nesting >= MOST_NESTED
        }
        _ => false,
    }
}

/// What Markdown has and a message hasn't: raw HTML becomes text, an image a link, a heading a bold paragraph.
fn plain(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::SoftBreak => Event::HardBreak,
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        Event::Start(Tag::Heading { .. }) => Event::InlineHtml("<p><strong>".into()),
        Event::End(TagEnd::Heading(_)) => Event::InlineHtml("</strong></p>".into()),
        event => event,
    }
}
