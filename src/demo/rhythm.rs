//! The demo's time. Everything is made in [`Moment`]s, which know no clock, so that one seed gives one site whenever
//! it is made; [`Rhythm`] then lays them over the last weeks, more of them by day than by night and at the weekend.
//! Called by all of `demo`.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::clock::Timestamp;

/// −1 is when the site was founded, 0 when the talk began, 1 is now.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Moment(pub f64);

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MICROS: f64 = 3.6e9;
/// The time of the talk.
const HOURS: u32 = 90 * 24;
/// The time before it.
const FOUNDING: Duration = Duration::from_secs(7 * 24 * 3600);
/// UTC, from midnight on.
const BY_HOUR: [f64; 24] = [
    0.6, 0.3, 0.2, 0.2, 0.3, 0.8, 2.0, 4.0, 7.0, 9.0, 10.0, 9.5, 7.0, 8.0, 9.0, 9.0, 8.0, 7.0, 6.0, 5.5, 5.0, 3.5, 2.0,
    1.0,
];
/// From Thursday on, the first day of 1970.
const BY_DAY: [f64; 7] = [1.0, 0.9, 0.45, 0.4, 1.0, 1.1, 1.05];

pub(super) struct Rhythm {
    begin: Timestamp,
    now: Timestamp,
    /// The share of the talk that is over when each hour ends; rises to 1.
    over: Vec<f64>,
}

impl Moment {
    pub const FOUNDED: Self = Self(-1.0);
    pub const NOW: Self = Self(1.0);

    pub fn later(self, span: f64) -> Self {
        Self((self.0 + span).min(1.0))
    }

    pub fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

impl Rhythm {
    /// The weeks before `now`; no two days are quite alike, and more is said in the end than in the beginning.
    pub fn new(rng: &mut StdRng, now: Timestamp) -> Self {
        let begin = now.minus(HOUR * HOURS);
        let moods: Vec<f64> = (0..=HOURS / 24 + 1).map(|_| rng.random_range(0.7..1.3)).collect();
        let mut sum = 0.0;
        let mut over: Vec<f64> = (0..HOURS)
            .map(|number| {
                let hour = begin.plus(HOUR * number).0 / HOUR.as_micros() as i64;
                let day = hour.div_euclid(24).rem_euclid(7) as usize;
                let growth = 1.0 + f64::from(number) / f64::from(HOURS);
                sum += BY_HOUR[hour.rem_euclid(24) as usize] * BY_DAY[day] * growth * moods[number as usize / 24];
                sum
            })
            .collect();
        over.iter_mut().for_each(|share| *share /= sum);
        Self { begin, now, over }
    }

    /// When that was; never falls while `moment` rises. Cost: O(log of the hours).
    pub fn at(&self, moment: Moment) -> Timestamp {
        if moment.0 < 0.0 {
            return self.begin.minus(FOUNDING.mul_f64((-moment.0).min(1.0)));
        }
        let hour = self.over.partition_point(|over| *over < moment.0).min(self.over.len() - 1);
        let before = if hour == 0 { 0.0 } else { self.over[hour - 1] };
        let part = ((moment.0 - before) / (self.over[hour] - before)).clamp(0.0, 1.0);
        Timestamp(self.begin.0 + ((hour as f64 + part) * HOUR_MICROS) as i64).min(self.now)
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }
}
