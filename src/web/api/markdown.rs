//! The texts of the document as HTML, for the browsable pages and the reference: CommonMark with tables, as the code and
//! its files write it. What stands in a text as HTML is shown as text.

use askama::filters::{Html, escape};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// `text` as HTML. Its headings begin at the third level, under those of the page. Cost: O(length).
pub fn html(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Heading { level, id, classes, attrs }) => {
            Event::Start(Tag::Heading { level: lower(level), id, classes, attrs })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        event => event,
    });
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events);
    out
}

/// The same of a text that is one paragraph, without its frame.
pub fn line(text: &str) -> String {
    let html = html(text);
    let bare = html.trim().strip_prefix("<p>").and_then(|rest| rest.strip_suffix("</p>"));
    bare.filter(|bare| !bare.contains("<p>")).map_or(html.clone(), str::to_owned)
}

/// Any other text as HTML that shows it.
pub fn escaped(text: &str) -> String {
    escape(text, Html).map(|text| text.to_string()).unwrap_or_default()
}

fn lower(level: pulldown_cmark::HeadingLevel) -> pulldown_cmark::HeadingLevel {
    use pulldown_cmark::HeadingLevel::{H1, H2, H3, H4, H5, H6};
    match level {
        H1 => H3,
        H2 => H3,
        H3 => H4,
        H4 => H5,
        H5 | H6 => H6,
    }
}
