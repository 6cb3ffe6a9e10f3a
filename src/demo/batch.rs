//! What `demo::talk` hands to `demo::store`: messages with what they led to, no more than fit one transaction.
//! Messages are called by their number, which counts from 0 over the whole site, people and rooms by their place.

use rand::Rng;

use super::sentences::skewed;
use super::talk::{Conversation, Talk};
use crate::clock::Timestamp;

#[derive(Default)]
pub(super) struct Batch {
    pub messages: Vec<Message>,
    pub reactions: Vec<Reaction>,
    pub notices: Vec<Notice>,
    pub reports: Vec<Report>,
}

pub(super) struct Message {
    pub room: u32,
    pub seq: u32,
    pub sender: u32,
    pub content: String,
    pub html: String,
    pub reply_to: Option<u64>,
    pub at: Timestamp,
}

pub(super) struct Reaction {
    pub message: u64,
    pub user: u32,
    pub emoji: &'static str,
    pub at: Timestamp,
}

pub(super) struct Notice {
    pub user: u32,
    pub kind: &'static str,
    pub message: Option<u64>,
    pub room: Option<u32>,
    pub actor: u32,
    pub at: Timestamp,
}

pub(super) struct Report {
    pub message: u64,
    pub reporter: u32,
    pub at: Timestamp,
}

impl Talk {
    /// Adds to `batch` what `message`, the next of `conversation`, leads to.
    pub(super) fn follow_up(&mut self, batch: &mut Batch, conversation: &Conversation, message: &Message) {
        self.notify(batch, conversation, message);
        if self.rng.random_ratio(1, 20) {
            self.react(batch, message);
        }
        // Some for the smallest site, not too many for the largest.
        let messages = self.site.plan.messages;
        let every = (messages / 6).clamp(1, 400).max(messages / 5_000);
        if self.next % every == every / 2
            && let Some(reporter) = self.bystander(message)
        {
            batch.reports.push(Report { message: self.next, reporter, at: self.after(message.at, 7_200) });
        }
    }

    fn notify(&self, batch: &mut Batch, conversation: &Conversation, message: &Message) {
        let room = &self.site.rooms[conversation.room];
        let name = |user: u32| self.site.people[user as usize].username.as_str();
        let mentioned = message.content.split_once('@').and_then(|(_, tail)| {
            let users = conversation.members.iter().map(|member| room.members[*member].user);
            users.filter(|user| tail.starts_with(name(*user))).max_by_key(|user| name(*user).len())
        });
        let replied = conversation.said.iter().find(|said| Some(said.0) == message.reply_to).map(|said| said.1);
        let replied = replied.filter(|_| replied != mentioned);
        for (kind, user) in [("mention", mentioned), ("reply", replied)] {
            if let Some(user) = user.filter(|user| *user != message.sender) {
                let (number, room, actor) = (Some(self.next), Some(message.room), message.sender);
                batch.notices.push(Notice { user, kind, message: number, room, actor, at: message.at });
            }
        }
    }

    fn react(&mut self, batch: &mut Batch, message: &Message) {
        let mut users: Vec<u32> = Vec::new();
        for _ in 0..=skewed(&mut self.rng, 5) {
            users.extend(self.bystander(message).filter(|user| !users.contains(user)));
        }
        let emoji = self.reactions[skewed(&mut self.rng, self.reactions.len())];
        for user in users {
            batch.reactions.push(Reaction { message: self.next, user, emoji, at: self.after(message.at, 3_600) });
        }
    }

    /// Somebody else who is in the room, if there is anybody.
    fn bystander(&mut self, message: &Message) -> Option<u32> {
        let room = &self.site.rooms[message.room as usize];
        let user = room.members[skewed(&mut self.rng, room.present)].user;
        (user != message.sender).then_some(user)
    }

    /// Up to so many seconds later, not after now.
    fn after(&mut self, at: Timestamp, seconds: i64) -> Timestamp {
        Timestamp(at.0 + self.rng.random_range(0..seconds * 1_000_000)).min(self.site.rhythm.now())
    }
}
