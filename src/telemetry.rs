//! Traces for a collector, where the setting `OTEL_EXPORTER_OTLP_ENDPOINT` names one: a span for each request, under the
//! caller's where its `traceparent` says so (W3C Trace Context), and one for each commit of messages. They are sent as OTLP
//! in protobuf over HTTP, some seconds' worth at a time, beside everything else: a collector that is away costs nothing
//! but the spans. What a span says is what the access log says: never a query, a name that somebody chose, or a text.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Level, Metadata, Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};
use url::Url;

use crate::error::{Error, Result};

/// The target of its spans, which no log shows.
pub const TARGET: &str = "telemetry";
/// For one sending, and for the last one when the program ends.
const PATIENCE: Duration = Duration::from_secs(2);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// What hands spans to the collector at `endpoint`; paths are added as OTLP has them. Within the runtime. Errors: an
/// exporter that can't be made.
pub fn layer(endpoint: &Url) -> Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let traces = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(Error::internal)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_http_client(Client { client, runtime: Handle::current() })
        .with_endpoint(traces)
        .build()
        .map_err(Error::internal)?;
    let resource = Resource::builder().with_service_name(service_name());
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    global::set_text_map_propagator(TraceContextPropagator::new());
    let tracer = provider.tracer("switchboard");
    let _ = PROVIDER.set(provider);
    let is_ours = |metadata: &Metadata<'_>| metadata.target() == TARGET && *metadata.level() <= Level::INFO;
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
    Ok(layer.with_filter(filter_fn(is_ours).with_max_level_hint(Level::INFO)).boxed())
}

/// As every program that sends such spans is named: by `OTEL_SERVICE_NAME`.
fn service_name() -> String {
    std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "switchboard".into())
}

/// Sends what waits; the program ends. Takes two seconds at most.
pub async fn end() {
    if let Some(provider) = PROVIDER.get() {
        let _ = tokio::task::spawn_blocking(|| provider.shutdown_with_timeout(PATIENCE)).await;
    }
}

/// The span of a request (OpenTelemetry's semantic conventions for HTTP). Cost: nothing where no collector is named.
pub fn request(method: &Method, route: Option<&str>, path: &str, headers: &HeaderMap) -> Span {
    let span = info_span!(
        target: TARGET, "request", otel.name = field::Empty, otel.kind = "server", otel.status_code = field::Empty,
        http.request.method = %method, http.route = route, url.path = path,
        http.response.status_code = field::Empty, enduser.id = field::Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{method} {}", route.unwrap_or("none")));
        let parent = global::get_text_map_propagator(|propagator| propagator.extract(&HeaderExtractor(headers)));
        // Refused only once it has begun, and it hasn't.
        let _ = span.set_parent(parent);
    }
    span
}

/// What became of a request.
pub fn answered(span: &Span, status: u16, user: Option<i64>) {
    span.record("http.response.status_code", status);
    if let Some(user) = user {
        span.record("enduser.id", user);
    }
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of a commit of so many messages.
pub fn commit(messages: usize) -> Span {
    info_span!(target: TARGET, "commit", otel.name = "commit of messages", messages)
}

/// The program's own way to speak HTTP, for the exporter, which has a thread of its own and no runtime.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.bytes().await?))
        });
        let (status, body) = sent.await??;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}
