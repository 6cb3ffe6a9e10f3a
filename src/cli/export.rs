//! `switchboard export`: the whole site into a folder (`crate::transfer::export`), while it is served or not.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::{HumanBytes, HumanCount};

use super::bar;
use crate::app::App;
use crate::error::Result;
use crate::transfer::export::{self, Step};

#[derive(Args)]
pub struct ExportCommand {
    /// A folder that isn't there yet, or is empty
    folder: PathBuf,
}

pub async fn run(app: &App, command: ExportCommand) -> Result<()> {
    let begun = Instant::now();
    let bar = bar::of("rows")?;
    let written = export::write(app, &command.folder, |step| match step {
        Step::Rows(rows) => bar.set_length(rows),
        Step::Written(rows) => bar.inc(rows),
        Step::Files(files) => bar::turn_to(&bar, "files", files),
        Step::Copied => bar.inc(1),
    })
    .await;
    bar.finish_and_clear();
    app.db.close().await;
    let written = written?;
    let rows =
        written.manifest.files.iter().filter(|(name, _)| *name != "files.jsonl").map(|(_, part)| part.rows).sum();
    println!(
        "Wrote {} rows of {} models and {} files ({}) to {} in {:.1} s.",
        HumanCount(rows),
        written.manifest.files.len() - 1,
        HumanCount(written.uploads),
        HumanBytes(written.upload_bytes),
        command.folder.display(),
        begun.elapsed().as_secs_f64(),
    );
    if written.missing > 0 {
        println!("{} files of rows weren't there, or were deleted meanwhile.", HumanCount(written.missing));
    }
    println!("Keep it as safe as a backup: it holds all that was said, and the hashes of passwords.");
    Ok(())
}
