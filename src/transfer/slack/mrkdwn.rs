//! Slack's way to write to ours: `*bold*` is `**bold**`, what stands in angle brackets is a person, a channel or a link, and
//! `&amp;` is `&`. What would mean something here and means nothing there is escaped. Called by `transfer::slack`.

use super::shortcode;

/// Whom and what a text may name.
pub trait Names {
    /// The user name here of somebody's id there.
    fn person(&self, id: &str) -> Option<String>;
    fn channel(&self, id: &str) -> Option<String>;
}

/// `text` in Markdown-light. Cost: O(length).
pub fn translate(text: &str, names: &dyn Names) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    // Blocks of code stay as they are, but for what is escaped in them.
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 1 {
            let code = unescape(&plain(part, names));
            let code = code.trim_matches('\n');
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&format!("```\n{code}\n```\n"));
            continue;
        }
        let part = if number > 0 { part.trim_start_matches('\n') } else { part };
        let lines: Vec<String> = part.split('\n').map(|line| line_of(line, names)).collect();
        out.push_str(&lines.join("\n"));
    }
    out.trim().to_owned()
}

fn line_of(line: &str, names: &dyn Names) -> String {
    let (start, rest) = match line.strip_prefix("&gt;").map(|rest| rest.trim_start_matches("&gt;")) {
        Some(rest) => ("> ", rest.trim_start()),
        None => match line.trim_start().strip_prefix(['•', '◦', '▪']) {
            Some(rest) => (if line.starts_with([' ', '\t']) { "  - " } else { "- " }, rest.trim_start()),
            None => ("", line),
        },
    };
    let mut out = start.to_owned();
    // What would be a heading here is a number sign there.
    if rest.starts_with('#') {
        out.push('\\');
    }
    for (number, part) in rest.split('`').enumerate() {
        let is_last = number == rest.matches('`').count();
        if number % 2 == 1 && !is_last {
            out.push_str(&format!("`{}`", unescape(&plain(part, names))));
        } else {
            if number % 2 == 1 {
                out.push('`');
            }
            spans(part, names, &mut out);
        }
    }
    out
}

/// Text outside code.
fn spans(text: &str, names: &dyn Names, out: &mut String) {
    let letters: Vec<char> = text.chars().collect();
    let mut place = 0;
    while place < letters.len() {
        let letter = letters[place];
        match letter {
            '<' => {
                if let Some(end) = letters[place..].iter().position(|c| *c == '>') {
                    let token: String = letters[place + 1..place + end].iter().collect();
                    out.push_str(&named(&token, names, true));
                    place += end;
                } else {
                    out.push('<');
                }
            }
            '*' => match closing(&letters, place) {
                Some(end) => {
                    out.push_str("**");
                    spans(&letters[place + 1..end].iter().collect::<String>(), names, out);
                    out.push_str("**");
                    place = end;
                }
                None => out.push_str("\\*"),
            },
            ':' => match emoji(&letters, place) {
                Some((emoji, end)) => {
                    out.push_str(&emoji);
                    place = end;
                }
                None => out.push(':'),
            },
            '[' | ']' | '\\' => out.extend(['\\', letter]),
            '&' => match ["&amp;", "&lt;", "&gt;"].iter().find(|escape| starts_with(&letters[place..], escape)) {
                Some(escape) => {
                    out.push_str(&unescape(escape));
                    place += escape.len() - 1;
                }
                None => out.push('&'),
            },
            _ => out.push(letter),
        }
        place += 1;
    }
}

fn starts_with(letters: &[char], text: &str) -> bool {
    text.chars().zip(letters).filter(|(a, b)| a == *b).count() == text.chars().count()
}

/// Where the stretch ends that the mark at `start` opens: a mark before a blank is none, nor is one within a word.
fn closing(letters: &[char], start: usize) -> Option<usize> {
    let mark = letters[start];
    let is_word =
        |place: Option<usize>| place.and_then(|place| letters.get(place)).is_some_and(|c| c.is_alphanumeric());
    let is_blank = |place: usize| letters.get(place).is_none_or(|c| c.is_whitespace());
    if is_word(start.checked_sub(1)) || is_blank(start + 1) {
        return None;
    }
    (start + 2..letters.len()).find(|end| letters[*end] == mark && !is_blank(end - 1) && !is_word(Some(end + 1)))
}

/// `:tada:` at a place, as the emoji and the place of its last colon.
fn emoji(letters: &[char], start: usize) -> Option<(String, usize)> {
    let is_part = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_+-'".contains(*c);
    let length = letters[start + 1..].iter().take(64).take_while(|c| is_part(c)).count();
    let end = start + 1 + length;
    if length == 0 || letters.get(end) != Some(&':') {
        return None;
    }
    let name: String = letters[start + 1..end].iter().collect();
    // A skin tone follows as one more name.
    let tone: String = letters[end..].iter().take("::skin-tone-2:".len()).collect();
    if let Some(tone) = tone.strip_prefix("::").and_then(|tone| tone.strip_suffix(':'))
        && let Some(emoji) = shortcode::emoji(&format!("{name}::{tone}"))
    {
        return Some((emoji, end + "::skin-tone-2:".len() - 1));
    }
    shortcode::emoji(&name).map(|emoji| (emoji, end))
}

/// What stands in angle brackets; as a link only where there can be one.
fn named(token: &str, names: &dyn Names, links: bool) -> String {
    let (target, label) = token.split_once('|').map_or((token, None), |(target, label)| (target, Some(label)));
    let label = label.map(unescape).filter(|label| !label.is_empty());
    if let Some(id) = target.strip_prefix('@') {
        let name = names.person(id).or_else(|| label.map(|label| label.trim_start_matches('@').to_owned()));
        return format!("@{}", name.unwrap_or_else(|| "somebody".to_owned()));
    }
    if let Some(id) = target.strip_prefix('#') {
        return format!("#{}", names.channel(id).or(label).unwrap_or_else(|| "a-channel".to_owned()));
    }
    if let Some(word) = target.strip_prefix('!') {
        return match word.split('^').next().unwrap_or_default() {
            "here" | "channel" | "everyone" => format!("@{}", word.split('^').next().unwrap_or_default()),
            _ => label.unwrap_or_else(|| word.to_owned()),
        };
    }
    let address = unescape(target);
    let is_web = ["http://", "https://", "mailto:"].iter().any(|scheme| address.starts_with(scheme));
    let shown = address.strip_prefix("mailto:").unwrap_or(&address).to_owned();
    match label {
        Some(label) if is_web && links && label != shown && label != address => {
            format!("[{}]({})", bracketless(&label), within_brackets(&address))
        }
        Some(label) if !is_web => label,
        _ => shown,
    }
}

fn bracketless(label: &str) -> String {
    label.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace('\n', " ")
}

/// An address that ends where its bracket does.
fn within_brackets(address: &str) -> String {
    address.replace(' ', "%20").replace('(', "%28").replace(')', "%29").replace('<', "%3C").replace('>', "%3E")
}

/// Text of a block of code: names are written out, and nothing is a link.
fn plain(text: &str, names: &dyn Names) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, token, after)) = rest
        .split_once('<')
        .and_then(|(before, tail)| tail.split_once('>').map(|(token, after)| (before, token, after)))
    {
        out.push_str(before);
        // What it names is unescaped later, with the rest.
        out.push_str(&named(token, names, false).replace('&', "&amp;"));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Slack escapes these three and nothing else.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::{Names, translate};

    struct Some1;

    impl Names for Some1 {
        fn person(&self, id: &str) -> Option<String> {
            (id == "U1").then(|| "ann".to_owned())
        }

        fn channel(&self, id: &str) -> Option<String> {
            (id == "C1").then(|| "kitchen".to_owned())
        }
    }

    #[test]
    fn what_is_written_there_reads_the_same_here() {
        for (theirs, ours) in [
            ("plain", "plain"),
            ("*bold* and _slanted_", "**bold** and _slanted_"),
            ("2*3*4 and a * b", "2\\*3\\*4 and a \\* b"),
            ("*bold _both_*", "**bold _both_**"),
            ("<@U1>, look", "@ann, look"),
            ("<@U9|ben> and <@U8>", "@ben and @somebody"),
            ("<!here> <!channel> <!subteam^S1|@cooks>", "@here @channel @cooks"),
            ("<!date^1392734382^{date}|18 February>", "18 February"),
            ("in <#C1> and <#C2|garden>", "in #kitchen and #garden"),
            ("<https://example.org/a?b=1&amp;c=2>", "https://example.org/a?b=1&c=2"),
            ("<https://example.org/(x)|the [plan]>", "[the \\[plan\\]](https://example.org/%28x%29)"),
            ("<https://example.org|https://example.org>", "https://example.org"),
            ("<mailto:a@example.org|a@example.org>", "a@example.org"),
            ("<javascript:alert(1)|click>", "click"),
            ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
            ("&gt; said so\nyes", "> said so\nyes"),
            ("• one\n• two", "- one\n- two"),
            ("# no heading", "\\# no heading"),
            ("[todo]: x", "\\[todo\\]: x"),
            ("`*x* &lt;a&gt;` and *y*", "`*x* <a>` and **y**"),
            ("one ` tick and *b*", "one ` tick and **b**"),
            (
                "```let *x* = &lt;T&gt;;\n<https://a.example|b>```after",
                "```\nlet *x* = <T>;\nhttps://a.example\n```\nafter",
            ),
        ] {
            assert_eq!(translate(theirs, &Some1), ours, "{theirs}");
        }
    }
}
