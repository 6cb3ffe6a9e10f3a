//! A set of numbers that mostly follow one another, kept as stretches: a million ids without holes are one. Called by
//! `transfer::check`.

/// Stretches, each from its first to its last number, in rising order and apart.
#[derive(Default)]
pub struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    /// Adds a number; false when it is there already. Cost: O(1) behind the last, else O(stretches).
    pub fn insert(&mut self, number: i64) -> bool {
        // The first stretch that begins behind it.
        let next = self.0.partition_point(|(first, _)| *first <= number);
        let before = next.checked_sub(1).map(|place| self.0[place]);
        if before.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        let follows = before.is_some_and(|(_, last)| last.checked_add(1) == Some(number));
        let leads = self.0.get(next).is_some_and(|(first, _)| number.checked_add(1) == Some(*first));
        match (follows, leads) {
            (true, true) => {
                self.0[next - 1].1 = self.0[next].1;
                self.0.remove(next);
            }
            (true, false) => self.0[next - 1].1 = number,
            (false, true) => self.0[next].0 = number,
            (false, false) => self.0.insert(next, (number, number)),
        }
        true
    }

    /// Cost: O(log stretches).
    pub fn contains(&self, number: i64) -> bool {
        let next = self.0.partition_point(|(first, _)| *first <= number);
        next > 0 && number <= self.0[next - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;
    use std::collections::BTreeSet;

    #[test]
    fn a_set_of_stretches_holds_what_was_put_in() {
        let (mut ranges, mut set, mut state) = (Ranges::default(), BTreeSet::new(), 7_i64);
        for _ in 0..4000 {
            state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
            let number = (state >> 8) % 3000;
            assert_eq!(ranges.insert(number), set.insert(number), "{number}");
        }
        for number in -1..3001 {
            assert_eq!(ranges.contains(number), set.contains(&number), "{number}");
        }
        let mut whole = Ranges::default();
        (1..=1000).rev().for_each(|number| assert!(whole.insert(number)));
        assert_eq!(whole.0, [(1, 1000)]);
        assert!(whole.insert(i64::MAX) && whole.insert(i64::MIN) && !whole.insert(i64::MAX));
    }
}
