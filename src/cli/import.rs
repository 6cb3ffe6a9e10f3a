//! `switchboard import`: takes in an export, or what another program has (`crate::transfer`), and says what came of it. Beside a
//! running server or without one.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use super::bar;
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::transfer::bundle::Bundle;
use crate::transfer::take::{Options, Step, take};
use crate::transfer::{campfire, outlet, slack};

#[derive(Subcommand)]
pub enum ImportCommand {
    /// Take in what `switchboard export` wrote
    Switchboard {
        /// The folder with manifest.json
        folder: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Take in a Slack workspace's export
    Slack {
        /// The ZIP file as Slack makes it
        zip: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Take in the database of 37signals' Campfire
    Campfire {
        /// Its SQLite file
        file: PathBuf,
        /// The folder of its files, with folders of two letters in it
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Args)]
pub struct How {
    /// Only say what would come, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Write all of the report to this file, too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub async fn run(config: Config, command: ImportCommand) -> Result<()> {
    let app = super::open(config).await?;
    let done = all(&app, command).await;
    app.db.close().await;
    done
}

async fn all(app: &App, command: ImportCommand) -> Result<()> {
    let begun = Instant::now();
    let bar = bar::of("rows and files read")?;
    let read = match &command {
        ImportCommand::Switchboard { folder, .. } => Bundle::of_export(folder),
        ImportCommand::Slack { zip, .. } => slack::read(app, zip, |step| show(&bar, step)).await,
        ImportCommand::Campfire { file, files, .. } => {
            campfire::read(app, file, files.as_deref(), |step| show(&bar, step)).await
        }
    };
    let (ImportCommand::Switchboard { how, .. }
    | ImportCommand::Slack { how, .. }
    | ImportCommand::Campfire { how, .. }) = command;
    let taken = match read {
        Ok(bundle) => {
            let (name, options) = (bundle.name.clone(), Options { dry_run: how.dry_run, ..Options::default() });
            if !options.dry_run {
                app.db.prepare_bulk_write().await?;
            }
            take(app, bundle, options, |step| show(&bar, step)).await.map(|report| (name, report))
        }
        Err(error) => Err(error),
    };
    bar.finish_and_clear();
    let (name, report) = taken?;
    let seconds = begun.elapsed().as_secs_f64();
    match how.dry_run {
        true => println!("Of {name} this would come; nothing was changed ({seconds:.1} s)."),
        false => println!("Of {name} this came, in {seconds:.1} s."),
    }
    print!("{}", report.short());
    match &how.report {
        Some(file) => write(file, &report.long()),
        None => Ok(()),
    }
}

fn show(bar: &ProgressBar, step: Step) {
    match step {
        Step::Reading(count) => bar::turn_to(bar, "rows and files read", count),
        Step::Taking(rows) => bar::turn_to(bar, "rows taken in", rows),
        Step::Read(count) | Step::Taken(count) => bar.inc(count),
    }
}

/// For its owner's eyes: it tells people's names.
fn write(path: &Path, report: &str) -> Result<()> {
    let written = match outlet::private(path) {
        Ok(mut file) => std::io::Write::write_all(&mut file, report.as_bytes()),
        Err(error) => Err(error),
    };
    written.map_err(|error| Error::startup(format!("The report can't be written to {}: {error}", path.display())))
}
