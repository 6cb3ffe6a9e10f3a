//! Shows how far a long command is, and ends it in good order when asked to. Called by `cli::backup` and `cli::restore`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use crate::archive::progress::{Length, Progress};
use crate::error::{Error, Result};

const DRAWN_EVERY: Duration = Duration::from_millis(200);
const BYTES: &str = "{msg:22} {bar:30} {percent:>3} %  {binary_bytes_per_sec}, {eta} left";
const ROWS: &str = "{msg:22} {bar:30} {percent:>3} %  {human_pos} of {human_len} rows, {per_sec}, {eta} left";

/// Waits for `work` and draws a bar of what it tells, unless standard error is no terminal. Ctrl-C and SIGTERM ask it to
/// stop, and wait until it has cleaned up. Errors: those of `work`.
pub async fn shown<T>(progress: &Progress, work: impl Future<Output = Result<T>>) -> Result<T> {
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
            _ = every.tick() => {
                let (step, length, done) = progress.look();
                let (template, of) = match length {
                    Length::Bytes(of) => (BYTES, of),
                    Length::Rows(of) => (ROWS, of),
                };
                if step != now {
                    now = step;
                    bar.reset();
                    bar.set_style(ProgressStyle::with_template(template).map_err(Error::internal)?);
                    bar.set_message(step);
                }
                bar.set_length(of.max(done));
                bar.set_position(done);
            }
            _ = terminate.recv() => progress.stop(),
            _ = interrupt.recv() => progress.stop(),
        }
    }
}
