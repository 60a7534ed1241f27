//! The host for scheduled functions.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;
use tracing::field::Empty;

use super::invocation;
use super::payload::Payload;
use super::record::panic_error;
use crate::clock::{Clock, SystemClock};

/// A job that runs on a schedule.
#[async_trait]
pub trait Job: Send + Sync {
    /// Runs the job once. `input` comes from the schedule, or from an operator who invokes the function
    /// manually. The result is logged and returned to the invoker. Running a job at any time, any number of
    /// times, must be safe.
    async fn run(&self, input: Value) -> anyhow::Result<Value>;
}

/// Runs the job on each invocation until Lambda ends the process.
///
/// # Errors
/// When the Lambda runtime fails.
pub async fn run(job: impl Job) -> Result<(), super::Error> {
    let job = &job;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload<Value>>| async move {
        let span = tracing::error_span!(
            "run",
            request_id = event.context.request_id,
            event_type = "schedule",
            attempt = 1,
            trace_id = Empty,
            span_id = Empty
        );
        let invocation = invocation::start("timer", &event.context);
        invocation.record_ids(&span);
        let outcome = invocation.clone();
        let start = SystemClock.elapsed();
        let work = async move {
            let result = AssertUnwindSafe(job.run(event.payload.0)).catch_unwind().await;
            let result = result.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
            let duration_ms = u64::try_from(SystemClock.elapsed().saturating_sub(start).as_millis()).unwrap_or(u64::MAX);
            match &result {
                Ok(report) => {
                    tracing::info!(outcome = "ok", %report, duration_ms, "handled");
                }
                Err(error) => {
                    outcome.fail("retry");
                    tracing::error!(outcome = "retry", reason = %format!("{error:#}"), duration_ms, "handled");
                }
            }
            result.map_err(|error| super::Error::from(format!("{error:#}")))
        };
        invocation::run(invocation, work.instrument(span)).await
    }))
    .await
}
