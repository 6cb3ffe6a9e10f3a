//! A schema's type in words, with links to the schemas that it names, and what limits its values.

use serde_json::Value;

use super::super::markdown::escaped;
use super::super::schema::type_of;
use super::text;

/// `list of <a …>User</a>`, `text (email) or null`. Cost: O(schema).
pub fn type_html(schema: &Value) -> String {
    if let Some(place) = schema["$ref"].as_str() {
        let name = escaped(place.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for (ways, joint) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(ways) = schema[ways].as_array() {
            return ways.iter().map(type_html).collect::<Vec<_>>().join(joint);
        }
    }
    if let Some(choices) = schema["enum"].as_array() {
        let shown = |choice: &Value| format!("<code>{}</code>", escaped(&choice.to_string()));
        return choices.iter().map(shown).collect::<Vec<_>>().join(", ");
    }
    let plain = match type_of(schema) {
        "array" => format!("list of {}", type_html(&schema["items"])),
        "object" => match schema.get("additionalProperties").filter(|values| values.is_object()) {
            Some(values) => format!("object of {}, by name", type_html(values)),
            None => "object".into(),
        },
        "string" if schema.get("contentMediaType").is_some() => "file".into(),
        "string" => "text".into(),
        "integer" => "whole number".into(),
        "boolean" => "true or false".into(),
        "" if schema["type"] == "null" => "null".into(),
        "" => "anything".into(),
        other => escaped(other),
    };
    let format = Some(text(schema, "format")).filter(|format| !format.is_empty() && !format.starts_with("int"));
    let format = format.map(|format| format!(" ({})", escaped(&format))).unwrap_or_default();
    let is_nullable =
        schema["type"].as_array().is_some_and(|types| types.len() > 1 && types.iter().any(|one| one == "null"));
    format!("{plain}{format}{}", if is_nullable { " or null" } else { "" })
}

/// `3 to 32 characters, 1 at least`.
pub fn limits(schema: &Value) -> String {
    let between = |least: &str, most: &str, unit: &str| {
        let number = |name: &str| schema.get(name).filter(|number| number.is_number()).map(ToString::to_string);
        match (number(least), number(most)) {
            (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
            (Some(least), None) => Some(format!("at least {least}{unit}")),
            (None, Some(most)) => Some(format!("at most {most}{unit}")),
            (None, None) => None,
        }
    };
    let default = schema.get("default").map(|default| format!("{default} unless told"));
    let all = [
        between("minLength", "maxLength", " characters"),
        between("minimum", "maximum", ""),
        between("minItems", "maxItems", " items"),
        default,
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
