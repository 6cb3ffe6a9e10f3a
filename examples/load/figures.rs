//! Percentiles and rounding, for the report.

use serde_json::{Value, json};

/// Times in microseconds.
#[derive(Default)]
pub struct Times(Vec<u32>);

impl Times {
    pub fn add(&mut self, micros: u128) {
        self.0.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// `{"p50_us", "p99_us", "p999_us"}`; nulls when there are none.
    pub fn report(&mut self) -> Value {
        self.0.sort_unstable();
        json!({"p50_us": self.at(0.5), "p99_us": self.at(0.99), "p999_us": self.at(0.999)})
    }

    /// The nearest-rank percentile of sorted times.
    fn at(&self, share: f64) -> Option<u32> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied()
    }
}

/// To three decimals, which is more than any of it is exact to.
pub fn round(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

/// Microseconds of `seconds` for each of `count`.
pub fn micros_each(seconds: Option<f64>, count: u64) -> Option<f64> {
    seconds.filter(|_| count > 0).map(|seconds| round(seconds * 1e6 / count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut times = Times::default();
        (1..=100).rev().for_each(|micros| times.add(micros));
        assert_eq!(times.report(), json!({"p50_us": 50, "p99_us": 99, "p999_us": 100}));
        assert_eq!(Times::default().report()["p50_us"], Value::Null);
    }
}
