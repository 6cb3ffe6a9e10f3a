//! One event as one line of the log: text as people read it, `[LEVEL] TIMESTAMP module - message key=value`, or an object as
//! programs do. Both end with the name of the request that is answered, where one is (`web/request.rs`).

use std::fmt::{self, Write};

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;
use crate::web::request;

pub struct Text;

pub struct Json;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        write!(out, "[{}] {} {} - ", metadata.level(), Clock::System.now(), metadata.target())?;
        let mut fields = Fields(OneLine(&mut out), Ok(()));
        event.record(&mut fields);
        fields.1?;
        request::with_id(|id| write!(out, " request_id={id}")).unwrap_or(Ok(()))?;
        out.write_char('\n')
    }
}

/// The message comes first, whatever it is given as.
struct Fields<'a, 'w>(OneLine<'a, 'w>, fmt::Result);

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let Self(out, told) = self;
        let written = match field.name() {
            "message" => write!(out, "{value:?}"),
            name => write!(out, " {name}={value:?}"),
        };
        *told = told.and(written);
    }
}

/// One event is one line, whatever somebody put into a name or an address.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
            true => self.0.write_str(&text.replace(['\n', '\r'], " ")),
            false => self.0.write_str(text),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (metadata, now) = (event.metadata(), Clock::System.now().to_string());
        let mut fields = Values(Map::new());
        event.record(&mut fields);
        let (level, target) = (metadata.level().as_str(), metadata.target());
        let mut line = json!({"timestamp": now, "level": level, "target": target, "fields": fields.0});
        request::with_id(|id| line["request_id"] = id.into());
        writeln!(out, "{line}")
    }
}

struct Values(Map<String, Value>);

impl Values {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Values {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
