//! One day of a Slack workspace's talk, over all its channels, in the order of time. Called by `transfer::slack`.

use std::collections::HashSet;

use super::archive::Archive;
use super::export::{self, Message, time_of};
use super::{Reading, blocks, mrkdwn, shortcode};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::reactions::emoji;
use crate::transfer::staging::{self, Attachment, Person};

/// What somebody said, whatever it is called there.
const SPOKEN: [&str; 8] = [
    "bot_message",
    "me_message",
    "thread_broadcast",
    "reply_broadcast",
    "file_share",
    "file_comment",
    "file_mention",
    "reminder_add",
];

/// What a message is called in the lines: a time is somebody's only within its channel.
pub(super) fn id_of(channel: &str, ts: &str) -> String {
    format!("{channel}/{ts}")
}

/// A message of the day, and the room it is in.
struct Said {
    at: Timestamp,
    channel: String,
    message: Message,
}

impl Reading<'_> {
    pub(super) async fn day(&mut self, archive: &mut Archive, entries: Vec<(usize, String)>) -> Result<()> {
        let mut said = Vec::new();
        for (place, entry) in entries {
            let channel = &self.places[place].channel.id;
            // A message that can't be read is one that Slack changed: the others are wanted all the same.
            let messages: Vec<serde_json::Value> = archive.json(&entry)?.unwrap_or_default();
            let mut seen = HashSet::new();
            for value in messages {
                let message = serde_json::from_value::<Message>(value).ok();
                let at = message.as_ref().and_then(|message| time_of(&message.ts));
                let (Some(message), Some(at)) = (message, at) else {
                    self.staging.report.left("messages", "they have no time, or aren't as Slack writes them", 1);
                    continue;
                };
                if seen.insert(message.ts.clone()) {
                    said.push(Said { at, channel: channel.clone(), message });
                } else {
                    self.staging.report.left("messages", "they are in the export twice", 1);
                }
            }
        }
        said.sort_by(|a, b| (a.at, &a.channel).cmp(&(b.at, &b.channel)));
        for said in said {
            self.say(said).await?;
        }
        Ok(())
    }

    async fn say(&mut self, said: Said) -> Result<()> {
        let Said { at, channel, message } = said;
        if let Some(why) = not_said(&message) {
            self.staging.report.left("messages", &why, 1);
            return Ok(());
        }
        let sender = self.sender(&message).await?;
        let id = id_of(&channel, &message.ts);
        let content = self.content(&message);
        let files: Vec<&export::File> = message.files.iter().chain(&message.file).collect();
        let has_file = files.iter().any(|file| self.files.contains_key(&file.id));
        if content.is_empty() && !has_file {
            self.staging.report.left("messages", "they have no text", 1);
            return Ok(());
        }
        let parent = message.thread_ts.as_ref().filter(|thread| **thread != message.ts);
        let answers = parent.map(|thread| id_of(&channel, thread));
        self.staging.message(&staging::Message {
            id: &id,
            room: &channel,
            sender: sender.as_deref(),
            content: &content,
            answers: answers.as_deref(),
            edited: message.edited.as_ref().and_then(|edited| time_of(&edited.ts)),
            at,
        })?;
        for (number, file) in files.into_iter().enumerate() {
            let Some(entry) = self.files.get(&file.id) else { continue };
            let name = file.name.as_deref().or(file.title.as_deref()).or(entry.rsplit('/').next()).unwrap_or("file");
            let file_id = format!("{id}/{number}");
            self.staging.attachment(&Attachment {
                id: &file_id,
                message: &id,
                uploader: sender.as_deref(),
                filename: name,
                file: entry,
                at,
            })?;
        }
        self.react(&message, &id, at)
    }

    fn react(&mut self, message: &Message, id: &str, at: Timestamp) -> Result<()> {
        for reaction in &message.reactions {
            let Some(found) = shortcode::emoji(&reaction.name).filter(|found| emoji::parse(found).is_ok()) else {
                let count = reaction.users.len() as u64;
                self.staging.report.left("reactions", "their emoji is the workspace's own", count);
                self.staging.report.note("Emoji that only that workspace has", format!(":{}:", reaction.name));
                continue;
            };
            for user in &reaction.users {
                match self.staging.name_of(user).is_some() {
                    true => self.staging.reaction(id, user, &found, at)?,
                    false => self.staging.report.left("reactions", "whoever made them isn't in the export", 1),
                }
            }
        }
        Ok(())
    }

    /// Who said it; somebody of another workspace, or a bot, is made known on the way.
    async fn sender(&mut self, message: &Message) -> Result<Option<String>> {
        let known = message.bot_id.as_ref().and_then(|bot| self.bots.get(bot));
        let Some(id) = message.user.clone().or_else(|| known.cloned()).or_else(|| message.bot_id.clone()) else {
            return Ok(None);
        };
        if self.staging.name_of(&id).is_none() {
            let profile = message.user_profile.as_ref();
            let names = profile.map(|profile| [&profile.name, &profile.display_name, &profile.real_name]);
            let own = names.into_iter().flatten().find(|name| !name.is_empty()).map(String::as_str);
            let name = own.or(message.username.as_deref()).unwrap_or(&id);
            self.shown.insert(id.clone(), name.to_owned());
            let real = profile.map_or("", |profile| profile.real_name.as_str());
            let at = time_of(&message.ts).unwrap_or(Timestamp(0));
            // They have no account there, so there is nobody to let in.
            let person =
                Person { id: &id, name, email: None, first_name: real, last_name: "", bio: "", is_active: false, at };
            self.staging.person(&person).await?;
        }
        Ok(Some(id))
    }

    /// The text in Markdown-light, with the names of files that aren't in the export.
    fn content(&mut self, message: &Message) -> String {
        let typed = match message.text.trim() {
            "" if !message.blocks.is_empty() => blocks::text_of(&message.blocks),
            "" => unfurled(message),
            text => text.to_owned(),
        };
        let mut content = mrkdwn::translate(&typed, &*self);
        if message.subtype.as_deref() == Some("me_message") && !content.contains('\n') {
            content = format!("/me {content}");
        } else if content.starts_with("/me") {
            content.insert(0, '/');
        }
        for file in message.files.iter().chain(&message.file).filter(|file| !self.files.contains_key(&file.id)) {
            let name = file.name.as_deref().or(file.title.as_deref()).unwrap_or("a file");
            let name = name.replace(['`', '\n', '\r'], " ");
            let why = match file.mode.as_deref() {
                Some("tombstone") => "deleted before the export",
                _ => "not in the export",
            };
            self.staging.report.left("attachments", &format!("they were {why}; their messages name them"), 1);
            if !content.is_empty() {
                content.push_str("\n\n");
            }
            content.push_str(&format!("File `{name}` ({why})"));
        }
        content.retain(|c| c != '\0');
        content
    }
}

/// What a bot sent beside its text.
fn unfurled(message: &Message) -> String {
    let part = |part: &export::Unfurled| {
        let text = part.text.as_ref().filter(|text| !text.is_empty()).or(part.fallback.as_ref());
        [part.title.as_ref(), text].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n")
    };
    message.attachments.iter().map(part).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Why a message isn't something that somebody said.
fn not_said(message: &Message) -> Option<String> {
    if message.kind.as_deref().is_some_and(|kind| kind != "message") || message.hidden {
        return Some("they are no messages".to_owned());
    }
    match message.subtype.as_deref() {
        None => None,
        Some(subtype) if SPOKEN.contains(&subtype) => None,
        Some("tombstone") => Some("they were deleted before the export".to_owned()),
        Some(
            subtype @ ("channel_join" | "channel_leave" | "group_join" | "group_leave" | "channel_topic"
            | "channel_purpose" | "channel_name" | "channel_archive" | "channel_unarchive" | "group_topic"
            | "group_purpose" | "group_name" | "bot_add" | "bot_remove" | "pinned_item" | "unpinned_item"),
        ) => Some(format!("they are notices ({subtype})")),
        Some(subtype) => Some(format!("nobody wrote them ({})", subtype.chars().take(40).collect::<String>())),
    }
}
