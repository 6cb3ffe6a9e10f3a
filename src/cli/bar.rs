//! The progress bar of long commands: rate and time left on a terminal, and nothing where standard error is none. Most
//! draw it themselves ([`of`]); what can be stopped half-way is watched ([`watched`]).

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use crate::archive::progress::{Length, Progress};
use crate::error::{Error, Result};

const DRAWN_EVERY: Duration = Duration::from_millis(200);
const BYTES: &str = "{binary_bytes_per_sec}";

/// One that counts `things`, of how many isn't known yet.
pub fn of(things: &str) -> Result<ProgressBar> {
    let bar = ProgressBar::new(0).with_style(style(&counted(things))?);
    bar.enable_steady_tick(DRAWN_EVERY);
    Ok(bar)
}

/// Counts something else from now on.
pub fn turn_to(bar: &ProgressBar, things: &str, length: u64) {
    if let Ok(style) = style(&counted(things)) {
        bar.set_style(style);
    }
    bar.reset();
    bar.set_length(length);
}

/// Waits for `work` and draws a bar of what it tells. Ctrl-C and SIGTERM ask it to stop, and wait until it has cleaned
/// up. Errors: those of `work`.
pub async fn watched<T>(progress: &Progress, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let bar = ProgressBar::new(0);
    let (mut every, mut now) = (interval(DRAWN_EVERY), "");
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            _ = every.tick() => now = draw(&bar, progress, now)?,
            _ = terminate.recv() => progress.stop(),
            _ = interrupt.recv() => progress.stop(),
        }
    }
}

/// How far it is by now; the step that it is in.
fn draw(bar: &ProgressBar, progress: &Progress, before: &str) -> Result<&'static str> {
    let (step, length, done) = progress.look();
    let (what, of) = match length {
        Length::Bytes(of) => (BYTES.to_owned(), of),
        Length::Rows(of) => (counted("rows"), of),
    };
    if step != before {
        bar.reset();
        bar.set_style(style(&what)?);
        bar.set_message(format!("{step:22} "));
    }
    bar.set_length(of.max(done));
    bar.set_position(done);
    Ok(step)
}

fn counted(things: &str) -> String {
    format!("{{human_pos}} of {{human_len}} {things}, {{per_sec}}")
}

fn style(what: &str) -> Result<ProgressStyle> {
    ProgressStyle::with_template(&format!("{{msg}}{{bar:30}} {{percent:>3}} %  {what}, {{eta}} left"))
        .map_err(Error::internal)
}
