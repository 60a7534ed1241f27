//! Distributed tracing: the spans of a function, in OpenTelemetry's data model.
//!
//! A span is started with [`span`], and is the parent of those that are started while [`Span::around`] runs. Its
//! context travels to other functions as the `traceparent` of W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>), in events and in requests. Without an exporter ([`init`]) no span is
//! started, and a context that was received is propagated unchanged.
//!
//! Attributes cannot contain personal data: an [`Attribute`] is a constant of the code, a number, an id or a name of the
//! infrastructure.
//!
//! Only this module names OpenTelemetry's crates. Why its SDK, and what it costs: docs/decisions/0026-tracing.md.

mod attribute;
mod context;
mod export;

use std::borrow::Cow;
use std::sync::OnceLock;

use opentelemetry::trace::{FutureExt as _, Link, SpanBuilder, SpanContext, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

pub use attribute::{Attribute, method_name};
pub(crate) use context::from_xray;
pub use context::{is_traceparent, traceparent};
pub(crate) use export::is_sent_to_xray;
#[cfg(feature = "test-support")]
pub use export::memory;
pub use export::{export, function_name, init};
pub use opentelemetry::trace::SpanKind;

/// The tracer of this process; none if nothing exports its spans.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// A span that has not started.
#[must_use = "it has not started"]
pub struct NewSpan {
    name: Cow<'static, str>,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    links: Vec<Link>,
    parent: Parent,
}

enum Parent {
    /// The span around this one.
    Current,
    /// A span of another process.
    Remote(SpanContext),
    /// None: the span starts a trace.
    Root,
}

/// A span of this kind, whose name is the same for all spans of the same operation, such as `POST /orders`. Its parent
/// is the current span.
pub fn span(kind: SpanKind, name: impl Into<Cow<'static, str>>) -> NewSpan {
    let (attributes, links, parent) = (Vec::new(), Vec::new(), Parent::Current);
    NewSpan { name: name.into(), kind, attributes, links, parent }
}

impl NewSpan {
    /// Adds an attribute, named as in OpenTelemetry's semantic conventions where they have a name
    /// (<https://opentelemetry.io/docs/specs/semconv/>).
    pub fn with(mut self, name: &'static str, value: impl Into<Attribute>) -> Self {
        self.attributes.push(KeyValue::new(name, value.into()));
        self
    }

    /// Adds an attribute if there is a value.
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Attribute>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Makes the span a child of the one that `traceparent` names, or the start of a trace if there is none. A
    /// malformed value counts as none.
    pub fn child_of(mut self, traceparent: Option<&str>) -> Self {
        self.parent = traceparent.and_then(context::parse).map_or(Parent::Root, Parent::Remote);
        self
    }

    /// Makes the span the start of a trace, with a link to the span that `traceparent` names.
    pub fn root_after(mut self, traceparent: Option<&str>) -> Self {
        self.parent = Parent::Root;
        self.link(traceparent.and_then(context::parse))
    }

    /// Links the span to the current one, of which it is no child.
    pub fn linked_to_current(self) -> Self {
        let current = Context::map_current(|context| context.span().span_context().clone());
        self.link(Some(current))
    }

    /// Links the span to the one that `traceparent` names, unless it belongs to the current trace.
    pub fn linked_to_other(self, traceparent: Option<&str>) -> Self {
        let current = Context::map_current(|context| context.span().span_context().trace_id());
        self.link(traceparent.and_then(context::parse).filter(|other| other.trace_id() != current))
    }

    fn link(mut self, to: Option<SpanContext>) -> Self {
        self.links.extend(to.filter(SpanContext::is_valid).map(Link::with_context));
        self
    }

    /// Starts the span.
    pub fn start(self) -> Span {
        let Some(tracer) = TRACER.get() else { return Span(self.parent.into_context()) };
        let builder = SpanBuilder::from_name(self.name)
            .with_kind(self.kind)
            .with_attributes(self.attributes)
            .with_links(self.links);
        let parent = self.parent.into_context();
        let span = tracer.build_with_context(builder, &parent);
        Span(parent.with_span(span))
    }
}

impl Parent {
    fn into_context(self) -> Context {
        match self {
            Self::Current => Context::current(),
            Self::Remote(parent) => Context::new().with_remote_span_context(parent),
            Self::Root => Context::new(),
        }
    }
}

/// A span that has started. It ends when it is dropped.
#[derive(Debug, Clone)]
pub struct Span(Context);

impl Span {
    /// Runs `work` with this as the current span.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        work.with_context(self.0.clone()).await
    }

    /// Adds or replaces an attribute.
    pub fn set(&self, name: &'static str, value: impl Into<Attribute>) {
        self.0.span().set_attribute(KeyValue::new(name, value.into()));
    }

    /// Marks the span as failed. `kind` is one of a few words for the reason: the text of an error may quote personal
    /// data, and is in the log line that carries the id of this span.
    pub fn fail(&self, kind: &'static str) {
        self.set("error.type", kind);
        self.0.span().set_status(Status::error(""));
    }

    /// The `traceparent` for what this span causes. Without an exporter, the one that was received.
    pub fn traceparent(&self) -> Option<String> {
        context::format(self.0.span().span_context())
    }

    /// Records the ids of the trace and of this span in the fields `trace_id` and `span_id` of a span of the log.
    pub fn record_ids(&self, log: &tracing::Span) {
        let span = self.0.span();
        let context = span.span_context();
        if context.is_valid() {
            log.record("trace_id", tracing::field::display(context.trace_id()));
            log.record("span_id", tracing::field::display(context.span_id()));
        }
    }
}
