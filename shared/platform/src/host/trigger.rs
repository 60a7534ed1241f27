//! The host for functions that an AWS service invokes synchronously as part of its own processing, such as
//! Cognito during a sign-in. Events and results may contain personal data, so neither is logged.

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
use crate::redact::redact_values;

/// A handler of synchronous events.
#[async_trait]
pub trait Trigger: Send + Sync {
    /// Handles `event` and returns the result for the invoking service. Handling the same event any number of
    /// times must be safe.
    async fn handle(&self, event: Value) -> anyhow::Result<Value>;
}

/// Handles invocations until Lambda ends the process. `name` is the type of the events in the log.
///
/// # Errors
/// When the Lambda runtime fails.
pub async fn run(name: &'static str, trigger: impl Trigger) -> Result<(), super::Error> {
    let trigger = &trigger;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload<Value>>| async move {
        let span = tracing::error_span!(
            "trigger",
            request_id = event.context.request_id,
            event_type = name,
            attempt = 1,
            trace_id = Empty,
            span_id = Empty
        );
        let invocation = invocation::start("other", &event.context);
        invocation.record_ids(&span);
        let outcome = invocation.clone();
        let start = SystemClock.elapsed();
        let work = async move {
            let result = AssertUnwindSafe(trigger.handle(event.payload.0)).catch_unwind().await;
            let result = result.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
            let elapsed = SystemClock.elapsed().saturating_sub(start);
            let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            match &result {
                Ok(_) => tracing::info!(outcome = "ok", duration_ms, "handled"),
                Err(error) => {
                    outcome.fail("reject");
                    tracing::error!(
                        outcome = "reject",
                        reason = redact_values(&format!("{error:#}")),
                        duration_ms,
                        "handled"
                    );
                }
            }
            // The invoking service may show this message to a user.
            result.map_err(|_| {
                super::Error::from("the request could not be handled: see the log of the function")
            })
        };
        invocation::run(invocation, work.instrument(span)).await
    }))
    .await
}
