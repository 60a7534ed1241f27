//! The span of an invocation.

use std::sync::atomic::{AtomicBool, Ordering};

use lambda_runtime::Context;

use crate::trace::{self, Attribute, Span, SpanKind};

/// Whether this process has been invoked before.
static IS_WARM: AtomicBool = AtomicBool::new(false);

/// Starts the span of an invocation. It belongs to the trace that Lambda starts for each invocation if X-Ray is active, and
/// is the root of one otherwise: records have the spans as parents that caused them, and a link to this one. `trigger` is
/// what the semantic conventions call it (<https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/>).
pub(super) fn start(trigger: &'static str, context: &Context) -> Span {
    let lambda =
        context.xray_trace_id.as_deref().filter(|_| trace::is_sent_to_xray()).and_then(trace::from_xray);
    let is_cold = !IS_WARM.swap(true, Ordering::Relaxed);
    trace::span(SpanKind::Server, trace::function_name())
        .child_of(lambda.as_deref())
        .with_some("faas.invocation_id", Attribute::name(&context.request_id))
        .with("faas.trigger", trigger)
        .with("faas.coldstart", is_cold)
        .start()
}

/// Handles an invocation, and exports its spans.
pub(super) async fn run<T>(span: Span, work: impl Future<Output = T>) -> T {
    let result = span.around(work).await;
    drop(span);
    trace::export();
    result
}
