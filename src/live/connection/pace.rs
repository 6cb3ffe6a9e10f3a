//! How fast a socket may send what isn't messages: each frame costs little, a flood of them would not. Beyond it, the
//! reading of that socket waits. Eight bytes of state, by the generic cell rate algorithm.

use std::time::Duration;

use tokio::time::Instant;

/// Frames a second, and at once.
const MOST: u32 = 50;
const EACH: Duration = Duration::from_millis(1000 / MOST as u64);

#[derive(Default)]
pub struct Pace {
    /// When all that was counted would have come at the steady pace.
    due: Option<Instant>,
    waiting: bool,
}

impl Pace {
    /// Counts a frame.
    pub fn count(&mut self, now: Instant) {
        let due = self.due.map_or(now, |due| due.max(now)) + EACH;
        self.due = Some(due);
        self.waiting = due > now + EACH * MOST;
    }

    pub fn waits(&self) -> bool {
        self.waiting
    }

    pub fn waits_until(&self) -> Option<Instant> {
        self.due.filter(|_| self.waiting).and_then(|due| due.checked_sub(EACH * MOST))
    }

    /// Goes on if it is time.
    pub fn rested(&mut self, now: Instant) {
        self.waiting = self.waits_until().is_some_and(|until| until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_may_come_at_once_and_one_more_each_twentieth_of_a_second() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        for _ in 0..50 {
            pace.count(now);
            assert!(!pace.waits());
        }
        for _ in 0..3 {
            pace.count(now);
            assert_eq!(pace.waits_until(), Some(now + EACH));
            now += EACH;
            pace.rested(now);
            assert!(!pace.waits());
        }
        now += Duration::from_secs(60);
        pace.count(now);
        assert!(!pace.waits());
    }
}
