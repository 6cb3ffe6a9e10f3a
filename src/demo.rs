//! A site full of people, rooms and talk for `switchboard demo` (`cli/demo.rs`): to look at, to try things with and
//! to measure. [`Plan`] is what was asked for, [`Site`] everything but the talk, [`store::fill`] writes it all.
//!
//! The same seed and numbers make the same site: nothing that is made depends on the clock, which only says where
//! `demo/rhythm.rs` lays it. What could open a door doesn't come from the seed: the password and the hashes of tokens
//! are random, and there are no sessions.

mod batch;
mod correspondence;
mod finish;
mod interests;
mod names;
mod people;
mod phrases;
mod rhythm;
mod rooms;
mod rows;
mod sentences;
pub mod store;
mod talk;
mod words;

use std::ops::RangeInclusive;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

const USERS: RangeInclusive<u64> = 1..=1_000_000;
const ROOMS: RangeInclusive<u64> = 1..=200_000;
const MESSAGES: RangeInclusive<u64> = 0..=100_000_000;

/// How much is made, and of which seed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub users: u32,
    pub rooms: u32,
    pub messages: u64,
    pub seed: u64,
}

impl Plan {
    /// Reads the numbers as typed. Errors: [`Error::Startup`] for what is no number, is out of its limits, or for
    /// more rooms between two people than there are pairs.
    pub fn parse(users: &str, rooms: &str, messages: &str, seed: &str) -> Result<Self> {
        let users = number("users", users, &USERS)? as u32;
        let rooms = number("rooms", rooms, &ROOMS)? as u32;
        let messages = number("messages", messages, &MESSAGES)?;
        let seed = number("seed", seed, &(0..=u64::MAX))?;
        let (direct, groups) = rooms::shares(rooms);
        let pairs = |users: u32| u64::from(users) * u64::from(users - 1) / 2;
        let least = (1..).find(|users| pairs(*users) >= u64::from(direct.max(groups.min(1)))).unwrap_or(u32::MAX);
        if users < least {
            let fault =
                format!("--rooms {rooms} makes {direct} rooms between two people: that takes --users {least} or more.");
            return Err(Error::startup(fault));
        }
        Ok(Self { users, rooms, messages, seed })
    }
}

fn number(flag: &str, text: &str, limits: &RangeInclusive<u64>) -> Result<u64> {
    let fault = || {
        Error::startup(format!(
            "--{flag} takes a whole number from {} to {}, not \"{text}\".",
            limits.start(),
            limits.end()
        ))
    };
    text.parse().ok().filter(|number| limits.contains(number)).ok_or_else(fault)
}

/// Everything but the talk, kept in memory: some 150 bytes a person and 16 a membership.
pub struct Site {
    plan: Plan,
    people: Vec<people::Person>,
    rooms: Vec<rooms::Room>,
    interests: Vec<interests::Interest>,
    /// The newest first, so that the next one is taken from the end.
    notices: Vec<(rhythm::Moment, batch::Notice)>,
    rhythm: rhythm::Rhythm,
}

impl Site {
    /// Makes it up; its last message is written `now`. Cost: O(people + memberships), no input or output.
    pub fn invent(plan: Plan, now: Timestamp) -> Self {
        let people = people::invent(&mut plan.dice(1), plan.users);
        let rooms = rooms::invent(&mut plan.dice(2), plan.rooms, &people);
        let interests = interests::invent(&mut plan.dice(3), &people, &rooms);
        let rhythm = rhythm::Rhythm::new(&mut plan.dice(4), now);
        let mut site = Self { plan, people, rooms, interests, notices: Vec::new(), rhythm };
        site.notices = interests::notices(&site);
        site
    }

    /// The rows that [`store::fill`] reports as done, once they all are.
    pub fn size(&self) -> u64 {
        (self.people.len() + self.rooms.len() + self.memberships()) as u64 + self.plan.messages
    }

    /// The user name of the account that may do everything.
    pub fn first_administrator(&self) -> &str {
        self.people.first().map_or("", |person| &person.username)
    }

    fn memberships(&self) -> usize {
        self.rooms.iter().map(|room| room.members.len()).sum()
    }
}

impl Plan {
    /// A generator for one part of the site, so that a change in one doesn't change the others.
    fn dice(&self, part: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// People who look after others: the first administrator and, from three people on, some moderators after them.
    fn staff(&self) -> u32 {
        1 + if self.users < 3 { 0 } else { (self.users / 20).clamp(1, 12) }
    }
}
