//! Forms for the calls of a path, made from what the document says of their parameters and bodies: what `templates/api`
//! shows. What a form sends is read by [`super::submission`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::document::{Document, Place};
use super::super::markdown;
use super::super::schema::{self, Kind, Property};
use super::submission::{JSON, MULTIPART, Submission, body_schema, shown};

/// Characters of a text from which on it gets several lines.
const LONG: u64 = 200;

/// What was wrong with what was sent: a text, and one for each field.
#[derive(Default)]
pub struct Refusal {
    pub detail: String,
    pub errors: BTreeMap<String, String>,
}

/// A call that changes something, with the ways to send it.
pub struct CallForm {
    pub method: &'static str,
    pub summary: String,
    pub about: String,
    pub ways: Vec<Way>,
}

/// One form: by fields, with files, or as JSON.
pub struct Way {
    /// Tells its fields from those of the page's other forms.
    pub id: String,
    pub title: &'static str,
    pub is_multipart: bool,
    pub fields: Vec<Field>,
    /// The text of a JSON body, where that is what the form takes.
    pub raw: Option<String>,
    /// What was wrong with it, besides what stands at its fields.
    pub complaint: String,
    /// Whether this is what was just sent and refused.
    pub is_refused: bool,
}

pub enum Input {
    Line(&'static str),
    Lines,
    Choice(Vec<String>),
    File { many: bool },
}

pub struct Field {
    pub id: String,
    pub name: String,
    pub input: Input,
    pub help: String,
    pub value: String,
    pub placeholder: String,
    pub error: String,
    pub required: bool,
    /// Attributes that say what fits, as name and number.
    pub limits: Vec<(&'static str, u64)>,
}

impl Field {
    fn new(property: &Property<'_>, form: &str, value: Option<&str>, refusal: Option<&Refusal>) -> Self {
        let name = property.name.to_owned();
        let input = input(property);
        let value = value.filter(|_| !property.is_secret() && !matches!(input, Input::File { .. }));
        let example = property.example().filter(|_| !property.is_secret());
        Self {
            id: format!("{form}-{name}"),
            help: help(property),
            value: value.unwrap_or_default().to_owned(),
            placeholder: example.map(|example| format!("e.g. {}", listed(example))).unwrap_or_default(),
            error: refusal.and_then(|refusal| refusal.errors.get(&name)).cloned().unwrap_or_default(),
            required: property.required,
            limits: limits(property, &input),
            name,
            input,
        }
    }
}

fn input(property: &Property<'_>) -> Input {
    match &property.kind {
        _ if property.is_secret() => Input::Line("password"),
        Kind::Text if property.limit("maxLength").is_some_and(|most| most > LONG) => Input::Lines,
        Kind::Text | Kind::Password | Kind::List { .. } => Input::Line("text"),
        Kind::Email => Input::Line("email"),
        Kind::Address => Input::Line("url"),
        Kind::Whole | Kind::Number => Input::Line("number"),
        Kind::Flag => Input::Choice(vec!["true".into(), "false".into()]),
        Kind::Choice(choices) => Input::Choice(choices.iter().map(shown).collect()),
        Kind::File { many } => Input::File { many: *many },
        Kind::Other => Input::Lines,
    }
}

fn help(property: &Property<'_>) -> String {
    let form = match property.kind {
        Kind::List { whole: true } => "Whole numbers, with commas between.",
        Kind::List { whole: false } => "With commas between.",
        Kind::Other => "As JSON.",
        _ => "",
    };
    let both = [property.about, form].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    markdown::line(&both.join(" "))
}

/// An example as one types it.
fn listed(example: &Value) -> String {
    match example.as_array() {
        Some(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        None => shown(example),
    }
}

fn limits(property: &Property<'_>, input: &Input) -> Vec<(&'static str, u64)> {
    let names: &[(&str, &str)] = match (&property.kind, input) {
        (Kind::Whole | Kind::Number, _) => &[("min", "minimum"), ("max", "maximum")],
        (kind, _) if kind.is_text() => &[("minlength", "minLength"), ("maxlength", "maxLength")],
        _ => &[],
    };
    names.iter().filter_map(|(attribute, keyword)| Some((*attribute, property.limit(keyword)?))).collect()
}

/// The form of what may be asked of a GET after the `?`, filled with what was asked. A cursor isn't asked for by hand.
pub fn of_query(
    document: &Document,
    place: Place<'_>,
    asked: &[(String, String)],
    refusal: Option<&Refusal>,
) -> Vec<Field> {
    let all = place.call("GET").and_then(|call| call["parameters"].as_array());
    let all = all.into_iter().flatten().filter(|parameter| parameter["in"] == "query" && parameter["name"] != "cursor");
    let field = |property: Property<'_>| {
        let value = asked.iter().find(|(name, _)| name == property.name).map(|(_, value)| value.as_str());
        Field::new(&property, "query", value, refusal)
    };
    all.filter_map(|parameter| schema::parameter(document, parameter)).map(field).collect()
}

/// What the forms of a page are filled with: what was sent and refused, or else what is there.
pub struct Filling<'a> {
    pub sent: Option<&'a Submission>,
    pub refusal: Option<&'a Refusal>,
    /// The object that this address answers.
    pub there: Option<&'a Value>,
}

/// A form for every call of this path that changes something.
pub fn of_calls(document: &Document, place: Place<'_>, filling: &Filling<'_>) -> Vec<CallForm> {
    let methods = place.methods().filter(|method| *method != "GET");
    let form = |method| {
        let call = place.call(method)?;
        let text = |name: &str| call[name].as_str().unwrap_or_default();
        Some(CallForm {
            method,
            summary: text("summary").to_owned(),
            about: markdown::html(text("description")),
            ways: ways(document, method, call, filling),
        })
    };
    methods.filter_map(form).collect()
}

/// The ways to send a call: by fields for each type of body that is known here, as JSON, or with nothing at all.
fn ways(document: &Document, method: &'static str, call: &Value, filling: &Filling<'_>) -> Vec<Way> {
    let by_fields = |media_type, title| by_fields(document, method, call, (media_type, title), filling);
    let all =
        [by_fields(JSON, "Fields"), by_fields(MULTIPART, "With a file"), as_json(document, method, call, filling)];
    let ways: Vec<Way> = all.into_iter().flatten().collect();
    match ways.is_empty() {
        true => vec![Way::new(method, "nothing", "", Vec::new(), filling.refusal_of(method, JSON, false))],
        false => ways,
    }
}

fn by_fields(
    document: &Document,
    method: &str,
    call: &Value,
    (media_type, title): (&'static str, &'static str),
    filling: &Filling<'_>,
) -> Option<Way> {
    let properties = schema::properties(document, body_schema(call, media_type)?)?;
    let kind = if media_type == JSON { "fields" } else { "file" };
    let form = way_id(method, kind);
    let refusal = filling.refusal_of(method, media_type, false);
    let typed = |name: &str| filling.sent.filter(|_| refusal.is_some()).and_then(|sent| sent.value(name));
    let fields = properties.iter().map(|property| Field::new(property, &form, typed(property.name), refusal));
    let way = Way::new(method, kind, title, fields.collect(), refusal);
    Some(Way { is_multipart: media_type == MULTIPART, ..way })
}

fn as_json(document: &Document, method: &str, call: &Value, filling: &Filling<'_>) -> Option<Way> {
    let schema = body_schema(call, JSON)?;
    let refusal = filling.refusal_of(method, JSON, true);
    let typed = filling.sent.filter(|_| refusal.is_some()).and_then(|sent| sent.typed.as_deref());
    let kept = typed.and_then(|typed| without_secrets(document, schema, typed));
    let there = filling.there.filter(|_| method == "PATCH" || method == "PUT");
    let raw = kept.unwrap_or_else(|| pretty(&schema::example(document, schema, there)));
    Some(Way { raw: Some(raw), ..Way::new(method, "json", "As JSON", Vec::new(), refusal) })
}

fn way_id(method: &str, kind: &str) -> String {
    format!("{}-{kind}", method.to_ascii_lowercase())
}

impl Way {
    fn new(method: &str, kind: &str, title: &'static str, fields: Vec<Field>, refusal: Option<&Refusal>) -> Self {
        let complaint = refusal.map(|refusal| complaint(refusal, &fields)).unwrap_or_default();
        let (id, is_refused) = (way_id(method, kind), refusal.is_some());
        Self { id, title, is_multipart: false, fields, raw: None, complaint, is_refused }
    }
}

impl Filling<'_> {
    /// What was wrong with what was sent by this form, if it was this one.
    fn refusal_of(&self, method: &str, media_type: &str, as_json: bool) -> Option<&Refusal> {
        let sent = self.sent?;
        let is_it = sent.method == method && sent.media_type == media_type && sent.typed.is_some() == as_json;
        self.refusal.filter(|_| is_it)
    }
}

/// What is wrong, without what stands at a field.
fn complaint(refusal: &Refusal, fields: &[Field]) -> String {
    let elsewhere = refusal.errors.iter().filter(|(name, _)| fields.iter().all(|field| field.name != **name));
    let elsewhere: Vec<_> = elsewhere.map(|(name, message)| format!("{name}: {message}")).collect();
    match (elsewhere.is_empty(), refusal.errors.is_empty()) {
        (true, true) => refusal.detail.clone(),
        (true, false) => "Please look at the fields marked below.".into(),
        _ => elsewhere.join(" "),
    }
}

/// JSON as it was typed, but for passwords; nothing where it can't be told what in it is one.
fn without_secrets(document: &Document, schema: &Value, typed: &str) -> Option<String> {
    let properties = schema::properties(document, schema).unwrap_or_default();
    let mut secrets = properties.iter().filter(|property| property.is_secret()).peekable();
    if secrets.peek().is_none() {
        return Some(typed.to_owned());
    }
    let mut body: Value = serde_json::from_str(typed).ok()?;
    for secret in secrets {
        if let Some(value) = body.as_object_mut()?.get_mut(secret.name) {
            *value = "".into();
        }
    }
    Some(pretty(&body))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
