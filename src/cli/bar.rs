//! The progress bar of long commands: rate and time left on a terminal, and nothing where standard error is none.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};

/// One that counts `things`, of how many isn't known yet.
pub fn of(things: &str) -> Result<ProgressBar> {
    let bar = ProgressBar::new(0).with_style(style(things)?);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

/// Counts something else from now on.
pub fn turn_to(bar: &ProgressBar, things: &str, length: u64) {
    if let Ok(style) = style(things) {
        bar.set_style(style);
    }
    bar.reset();
    bar.set_length(length);
}

fn style(things: &str) -> Result<ProgressStyle> {
    let template =
        format!("{{bar:30}} {{percent:>3}} %  {{human_pos}} of {{human_len}} {things}, {{per_sec}}, {{eta}} left");
    ProgressStyle::with_template(&template).map_err(Error::internal)
}
