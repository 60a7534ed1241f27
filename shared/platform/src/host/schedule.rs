//! The host for scheduled functions.

use async_trait::async_trait;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

use super::invocation;
use super::payload::Payload;
use crate::trace::Span;

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
        let work = job.run(event.payload.0);
        let log = |span: &Span, result: &anyhow::Result<Value>, duration_ms| match result {
            Ok(report) => tracing::info!(outcome = "ok", %report, duration_ms, "handled"),
            Err(error) => {
                span.fail("retry");
                tracing::error!(outcome = "retry", reason = %format!("{error:#}"), duration_ms, "handled");
            }
        };
        let result = invocation::handle("timer", "schedule", &event.context, work, log).await;
        result.map_err(|error| Diagnostic {
            error_type: "JobFailed".to_owned(),
            error_message: format!("{error:#}"),
        })
    }))
    .await
}
