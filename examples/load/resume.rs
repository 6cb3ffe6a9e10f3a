//! Sockets that come back after they missed something: `after=` what they had. Each must get every message missed,
//! once and in order, then `synced`. Switchboard only: the bare server keeps no place for anybody.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::Fault;
use super::crowd::Crowd;
use super::figures::{micros_each, round};
use super::ledger::Ledger;
use super::process::Mark;
use super::site::Site;

const PATIENCE: Duration = Duration::from_secs(60);
const MISSED: u64 = 2_000_000;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Messages that each has missed; more than 500 aren't replayed
    #[arg(long, default_value_t = 50)]
    missed: u64,
}

pub fn run(site: &mut Site, options: &Options) -> Result<Value, Fault> {
    let base = site.last_seq()?;
    (0..options.missed).try_for_each(|n| site.say(MISSED + n, site.room))?;
    let mut ledger = Ledger::new(base, options.clients);
    let mut synced = 0;
    let begun = Instant::now();
    let mark = Mark::now(site.pid);
    let mut crowd = Crowd::new()?;
    let mut take = |place: &mut usize, frame: &[u8]| {
        if frame.starts_with(br#"{"type":"synced""#) {
            synced += 1;
        } else {
            ledger.take(place, frame, |text| site.number(text));
        }
        synced
    };
    let mut done = 0;
    crowd.open(site, options.clients, Some(base), |place, frame| done = take(place, frame))?;
    while done < options.clients && begun.elapsed() < PATIENCE {
        crowd.turn(Duration::from_secs(1), |place, frame| done = take(place, frame))?;
    }
    let span = mark.until(&Mark::now(site.pid));
    crowd.settle(&mut ledger);
    let unsynced = options.clients - done;
    Ok(json!({
        "scenario": "resume", "clients": options.clients, "missed": options.missed, "seconds": round(span.seconds),
        "cpu_us_per_socket": micros_each(span.server, options.clients as u64),
        "deliveries": ledger.deliveries, "unsynced": unsynced, "faults": ledger.faults.report(),
    }))
}
