//! What every rendered message must be, whatever was typed: asked by the unit tests and by the fuzz target.

const VOID: [&str; 2] = ["br", "hr"];
const ELEMENTS: [&str; 11] = ["p", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span"];
const CLASSES: [(&str, &str); 4] = [("span", "mention"), ("span", "mention here"), ("span", "host"), ("p", "act")];

/// Why `html` is not as it must be: only elements and attributes that are allowed, closed in their order, nothing that turns
/// the text around it, and not far larger than what was typed.
pub fn fault(typed: &str, html: &str) -> Option<String> {
    if html.len() > 64 * typed.len() + 256 {
        return Some(format!("{} bytes became {}", typed.len(), html.len()));
    }
    let mut open: Vec<&str> = Vec::new();
    let mut pieces = html.split('<');
    let mut wrong = pieces.next().and_then(text_fault);
    for piece in pieces {
        let Some((tag, text)) = piece.split_once('>') else { return Some(format!("a tag isn't closed: {piece}")) };
        wrong = wrong.or_else(|| tag_fault(tag, &mut open)).or_else(|| text_fault(text));
    }
    wrong.or_else(|| open.pop().map(|name| format!("{name} isn't closed")))
}

/// Directions have to end in the stretch of text that they begin in.
fn text_fault(text: &str) -> Option<String> {
    if text.contains('>') {
        return Some(format!("a bracket isn't escaped: {text}"));
    }
    let mut open = Vec::new();
    for c in text.chars() {
        match c {
            '\u{202d}' | '\u{202e}' => return Some("an override of direction is left".into()),
            '\u{202a}' | '\u{202b}' => open.push('\u{202c}'),
            '\u{2066}'..='\u{2068}' => open.push('\u{2069}'),
            '\u{202c}' | '\u{2069}' if open.pop() != Some(c) => {
                return Some("a direction ends that never began".into());
            }
            _ => {}
        }
    }
    (!open.is_empty()).then(|| "a direction never ends".into())
}

fn tag_fault<'a>(tag: &'a str, open: &mut Vec<&'a str>) -> Option<String> {
    if let Some(name) = tag.strip_prefix('/') {
        return (open.pop() != Some(name)).then(|| format!("{name} is closed out of turn"));
    }
    let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    if !VOID.contains(&name) {
        open.push(name);
    }
    if !VOID.contains(&name) && !ELEMENTS.contains(&name) {
        return Some(format!("{name} isn't allowed"));
    }
    while let Some((attribute, rest)) = attributes.split_once("=\"") {
        let (value, rest) = rest.split_once('"')?;
        if !is_allowed(name, attribute, value) {
            return Some(format!("{name} has {attribute}={value}"));
        }
        attributes = rest.trim_start();
    }
    (!attributes.is_empty()).then(|| format!("{name} has {attributes}"))
}

fn is_allowed(name: &str, attribute: &str, value: &str) -> bool {
    match attribute {
        "class" => CLASSES.contains(&(name, value)),
        "rel" => name == "a" && value == "nofollow noopener noreferrer",
        "start" => name == "ol" && value.bytes().all(|b| b.is_ascii_digit()),
        "href" => name == "a" && is_safe(value),
        _ => false,
    }
}

/// An address that runs nothing: one with a scheme of three, or one without any. What isn't written like a scheme is a part
/// of a path (url.spec.whatwg.org, "scheme state").
fn is_safe(address: &str) -> bool {
    // No scheme has an ampersand; any other sign that is written as an entity might be a part of one.
    let address = address.replace("&amp;", ",");
    let address: String = address.chars().filter(|c| !c.is_control() && *c != ' ').collect();
    let before = address.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((scheme, _)) = before.split_once(':') else { return true };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    (!is_scheme && !scheme.contains('&')) || ["http", "https", "mailto"].contains(&scheme.to_ascii_lowercase().as_str())
}
