//! An answer's JSON as HTML: indented, escaped, with a class for each kind of value and links where [`Links`] knows one.

use serde_json::Value;

use super::super::markdown::escaped;
use super::links::Links;

/// `value` for the inside of a `<pre>`. Cost: O(length).
pub fn html(value: &Value, links: &Links<'_>) -> String {
    let mut out = Writer { out: String::new(), links };
    out.value(value, "", "", 0);
    out.out
}

struct Writer<'a> {
    out: String,
    links: &'a Links<'a>,
}

impl Writer<'_> {
    /// `name` is the field that has the value, `holder` the one that has the object of that field.
    fn value(&mut self, value: &Value, name: &str, holder: &str, depth: usize) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                self.out.push('{');
                for (at, (key, value)) in fields.iter().enumerate() {
                    self.line(at > 0, depth + 1);
                    self.token("key", &Value::from(key.as_str()).to_string(), None);
                    self.out.push_str(": ");
                    self.value(value, key, name, depth + 1);
                }
                self.line(false, depth);
                self.out.push('}');
            }
            Value::Array(items) if !items.is_empty() => {
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.line(at > 0, depth + 1);
                    self.value(item, name, holder, depth + 1);
                }
                self.line(false, depth);
                self.out.push(']');
            }
            Value::Object(_) => self.out.push_str("{}"),
            Value::Array(_) => self.out.push_str("[]"),
            Value::String(text) => self.token("text", &value.to_string(), self.links.text(text).map(str::to_owned)),
            Value::Number(number) => {
                let link = number.as_i64().and_then(|id| match name {
                    "id" => self.links.object(holder, id),
                    _ => self.links.reference(name, id),
                });
                self.token("number", &number.to_string(), link);
            }
            Value::Bool(_) | Value::Null => self.token("word", &value.to_string(), None),
        }
    }

    fn line(&mut self, is_next: bool, depth: usize) {
        self.out.push_str(if is_next { ",\n" } else { "\n" });
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    fn token(&mut self, class: &str, text: &str, link: Option<String>) {
        let text = escaped(text);
        let inner = link.map_or(text.clone(), |link| format!("<a href=\"{}\">{text}</a>", escaped(&link)));
        self.out.push_str(&format!("<span class=\"j-{class}\">{inner}</span>"));
    }
}
