//! HTML as Campfire's editor writes it (Trix: `div`, `br`, `strong`, `em`, `a`, lists, `pre`, `blockquote`) to Markdown-light.
//! Called by `transfer::campfire`. What is no text stays behind; mentions are written out.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// `html` in Markdown-light; `name` says what somebody with an id is called. Cost: O(length).
pub fn translate(html: &str, name: impl Fn(&str) -> Option<String>) -> String {
    let writer = Writer { state: RefCell::new(State::default()), name };
    let tokenizer = Tokenizer::new(writer, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.state.into_inner().finished()
}

struct Writer<F> {
    state: RefCell<State>,
    name: F,
}

#[derive(Default)]
struct State {
    out: String,
    /// The address of the link that stands open, and where its text begins.
    link: Option<(String, usize)>,
    /// Lists inside each other: the number of the last item, where they have numbers.
    lists: Vec<Option<u64>>,
    quotes: usize,
    in_code: bool,
    /// Inside what is no text.
    hidden: usize,
}

impl<F: Fn(&str) -> Option<String>> TokenSink for Writer<F> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.state.borrow_mut();
        match token {
            Token::CharacterTokens(text) if state.hidden == 0 => state.text(&text),
            Token::TagToken(tag) => match (&*tag.name, tag.kind) {
                ("action-text-attachment", TagKind::StartTag) => {
                    if let Some(name) =
                        attribute(&tag, "sgid").and_then(|id| person_of(&id)).and_then(|id| (self.name)(&id))
                    {
                        state.out.push_str(&format!("@{name}"));
                    }
                    state.hidden += usize::from(!tag.self_closing);
                }
                ("action-text-attachment", TagKind::EndTag) => state.hidden = state.hidden.saturating_sub(1),
                ("figcaption" | "style" | "script", TagKind::StartTag) => {
                    state.hidden += usize::from(!tag.self_closing)
                }
                ("figcaption" | "style" | "script", TagKind::EndTag) => state.hidden = state.hidden.saturating_sub(1),
                _ if state.hidden > 0 => {}
                (name, TagKind::StartTag) => state.begin(name, &tag),
                (name, TagKind::EndTag) => state.end(name),
            },
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn text(&mut self, text: &str) {
        if self.in_code {
            return self.out.push_str(text);
        }
        for letter in text.chars() {
            let begins = self.out.is_empty() || self.out.ends_with('\n') || self.out.ends_with("> ");
            match letter {
                '*' | '`' | '[' | ']' | '\\' => self.out.extend(['\\', letter]),
                // What would be a heading, a quote or a list here is a sign there.
                '#' | '>' | '+' | '-' if begins => self.out.extend(['\\', letter]),
                '\n' | '\r' | '\t' | ' ' if begins => {}
                '\n' | '\r' => self.out.push(' '),
                _ => self.out.push(letter),
            }
        }
    }

    /// A new line, unless one has just begun.
    fn line(&mut self) {
        let is_begun = self.out.is_empty() || self.out.ends_with('\n') || self.out.ends_with("> ");
        if !is_begun {
            self.break_line();
        }
    }

    fn break_line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&"> ".repeat(self.quotes));
    }

    fn begin(&mut self, name: &str, tag: &Tag) {
        match name {
            "br" if self.in_code => self.out.push('\n'),
            "br" => self.break_line(),
            "div" | "p" => self.line(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.line();
                self.out.push_str("**");
            }
            "strong" | "b" => self.out.push_str("**"),
            "em" | "i" => self.out.push('*'),
            "code" if !self.in_code => self.out.push('`'),
            "pre" => {
                self.line();
                self.out.push_str("```\n");
                self.in_code = true;
            }
            "blockquote" => {
                self.line();
                self.quotes += 1;
                self.out.push_str("> ");
            }
            "ul" => self.lists.push(None),
            "ol" => self.lists.push(Some(0)),
            "li" => self.item(),
            "a" => {
                let address = attribute(tag, "href").unwrap_or_default();
                self.link = Some((address, self.out.len()));
            }
            _ => {}
        }
    }

    fn item(&mut self) {
        self.line();
        let indent = "   ".repeat(self.lists.len().saturating_sub(1));
        let mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{number}. ")
            }
            _ => "- ".to_owned(),
        };
        self.out.push_str(&format!("{indent}{mark}"));
    }

    fn end(&mut self, name: &str) {
        match name {
            "div" | "p" | "li" => self.line(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.out.push_str("**");
                self.line();
            }
            "strong" | "b" => self.out.push_str("**"),
            "em" | "i" => self.out.push('*'),
            "code" if !self.in_code => self.out.push('`'),
            "pre" if self.in_code => {
                self.in_code = false;
                self.line();
                self.out.push_str("```\n");
            }
            "blockquote" => {
                self.quotes = self.quotes.saturating_sub(1);
                let kept = self.out.trim_end_matches(['>', ' ', '\n']).len();
                self.out.truncate(kept);
                self.out.push_str("\n\n");
            }
            "ul" | "ol" => {
                self.lists.pop();
                self.line();
            }
            "a" => self.end_link(),
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((address, start)) = self.link.take() else { return };
        let shown = self.out.split_off(start);
        let is_web = ["http://", "https://", "mailto:"].iter().any(|scheme| address.starts_with(scheme));
        let plain = shown.replace('\\', "");
        if !is_web || plain.trim().is_empty() {
            self.out.push_str(&shown);
        } else if plain.trim() == address || address.strip_prefix("mailto:") == Some(plain.trim()) {
            self.out.push_str(plain.trim());
        } else {
            let address = address.replace(' ', "%20").replace('(', "%28").replace(')', "%29");
            self.out.push_str(&format!("[{}]({address})", shown.replace('\n', " ")));
        }
    }

    fn finished(self) -> String {
        let text = self.out.replace('\0', "");
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n").trim().to_owned()
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| attribute.value.to_string())
}

/// The id in a signed id of Rails' (`gid://campfire/User/3`, in base64, perhaps twice). Who signed it doesn't matter: it only
/// names somebody.
fn person_of(sgid: &str) -> Option<String> {
    let mut bytes = decode(sgid.split("--").next()?)?;
    for _ in 0..2 {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((_, rest)) = text.split_once("/User/") {
            let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return (!id.is_empty()).then_some(id);
        }
        // Rails wraps one in the other: a text of JSON that holds it.
        let inner: serde_json::Value = serde_json::from_str(&text).ok()?;
        let inner =
            [&inner["_rails"]["data"], &inner["_rails"]["message"]].into_iter().find_map(|value| value.as_str())?;
        bytes = decode(inner)?;
    }
    None
}

fn decode(text: &str) -> Option<Vec<u8>> {
    [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_editor_wrote_reads_the_same_here() {
        let inner = STANDARD.encode("gid://campfire/User/3?expires_in");
        let sgid = STANDARD.encode(format!("{{\"_rails\":{{\"message\":\"{inner}\",\"pur\":\"attachable\"}}}}"));
        let mention = format!(
            "<div><action-text-attachment sgid=\"{sgid}--abc\" content-type=\"application/vnd.campfire.mention\">\
             <img src=\"x\"> Ann Lee</action-text-attachment> look</div>"
        );
        for (html, ours) in [
            ("plain", "plain"),
            ("<div>one<br>two</div>", "one\ntwo"),
            ("<div><strong>bold</strong> and <em>slanted</em></div>", "**bold** and *slanted*"),
            ("<div>2 * 3 &lt; 7 &amp; [x]</div>", "2 \\* 3 < 7 & \\[x\\]"),
            ("<div># one</div><div>- two</div>", "\\# one\n\\- two"),
            ("<ul><li>a</li><li>b</li></ul><ol><li>c</li><li>d</li></ol>", "- a\n- b\n1. c\n2. d"),
            ("<pre>let *x* = &lt;T&gt;;</pre>after", "```\nlet *x* = <T>;\n```\nafter"),
            ("<blockquote>said<br>so</blockquote><div>yes</div>", "> said\n> so\n\nyes"),
            ("<a href=\"https://a.example/x\">the plan</a>", "[the plan](https://a.example/x)"),
            ("<a href=\"https://a.example/x_y\">https://a.example/x_y</a>", "https://a.example/x_y"),
            ("<a href=\"javascript:alert(1)\">click</a>", "click"),
            ("<script>alert(1)</script>still", "still"),
            (mention.as_str(), "@ann look"),
        ] {
            assert_eq!(translate(html, |id| (id == "3").then(|| "ann".to_owned())), ours, "{html}");
        }
    }
}
