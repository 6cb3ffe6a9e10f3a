//! The demo's rooms and who is in them. Called by `demo::Site`; `demo::talk` fills them, `demo::store` writes them.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::index::sample;

use super::people::Person;
use super::rhythm::Moment;
use crate::clock::Timestamp;
use crate::rooms::Kind;

pub(super) struct Room {
    pub kind: Kind,
    pub name: String,
    pub description: &'static str,
    pub owner: u32,
    pub created: Moment,
    /// The owner, then the others in the order in which they joined.
    pub members: Vec<Member>,
    /// How many of `members` are in by now.
    pub present: usize,
    pub last_seq: u32,
    pub last_message_at: Option<Timestamp>,
}

pub(super) struct Member {
    pub user: u32,
    /// The last message that they have read for certain: it was there when they joined, or they wrote it.
    pub read: u32,
    pub joined: Moment,
}

/// Name and description of public rooms; the first one is everybody's.
const NAMES: [(&str, &str); 24] = [
    ("General", "What concerns everybody"),
    ("Events", "Plans, helpers and dates"),
    ("Kitchen", "Menus, shopping and the urn"),
    ("Garden", "Beds, bees and compost"),
    ("Workshop", "Tools, repairs and safety"),
    ("Library", "Books in, books out"),
    ("Website", "Pages, pictures and what is broken"),
    ("Finance", "Budget, grants and receipts"),
    ("Newcomers", "Say hello, ask anything"),
    ("Music", "Choir, band and sound desk"),
    ("Buildings", "Roof, heating and keys"),
    ("Youth", "Club, camp and homework help"),
    ("Random", "Everything else"),
    ("Press", "Posters, newsletter and interviews"),
    ("Transport", "Minibus, bikes and lifts"),
    ("Languages", "Courses and translations"),
    ("Sports", "Teams, training and results"),
    ("Film Night", "What we watch next"),
    ("Lost and Found", "Scarves, mostly"),
    ("Food Bank", "Runs, stock and drivers"),
    ("Photography", "Walks and exhibitions"),
    ("Accessibility", "So that everybody can come"),
    ("Computing", "Help with phones and forms"),
    ("Theatre", "Rehearsals and props"),
];
const QUARTERS: [&str; 12] = [
    "North",
    "South",
    "East",
    "West",
    "Harbour",
    "Old Town",
    "Riverside",
    "Hillside",
    "Station",
    "Mill Lane",
    "Parkside",
    "Docks",
];
const GROUPS: [&str; 10] = [
    "Open day helpers",
    "Board",
    "Car share",
    "Poster team",
    "Grant writers",
    "Summer camp",
    "Key holders",
    "Cake rota",
    "",
    "Moving day",
];

/// How many rooms of `rooms` are between two people, and how many are groups.
pub(super) fn shares(rooms: u32) -> (u32, u32) {
    (rooms * 5 / 14, rooms * 2 / 14)
}

/// `count` rooms in the order in which they were made. `people` must have a pair for each direct room.
/// Cost: O(rooms + members).
pub(super) fn invent(rng: &mut StdRng, count: u32, people: &[Person]) -> Vec<Room> {
    let (direct, groups) = shares(count);
    let mut rooms = Vec::with_capacity(count as usize);
    for number in 0..count - direct - groups {
        rooms.push(public(rng, number, people));
    }
    for _ in 0..groups {
        rooms.push(group(rng, people));
    }
    for (one, other) in pairs(rng, direct, people.len() as u32) {
        let created = people[one as usize].joined.max(people[other as usize].joined);
        let created = created.later((1.0 - created.0) * rng.random_range(0.001..0.2)).max(Moment(-0.9));
        rooms.push(room(Kind::Direct, (String::new(), ""), created, vec![(one, created), (other, created)]));
    }
    rooms.sort_by(|a, b| a.created.0.total_cmp(&b.created.0));
    rooms
}

/// The first of `members` made it, and is in it before now.
fn room(kind: Kind, name: (String, &'static str), created: Moment, mut members: Vec<(u32, Moment)>) -> Room {
    members[1..].sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
    members.retain(|(_, joined)| *joined < Moment::NOW);
    let owner = members[0].0;
    let members = members.into_iter().map(|(user, joined)| Member { user, read: 0, joined }).collect();
    let (name, description) = name;
    Room { kind, name, description, owner, created, members, present: 0, last_seq: 0, last_message_at: None }
}

fn public(rng: &mut StdRng, number: u32, people: &[Person]) -> Room {
    let (name, description) = NAMES[number as usize % NAMES.len()];
    let round = number as usize / NAMES.len();
    let name = match (round.checked_sub(1), round.saturating_sub(1) / QUARTERS.len()) {
        (None, _) => name.to_owned(),
        (Some(quarter), 0) => format!("{name} {}", QUARTERS[quarter]),
        (Some(quarter), n) => format!("{name} {} {}", QUARTERS[quarter % QUARTERS.len()], n + 1),
    };
    if number == 0 {
        let created = Moment(-0.999);
        let members = (0_u32..).zip(people).map(|(user, person)| (user, created.max(person.joined))).collect();
        return room(Kind::Public, (name, description), created, members);
    }
    // A few rooms are for many and many for a few.
    let share = 0.5 / f64::from(number).powf(0.9);
    let size = ((people.len() as f64 * share) as usize).max(4).min(people.len());
    let slot = Moment(if number < 8 { rng.random_range(-0.95..-0.1) } else { rng.random_range(-0.9..0.8) });
    let mut chosen = sample(rng, people.len(), size).into_iter();
    let owner = chosen.next().unwrap_or_default();
    let created = slot.max(people[owner].joined).later(0.001);
    let mut members = vec![(owner as u32, created)];
    for user in chosen {
        let wait = -0.08 * (1.0 - rng.random::<f64>()).ln();
        members.push((user as u32, created.max(people[user].joined).later(wait)));
    }
    room(Kind::Public, (name, description), created, members)
}

fn group(rng: &mut StdRng, people: &[Person]) -> Room {
    let size = rng.random_range(3..13).min(people.len());
    let mut chosen = sample(rng, people.len(), size).into_iter();
    let owner = chosen.next().unwrap_or_default();
    let created = people[owner].joined.max(Moment(rng.random_range(-0.9..0.7))).later(0.001);
    let mut members = vec![(owner as u32, created)];
    members.extend(chosen.map(|user| (user as u32, created.max(people[user].joined))));
    let name = GROUPS[rng.random_range(0..GROUPS.len())].to_owned();
    room(Kind::Group, (name, ""), created, members)
}

/// Different pairs of people, those who have been there longest most often.
fn pairs(rng: &mut StdRng, count: u32, people: u32) -> Vec<(u32, u32)> {
    let mut taken = HashSet::new();
    let mut pairs = Vec::with_capacity(count as usize);
    // Where chance finds no free pair any more, they are taken in turn.
    let mut in_turn = (0..people).flat_map(|one| (one + 1..people).map(move |other| (one, other)));
    while pairs.len() < count as usize {
        let by_chance = (0..20).find_map(|_| {
            let one = (f64::from(people) * rng.random::<f64>().powf(1.5)) as u32;
            let other = rng.random_range(0..people);
            (one != other && taken.insert((one.min(other), one.max(other)))).then_some((one, other))
        });
        match by_chance.or_else(|| in_turn.find(|pair| taken.insert(*pair))) {
            Some(pair) => pairs.push(pair),
            None => break,
        }
    }
    pairs
}
