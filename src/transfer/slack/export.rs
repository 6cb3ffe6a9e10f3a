//! The lists and messages of a Slack export as they stand in its files; what isn't asked for is passed over. Called by
//! `transfer::slack`.

use serde::{Deserialize, Deserializer};

use crate::clock::Timestamp;

/// `users.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    pub id: String,
    pub team_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub real_name: String,
    pub deleted: bool,
    pub is_bot: bool,
    pub updated: Option<f64>,
    #[serde(deserialize_with = "or_default")]
    pub profile: Profile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Profile {
    pub email: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub real_name: String,
    #[serde(deserialize_with = "or_default")]
    pub first_name: String,
    #[serde(deserialize_with = "or_default")]
    pub last_name: String,
    #[serde(deserialize_with = "or_default")]
    pub display_name: String,
    /// Of those who are seen from another workspace.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub title: String,
    pub bot_id: Option<String>,
}

/// `channels.json`, `groups.json`, `dms.json`, `mpims.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Channel {
    pub id: String,
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    pub created: Option<f64>,
    pub creator: Option<String>,
    pub is_archived: bool,
    #[serde(deserialize_with = "or_default")]
    pub members: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub topic: Topic,
    #[serde(deserialize_with = "or_default")]
    pub purpose: Topic,
    #[serde(deserialize_with = "or_default")]
    pub pins: Vec<Pin>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Topic {
    #[serde(deserialize_with = "or_default")]
    pub value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pin {
    /// The message's time.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub created: Option<f64>,
    pub user: Option<String>,
}

/// A channel's file of a day has a list of these.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    pub ts: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub subtype: Option<String>,
    pub hidden: bool,
    pub user: Option<String>,
    pub bot_id: Option<String>,
    /// What a bot calls itself.
    pub username: Option<String>,
    pub user_profile: Option<Profile>,
    #[serde(deserialize_with = "or_default")]
    pub text: String,
    pub thread_ts: Option<String>,
    pub edited: Option<Edited>,
    #[serde(deserialize_with = "or_default")]
    pub reactions: Vec<Reaction>,
    #[serde(deserialize_with = "or_default")]
    pub files: Vec<File>,
    /// Before 2018 a message had one.
    pub file: Option<File>,
    #[serde(deserialize_with = "or_default")]
    pub blocks: Vec<serde_json::Value>,
    #[serde(deserialize_with = "or_default")]
    pub attachments: Vec<Unfurled>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Edited {
    pub ts: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reaction {
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub users: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
    pub id: String,
    pub name: Option<String>,
    pub title: Option<String>,
    pub mode: Option<String>,
}

/// What bots send beside their text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Unfurled {
    pub title: Option<String>,
    pub text: Option<String>,
    pub fallback: Option<String>,
}

/// What is null is as if it weren't there.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// `1700000000.000200`: seconds and microseconds since 1970. `None` for what is no time between then and 2100.
pub fn time_of(ts: &str) -> Option<Timestamp> {
    let (seconds, micros) = ts.split_once('.').unwrap_or((ts, "0"));
    let seconds: i64 = seconds.parse().ok().filter(|seconds| (0..4_102_444_800).contains(seconds))?;
    let digits: String = micros.chars().chain("000000".chars()).take(6).collect();
    let micros: i64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    Some(Timestamp(seconds * 1_000_000 + micros))
}

/// Whole seconds since 1970.
pub fn moment(seconds: Option<f64>) -> Option<Timestamp> {
    time_of(&format!("{:.0}", seconds?)).filter(|at| at.0 > 0)
}
