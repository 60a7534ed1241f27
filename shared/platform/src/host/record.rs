//! Code shared by the hosts of queues and streams: running a handler so that neither a panic nor a timeout
//! affects other records, and logging the outcome.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use crate::clock::{Clock, timeout};
use crate::failure::{Failure, panic_message};
use crate::metrics::TARGET;

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
    /// Writes the log line. Tools reconstruct the history of an order from these lines: see
    /// `docs/RUNBOOK.md`. It carries the metrics of the record, so it is written at every log level.
    pub fn log(&self) {
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
