//! The demo's talk: conversations that go on side by side in the rooms, message after message in the order of time.
//! Called by `demo::store` on a thread of its own; knows no database and keeps no message longer than a batch.

use rand::Rng;
use rand::rngs::StdRng;

use super::Site;
use super::batch::{Batch, Message};
use super::rhythm::Moment;
use super::sentences::{self, Book, any, skewed};
use crate::clock::Timestamp;
use crate::messages::markup;

/// Messages in a batch; with what belongs to them, one transaction.
const BATCH: usize = 10_000;
/// So many messages in all make one more conversation at a time.
const SIDE_BY_SIDE: u64 = 21_600;
/// Messages of a conversation that are still answered.
const REMEMBERED: usize = 6;

pub(super) struct Conversation {
    pub room: usize,
    /// Places in the room's list of members.
    pub members: Vec<usize>,
    topics: [&'static str; 2],
    left: u32,
    asked: bool,
    /// The last few: number and sender.
    pub said: Vec<(u64, u32)>,
    last_at: Timestamp,
}

/// What is being said. An iterator over batches.
pub(super) struct Talk {
    pub site: Site,
    /// When each person last wrote.
    pub spoke: Vec<Option<Timestamp>>,
    pub(super) rng: StdRng,
    pub(super) reactions: Vec<&'static str>,
    book: Book,
    /// The chance of each room, added up.
    chances: Vec<f64>,
    running: Vec<Conversation>,
    pub(super) next: u64,
    last_at: Timestamp,
}

impl Iterator for Talk {
    type Item = Batch;

    /// Cost: O(messages of a batch).
    fn next(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        if self.next >= self.site.plan.messages {
            // What nobody waited for, because there was less talk than time.
            batch.notices = self.site.notices.drain(..).rev().map(|(_, notice)| notice).collect();
            return (!batch.notices.is_empty()).then_some(batch);
        }
        while batch.messages.len() < BATCH && self.next < self.site.plan.messages {
            self.say(&mut batch);
            self.next += 1;
        }
        Some(batch)
    }
}

impl Talk {
    pub fn new(rng: StdRng, site: Site) -> Self {
        let mut sum = 0.0;
        let chances = site.rooms.iter().map(|room| {
            sum += (room.members.len() as f64).powf(0.6);
            sum
        });
        Self {
            chances: chances.collect(),
            spoke: vec![None; site.people.len()],
            rng,
            book: Book::new(),
            reactions: super::names::entries(super::words::REACTIONS),
            running: Vec::new(),
            next: 0,
            last_at: Timestamp(0),
            site,
        }
    }

    /// One message, and what it leads to.
    fn say(&mut self, batch: &mut Batch) {
        let messages = self.site.plan.messages;
        let moment = Moment((self.next as f64 + self.rng.random::<f64>()) / messages as f64);
        while let Some(notice) = self.site.notices.pop_if(|(when, _)| *when <= moment) {
            batch.notices.push(notice.1);
        }
        let place = if (self.running.len() as u64) <= messages / SIDE_BY_SIDE {
            let conversation = self.begin(moment);
            self.running.push(conversation);
            self.running.len() - 1
        } else {
            self.rng.random_range(0..self.running.len())
        };
        let mut conversation = self.running.swap_remove(place);
        let at = self.time_of(&conversation, moment);
        let message = self.write(&mut conversation, at);
        self.follow_up(batch, &conversation, &message);
        conversation.said.push((self.next, message.sender));
        if conversation.said.len() > REMEMBERED {
            conversation.said.remove(0);
        }
        batch.messages.push(message);
        if conversation.left > 0 {
            self.running.push(conversation);
        }
    }

    fn begin(&mut self, moment: Moment) -> Conversation {
        let place = self.choose_room(moment);
        let room = &mut self.site.rooms[place];
        while let Some(member) = room.members.get_mut(room.present).filter(|member| member.joined <= moment) {
            member.read = room.last_seq;
            room.present += 1;
        }
        let talkers = 2 + skewed(&mut self.rng, 6);
        let mut members: Vec<usize> = (0..talkers).map(|_| skewed(&mut self.rng, room.present)).collect();
        members.push((members[0] + 1) % room.present);
        members.sort_unstable();
        members.dedup();
        let topics = &self.book.topics;
        let topics = [0, 0].map(|_: u8| topics[skewed(&mut self.rng, topics.len())]);
        let left = 2 + skewed(&mut self.rng, 16) as u32;
        Conversation { room: place, members, topics, left, asked: false, said: Vec::new(), last_at: self.last_at }
    }

    /// The place of a room with at least two people in it; failing that, the oldest room's.
    fn choose_room(&mut self, moment: Moment) -> usize {
        let all = self.chances.last().copied().unwrap_or_default();
        let by_chance = (0..20).find_map(|_| {
            let dice = self.rng.random::<f64>() * all;
            let room = self.chances.partition_point(|sum| *sum < dice);
            let second = self.site.rooms.get(room)?.members.get(1);
            second.is_some_and(|second| second.joined <= moment).then_some(room)
        });
        by_chance.unwrap_or(0)
    }

    /// Answers come soon, however little is said on the site. Never before what was said last.
    fn time_of(&mut self, conversation: &Conversation, moment: Moment) -> Timestamp {
        let planned = self.site.rhythm.at(moment);
        let soon = conversation.last_at.0 + self.rng.random_range(10_000_000..150_000_000);
        let now = self.site.rhythm.now();
        let at = match conversation.said.is_empty() {
            _ if self.next + 1 == self.site.plan.messages => Timestamp(now.0 - 30_000_000),
            true => planned,
            false => planned.min(Timestamp(soon)),
        };
        self.last_at = at.max(self.last_at).min(now);
        self.last_at
    }

    /// Who writes next, seldom the same one twice, and somebody else, as places in the room's list of members.
    fn choose_writer(&mut self, conversation: &Conversation) -> (usize, usize) {
        let room = &self.site.rooms[conversation.room];
        let before = conversation.said.last().map(|said| said.1);
        let (mut writer, mut other) = (any(&mut self.rng, &conversation.members), conversation.members[0]);
        for _ in 0..4 {
            if before == Some(room.members[writer].user) {
                writer = any(&mut self.rng, &conversation.members);
            }
            if other == writer {
                other = any(&mut self.rng, &conversation.members);
            }
        }
        (writer, other)
    }

    fn write(&mut self, conversation: &mut Conversation, at: Timestamp) -> Message {
        let (writer, other) = self.choose_writer(conversation);
        let room = &mut self.site.rooms[conversation.room];
        room.last_seq += 1;
        room.last_message_at = Some(at);
        room.members[writer].read = room.last_seq;
        let sender = room.members[writer].user;
        self.spoke[sender as usize] = Some(at);
        conversation.left -= 1;
        let moment = sentences::Moment {
            number: self.next,
            topics: conversation.topics,
            first: conversation.said.is_empty(),
            last: conversation.left == 0,
            asked: conversation.asked,
            other: &self.site.people[room.members[other].user as usize].username,
        };
        let (content, asked) = self.book.say(&mut self.rng, &moment);
        let answers = !conversation.said.is_empty() && self.rng.random_ratio(1, 8);
        let reply_to = answers.then(|| any(&mut self.rng, &conversation.said).0);
        conversation.asked = asked;
        conversation.last_at = at;
        let html = markup::render(&content);
        let seq = room.last_seq;
        Message { room: conversation.room as u32, seq, sender, content, html, reply_to, at }
    }
}
