//! `switchboard backup`: the whole site in one file (`crate::archive::backup`), while it is served or not.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use indicatif::HumanCount;

use crate::admin::dashboard::warning::bytes;
use crate::archive::backup::{self, Taken};
use crate::archive::progress::Progress;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Result;

#[derive(Args)]
pub struct BackupCommand {
    /// The file to write, such as monday.tar.zst; it holds the site's key and is readable by its owner only
    file: PathBuf,
    /// Write over a file that is there, once the new one is whole
    #[arg(long)]
    force: bool,
}

/// Fails (exit code 1) when files are missing in the site, too: the backup is there then, without them.
pub async fn run(config: &Config, command: &BackupCommand) -> Result<ExitCode> {
    let (begun, progress) = (Instant::now(), Progress::default());
    let work = backup::take(config, &command.file, command.force, Clock::System.now(), &progress);
    let taken = super::bar::watched(&progress, work).await?;
    let Taken { about, manifest, missing, .. } = &taken;
    println!(
        "Wrote {} in {:.1} s and read it back: {}; the site on {} as of {} with {} users, {} rooms, {} messages and {} files.",
        command.file.display(),
        begun.elapsed().as_secs_f64(),
        bytes(taken.bytes),
        about.engine,
        about.taken_at,
        count(&taken, "users"),
        count(&taken, "rooms"),
        count(&taken, "messages"),
        HumanCount(manifest.files + manifest.pictures),
    );
    println!("Whoever has it has the whole site, its secret key included. Who is signed in isn't in it.");
    if manifest.missing == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "switchboard: {} files that the database names are missing in the uploads or aren't what they were, and aren't in \
         the backup:",
        manifest.missing
    );
    for name in missing {
        eprintln!("  {name}");
    }
    if manifest.missing > missing.len() as u64 {
        eprintln!("  and {} more", manifest.missing - missing.len() as u64);
    }
    Ok(ExitCode::FAILURE)
}

fn count(taken: &Taken, table: &str) -> HumanCount {
    HumanCount(taken.manifest.tables.get(table).copied().unwrap_or(0).unsigned_abs())
}
