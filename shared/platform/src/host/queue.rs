//! The host for functions that a queue calls: SQS → Lambda, in batches.
//!
//! Each record is handled on its own, all of a batch at the same time. What its handler gives back is published
//! before the record counts as done. A record that failed is put off, each time for longer, by its visibility;
//! one that never will work, is not understood or was tried too often is moved to the dead-letter queue with the
//! reason. The answer names the records that are to come again
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{Fact, Facts};
use futures::FutureExt;
use futures::future::join_all;
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use super::payload::Payload;
use super::record::{DeadLetter, DeadLetters, RecordOutcome, Labels, DEADLINE_MARGIN, run_isolated, panic_error};
use crate::aws::Aws;
use crate::clock::{Clock, SystemClock};
use crate::handler::{Failure, MessageHandler};
use crate::publisher::Publisher;
use crate::retry::RetryPolicy;

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names it in the answer.
    pub id: String,
    /// Names this delivery of it to the queue.
    pub receipt_handle: String,
    /// What was sent.
    pub body: String,
    /// How often it has been delivered, with this time: 1 for the first.
    pub attempt: u32,
}

/// The queue that a batch came from.
#[async_trait]
pub trait Visibility: Send + Sync {
    /// Keeps a message from being delivered again for `wait`.
    async fn extend_visibility_timeout(&self, receipt: &str, wait: Duration) -> anyhow::Result<()>;
}

/// Runs `H` on the batches of a queue.
pub struct QueueHost<H, F: Facts = Fact> {
    /// The name of the function.
    pub function: &'static str,
    /// What is run.
    pub handler: H,
    /// Where its events go.
    pub publisher: Arc<dyn Publisher<F>>,
    /// Where its messages come from.
    pub visibility: Arc<dyn Visibility>,
    /// Where those go that cannot be handled.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
}

/// Serves the queue in `QUEUE_URL` until Lambda ends the process.
///
/// # Errors
/// When the environment is incomplete, or the Lambda runtime fails.
pub async fn run<F: Facts, H: MessageHandler<F>>(
    function: &'static str,
    aws: &Aws,
    publisher: impl Publisher<F> + 'static,
    handler: H,
) -> Result<(), super::Error> {
    let queue = Arc::new(aws.queue()?);
    let host = QueueHost {
        function,
        handler,
        publisher: Arc::new(publisher),
        visibility: Arc::clone(&queue) as Arc<dyn Visibility>,
        dead_letters: queue,
        retry: RetryPolicy::from_env()?,
        clock: Arc::new(SystemClock),
    };
    let host = &host;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload<SqsEvent>>| async move {
        let time = time_left(&event.context, host.clock.as_ref());
        let batch = messages(event.payload.0)?;
        let failures = host.handle_batch(batch, time, &event.context.request_id).await;
        Ok::<_, super::Error>(answer(failures))
    }))
    .await
}

/// Where a runtime tells no deadline, or one that has passed, as `cargo lambda watch` does.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long handlers may run, so that there is time left to answer.
pub(super) fn time_left(context: &Context, clock: &dyn Clock) -> Duration {
    let now = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
    let left = context.deadline.checked_sub(now).filter(|left| *left > 0);
    left.map_or(DEFAULT_TIMEOUT, Duration::from_millis).saturating_sub(DEADLINE_MARGIN)
}

/// The messages of a batch. Records of another source are no messages: an answer that names none of them would tell
/// that source that all is done.
fn messages(event: SqsEvent) -> anyhow::Result<Vec<Message>> {
    let sources = event.records.iter().map(|record| record.event_source.as_deref());
    ensure!(
        sources.into_iter().all(|source| source == Some("aws:sqs")),
        "this function takes records of SQS alone: invoke it with a batch as events/*.json has them"
    );
    Ok(event.records.into_iter().map(Message::from).collect())
}

fn answer(failures: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures
        .into_iter()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    response
}

impl From<SqsMessage> for Message {
    fn from(message: SqsMessage) -> Self {
        let attempt = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        Self {
            id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attempt: attempt.unwrap_or(1),
        }
    }
}

impl<F: Facts, H: MessageHandler<F>> QueueHost<H, F> {
    /// Handles a batch in at most `time`, and gives back the ids of the messages that are to come again.
    pub async fn handle_batch(&self, batch: Vec<Message>, time: Duration, request_id: &str) -> Vec<String> {
        let records = batch.into_iter().map(|message| async move {
            let body = serde_json::from_str::<Value>(&message.body);
            let one = async {
                let labels = self.handler.labels(body.as_ref().unwrap_or(&Value::Null));
                let span = labels.span(message.attempt, request_id);
                self.record(&message, body, labels, time).instrument(span).await
            };
            // A handler's panic ends in `run_isolated`; this is for one beside the handler.
            let done = AssertUnwindSafe(one).catch_unwind().await.unwrap_or_else(|panic| {
                tracing::error!(error = %panic_error(panic.as_ref()), message_id = message.id, "a record failed");
                false
            });
            (!done).then_some(message.id)
        });
        join_all(records).await.into_iter().flatten().collect()
    }

    /// Handles one message. True when it is done, false when it is to come again.
    async fn record(
        &self,
        message: &Message,
        body: Result<Value, serde_json::Error>,
        labels: Labels,
        time: Duration,
    ) -> bool {
        let start = self.clock.elapsed();
        let handled = match body {
            Ok(body) => run_isolated(self.clock.as_ref(), time, self.handle(body, time)).await,
            Err(error) => Err(Failure::poison(format!(
                "the message is no JSON: {}",
                crate::telemetry::redact_values(&error.to_string())
            ))),
        };
        let (published, failure) = match handled {
            Ok(published) => (published, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let (retry_in, is_dead_letter) = match &failure {
            None => (None, false),
            Some(failure) => self.set_aside(message, &labels, failure).await,
        };
        let failed = failure.is_some();
        let duration = self.clock.elapsed().saturating_sub(start);
        RecordOutcome { published, failure: failure.as_ref(), retry_in, is_dead_letter, duration }.log();
        !failed || is_dead_letter
    }

    async fn handle(&self, body: Value, time: Duration) -> Result<Vec<&'static str>, Failure> {
        let caused = self.handler.handle_message(body, time).await?;
        self.publisher.publish(&caused).await?;
        Ok(caused.iter().map(|event| event.fact.name()).collect())
    }

    /// Puts a failed message off or away: gives back how long it waits, or that it is a dead letter.
    async fn set_aside(
        &self,
        message: &Message,
        labels: &Labels,
        failure: &Failure,
    ) -> (Option<Duration>, bool) {
        let kind = match failure {
            Failure::Retry(_) | Failure::Leased { .. } if message.attempt < self.retry.max_attempts => None,
            Failure::Retry(_) | Failure::Leased { .. } => Some("exhausted"),
            Failure::Reject(_) | Failure::Poison(_) => Some(failure.kind()),
        };
        if let Some(kind) = kind {
            let letter = DeadLetter {
                body: message.body.clone(),
                error: failure.to_string(),
                kind,
                function: self.function,
                attempt: message.attempt,
                correlation_id: labels.correlation_id.clone(),
                failed_at: self.clock.now(),
            };
            match self.dead_letters.send_to_dlq(&letter).await {
                Ok(()) => return (None, true),
                // The queue's own redrive policy takes it there in the end, without the reason.
                Err(error) => {
                    tracing::error!(error = %format!("{error:#}"), "the dead letter could not be put away");
                }
            }
        }
        let mut wait = self.retry.backoff(message.attempt, self.clock.random());
        if let Failure::Leased { until } = failure {
            let left = until.duration_since(self.clock.now());
            wait = wait.max(Duration::try_from(left).unwrap_or_default());
        }
        match self.visibility.extend_visibility_timeout(&message.receipt_handle, wait).await {
            Ok(()) => (Some(wait), false),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "the message could not be put off: it comes again by the queue's own visibility timeout");
                (None, false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn only_records_of_a_queue_are_messages() {
        let event = |json: &str| messages(serde_json::from_str(json).unwrap());
        let batch = event(r#"{"Records": [{"messageId": "m", "eventSource": "aws:sqs"}]}"#).unwrap();
        assert_eq!((batch.len(), batch[0].id.as_str(), batch[0].attempt), (1, "m", 1));
        assert!(event(r#"{"Records": []}"#).unwrap().is_empty());
        let s3 = r#"{"Records": [{"eventSource": "aws:sqs"}, {"eventSource": "aws:s3", "s3": {}}]}"#;
        assert!(event(s3).unwrap_err().to_string().contains("SQS"));
        assert!(event(r#"{"Records": [{"body": "{}"}]}"#).is_err());
    }

    #[test]
    fn handlers_stop_in_time_to_answer_and_do_not_trust_a_deadline_that_has_passed() {
        let now = SystemClock.now();
        let left = |deadline: jiff::Timestamp| {
            let mut context = Context::default();
            context.deadline = u64::try_from(deadline.as_millisecond()).unwrap();
            time_left(&context, &SystemClock)
        };
        let ten = left(now + SignedDuration::from_secs(10));
        assert!(ten <= Duration::from_millis(8500) && ten > Duration::from_secs(5), "{ten:?}");
        assert_eq!(left(now + SignedDuration::from_secs(1)), Duration::ZERO);
        assert_eq!(left(now - SignedDuration::from_secs(60)), DEFAULT_TIMEOUT - DEADLINE_MARGIN);
        assert_eq!(time_left(&Context::default(), &SystemClock), DEFAULT_TIMEOUT - DEADLINE_MARGIN);
    }
}
