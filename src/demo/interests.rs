//! Who of the demo's people wanted to talk with whom, and what people were told besides messages. Called by
//! `demo::Site`; `demo::store` writes it.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;

use super::Site;
use super::batch::Notice;
use super::people::Person;
use super::rhythm::Moment;
use super::rooms::Room;
use super::sentences::any;
use crate::rooms::Kind;

pub(super) struct Interest {
    pub sender: u32,
    pub recipient: u32,
    pub note: &'static str,
    pub status: &'static str,
    pub created: Moment,
    pub decided: Option<Moment>,
}

const NOTES: [&str; 10] = [
    "",
    "",
    "Hello! We met at the open day.",
    "Could I ask you something about the garden?",
    "I'd like to help with the films.",
    "You said you had a spare ladder?",
    "Are you the one with the minibus licence?",
    "It's about the translation.",
    "Same choir, I believe.",
    "May I write to you about the rota?",
];

/// Most direct rooms began with an accepted interest; half as many others as there are people are open or came to
/// nothing. In the order of their making. Cost: O(people + rooms).
pub(super) fn invent(rng: &mut StdRng, people: &[Person], rooms: &[Room]) -> Vec<Interest> {
    let mut taken = HashSet::new();
    let mut interests = Vec::new();
    for room in rooms.iter().filter(|room| room.kind == Kind::Direct && room.members.len() == 2) {
        let (sender, recipient) = (room.members[0].user, room.members[1].user);
        taken.extend([(sender, recipient), (recipient, sender)]);
        if rng.random_ratio(3, 4) {
            let met = people[sender as usize].joined.max(people[recipient as usize].joined);
            let created = Moment(met.0 + (room.created.0 - met.0) * rng.random::<f64>());
            let (status, decided) = ("accepted", Some(room.created));
            interests.push(Interest { sender, recipient, note: any(rng, &NOTES), status, created, decided });
        }
    }
    let count = people.len() as u32;
    for number in 0..count / 2 {
        let (sender, recipient) = (rng.random_range(0..count), rng.random_range(0..count));
        if sender == recipient || !taken.insert((sender, recipient)) {
            continue;
        }
        let met = people[sender as usize].joined.max(people[recipient as usize].joined);
        let created = Moment(met.0 + (1.0 - met.0) * rng.random::<f64>());
        let status = ["pending", "rejected", "pending", "cancelled", "pending"][number as usize % 5];
        let decided = (status != "pending").then(|| Moment(created.0 + (1.0 - created.0) * 0.3 * rng.random::<f64>()));
        interests.push(Interest { sender, recipient, note: any(rng, &NOTES), status, created, decided });
    }
    interests.sort_by(|a, b| a.created.0.total_cmp(&b.created.0));
    interests
}

/// What people are told of interests and of groups that they were put into, the newest first.
/// Cost: O(interests + members of groups).
pub(super) fn notices(site: &Site) -> Vec<(Moment, Notice)> {
    let mut notices = Vec::new();
    for interest in &site.interests {
        let (user, actor, at) = (interest.recipient, interest.sender, site.rhythm.at(interest.created));
        notices.push((interest.created, Notice { user, kind: "interest", message: None, room: None, actor, at }));
    }
    for (number, room) in (0_u32..).zip(&site.rooms).filter(|(_, room)| room.kind == Kind::Group) {
        for member in &room.members[1..] {
            let (user, actor, at) = (member.user, room.owner, site.rhythm.at(member.joined));
            notices.push((member.joined, Notice { user, kind: "added", message: None, room: Some(number), actor, at }));
        }
    }
    notices.sort_by(|a, b| b.0.0.total_cmp(&a.0.0));
    notices
}
