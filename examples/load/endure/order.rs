//! Where a listener stands in a room, and whether what comes next may come next (contract section 5, guarantees 1
//! and 2): live frames by `rev` without gaps or repeats, new messages by `seq`; a replay by `rev`, each message once,
//! and none missing when it is complete.

use std::collections::BTreeSet;

/// A listener's place.
#[derive(Default)]
pub struct Place {
    pub rev: i64,
    /// The last message had; unknown after a gap in a room where messages are edited.
    pub seq: Option<i64>,
    replay: Option<Replay>,
}

struct Replay {
    rev: i64,
    new: BTreeSet<i64>,
}

/// What was wrong: how many messages or changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
}

impl Place {
    pub fn new() -> Self {
        Self { seq: Some(0), ..Self::default() }
    }

    /// A socket was opened: what is missed comes first.
    pub fn resumes(&mut self) {
        self.replay = Some(Replay { rev: self.rev, new: BTreeSet::new() });
    }

    pub fn is_live(&self) -> bool {
        self.replay.is_none()
    }

    /// A `message` or, with `new` false, a `message_edited`.
    pub fn take(&mut self, seq: i64, rev: i64, new: bool) -> Wrong {
        let mut wrong = Wrong::default();
        if let Some(replay) = &mut self.replay {
            // A repeat within the replay or of what was had before it.
            if rev <= replay.rev {
                wrong.doubled = 1;
            }
            replay.rev = replay.rev.max(rev);
            if self.seq.is_some_and(|had| seq > had) && !replay.new.insert(seq) {
                wrong.doubled = 1;
            }
            return wrong;
        }
        if rev <= self.rev {
            let known = self.seq.is_none_or(|had| seq <= had);
            *(if known { &mut wrong.doubled } else { &mut wrong.reordered }) += 1;
            return wrong;
        }
        wrong.lost = (rev - self.rev - 1) as u64;
        self.rev = rev;
        if new {
            if self.seq.is_some_and(|had| had + 1 != seq) && wrong.lost == 0 {
                wrong.reordered = 1;
            }
            // One that comes too late is counted once, not again with each that follows.
            self.seq = self.seq.max(Some(seq));
        }
        wrong
    }

    /// The replay, or what was fetched in its place, is complete up to `rev`. `exact` when each message new since then
    /// must have been in it.
    pub fn synced(&mut self, rev: i64, exact: bool) -> Wrong {
        let mut wrong = Wrong::default();
        let Some(replay) = self.replay.take() else { return wrong };
        if rev < replay.rev && exact {
            wrong.reordered = 1;
        }
        let last = replay.new.last().copied();
        if let (Some(had), Some(last), true) = (self.seq, last, exact) {
            wrong.lost = (last - had) as u64 - replay.new.len() as u64;
        }
        self.seq = if exact { self.seq.max(last) } else { None };
        self.rev = self.rev.max(rev);
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Wrong = Wrong { lost: 0, doubled: 0, reordered: 0 };

    fn live(rev: i64, seq: i64) -> Place {
        Place { rev, seq: Some(seq), replay: None }
    }

    #[test]
    fn live_frames_come_by_rev_without_gaps_or_repeats() {
        let mut place = live(7, 5);
        assert_eq!(place.take(6, 8, true), NOTHING);
        assert_eq!(place.take(2, 9, false), NOTHING);
        assert_eq!(place.take(6, 8, true), Wrong { doubled: 1, ..NOTHING });
        assert_eq!(place.take(9, 12, true), Wrong { lost: 2, ..NOTHING });
        assert_eq!(place.take(11, 13, true), Wrong { reordered: 1, ..NOTHING });
    }

    #[test]
    fn a_replay_has_each_message_once_and_none_is_missing() {
        let mut place = live(7, 5);
        place.resumes();
        assert_eq!(place.take(7, 9, true), NOTHING);
        // Message 6 was edited since: it stands later in the replay than 7.
        assert_eq!(place.take(6, 10, true), NOTHING);
        assert_eq!(place.take(6, 10, true), Wrong { doubled: 1, ..NOTHING });
        assert_eq!(place.synced(10, true), NOTHING);
        assert_eq!((place.rev, place.seq), (10, Some(7)));
        place.resumes();
        assert_eq!(place.take(9, 12, true), NOTHING);
        assert_eq!(place.synced(12, true), Wrong { lost: 1, ..NOTHING });
    }

    #[test]
    fn after_a_gap_in_an_edited_room_the_next_new_message_says_where_it_stands() {
        let mut place = live(7, 5);
        place.resumes();
        assert_eq!(place.synced(900, false), NOTHING);
        assert_eq!(place.take(870, 901, true), NOTHING);
        assert_eq!(place.take(872, 902, true), Wrong { reordered: 1, ..NOTHING });
    }
}
