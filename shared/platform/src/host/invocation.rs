//! The span of an invocation.

use std::sync::atomic::{AtomicBool, Ordering};

use lambda_runtime::Context;

use crate::trace::{self, Attribute, NewSpan, Span, SpanKind};

/// Whether this process has been invoked before.
static IS_WARM: AtomicBool = AtomicBool::new(false);

/// Adds what the semantic conventions say of an invocation by `trigger`
/// (<https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/>).
pub(super) fn invoked(span: NewSpan, trigger: &'static str) -> NewSpan {
    let is_cold = !IS_WARM.swap(true, Ordering::Relaxed);
    span.with("faas.trigger", trigger).with("faas.coldstart", is_cold)
}

/// Starts the span of an invocation, the root of a trace: records have the spans as parents that caused them, and a link
/// to this one.
pub(super) fn start(trigger: &'static str, context: &Context) -> Span {
    let span = trace::span(SpanKind::Server, trace::function_name())
        .child_of(None)
        .with_some("faas.invocation_id", Attribute::name(&context.request_id));
    invoked(span, trigger).start()
}

/// Handles an invocation, and exports its spans once the response has been sent.
pub(super) async fn run<T>(span: Span, work: impl Future<Output = T>) -> T {
    let result = span.around(work).await;
    drop(span);
    trace::export();
    result
}
