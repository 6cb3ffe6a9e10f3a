//! Sockets that stand: how long until N are connected, signed in and joined, what each costs in CPU and in resident
//! memory, and that each still hears of a message in the end.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::Fault;
use super::crowd::Crowd;
use super::figures::{micros_each, round};
use super::ledger::Ledger;
use super::process::{Mark, file_limit, resident};
use super::site::Site;

const TOLD_WITHIN: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// How long they stand before memory is read
    #[arg(long, default_value_t = 2.0)]
    hold: f64,
}

pub fn run(site: &mut Site, options: &Options) -> Result<Value, Fault> {
    let count = options.clients;
    if count as u64 + 100 > file_limit() {
        return Err(format!("{count} sockets, but only {} open files a process (ulimit -Hn)", file_limit()).into());
    }
    let base = site.last_seq()?;
    let (memory, mark) = (resident(site.pid), Mark::now(site.pid));
    let mut crowd = Crowd::new()?;
    crowd.open(site, count, None, |_, _| {})?;
    let span = mark.until(&Mark::now(site.pid));
    let hold = Instant::now() + Duration::from_secs_f64(options.hold);
    while Instant::now() < hold {
        crowd.turn(hold.saturating_duration_since(Instant::now()), |_, _| {})?;
    }
    let standing = resident(site.pid);
    let bytes = memory.zip(standing).map(|(before, after)| after.saturating_sub(before) / count as u64);

    // Told in the end: they really are in the room.
    let mut ledger = Ledger::new(base, count);
    let (told, mark) = (Instant::now(), Mark::now(site.pid));
    site.say(0, site.room)?;
    while ledger.complete == 0 && told.elapsed() < TOLD_WITHIN {
        crowd.turn(Duration::from_secs(1), |place, frame| {
            ledger.take(place, frame, |text| site.number(text));
        })?;
    }
    let telling = mark.until(&Mark::now(site.pid));
    crowd.settle(&mut ledger);
    Ok(json!({
        "scenario": "standing", "clients": count, "joined_s": round(span.seconds),
        "cpu_us_per_socket": micros_each(span.server, count as u64),
        "generator_busy": round(span.own / span.seconds),
        "bytes_per_socket": bytes, "resident_before": memory, "resident_standing": standing,
        "told_all_ms": round(telling.seconds * 1e3), "faults": ledger.faults.report(),
    }))
}
