//! What a form of a browsable page sent, made into the call that it stands for: `_method` says which method, `_body` is
//! JSON as typed, and other fields become JSON by the schema of the call's body. What doesn't fit its schema is passed on
//! as it is, so that the API itself refuses it, at its field.

use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderValue, Method, header};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::super::document::{Document, Place};
use super::super::schema::{self, Kind, Property};
use crate::error::Error;
use crate::i18n::gettext;

/// Bytes of a form without its file.
const AROUND_A_FILE: usize = 1024 * 1024;
const UNREADABLE: &str = msgid!("This form can't be read.");
const URLENCODED: &str = "application/x-www-form-urlencoded";
pub const MULTIPART: &str = "multipart/form-data";
pub const JSON: &str = "application/json";
/// The field that says which method is meant; a form itself knows GET and POST only.
pub const METHOD: &str = "_method";
/// The field of a body that was typed as JSON.
pub const BODY: &str = "_body";

/// Which of a call's forms was sent, and what was typed in it.
#[derive(Clone, Default)]
pub struct Submission {
    pub method: String,
    /// The type of the body that the form stands for; of several fields.
    pub media_type: &'static str,
    pub fields: Vec<(String, String)>,
    /// The JSON that was typed, instead of fields.
    pub typed: Option<String>,
}

impl Submission {
    /// What was typed in a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Whether `request` is a form's and not a program's.
pub fn is_form(request: &Request) -> bool {
    let kind = kind_of(request);
    request.method() == Method::POST && (kind == URLENCODED || kind == MULTIPART)
}

fn kind_of(request: &Request) -> String {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The call that a form's `request` stands for. `most` is how many bytes a file may have.
/// Errors: [`Error::TooLarge`], and [`Error::Malformed`] for what is no form. Cost: O(length) time and memory.
pub async fn read(
    request: Request,
    document: &Document,
    place: Option<Place<'_>>,
    most: usize,
) -> Result<(Request, Submission), Error> {
    let is_multipart = kind_of(&request) == MULTIPART;
    let (mut parts, body) = request.into_parts();
    let most = if is_multipart { most.saturating_add(AROUND_A_FILE) } else { AROUND_A_FILE };
    let bytes = to_bytes(body, most).await.map_err(|_| Error::TooLarge)?;
    if is_multipart {
        let again = Request::from_parts(parts.clone(), Body::from(bytes));
        let Form { fields, body } = multipart(again, &parts.headers).await?;
        let submission = Submission { method: "POST".into(), media_type: MULTIPART, fields, typed: None };
        parts.headers.remove(header::CONTENT_LENGTH);
        return Ok((Request::from_parts(parts, Body::from(body)), submission));
    }
    // The parser would put � for bytes that aren't text; nobody typed that.
    percent_encoding::percent_decode(&bytes).decode_utf8().map_err(|_| Error::Malformed(gettext(UNREADABLE).into()))?;
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().collect();
    let method = take(&mut fields, METHOD).filter(|method| ["PUT", "PATCH", "DELETE"].contains(&method.as_str()));
    let method = method.unwrap_or_else(|| "POST".into());
    let typed = take(&mut fields, BODY);
    let schema = place.and_then(|place| place.call(&method)).map(|call| body_schema(call, JSON));
    let body = match (&typed, schema) {
        (Some(typed), _) => Some(typed.clone()),
        (None, Some(Some(schema))) => Some(object(document, schema, &fields).to_string()),
        _ => None,
    };
    parts.method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST);
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    if body.is_some() {
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    let submission = Submission { method, media_type: JSON, fields, typed };
    Ok((Request::from_parts(parts, Body::from(body.unwrap_or_default())), submission))
}

fn take(fields: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let at = fields.iter().position(|(own, _)| own == name)?;
    Some(fields.remove(at).1)
}

/// The schema of a call's body of this type.
pub fn body_schema<'a>(call: &'a Value, media_type: &str) -> Option<&'a Value> {
    call["requestBody"]["content"].get(media_type)?.get("schema")
}

/// The fields of a form as a JSON object. What was left empty isn't said, unless it is needed.
fn object(document: &Document, schema: &Value, fields: &[(String, String)]) -> Value {
    let known = schema::properties(document, schema).unwrap_or_default();
    let mut body = Map::new();
    for (name, text) in fields {
        let property = known.iter().find(|property| property.name == name);
        let is_said = !text.is_empty() || property.is_some_and(|property| property.required && property.kind.is_text());
        if is_said {
            body.insert(name.clone(), property.map_or_else(|| text.as_str().into(), |property| value(property, text)));
        }
    }
    body.into()
}

fn value(property: &Property<'_>, text: &str) -> Value {
    let as_it_is = || Value::from(text);
    match &property.kind {
        Kind::Whole => text.trim().parse::<i64>().map_or_else(|_| as_it_is(), Value::from),
        Kind::Number => text.trim().parse::<f64>().map_or_else(|_| as_it_is(), Value::from),
        Kind::Flag => text.trim().parse::<bool>().map_or_else(|_| as_it_is(), Value::from),
        Kind::Choice(choices) => choices.iter().find(|choice| shown(choice) == text).cloned().unwrap_or_else(as_it_is),
        Kind::List { whole } => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let number = |item: &str| item.parse::<i64>().map_or_else(|_| item.into(), Value::from);
            items.map(|item| if *whole { number(item) } else { item.into() }).collect()
        }
        Kind::Other => serde_json::from_str(text).unwrap_or_else(|_| as_it_is()),
        _ => unix(text).into(),
    }
}

/// A browser sends the lines of a text area with CRLF, whatever was typed or stored.
fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A value as an input shows it.
pub fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A multipart form: its texts, and its body without the parts that nothing was put in, which a browser sends all the same.
struct Form {
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

async fn multipart(mut request: Request, headers: &axum::http::HeaderMap) -> Result<Form, Error> {
    let unreadable = |_| Error::Malformed(gettext(UNREADABLE).into());
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = kind.split("boundary=").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
    let boundary = boundary.trim().trim_matches('"').to_owned();
    DefaultBodyLimit::disable().apply(&mut request);
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| unreadable(()))?;
    let mut form = Form { fields: Vec::new(), body: Vec::new() };
    while let Some(part) = parts.next_field().await.map_err(|_| unreadable(()))? {
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let headers = part.headers().clone();
        let bytes = part.bytes().await.map_err(|_| unreadable(()))?;
        if bytes.is_empty() {
            continue;
        }
        form.body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        for (name, value) in &headers {
            form.body.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        if is_file {
            form.body.extend_from_slice(&[b"\r\n", &bytes[..], b"\r\n"].concat());
        } else {
            let text = unix(&String::from_utf8_lossy(&bytes));
            form.body.extend_from_slice(&[b"\r\n", text.as_bytes(), b"\r\n"].concat());
            form.fields.push((name, text));
        }
    }
    form.body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(form)
}
