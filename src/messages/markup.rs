//! Markdown-light to HTML, once, when a message is written: bold, italic, code, fences, quotes, lists, links and
//! `@name`. What people type never becomes markup of its own: raw HTML is shown as text, images as links, and the
//! result passes a sanitiser that knows only the elements below. Cost: O(length).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::Builder;
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream, html};

const ELEMENTS: [&str; 13] =
    ["p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span", "hr"];

/// Rounds in which link definitions are looked for: each shows those that hid behind another of the same name.
const MOST_ROUNDS: usize = 16;

/// Quotes, lists and items inside each other.
const MOST_NESTED: usize = 16;

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(ELEMENTS))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .allowed_classes(HashMap::from([("span", HashSet::from(["mention"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("nofollow noopener noreferrer"));
    builder
});

/// How a name that is marked begins.
const MENTION: &str = "<span class=\"mention\">@";

/// The names that HTML rendered here marks, as they were typed: who is told is who is shown as named. Nobody types the
/// mark themselves, since what they type never becomes markup. Cost: O(length).
pub fn names(html: &str) -> impl Iterator<Item = &str> {
    html.split(MENTION).skip(1).filter_map(|rest| rest.split_once('<').map(|(name, _)| name))
}

/// `content` as HTML that is safe to put into a page.
pub fn render(content: &str) -> String {
    let mut link_depth = 0_usize;
    let mut code_depth = 0_usize;
    let mut nesting = 0_usize;
    let content = &without_definitions(content);
    let events = TextMergeStream::new(Parser::new_ext(content, Options::empty())).flat_map(move |event| {
        match &event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => link_depth += 1,
            Event::End(TagEnd::Link | TagEnd::Image) => link_depth = link_depth.saturating_sub(1),
            Event::Start(Tag::CodeBlock(_)) => code_depth += 1,
            Event::End(TagEnd::CodeBlock) => code_depth = code_depth.saturating_sub(1),
            _ => {}
        }
        if too_deep(&event, &mut nesting) {
            return Vec::new();
        }
        match event {
            Event::Text(text) if link_depth == 0 && code_depth == 0 => linked(&text),
            event => vec![plain(event)],
        }
    });
    let mut unsafe_html = String::with_capacity(content.len() * 2);
    html::push_html(&mut unsafe_html, events);
    SANITISER.clean(&unsafe_html).to_string().trim_end().to_owned()
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

/// Whether `event` opens or closes a quote or list inside more of them than anybody reads: its text stays, its frame
/// goes. Without this, 4,000 `>` are 100 KB of page.
fn too_deep(event: &Event<'_>, nesting: &mut usize) -> bool {
    match event {
        Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Item) => {
            *nesting += 1;
            *nesting > MOST_NESTED
        }
        Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item) => {
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

/// A stretch of text with its `@name`s marked and its bare addresses made links.
fn linked<'a>(text: &str) -> Vec<Event<'a>> {
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
        events.push(Event::Text(CowStr::from(std::mem::take(pending))));
    }
}

fn token_events<'a>(events: &mut Vec<Event<'a>>, token: &str) {
    let token = token.to_owned();
    if token.starts_with('@') {
        // Only the characters of a user name: nothing to escape.
        events.push(Event::InlineHtml(format!("<span class=\"mention\">{token}</span>").into()));
        return;
    }
    let dest_url = CowStr::from(token.clone());
    let link = Tag::Link { link_type: LinkType::Autolink, dest_url, title: "".into(), id: "".into() };
    events.extend([Event::Start(link), Event::Text(token.into()), Event::End(TagEnd::Link)]);
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
    let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || "<>\"'`".contains(c)).unwrap_or(rest.len());
    let mut address = rest[..end].trim_end_matches(ENDS_A_SENTENCE);
    // A bracket belongs to the address when it was opened in it.
    while let Some(shorter) =
        address.strip_suffix(')').filter(|_| address.matches(')').count() > address.matches('(').count())
    {
        address = shorter.trim_end_matches(ENDS_A_SENTENCE);
    }
    (!address.is_empty()).then_some(scheme + address.len())
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn markdown_light_becomes_html() {
        assert_eq!(render("**b** *i* `c`"), "<p><strong>b</strong> <em>i</em> <code>c</code></p>");
        assert_eq!(render("one\ntwo"), "<p>one<br>\ntwo</p>");
        assert_eq!(render("> said"), "<blockquote>\n<p>said</p>\n</blockquote>");
        assert_eq!(render("```\n<b>&\n```"), "<pre><code>&lt;b&gt;&amp;\n</code></pre>");
        assert_eq!(render("# big"), "<p><strong>big</strong></p>");
    }

    #[test]
    fn what_looks_like_a_link_definition_is_still_said() {
        assert_eq!(render("[todo]: milk"), "<p>[todo]: milk</p>");
        assert_eq!(render("one\n\n> [12:30]: lunch"), "<p>one</p>\n<blockquote>\n<p>[12:30]: lunch</p>\n</blockquote>");
        assert_eq!(render("```\n[a]: b\n```"), "<pre><code>[a]: b\n</code></pre>");
        for said in
            ["- [todo]: milk", "1. [Ann]: cake\n2. [Ann]: wine", "* > [x]: y", "`ls`\n\n[todo]: milk", "[a\nb]: /url"]
        {
            let html = render(said);
            let words = said.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
            words.for_each(|word| assert!(html.contains(word), "{said} gave {html}"));
            assert!(!html.contains('\\'), "{said} gave {html}");
        }
        assert!(render("[docs](http://x.example) see [1]: foo").contains("<a href=\"http://x.example\""));
        assert_eq!(render("a\n\n    [a]: b"), "<p>a</p>\n<pre><code>[a]: b</code></pre>");
        assert!(render(&"[a]: b\n\n".repeat(500)).matches("[a]: b").count() == 500);
    }

    #[test]
    fn names_and_addresses_are_marked() {
        assert_eq!(render("hi @ann."), "<p>hi <span class=\"mention\">@ann</span>.</p>");
        assert_eq!(render("ann@example.org"), "<p>ann@example.org</p>");
        let link =
            "<a href=\"https://a.example/x?y=1\" rel=\"nofollow noopener noreferrer\">https://a.example/x?y=1</a>";
        assert_eq!(render("(https://a.example/x?y=1)"), format!("<p>({link})</p>"));
        assert!(render("see https://a.example/Foo_(bar)).").contains("href=\"https://a.example/Foo_(bar)\""));
        assert_eq!(render("`@ann`"), "<p><code>@ann</code></p>");
    }

    #[test]
    fn only_names_that_are_marked_are_named() {
        let named = |content: &str| super::names(&render(content)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(named("@ann, (@Bob.) and > @cat_9"), ["ann", "Bob", "cat_9"]);
        assert_eq!(named("> **@ann**\n- @bob"), ["ann", "bob"]);
        for nobody in [
            "`@ann`",
            "```\n@ann\n```",
            "ann@example.org",
            "[@ann](https://a.example)",
            "@an",
            "<span class=\"mention\">ann</span>",
            "`<span class=\"mention\">@ann</span>`",
        ] {
            assert!(named(nobody).is_empty(), "{nobody}");
        }
    }

    #[test]
    fn nothing_typed_becomes_markup_of_its_own() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "![x](data:text/html,hi)",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](<javascript:alert(1)>)",
            "[x](\u{1}javascript:alert(1))",
            "<svg/onload=alert(1)>",
            "**<style>*{display:none}</style>**",
            "@ann\" onclick=\"alert(1)",
        ] {
            let html = render(hostile);
            for bad in [
                "<script",
                "<img",
                "<svg",
                "<style",
                "<a href=\"javascript",
                "<a href=\"data",
                "<span class=\"mention\" ",
            ] {
                assert!(!html.contains(bad), "{hostile} gave {html}");
            }
        }
    }

    #[test]
    fn a_wall_of_one_sign_is_rendered_as_text() {
        for sign in ["*", "_", "[", "`", ">", "<", "@", "![", "- "] {
            let wall = sign.repeat(4000 / sign.len());
            assert!(render(&wall).len() < 40_000, "{sign}");
        }
    }
}
