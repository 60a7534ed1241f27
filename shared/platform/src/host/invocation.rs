//! The span of an invocation.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use lambda_runtime::Context;
use tracing::Instrument;
use tracing::field::Empty;

use super::record::panic_error;
use crate::clock::{Clock, SystemClock};
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

/// Handles an invocation that is one unit of work: `work` in a span of its own, with a panic as an error. `log` gets the
/// span of the invocation, the result, and how long the work took in milliseconds.
pub(super) async fn handle<T>(
    trigger: &'static str,
    event_type: &'static str,
    context: &Context,
    work: impl Future<Output = anyhow::Result<T>>,
    log: impl FnOnce(&Span, &anyhow::Result<T>, u64),
) -> anyhow::Result<T> {
    let fields = tracing::error_span!(
        "invocation",
        request_id = context.request_id,
        event_type,
        attempt = 1,
        trace_id = Empty,
        span_id = Empty
    );
    let span = start(trigger, context);
    span.record_ids(&fields);
    let started = SystemClock.elapsed();
    let outcome = span.clone();
    let work = async move {
        let result = AssertUnwindSafe(work).catch_unwind().await;
        let result = result.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
        let duration = SystemClock.elapsed().saturating_sub(started);
        log(&outcome, &result, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        result
    };
    run(span, work.instrument(fields)).await
}
