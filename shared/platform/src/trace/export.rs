//! How spans leave the process: as datagrams for the daemon of AWS X-Ray, or as lines of the log.
//!
//! A span that has ended is kept until the end of the invocation. Then all are sent at once, without waiting for an answer:
//! [`export`]. What cannot be sent is lost, and nothing else fails.

use std::io::Write;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use prost::Message;
use strum::EnumString;

use super::{Attribute, TRACER};
use crate::config;
use crate::sync::lock;

/// Where spans are sent: `TRACE_EXPORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "lowercase")]
enum Target {
    /// Nowhere: none is made.
    Off,
    /// The daemon of AWS X-Ray, which Lambda runs where tracing is active
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>).
    Xray,
    /// Standard output: one line of OTLP/JSON for each invocation.
    Log,
}

enum Output {
    Daemon(UdpSocket),
    Lines,
    /// They are kept.
    #[cfg(feature = "test-support")]
    Memory,
}

struct Exporter {
    function: &'static str,
    ended: Arc<Mutex<Vec<SpanData>>>,
    resource: ResourceAttributesWithSchema,
    output: Output,
    /// Keeps the processor alive.
    _provider: SdkTracerProvider,
}

static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// The name of this function; `function` if its spans are not exported.
pub fn function_name() -> &'static str {
    EXPORTER.get().map_or("function", |exporter| exporter.function)
}

/// The address of the daemon if `AWS_XRAY_DAEMON_ADDRESS` is not set, as in the SDKs of X-Ray.
const DAEMON: &str = "127.0.0.1:2000";
/// The prefix of a document of the daemon, then that of spans in OTLP
/// (<https://github.com/aws-observability/aws-otel-python-instrumentation>, `udp_exporter.py`).
const HEADER: &str = "{\"format\":\"json\",\"version\":1}\nT1S";
/// The most bytes of spans in a datagram: in Base64, with the prefix, it stays below the 64 KB of UDP.
const MAX_DATAGRAM: usize = 47_000;
/// How many ended spans are kept at most. A batch of ten records makes about a hundred.
const MAX_SPANS: usize = 2_000;

/// Starts tracing for the function `name`. `TRACE_EXPORT` is `off` (the default), `xray` or `log`.
/// `TRACE_SAMPLE_PERCENT` (default 100) of the traces that start here are exported, and all that another service
/// sampled before. Does nothing if it has already been called; an invalid setting counts as the default, because
/// tracing must not stop a function.
pub fn init(name: &'static str) {
    let target = std::env::var("TRACE_EXPORT").ok().and_then(|target| target.parse().ok());
    let output = match target.unwrap_or(Target::Off) {
        Target::Off => return,
        Target::Log => Output::Lines,
        Target::Xray => match daemon() {
            Ok(socket) => Output::Daemon(socket),
            Err(error) => return tracing::warn!(%error, "no spans are exported: there is no socket"),
        },
    };
    start(name, output);
}

fn daemon() -> std::io::Result<UdpSocket> {
    let address = std::env::var("AWS_XRAY_DAEMON_ADDRESS").unwrap_or_else(|_| DAEMON.to_owned());
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.set_nonblocking(true)?;
    socket.connect(address)?;
    Ok(socket)
}

fn start(name: &'static str, output: Output) {
    let percent = config::optional("TRACE_SAMPLE_PERCENT", 100.0_f64).unwrap_or(100.0);
    let setting = |name: &'static str, variable: &str| {
        let value = Attribute::name(&std::env::var(variable).ok()?)?;
        Some(KeyValue::new(name, value))
    };
    let resource = Resource::builder_empty()
        .with_service_name(name)
        .with_attribute(KeyValue::new("faas.name", name))
        .with_attributes(
            [
                setting("faas.version", "AWS_LAMBDA_FUNCTION_VERSION"),
                setting("cloud.region", "AWS_REGION"),
                setting("service.namespace", "METRICS_NAMESPACE"),
            ]
            .into_iter()
            .flatten(),
        )
        .build();
    let ended = Arc::default();
    #[expect(clippy::float_arithmetic, reason = "a ratio of traces")]
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(percent / 100.0)));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Ended(Arc::clone(&ended)))
        .with_sampler(sampler)
        .with_resource(resource.clone())
        .build();
    let tracer = provider.tracer("serverless-orders");
    let exporter =
        Exporter { function: name, ended, resource: (&resource).into(), output, _provider: provider };
    if EXPORTER.set(exporter).is_ok() {
        let _ = TRACER.set(tracer);
    }
}

/// Keeps the spans that have ended.
#[derive(Debug)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        let mut ended = lock(&self.0);
        if ended.len() < MAX_SPANS {
            ended.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Whether the spans go to X-Ray, together with those that Lambda itself sends.
pub(crate) fn is_sent_to_xray() -> bool {
    EXPORTER.get().is_some_and(|exporter| matches!(exporter.output, Output::Daemon(_)))
}

/// Exports the spans that have ended, at the end of an invocation or a request. A line of the log is written like any other,
/// before the response: Lambda freezes a process that has responded. A datagram is sent after the response has been written.
pub fn export() {
    let Some(exporter) = EXPORTER.get() else { return };
    match exporter.output {
        Output::Lines => exporter.export(),
        Output::Daemon(_) => {
            tokio::spawn(async {
                // Once for the runtime to send the response, once for the connection's task to write it.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                exporter.export();
            });
        }
        #[cfg(feature = "test-support")]
        Output::Memory => {}
    }
}

impl Exporter {
    fn export(&self) {
        let spans = std::mem::take(&mut *lock(&self.ended));
        if !spans.is_empty() {
            self.send(spans);
        }
    }

    fn send(&self, spans: Vec<SpanData>) {
        let socket = match &self.output {
            Output::Daemon(socket) => socket,
            Output::Lines => {
                let line = serde_json::to_string(&self.request(spans)).unwrap_or_default();
                let _ = writeln!(std::io::stdout().lock(), "{line}");
                return;
            }
            #[cfg(feature = "test-support")]
            Output::Memory => return lock(&self.ended).extend(spans),
        };
        // By halves, until each fits.
        let mut waiting = vec![spans];
        while let Some(mut spans) = waiting.pop() {
            let request = self.request(spans.clone()).encode_to_vec();
            if request.len() <= MAX_DATAGRAM {
                let _ = socket.send(format!("{HEADER}{}", BASE64.encode(request)).as_bytes());
            } else if spans.len() > 1 {
                let half = spans.split_off(spans.len() / 2);
                waiting.extend([half, spans]);
            }
        }
    }

    /// The spans in OTLP.
    fn request(&self, spans: Vec<SpanData>) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(spans, &self.resource) }
    }
}

/// Spans in memory, for tests.
#[cfg(feature = "test-support")]
pub mod memory {
    use opentelemetry_sdk::trace::SpanData;

    use super::{EXPORTER, Output, start};
    use crate::sync::lock;
    use crate::trace::context;

    /// Keeps all spans of this process from now on.
    pub fn record() {
        if EXPORTER.get().is_none() {
            start("function", Output::Memory);
        }
    }

    /// The spans of the trace of `traceparent` that have ended.
    pub fn spans_of(traceparent: &str) -> Vec<SpanData> {
        let trace = context::parse(traceparent).map(|context| context.trace_id());
        ended(|span| Some(span.span_context.trace_id()) == trace)
    }

    /// The spans that have a link to that of `traceparent`.
    pub fn spans_linked_to(traceparent: &str) -> Vec<SpanData> {
        let linked = context::parse(traceparent).map(|context| context.span_id());
        ended(|span| span.links.iter().any(|link| Some(link.span_context.span_id()) == linked))
    }

    fn ended(is_wanted: impl Fn(&SpanData) -> bool) -> Vec<SpanData> {
        let Some(exporter) = EXPORTER.get() else { return Vec::new() };
        lock(&exporter.ended).iter().filter(|span| is_wanted(span)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanBuilder, Tracer};

    use super::*;

    /// An exporter to a daemon, with its tracer and the daemon's socket.
    fn exporter() -> (Exporter, opentelemetry_sdk::trace::SdkTracer, UdpSocket) {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        daemon.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(daemon.local_addr().unwrap()).unwrap();
        let ended: Arc<Mutex<Vec<SpanData>>> = Arc::default();
        let provider = SdkTracerProvider::builder().with_span_processor(Ended(Arc::clone(&ended))).build();
        let tracer = provider.tracer("test");
        let resource = (&Resource::builder_empty().with_service_name("send-email").build()).into();
        let output = Output::Daemon(socket);
        (Exporter { function: "send-email", ended, resource, output, _provider: provider }, tracer, daemon)
    }

    fn received(daemon: &UdpSocket) -> ExportTraceServiceRequest {
        let mut datagram = vec![0; 1 << 16];
        let length = daemon.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        let spans = text.strip_prefix("{\"format\":\"json\",\"version\":1}\nT1S").unwrap();
        ExportTraceServiceRequest::decode(BASE64.decode(spans).unwrap().as_slice()).unwrap()
    }

    #[test]
    fn the_daemon_receives_all_spans_in_datagrams_that_fit() {
        let (exporter, tracer, daemon) = exporter();
        let text = "x".repeat(120);
        for index in 0..600 {
            let attribute = KeyValue::new("text", Attribute::name(&text).unwrap());
            let builder = SpanBuilder::from_name(format!("span {index}")).with_attributes([attribute]);
            drop(tracer.build(builder));
        }
        exporter.send(std::mem::take(&mut *lock(&exporter.ended)));
        let mut names = Vec::new();
        let mut datagrams = 0;
        while names.len() < 600 {
            let request = received(&daemon);
            datagrams += 1;
            let [group] = request.resource_spans.as_slice() else { panic!("{request:?}") };
            assert_eq!(group.resource.as_ref().unwrap().attributes[0].key, "service.name");
            names.extend(group.scope_spans[0].spans.iter().map(|span| span.name.clone()));
        }
        assert!(datagrams > 1);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 600);
    }

    /// A daemon that is not there, or a span that is too large, loses spans and fails nothing.
    #[test]
    fn a_lost_datagram_fails_nothing() {
        let (exporter, tracer, daemon) = exporter();
        let large = (0..1000).map(|_| KeyValue::new("text", "x".repeat(100)));
        drop(tracer.build(SpanBuilder::from_name("large").with_attributes(large)));
        drop(tracer.build(SpanBuilder::from_name("small")));
        drop(daemon);
        exporter.send(std::mem::take(&mut *lock(&exporter.ended)));
        drop(tracer.build(SpanBuilder::from_name("later")));
        exporter.send(std::mem::take(&mut *lock(&exporter.ended)));
    }

    #[test]
    fn ended_spans_are_bounded() {
        let (exporter, tracer, _daemon) = exporter();
        for _ in 0..MAX_SPANS + 10 {
            drop(tracer.build(SpanBuilder::from_name("span")));
        }
        assert_eq!(lock(&exporter.ended).len(), MAX_SPANS);
    }
}
