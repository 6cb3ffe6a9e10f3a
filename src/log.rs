//! Where the program writes what it does: standard output, or with `LOG_DIR` two files rotated daily, the access
//! log apart. Lines are gathered for a moment and written together (`log/batch.rs`). What one looks like stands in `log/line.rs`.

mod batch;
mod line;

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use tracing::Metadata;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use batch::Batched;
use line::{Json, Text};

use crate::config::{Config, LogFormat};
use crate::error::{Error, Result};
use crate::telemetry;

/// Whether an output is for this.
type Takes = fn(&Metadata<'_>) -> bool;

const KEPT_FILES: usize = 14;

/// What waits to be written.
static WAITING: OnceLock<Vec<Batched>> = OnceLock::new();

/// Starts logging as the settings say. Errors: a folder that can't be written to.
pub fn start(config: &Config) -> Result<()> {
    let mut layers = Vec::new();
    let mut outs = Vec::new();
    match &config.log_dir {
        None => outs.push(batched(io::stdout())?),
        Some(folder) => {
            outs.push(batched(file(folder, "switchboard.log")?)?);
            outs.push(batched(file(folder, "access.log")?)?);
        }
    }
    if let [main, access] = outs.as_slice() {
        layers.push(layer(config, main, |metadata| !is_access(metadata))?);
        layers.push(layer(config, access, is_access)?);
    } else {
        layers.extend(outs.iter().map(|out| layer(config, out, |_| true)).collect::<Result<Vec<_>>>()?);
    }
    if let Some(endpoint) = &config.telemetry {
        layers.push(telemetry::layer(endpoint)?);
    }
    tracing_subscriber::registry().with(layers).try_init().map_err(Error::internal)?;
    let _ = WAITING.set(outs);
    Ok(())
}

/// Writes what waits: the last thing that the program does.
pub fn flush() {
    WAITING.get().into_iter().flatten().for_each(Batched::flush);
}

fn batched(out: impl io::Write + Send + 'static) -> Result<Batched> {
    Batched::start(out).map_err(|e| Error::startup(format!("The log can't be started: {e}")))
}

fn is_access(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "access"
}

/// What is written to `out`: of what the settings ask for, what it `takes`.
fn layer(config: &Config, out: &Batched, takes: Takes) -> Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let filter = filter(&config.rust_log, takes)?;
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(out.clone());
    Ok(match config.log_format {
        LogFormat::Text => layer.event_format(Text).with_filter(filter).boxed(),
        LogFormat::Json => layer.event_format(Json).with_filter(filter).boxed(),
    })
}

/// No line shows a span, and libraries make two for each request: they cost nothing where nobody asks for them. The level is
/// said at once, so that what is below costs nothing either: `and` forgets it unless both say it.
fn filter(rust_log: &str, takes: Takes) -> Result<impl Filter<Registry> + use<>> {
    let filter: EnvFilter = rust_log.parse().map_err(|e| Error::startup(format!("RUST_LOG: {e}")))?;
    // A collector's spans say the same in other words.
    let filter = filter.add_directive(format!("{}=off", telemetry::TARGET).parse().map_err(Error::internal)?);
    let (has_spans, most) = (rust_log.contains('['), filter.max_level_hint().unwrap_or(LevelFilter::TRACE));
    let is_wanted = move |metadata: &Metadata<'_>| {
        *metadata.level() <= most && takes(metadata) && (has_spans || !metadata.is_span())
    };
    Ok(filter.and(filter_fn(is_wanted).with_max_level_hint(most)))
}

/// Today's file, with `name` itself a link to it.
fn file(folder: &Path, name: &str) -> Result<RollingFileAppender> {
    let fault = |e: &dyn std::fmt::Display| {
        Error::startup(format!("LOG_DIR = \"{}\" can't be written to: {e}", folder.display()))
    };
    // The link is resolved from where it stands, so what it names must be absolute.
    let absolute = std::path::absolute(folder).map_err(|e| fault(&e))?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(name)
        .max_log_files(KEPT_FILES)
        .latest_symlink(name)
        .build(absolute)
        .map_err(|e| fault(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_the_level_is_known_to_be_unwanted() {
        for (rust_log, most) in [
            ("info", LevelFilter::INFO),
            ("warn,switchboard=debug", LevelFilter::DEBUG),
            ("off", LevelFilter::OFF),
            ("warn,[request]=trace", LevelFilter::TRACE),
        ] {
            assert_eq!(filter(rust_log, |_| true).unwrap().max_level_hint(), Some(most), "{rust_log}");
        }
        assert!(filter("info,=", |_| true).is_err());
    }
}
