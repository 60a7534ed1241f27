//! The host for functions that an AWS service invokes synchronously as part of its own processing, such as
//! Cognito during a sign-in. Events and results may contain personal data, so neither is logged.

use async_trait::async_trait;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

use super::invocation;
use super::payload::Payload;
use crate::redact::redact_values;
use crate::trace::Span;

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
        let work = trigger.handle(event.payload.0);
        let log = |span: &Span, result: &anyhow::Result<Value>, duration_ms| match result {
            Ok(_) => tracing::info!(outcome = "ok", duration_ms, "handled"),
            Err(error) => {
                span.fail("reject");
                let reason = redact_values(&format!("{error:#}"));
                tracing::error!(outcome = "reject", reason, duration_ms, "handled");
            }
        };
        let result = invocation::handle("other", name, &event.context, work, log).await;
        // The invoking service may show this message to a user.
        result.map_err(|_| Diagnostic {
            error_type: "TriggerFailed".to_owned(),
            error_message: "the request could not be handled: see the log of the function".to_owned(),
        })
    }))
    .await
}
