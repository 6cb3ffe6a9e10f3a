//! Reads the document's schemas, as far as a form or a table of fields needs: what an object's properties are, and what
//! kind of value each takes. Called by the browsable pages and by the reference.

use serde_json::{Map, Value, json};

use super::document::Document;

/// References that lead to references; more is a circle.
const MOST_STEPS: usize = 8;

/// What a value may be, as far as an input of a form can hold it.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Text,
    Email,
    Password,
    Address,
    Whole,
    Number,
    Flag,
    Choice(Vec<Value>),
    /// A list of whole numbers, or else of texts.
    List {
        whole: bool,
    },
    File {
        many: bool,
    },
    /// Objects and the like: JSON.
    Other,
}

impl Kind {
    /// Whether any text is of this kind, the empty one too.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Email | Self::Password | Self::Address)
    }
}

/// One property of an object, or a parameter of an address.
pub struct Property<'a> {
    pub name: &'a str,
    /// What holds of its value, references followed.
    pub schema: &'a Value,
    pub about: &'a str,
    pub required: bool,
    pub nullable: bool,
    pub kind: Kind,
}

impl Property<'_> {
    /// Whether pages never show again what was typed.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Password || self.name.contains("password")
    }

    /// A text that fits, for whoever doesn't know what to type.
    pub fn example(&self) -> Option<&Value> {
        let example = self.schema.get("example").or_else(|| self.schema.get("examples")?.get(0));
        example.filter(|example| !example.is_null())
    }

    pub fn limit(&self, name: &str) -> Option<u64> {
        self.schema.get(name)?.as_u64()
    }
}

/// `schema` without what only leads to it: references, and the alternative of being null.
pub fn plain<'a>(document: &'a Document, schema: &'a Value) -> (&'a Value, bool) {
    let mut nullable = false;
    let mut schema = document.resolve(schema);
    for _ in 0..MOST_STEPS {
        let ways = ["oneOf", "anyOf", "allOf"].iter().find_map(|ways| schema.get(ways)?.as_array());
        let Some(ways) = ways else { break };
        let mut real = ways.iter().filter(|way| way["type"] != "null");
        let (Some(only), None) = (real.next(), real.next()) else { break };
        nullable |= ways.len() > 1;
        schema = document.resolve(only);
    }
    let types = schema["type"].as_array();
    nullable |= types.is_some_and(|types| types.iter().any(|one| one == "null"));
    (schema, nullable)
}

/// The type of a plain schema, the one besides null where there are several.
pub fn type_of(schema: &Value) -> &str {
    let types = schema["type"].as_array().into_iter().flatten().chain([&schema["type"]]);
    types.filter_map(Value::as_str).find(|one| *one != "null").unwrap_or_default()
}

/// The properties of an object, in the order in which they are declared; `None` of what is no object, or takes any name.
pub fn properties<'a>(document: &'a Document, schema: &'a Value) -> Option<Vec<Property<'a>>> {
    let (schema, _) = plain(document, schema);
    let parts: Vec<&Value> = match schema.get("allOf").and_then(Value::as_array) {
        Some(parts) => parts.iter().map(|part| plain(document, part).0).collect(),
        None => vec![schema],
    };
    let mut all = Vec::new();
    for part in parts {
        let required = part["required"].as_array();
        for (name, schema) in part.get("properties")?.as_object()? {
            let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
            all.push(property(document, name, schema, is_required));
        }
    }
    Some(all).filter(|all| !all.is_empty())
}

/// A parameter of an address, from what a call says of it.
pub fn parameter<'a>(document: &'a Document, parameter: &'a Value) -> Option<Property<'a>> {
    let required = parameter["required"] == true;
    let mut read = property(document, parameter["name"].as_str()?, &parameter["schema"], required);
    read.about = parameter["description"].as_str().unwrap_or(read.about);
    Some(read)
}

fn property<'a>(document: &'a Document, name: &'a str, stated: &'a Value, required: bool) -> Property<'a> {
    let (schema, nullable) = plain(document, stated);
    let about = stated["description"].as_str().or(schema["description"].as_str()).unwrap_or_default();
    Property { name, schema, about, required, nullable, kind: kind(document, schema) }
}

fn kind(document: &Document, schema: &Value) -> Kind {
    if let Some(choices) = schema["enum"].as_array() {
        return Kind::Choice(choices.iter().filter(|choice| !choice.is_null()).cloned().collect());
    }
    match (type_of(schema), schema["format"].as_str().unwrap_or_default()) {
        ("string", "binary") => Kind::File { many: false },
        ("string", _) if schema.get("contentMediaType").is_some() => Kind::File { many: false },
        ("string", "email") => Kind::Email,
        ("string", "password") => Kind::Password,
        ("string", "uri") => Kind::Address,
        ("string", _) => Kind::Text,
        ("integer", _) => Kind::Whole,
        ("number", _) => Kind::Number,
        ("boolean", _) => Kind::Flag,
        ("array", _) => match kind(document, plain(document, &schema["items"]).0) {
            Kind::Whole => Kind::List { whole: true },
            Kind::Text => Kind::List { whole: false },
            Kind::File { .. } => Kind::File { many: true },
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

/// An example of a body: its own, or put together from those of its properties. What `there` has is taken from there.
pub fn example(document: &Document, schema: &Value, there: Option<&Value>) -> Value {
    let (read, _) = plain(document, schema);
    if let Some(example) = read.get("example").filter(|_| there.is_none()) {
        return example.clone();
    }
    let mut body = Map::new();
    for property in properties(document, schema).unwrap_or_default() {
        let present = there.and_then(|there| there.get(property.name)).filter(|_| !property.is_secret());
        let value = present.or(property.example()).cloned();
        let value = value.or_else(|| property.required.then(|| nothing(&property.kind)));
        if let Some(value) = value {
            body.insert(property.name.to_owned(), value);
        }
    }
    body.into()
}

/// A value of this kind that says nothing.
fn nothing(kind: &Kind) -> Value {
    match kind {
        Kind::Whole | Kind::Number => json!(0),
        Kind::Flag => json!(false),
        Kind::Choice(choices) => choices.first().cloned().unwrap_or_default(),
        Kind::List { .. } => json!([]),
        Kind::Other => json!({}),
        _ => json!(""),
    }
}
