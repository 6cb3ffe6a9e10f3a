//! The demo's people: their names and when they joined. Called by `demo::Site`; `demo::store` writes them.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;
use unicode_normalization::UnicodeNormalization;

use super::names::{FIRST, LAST, entries};
use super::rhythm::Moment;

/// The share of the people who were there before the talk began.
const EARLY: f64 = 0.45;

pub(super) struct Person {
    pub username: String,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub joined: Moment,
}

/// `count` people in the order in which they joined; names are unique without regard to case. Cost: O(count).
pub(super) fn invent(rng: &mut StdRng, count: u32) -> Vec<Person> {
    let (first, last) = (entries(FIRST), entries(LAST));
    let mut taken = HashSet::with_capacity(count as usize);
    let mut people = Vec::with_capacity(count as usize);
    for number in 0..count {
        let first_name = first[rng.random_range(0..first.len())];
        let last_name = last[rng.random_range(0..last.len())];
        let mut username = free_name(rng, &mut taken, &ascii(first_name), &ascii(last_name));
        if rng.random_ratio(1, 12) {
            username[0..1].make_ascii_uppercase();
        }
        people.push(Person { username, first_name, last_name, joined: joined(rng, number, count) });
    }
    people
}

fn joined(rng: &mut StdRng, number: u32, count: u32) -> Moment {
    if number == 0 {
        return Moment::FOUNDED;
    }
    let share = (f64::from(number) + rng.random::<f64>()) / f64::from(count);
    Moment(if share < EARLY { share / EARLY * 0.98 - 0.98 } else { (share - EARLY) / (1.0 - EARLY) * 0.995 })
}

/// `name` in the letters of a user name.
fn ascii(name: &str) -> String {
    let plain = name.replace('ø', "o").replace('ł', "l").replace('ı', "i").replace('ß', "ss");
    plain.nfkd().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn free_name(rng: &mut StdRng, taken: &mut HashSet<String>, first: &str, last: &str) -> String {
    let mut name = match rng.random_range(0..10) {
        0..4 => first.to_owned(),
        4..7 => format!("{first}.{last}"),
        7 => format!("{first}{}", &last[..1]),
        8 => format!("{first}_{last}"),
        _ => format!("{}{last}", &first[..1]),
    };
    // Ever longer numbers, so that a free one comes soon however many people there are.
    let mut most = 100;
    while name.len() < 3 || !taken.insert(name.clone()) {
        name = if most == 100 && rng.random() {
            format!("{first}.{last}")
        } else {
            format!("{first}{}", rng.random_range(2..most))
        };
        most = (most * 4).min(100_000_000);
    }
    name
}
