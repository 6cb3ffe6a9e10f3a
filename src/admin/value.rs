//! What a column holds once it is out of the database: [`Value`], [`Key`] and [`Row`]. Everything dynamic in the
//! engine is one of these; what is typed comes in as text and is read by `admin::form`.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::resource::Column;
use crate::clock::Timestamp;

/// One value. Times are values of their own, so that they are never shown as numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    Null,
    Flag(bool),
    Int(i64),
    Time(Timestamp),
    Text(String),
}

impl Value {
    /// As forms and CSV write it: times in RFC 3339, flags `true` and `false`, nothing for null.
    pub fn plain(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Flag(flag) => flag.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
}

/// As JSON has it: times in RFC 3339.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Time(time) => time.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// What names a row of a model: its id, or for `settings` the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Id(i64),
    Name(String),
}

impl Key {
    /// The id. A row named by a key has none: -1, which no row has.
    pub fn id(&self) -> i64 {
        match self {
            Self::Id(id) => *id,
            Self::Name(_) => -1,
        }
    }

    pub fn value(&self) -> Value {
        match self {
            Self::Id(id) => Value::Int(*id),
            Self::Name(name) => Value::Text(name.clone()),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A row of a model, or those columns of it that were asked for.
#[derive(Clone, Debug)]
pub struct Row {
    pub key: Key,
    pub columns: Arc<Vec<&'static Column>>,
    pub values: Vec<Value>,
}

impl Row {
    /// The value of a column; null when it wasn't asked for.
    pub fn get(&self, name: &str) -> &Value {
        let place = self.columns.iter().position(|column| column.name == name);
        place.and_then(|place| self.values.get(place)).unwrap_or(&Value::Null)
    }

    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).as_int()
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Value::Flag(true))
    }

    /// The time in a column; 1970 where there is none.
    pub fn time(&self, name: &str) -> Timestamp {
        match self.get(name) {
            Value::Time(time) => *time,
            _ => Timestamp(0),
        }
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&'static Column, &Value)> {
        self.columns.iter().copied().zip(&self.values)
    }
}
