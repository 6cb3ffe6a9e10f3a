//! What the process counts of itself, for Prometheus: [`Metrics`] is raised where things happen, and `/metrics` tells it
//! with what is looked up only then (`metrics/gauges.rs`). Each [`crate::app::App`] has its own, so that two in one process
//! don't count for each other.
//!
//! Names follow prometheus.io/docs/practices/naming: `switchboard_`, the unit, `_total` for what only grows. A label never
//! holds what people type: a route is the pattern that was matched, not the path.

mod gauges;

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::app::App;
use crate::error::{Error, Result};

/// Seconds of requests: pages of half a millisecond to uploads of half a minute.
const REQUEST_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Seconds of commits and of fan-out.
const SHORT_BUCKETS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Jobs in a batch.
const BATCH_BUCKETS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// What [`Metrics::text`] is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    /// Messages that this process stored.
    pub messages: IntCounter,
    pub commit_seconds: Histogram,
    pub batch_jobs: Histogram,
    /// Frames of rooms that were written to sockets.
    pub deliveries: IntCounter,
    /// From when a frame was made to when a socket's kernel had it.
    pub fan_out_seconds: Histogram,
    closed: IntCounterVec,
}

impl Metrics {
    /// Errors: none but for a name that stands here twice.
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self())).map_err(Error::internal)?;
        let requests = Opts::new("switchboard_http_requests_total", "Requests answered, by route and status.");
        let seconds = HistogramOpts::new(
            "switchboard_http_request_duration_seconds",
            "From a request's first line to its answer's head.",
        );
        let closed = Opts::new(
            "switchboard_sockets_closed_total",
            "Sockets that the server closed, by code; 1013 are readers that were too slow.",
        );
        Ok(Self {
            requests: add(&registry, IntCounterVec::new(requests, &["method", "route", "status"]))?,
            request_seconds: add(
                &registry,
                HistogramVec::new(seconds.buckets(REQUEST_BUCKETS.to_vec()), &["method", "route"]),
            )?,
            messages: count(&registry, "switchboard_messages_stored_total", "Messages stored by this process.")?,
            commit_seconds: time(
                &registry,
                "switchboard_commit_duration_seconds",
                "From a batch's beginning to its commit on disk.",
                &SHORT_BUCKETS,
            )?,
            batch_jobs: time(
                &registry,
                "switchboard_batch_jobs",
                "Messages and read marks in a commit.",
                &BATCH_BUCKETS,
            )?,
            deliveries: count(
                &registry,
                "switchboard_deliveries_total",
                "Frames of rooms that were written to sockets.",
            )?,
            fan_out_seconds: time(
                &registry,
                "switchboard_fan_out_duration_seconds",
                "From the frame of a committed change to a socket that has been written it.",
                &SHORT_BUCKETS,
            )?,
            closed: add(&registry, IntCounterVec::new(closed, &["code"]))?,
            registry,
        })
    }

    /// Counts an answer. `route`: the pattern that was matched. Cost: two lookups by hash.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut digits = itoa::Buffer::new();
        self.requests.with_label_values(&[method, route, digits.format(status)]).inc();
        self.request_seconds.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }

    /// Counts a socket that the server closes.
    pub fn closed(&self, code: u16) {
        self.closed.with_label_values(&[itoa::Buffer::new().format(code)]).inc();
    }

    /// All of it in Prometheus' text format, version 0.0.4. Cost: 1 query of bounded counts, O(series).
    pub async fn text(&self, app: &App) -> Result<Vec<u8>> {
        let mut families = self.registry.gather();
        families.extend(gauges::now(app).await?);
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text).map_err(Error::internal)?;
        Ok(text)
    }
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> Result<C> {
    let made = made.map_err(Error::internal)?;
    registry.register(Box::new(made.clone())).map_err(Error::internal)?;
    Ok(made)
}

fn count(registry: &Registry, name: &str, help: &str) -> Result<IntCounter> {
    add(registry, IntCounter::new(name, help))
}

fn time(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
    add(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
}
