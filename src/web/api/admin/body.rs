//! Bodies of `/api/v1/admin`: an object of fields whose kinds the model's declaration says, turned into what a form of the
//! backoffice sends, so that both are read by the same rules (`admin::form`).

use std::collections::BTreeMap;
use std::fmt;

use axum::http::StatusCode;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value as Json;

use super::super::json::wrong_kind;
use super::super::problem::Problem;
use crate::admin::form::{self, Sent};
use crate::admin::permission;
use crate::admin::resource::{Column, Kind, Resource};
use crate::admin::value::Row;
use crate::users::Person;

/// The fields of a body, each there once.
pub struct Fields(BTreeMap<String, Json>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

impl Fields {
    /// As a form would send them. Of a row that is there, a field that can't be changed may come along as it is. Errors: 422
    /// at every field that isn't there, can't be set, or is of the wrong kind. Cost: O(fields).
    pub fn sent(self, resource: &Resource, person: &Person, row: Option<&Row>) -> Result<Sent, Problem> {
        let mut sent = Sent::default();
        let mut wrong: Vec<(String, String)> = Vec::new();
        for (name, value) in self.0 {
            match text(resource, person, row, &name, &value) {
                Ok(Some(text)) => sent.0.push((name, text)),
                Ok(None) => {}
                Err(why) => wrong.push((name, why)),
            }
        }
        if wrong.is_empty() {
            return Ok(sent);
        }
        let detail = wrong.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join(" ");
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        Err(wrong.into_iter().fold(problem, |problem, (name, why)| problem.at(name, why)))
    }
}

/// What a form would send for this field; `None` for what is left as it is.
fn text(
    resource: &Resource,
    person: &Person,
    row: Option<&Row>,
    name: &str,
    value: &Json,
) -> Result<Option<String>, String> {
    if resource.passwords.iter().any(|password| password.name == name) {
        return match value {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(text.clone())),
            _ => Err(wrong_kind("a string")),
        };
    }
    if resource.is_secret(name) {
        return Err(tr!("This is secret: it can't be set.").into());
    }
    let column = resource.column(name).filter(|column| permission::sees(person, column) && !column.is_count());
    let Some(column) = column else {
        // The name of a row that is there goes along with it.
        let is_key = name == resource.key
            && row.is_some_and(|row| serde_json::to_value(row.key.value()).is_ok_and(|key| key == *value));
        return if is_key { Ok(None) } else { Err(tr!("There is no such field.").into()) };
    };
    if !form::takes(person, column, row.is_none()) {
        let stands = row.is_some_and(|row| super::shape::value(column, row.get(name)) == *value);
        return if stands { Ok(None) } else { Err(tr!("This can't be set here.").into()) };
    }
    of_kind(column, value).map(Some)
}

fn of_kind(column: &Column, value: &Json) -> Result<String, String> {
    match (column.kind, value) {
        (_, Json::Null) => Ok(String::new()),
        (Kind::Flag, Json::Bool(flag)) => Ok(flag.to_string()),
        (Kind::Flag, _) => Err(wrong_kind("a boolean")),
        (Kind::Int | Kind::Reference(_) | Kind::Count(..), Json::Number(number)) if number.is_i64() => {
            Ok(number.to_string())
        }
        // What a reference is found by first, a user's name or a room's.
        (Kind::Reference(_), Json::String(name)) => Ok(name.clone()),
        (Kind::Int | Kind::Reference(_) | Kind::Count(..), _) => Err(wrong_kind("i64")),
        (_, Json::String(text)) => Ok(text.clone()),
        _ => Err(wrong_kind("a string")),
    }
}
