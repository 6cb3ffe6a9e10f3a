//! What `/api/v1/admin` takes and answers, and what the document says of it: schemas out of a model's declaration.

use serde_json::{Map, Value as Json};
use utoipa::PartialSchema;
use utoipa::openapi::schema::{AdditionalProperties, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Array, KnownFormat, Object, ObjectBuilder, Ref, RefOr, Schema};

use super::super::operation::{Call, op};
use super::STAFF_ONLY;
use crate::admin::resource::{Column, Kind, Resource, Search, Typed};
use crate::admin::value::{Row, Value};
use crate::text::capital;

/// A row as JSON, its key first in the document's order. Cost: O(columns).
pub fn record(resource: &Resource, row: &Row) -> Json {
    let mut object = Map::new();
    object.insert(resource.key.to_owned(), serde_json::to_value(row.key.value()).unwrap_or_default());
    for (column, stored) in row.pairs() {
        object.insert(column.name.to_owned(), value(column, stored));
    }
    Json::Object(object)
}

/// A column's value as JSON. What history tells is an object, not the text of one.
pub fn value(column: &Column, value: &Value) -> Json {
    match (column.kind, value) {
        (Kind::Changes, Value::Text(text)) => serde_json::from_str(text).unwrap_or_default(),
        _ => serde_json::to_value(value).unwrap_or_default(),
    }
}

/// `PasswordResetTokens`.
fn pascal(slug: &str) -> String {
    slug.split('-').map(capital).collect()
}

pub fn record_name(resource: &Resource) -> String {
    format!("{}Record", pascal(resource.slug))
}

pub fn list(resource: &'static Resource) -> Call {
    let name = record_name(resource);
    let items = Array::new(Ref::from_schema_name(&name));
    let page = ObjectBuilder::new()
        .property("items", items)
        .property("next", kind(SchemaType::from_iter([Type::String, Type::Null])))
        .required("items")
        .required("next")
        .build();
    let sorted: Vec<_> = resource.columns.iter().filter(|column| column.sorted).map(|column| column.name).collect();
    let sort = format!("Any of {}; `-` before one makes it fall; several by commas.", sorted.join(", "));
    let mut call = op(format!("List {}", resource.plural))
        .about(resource.about)
        .polled()
        .paged()
        .query::<String>("sort", &sort)
        .holds(&name, row(resource))
        .answers_like(200, "A page of them.", &format!("{}Page", pascal(resource.slug)), page)
        .refuses(403, STAFF_ONLY);
    if resource.search != Search::None {
        call = call.query::<String>("q", "Words that must all be found; a phrase in quotes.");
    }
    for column in resource.columns.iter().filter(|column| column.filtered) {
        call = filters(call, column);
    }
    call
}

fn filters(call: Call, column: &Column) -> Call {
    let (name, title) = (column.name, column.title());
    let whole = || kind(Type::Integer);
    match column.kind {
        Kind::Time => {
            let about = |part: &str| format!("{title}, {part} a year, a month, a day or a moment: 2026, 2026-01-31.");
            call.query::<String>(name, &about("in"))
                .query::<String>(&format!("{name}.from"), &about("from"))
                .query::<String>(&format!("{name}.to"), &about("up to the end of"))
        }
        Kind::Int | Kind::Count(..) => call
            .query_like(name, &title, whole().into())
            .query_like(&format!("{name}.from"), &format!("{title}, at least."), whole().into())
            .query_like(&format!("{name}.to"), &format!("{title}, at most."), whole().into()),
        Kind::Reference(_) => call.query_like(name, &format!("{title}: an id."), whole().into()),
        Kind::Flag => call.query::<bool>(name, &title),
        Kind::Choice(choices) => {
            let words = choices.iter().map(|(word, _)| *word);
            call.query_like(
                name,
                &title,
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into(),
            )
        }
        Kind::Text | Kind::Long | Kind::Changes => call.query::<String>(name, &title),
    }
}

pub fn create(resource: &'static Resource) -> Call {
    let call = op(format!("Add {}", article(resource.singular)))
        .body_like(&format!("{}New", pascal(resource.slug)), typed_schema(resource, true))
        .answers_like(201, "What was added.", &record_name(resource), row(resource))
        .refuses(409, "Not in this state.");
    call.refuses(403, if resource.create.is_some() { STAFF_ONLY } else { "These can't be added here." })
}

pub fn read(resource: &'static Resource) -> Call {
    at(op(format!("Read {}", article(resource.singular))), resource)
        .polled()
        .answers_like(200, "It.", &record_name(resource), row(resource))
        .refuses(403, STAFF_ONLY)
}

pub fn update(resource: &'static Resource) -> Call {
    let about = "What isn't given stays. With `If-Match` and the `ETag` that it was read with, it is refused when somebody has \
                 changed it meanwhile.";
    let call = at(op(format!("Change {}", article(resource.singular))), resource)
        .about(about)
        .header("If-Match", "The `ETag` of the row as it was read.")
        .body_like(&format!("{}Change", pascal(resource.slug)), typed_schema(resource, false))
        .answers_like(200, "It, as it is now.", &record_name(resource), row(resource))
        .refuses(409, "Somebody has changed it meanwhile, or it isn't in a state for this.");
    call.refuses(403, if resource.update.is_some() { STAFF_ONLY } else { "These can't be changed here." })
}

pub fn delete(resource: &'static Resource) -> Call {
    let call = at(op(format!("Delete {}", article(resource.singular))), resource)
        .about(resource.delete_note)
        .answers_nothing(204, "It is deleted.")
        .refuses(409, "It can't be deleted now.");
    call.refuses(403, if resource.delete.is_some() { STAFF_ONLY } else { "These can't be deleted here." })
}

pub fn at(call: Call, resource: &Resource) -> Call {
    match resource.key {
        "id" => call.id("id", "Its id."),
        key => call.word(key, "What it is called."),
    }
}

/// `a person`, `an invitation`.
fn article(singular: &str) -> String {
    let an = singular.starts_with(['a', 'e', 'i', 'o', 'u']) && !singular.starts_with("us");
    format!("{} {singular}", if an { "an" } else { "a" })
}

fn kind(kind: impl Into<SchemaType>) -> Object {
    ObjectBuilder::new().schema_type(kind).build()
}

/// A row as it is answered.
pub fn row(resource: &Resource) -> Object {
    let key = if resource.key == "id" { <i64 as PartialSchema>::schema() } else { <String as PartialSchema>::schema() };
    let mut object = ObjectBuilder::new().property(resource.key, key).required(resource.key);
    for column in resource.stored().filter(|column| column.name != resource.key) {
        object = object.property(column.name, column_schema(column, column.nullable, &about(column)));
        // Moderators don't see the others.
        object = if column.admins_only { object } else { object.required(column.name) };
    }
    object.description(Some(resource.about)).build()
}

/// What a body may hold, of a new row or of one that is there.
fn typed_schema(resource: &Resource, is_new: bool) -> Object {
    let is_taken = |column: &&Column| match column.typed {
        Typed::Always => true,
        Typed::Once => is_new,
        Typed::Never => false,
    };
    let mut object = ObjectBuilder::new();
    for column in resource.stored().filter(is_taken) {
        let is_needed = is_new && column.required;
        object = object.property(column.name, column_schema(column, !column.required, &about(column)));
        object = if is_needed { object.required(column.name) } else { object };
    }
    for password in resource.passwords {
        let field = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .description(Some(password.help));
        object = object.property(password.name, field);
        object = if is_new && password.required { object.required(password.name) } else { object };
    }
    object.build()
}

/// What a column is, in words.
fn about(column: &Column) -> String {
    let refers = match column.kind {
        Kind::Reference(slug) => format!("The id of one of the {slug}."),
        _ => String::new(),
    };
    let parts = [column.title(), column.help.to_owned(), refers];
    let parts = parts.iter().map(|part| part.trim_end_matches('.')).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(". ") + "."
}

fn column_schema(column: &Column, may_be_null: bool, about: &str) -> RefOr<Schema> {
    let stored = match column.kind {
        Kind::Int | Kind::Reference(_) | Kind::Count(..) => Type::Integer,
        Kind::Flag => Type::Boolean,
        Kind::Changes => Type::Object,
        _ => Type::String,
    };
    let types: SchemaType = if may_be_null { SchemaType::from_iter([stored, Type::Null]) } else { stored.into() };
    let object = ObjectBuilder::new().schema_type(types).description(Some(about));
    let object = match column.kind {
        Kind::Int | Kind::Reference(_) | Kind::Count(..) => {
            object.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        }
        Kind::Time => object.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
        Kind::Choice(choices) => {
            let words = choices.iter().map(|(word, _)| Json::from(*word));
            let none = may_be_null.then_some(Json::Null);
            object.enum_values(Some(words.chain(none)))
        }
        Kind::Changes => object.additional_properties(Some(AdditionalProperties::FreeForm(true))),
        Kind::Text | Kind::Long | Kind::Flag => object,
    };
    object.into()
}
