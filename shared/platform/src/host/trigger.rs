//! The host for functions that another service of AWS asks something in the middle of its own work, such as Cognito
//! during a sign-in. What is asked and answered may be personal, so neither gets into the log.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use super::payload::Payload;
use super::record::panic_error;
use crate::clock::{Clock, SystemClock};
use crate::telemetry::redact_values;

/// Answers a question.
#[async_trait]
pub trait Trigger: Send + Sync {
    /// Answers once. Safe to ask any number of times.
    async fn handle(&self, event: Value) -> anyhow::Result<Value>;
}

/// Serves whoever asks until Lambda ends the process. `name` says in the log what is asked.
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
            attempt = 1
        );
        let start = SystemClock.elapsed();
        async {
            let answer = AssertUnwindSafe(trigger.handle(event.payload.0)).catch_unwind().await;
            let answer = answer.unwrap_or_else(|panic| Err(panic_error(panic.as_ref())));
            let took = SystemClock.elapsed().saturating_sub(start);
            let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            match &answer {
                Ok(_) => tracing::info!(outcome = "ok", duration_ms, "handled"),
                Err(error) => {
                    tracing::error!(
                        outcome = "reject",
                        reason = redact_values(&format!("{error:#}")),
                        duration_ms,
                        "handled"
                    );
                }
            }
            // Whoever asked may show this to a person.
            answer.map_err(|_| super::Error::from("it could not be answered: see the log of the function"))
        }
        .instrument(span)
        .await
    }))
    .await
}
