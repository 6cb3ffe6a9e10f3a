//! `switchboard restore`: a site from a backup, on either database (`crate::archive::restore`).

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::HumanCount;

use crate::archive::progress::Progress;
use crate::archive::restore::{self, Restored};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Result;

#[derive(Args)]
pub struct RestoreCommand {
    /// What `switchboard backup` has written, on this database or on the other one
    file: PathBuf,
    /// Replace a site that is there; it is kept beside the new one
    #[arg(long)]
    force: bool,
}

pub async fn run(config: &Config, command: &RestoreCommand) -> Result<()> {
    let (begun, progress) = (Instant::now(), Progress::default());
    let work = restore::run(config, &command.file, command.force, Clock::System.now(), &progress);
    let Restored { about, manifest, mails, aside, warnings } = super::bar::watched(&progress, work).await?;
    let count = |table: &str| HumanCount(manifest.tables.get(table).copied().unwrap_or(0).unsigned_abs());
    println!(
        "Restored the site of {} (Switchboard {} on {}) in {:.1} s: {} users, {} rooms, {} messages and {} files. Every table \
         has the rows that the backup has.",
        about.taken_at,
        about.program,
        about.engine,
        begun.elapsed().as_secs_f64(),
        count("users"),
        count("rooms"),
        count("messages"),
        HumanCount(manifest.files + manifest.pictures),
    );
    println!("Everyone signs in again. What was changed, revoked or deleted since then is as it was then.");
    if mails > 0 {
        println!(
            "{mails} mails waited then and may have been sent since: they are in the backoffice as failed, to be sent again."
        );
    }
    for place in aside {
        println!("Kept of the site before, to be deleted by you: {place}");
    }
    for warning in warnings {
        eprintln!("switchboard: {warning}");
    }
    Ok(())
}
