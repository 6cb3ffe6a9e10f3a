//! What is said in blocks alone, as the text it would have been: for messages that have no other. Called by
//! `transfer::slack`.

use serde_json::Value;

/// The blocks' text in Slack's own writing; of what isn't text, pictures and buttons, their words. Cost: O(size).
pub fn text_of(blocks: &[Value]) -> String {
    let lines: Vec<String> = blocks.iter().map(block).filter(|text| !text.trim().is_empty()).collect();
    lines.join("\n")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value["elements"].as_array().into_iter().flatten()
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn block(block: &Value) -> String {
    match word(block, "type") {
        "rich_text" => items(block).map(part).collect::<Vec<_>>().join("\n"),
        "section" | "header" => {
            let fields = block["fields"].as_array().into_iter().flatten();
            let texts = std::iter::once(&block["text"]).chain(fields).map(object);
            texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
        }
        "context" => items(block).map(object).collect::<Vec<_>>().join(" "),
        "image" => escape(word(block, "alt_text")),
        _ => String::new(),
    }
}

/// A text object: its writing, or plain.
fn object(object: &Value) -> String {
    match word(object, "type") {
        "mrkdwn" => word(object, "text").to_owned(),
        "plain_text" => escape(word(object, "text")),
        _ => escape(word(object, "alt_text")),
    }
}

fn part(part: &Value) -> String {
    let inner = || items(part).map(piece).collect::<String>();
    match word(part, "type") {
        "rich_text_list" => {
            let indent = if part["indent"].as_u64().unwrap_or(0) > 0 { "  " } else { "" };
            let is_numbered = word(part, "style") == "ordered";
            let item = |(number, item): (usize, &Value)| {
                let text: String = items(item).map(piece).collect();
                if is_numbered { format!("{indent}{}. {text}", number + 1) } else { format!("{indent}• {text}") }
            };
            items(part).enumerate().map(item).collect::<Vec<_>>().join("\n")
        }
        "rich_text_preformatted" => format!("```{}```", inner()),
        "rich_text_quote" => inner().lines().map(|line| format!("&gt; {line}")).collect::<Vec<_>>().join("\n"),
        _ => inner(),
    }
}

fn piece(piece: &Value) -> String {
    match word(piece, "type") {
        "text" => styled(&escape(word(piece, "text")), &piece["style"]),
        "link" => match word(piece, "text") {
            "" => format!("<{}>", escape(word(piece, "url"))),
            text => format!("<{}|{}>", escape(word(piece, "url")), escape(text)),
        },
        "user" => format!("<@{}>", word(piece, "user_id")),
        "channel" => format!("<#{}>", word(piece, "channel_id")),
        "usergroup" => "@group".to_owned(),
        "broadcast" => format!("<!{}>", word(piece, "range")),
        "emoji" => match word(piece, "skin_tone") {
            "" => format!(":{}:", word(piece, "name")),
            tone => format!(":{}::skin-tone-{tone}:", word(piece, "name")),
        },
        "date" => escape(word(piece, "fallback")),
        _ => String::new(),
    }
}

/// Marks stand at words: blanks around them stay outside.
fn styled(text: &str, style: &Value) -> String {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.contains('\n') {
        return text.to_owned();
    }
    let marks = [("code", '`'), ("strike", '~'), ("italic", '_'), ("bold", '*')];
    let mut marked = trimmed.to_owned();
    for (_, mark) in marks.iter().filter(|(name, _)| style[*name].as_bool() == Some(true)) {
        marked = format!("{mark}{marked}{mark}");
    }
    text.replacen(trimmed, &marked, 1)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::text_of;
    use serde_json::json;

    #[test]
    fn blocks_read_as_they_would_have_been_typed() {
        let blocks = json!([
            {"type": "rich_text", "elements": [
                {"type": "rich_text_section", "elements": [
                    {"type": "text", "text": "Look "}, {"type": "text", "text": "here ", "style": {"bold": true}},
                    {"type": "user", "user_id": "U1"}, {"type": "emoji", "name": "tada"},
                    {"type": "link", "url": "https://a.example", "text": "a & b"}]},
                {"type": "rich_text_list", "style": "bullet", "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]},
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "two <3"}]}]},
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "said"}]},
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x = 1"}]}]},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*done*"}},
            {"type": "divider"}
        ]);
        let text = text_of(blocks.as_array().unwrap());
        assert_eq!(
            text,
            "Look *here* <@U1>:tada:<https://a.example|a &amp; b>\n• one\n• two &lt;3\n&gt; said\n```x = 1```\n*done*"
        );
    }
}
