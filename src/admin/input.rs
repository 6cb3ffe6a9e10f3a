//! What a form, an import or a revert gives to a model's acts: checked values by column, only those that are given.

use std::collections::BTreeMap;

use super::value::Value;

/// Values by column (and passwords by the name of their field). A column that isn't in here is left as it is.
#[derive(Clone, Default)]
pub struct Input(pub BTreeMap<&'static str, Value>);

impl Input {
    pub fn is_given(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text given for `name`; null reads as empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text),
            Value::Null => Some(""),
            _ => None,
        }
    }

    /// The text given for `name`, or `otherwise`.
    pub fn text_or(&self, name: &str, otherwise: &str) -> String {
        self.text(name).unwrap_or(otherwise).to_owned()
    }

    /// The number or id given for `name`.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_int()
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}
