//! Code shared by the hosts of queues and streams: running a handler so that neither a panic nor a timeout
//! affects other records, what follows from its outcome, and logging it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use super::disposition::Disposition;
use crate::clock::{Clock, timeout};
use crate::failure::{Failure, panic_message};
use crate::metrics::TARGET;
use crate::queue::{DeadLetter, DeadLetters};
use crate::trace;

/// The time between the cancellation of a handler and the function's deadline: it is needed to publish
/// events, extend visibility timeouts and respond.
pub const DEADLINE_MARGIN: Duration = Duration::from_millis(1500);

/// Runs a handler for at most `time` and catches its panic.
///
/// # Errors
/// The failure of the handler, or [`Failure::Retry`] if it panicked or timed out.
pub async fn run_isolated<T>(
    clock: &dyn Clock,
    time: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(clock, time, AssertUnwindSafe(work).catch_unwind()).await {
        Some(Ok(result)) => result,
        Some(Err(panic)) => Err(Failure::Retry(panic_error(panic.as_ref()))),
        None => Err(Failure::Retry(anyhow::anyhow!("the handler timed out after {} ms", time.as_millis()))),
    }
}

/// Converts a panic to an error.
pub(super) fn panic_error(panic: &(dyn Any + Send)) -> anyhow::Error {
    anyhow::anyhow!("the handler panicked: {}", panic_message(panic))
}

/// One delivery of a record, which has been handled.
pub(super) struct Delivery {
    /// The name of the function.
    pub function: &'static str,
    /// The number of deliveries including this one, at least 1.
    pub attempt: u32,
    /// The delivery after which the record is sent to the DLQ.
    pub max_attempts: u32,
    /// The correlation id, if the record has one.
    pub correlation_id: Option<String>,
}

impl Delivery {
    /// Decides on the record, and sends it to the DLQ if it is not handled again: with `body`, which contains
    /// all that is needed to handle it later. Returns the decision, and whether the record is in the DLQ.
    pub(super) async fn dispose<'f>(
        self,
        failure: Option<&'f Failure>,
        dead_letters: &dyn DeadLetters,
        clock: &dyn Clock,
        body: impl FnOnce() -> String,
    ) -> (Disposition<'f>, bool) {
        let disposition = Disposition::of(failure, self.attempt, self.max_attempts);
        let Disposition::DeadLetter { kind, failure } = disposition else { return (disposition, false) };
        let dead_letter = DeadLetter {
            body: body(),
            error: failure.to_string(),
            kind,
            function: self.function,
            attempt: self.attempt,
            correlation_id: self.correlation_id,
            failed_at: clock.now(),
        };
        let sent = dead_letters.send_to_dlq(&dead_letter).await;
        if let Err(error) = &sent {
            tracing::error!(error = %format!("{error:#}"), "the record could not be sent to the DLQ");
        }
        (Disposition::after_dead_letter(failure, sent.is_ok()), sent.is_ok())
    }
}

/// The outcome of a record, which is logged once per attempt.
#[derive(Debug)]
pub struct RecordOutcome<'a> {
    /// The types of the published events.
    pub published: Vec<&'static str>,
    /// Why the record was not handled; `None` on success.
    pub failure: Option<&'a Failure>,
    /// The delay until the record is redelivered, if it is known.
    pub retry_in: Option<Duration>,
    /// Whether the record was sent to the DLQ.
    pub is_dead_letter: bool,
    /// The duration of the attempt.
    pub duration: Duration,
    /// The time since the event happened, if it is known.
    pub age: Option<Duration>,
}

impl RecordOutcome<'_> {
    /// Writes the log line, and the outcome to the span of the record. Tools reconstruct the history of an order from these
    /// lines: see `docs/RUNBOOK.md`. They carry the metrics of the record, so they are written at every log level.
    pub fn write(&self, span: &trace::Span) {
        if let Some(failure) = self.failure {
            span.fail(failure.kind());
            span.set("messaging.dead_letter", self.is_dead_letter);
        }
        let duration_ms = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        let published = self.published.join(",");
        match self.failure {
            None => tracing::info!(
                target: TARGET,
                RecordsHandled = 1,
                RecordAgeSeconds = self.age.map(|age| age.as_secs_f64()),
                outcome = "ok",
                published,
                duration_ms,
                "handled"
            ),
            Some(failure) => tracing::warn!(
                target: TARGET,
                RecordsHandled = 1,
                RecordsFailed = 1,
                outcome = failure.kind(),
                reason = %failure,
                again_in_ms = self.retry_in.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                dead_letter = self.is_dead_letter,
                duration_ms,
                "handled"
            ),
        }
    }
}
