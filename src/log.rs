//! Where the program writes what it does: standard output, or with `LOG_DIR` two files rotated daily, the access
//! log apart. Lines are gathered for a moment and written together (`log/batch.rs`). Text lines are `[LEVEL] TIMESTAMP module - message key=value`; JSON is one object a line.

mod batch;

use std::fmt::{self, Write};
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use batch::Batched;

use crate::clock::Clock;
use crate::config::{Config, LogFormat};
use crate::error::{Error, Result};
use crate::telemetry;

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
    let is_access = |metadata: &Metadata<'_>| metadata.target() == "access";
    if let [main, access] = outs.as_slice() {
        layers.push(layer(config, main)?.with_filter(filter_fn(move |metadata| !is_access(metadata))).boxed());
        layers.push(layer(config, access)?.with_filter(filter_fn(is_access)).boxed());
    } else {
        layers.extend(outs.iter().map(|out| layer(config, out)).collect::<Result<Vec<_>>>()?);
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

fn layer(config: &Config, out: &Batched) -> Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let filter: EnvFilter = config.rust_log.parse().map_err(|e| Error::startup(format!("RUST_LOG: {e}")))?;
    // A collector's spans say the same in other words.
    let filter = filter.add_directive(format!("{}=off", telemetry::TARGET).parse().map_err(Error::internal)?);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(out.clone());
    Ok(match config.log_format {
        LogFormat::Text => layer.event_format(Text).with_filter(filter).boxed(),
        LogFormat::Json => layer.json().with_filter(filter).boxed(),
    })
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

struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields { message: String::new(), rest: String::with_capacity(128) };
        event.record(&mut fields);
        let metadata = event.metadata();
        let (level, target, now) = (metadata.level(), metadata.target(), Clock::System.now());
        write!(out, "[{level}] {now} {target} - {}{}", fields.message, fields.rest)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                write!(out, " {fields}")?;
            }
        }
        writeln!(out)
    }
}

struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string can't fail.
        let _ = if field.name() == "message" {
            write!(OneLine(&mut self.message), "{value:?}")
        } else {
            write!(OneLine(&mut self.rest), " {}={value:?}", field.name())
        };
    }
}

/// One event is one line, whatever somebody put into a name or an address.
struct OneLine<'a>(&'a mut String);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.contains(['\n', '\r']) {
            true => self.0.push_str(&text.replace(['\n', '\r'], " ")),
            false => self.0.push_str(text),
        }
        Ok(())
    }
}
