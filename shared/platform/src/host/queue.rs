//! The host for functions that consume an SQS queue in batches.
//!
//! The records of a batch are handled concurrently and independently. The events that the handler returns are
//! published before the record counts as handled. For a record that failed, the visibility timeout is
//! extended with exponential backoff. A record that can never succeed, cannot be parsed or has exhausted its
//! attempts is sent to the DLQ with the reason. The response reports the records that have to be redelivered
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::{EventPayload, Fact};
use futures::FutureExt;
use futures::future::join_all;
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use super::disposition::{Disposition, redelivery_delay};
use super::invocation;
use super::payload::Payload;
use super::record::{DEADLINE_MARGIN, Delivery, RecordOutcome, panic_error, run_isolated};
use crate::clock::{Clock, SystemClock};
use crate::failure::Failure;
use crate::handler::{Labels, MessageHandler};
use crate::publisher::Publisher;
use crate::queue::{DeadLetters, Visibility};
use crate::redact::redact_values;
use crate::retry::RetryPolicy;
use crate::trace::{self, Attribute, SpanKind};

/// One message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message id, which identifies the message in the response.
    pub id: String,
    /// Identifies this delivery of the message to the queue.
    pub receipt_handle: String,
    /// The body as it was sent.
    pub body: String,
    /// The number of deliveries including this one, at least 1.
    pub attempt: u32,
    /// Whether an operator sent it from the DLQ to the queue again.
    pub is_redrive: bool,
}

/// The message attribute of a message that was redriven from a DLQ.
pub const REDRIVE_ATTRIBUTE: &str = "redrive";

/// Runs the handler `H` on the batches of a queue.
pub struct QueueHost<H, F: EventPayload = Fact> {
    /// The name of the function.
    pub function: &'static str,
    /// The handler of the messages.
    pub handler: H,
    /// Publishes the events that the handler returns.
    pub publisher: Arc<dyn Publisher<F>>,
    /// The source queue.
    pub visibility: Arc<dyn Visibility>,
    /// The DLQ for messages that cannot be handled.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The number of attempts and the delays between them.
    pub retry: RetryPolicy,
    /// The source of time and randomness.
    pub clock: Arc<dyn Clock>,
}

/// Consumes a queue until Lambda ends the process: `queue` is the source queue, and sends to its DLQ.
///
/// # Errors
/// When an environment variable is missing or the Lambda runtime fails.
pub async fn run<F: EventPayload, H: MessageHandler<F>>(
    function: &'static str,
    queue: impl Visibility + DeadLetters + 'static,
    publisher: impl Publisher<F> + 'static,
    handler: H,
) -> Result<(), super::Error> {
    let queue = Arc::new(queue);
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
        let span = invocation::start("pubsub", &event.context);
        let response = async {
            let batch = messages(event.payload.0)?;
            let failures = host.handle_batch(batch, time, &event.context.request_id).await;
            Ok::<_, super::Error>(batch_response(failures))
        };
        invocation::run(span, response).await
    }))
    .await
}

/// The timeout if the runtime gives no deadline, or one that has passed, like `cargo lambda watch`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The time that handlers may take, which leaves [`DEADLINE_MARGIN`] for the response.
pub(super) fn time_left(context: &Context, clock: &dyn Clock) -> Duration {
    let now = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
    let left = context.deadline.checked_sub(now).filter(|left| *left > 0);
    left.map_or(DEFAULT_TIMEOUT, Duration::from_millis).saturating_sub(DEADLINE_MARGIN)
}

/// The messages of a batch. Records of another source are an error: a response without failures would tell
/// that source that all of them were handled.
fn messages(event: SqsEvent) -> anyhow::Result<Vec<Message>> {
    let sources = event.records.iter().map(|record| record.event_source.as_deref());
    ensure!(
        sources.into_iter().all(|source| source == Some("aws:sqs")),
        "this function accepts SQS records only: invoke it with a batch like those in events/*.json"
    );
    Ok(event.records.into_iter().map(Message::from).collect())
}

fn batch_response(failures: Vec<String>) -> SqsBatchResponse {
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
            is_redrive: message.message_attributes.contains_key(REDRIVE_ATTRIBUTE),
        }
    }
}

impl<F: EventPayload, H: MessageHandler<F>> QueueHost<H, F> {
    /// Handles a batch in at most `time`, and returns the ids of the messages that have to be redelivered.
    pub async fn handle_batch(&self, batch: Vec<Message>, time: Duration, request_id: &str) -> Vec<String> {
        let records = batch.into_iter().map(|message| async move {
            let body = serde_json::from_str::<Value>(&message.body);
            let one = async {
                let labels = self.handler.labels(body.as_ref().unwrap_or(&Value::Null));
                let log = labels.span(message.attempt, request_id);
                let span = trace::span(SpanKind::Consumer, "process")
                    .with("messaging.system", "aws_sqs")
                    .with("messaging.operation.type", "process")
                    .with("messaging.destination.name", self.function)
                    .with_some("messaging.message.id", Attribute::name(&message.id));
                let span = labels.trace(span, message.attempt, message.is_redrive, self.clock.now()).start();
                span.record_ids(&log);
                span.around(self.handle_record(&message, body, labels, time, &span).instrument(log)).await
            };
            // `run_isolated` catches the panics of the handler; this catches those outside of it.
            let done = AssertUnwindSafe(one).catch_unwind().await.unwrap_or_else(|panic| {
                tracing::error!(error = %panic_error(panic.as_ref()), message_id = message.id, "a record failed");
                false
            });
            (!done).then_some(message.id)
        });
        join_all(records).await.into_iter().flatten().collect()
    }

    /// Handles one message. Returns `false` if it has to be redelivered.
    async fn handle_record(
        &self,
        message: &Message,
        body: Result<Value, serde_json::Error>,
        labels: Labels,
        time: Duration,
        span: &trace::Span,
    ) -> bool {
        let start = self.clock.elapsed();
        let handled = match body {
            Ok(body) => run_isolated(self.clock.as_ref(), time, self.handle(body, time)).await,
            Err(error) => {
                let error = redact_values(&error.to_string());
                Err(Failure::poison(format!("the message is not JSON: {error}")))
            }
        };
        let (published, failure) = match handled {
            Ok(published) => (published, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let age = labels.age(self.clock.now());
        let delivery = Delivery {
            function: self.function,
            attempt: message.attempt,
            max_attempts: self.retry.max_attempts,
            correlation_id: labels.correlation_id,
        };
        let (disposition, is_dead_letter) = delivery
            .dispose(failure.as_ref(), self.dead_letters.as_ref(), self.clock.as_ref(), || {
                message.body.clone()
            })
            .await;
        let retry_in = match disposition {
            Disposition::Redeliver(failure) => self.delay(message, failure).await,
            Disposition::Acknowledge | Disposition::DeadLetter { .. } => None,
        };
        let duration = self.clock.elapsed().saturating_sub(start);
        RecordOutcome { published, failure: failure.as_ref(), retry_in, is_dead_letter, duration, age }
            .write(span);
        matches!(disposition, Disposition::Acknowledge)
    }

    async fn handle(&self, body: Value, time: Duration) -> Result<Vec<&'static str>, Failure> {
        let caused = self.handler.handle_message(body, time).await?;
        self.publisher.publish(&caused).await?;
        Ok(caused.iter().map(|event| event.fact.name()).collect())
    }

    /// Delays the next delivery of a message. Returns the delay; `None` if it is that of the queue.
    async fn delay(&self, message: &Message, failure: &Failure) -> Option<Duration> {
        let (jitter, now) = (self.clock.random(), self.clock.now());
        let wait = redelivery_delay(failure, message.attempt, &self.retry, jitter, now);
        match self.visibility.extend_visibility_timeout(&message.receipt_handle, wait).await {
            Ok(()) => Some(wait),
            Err(error) => {
                tracing::warn!(
                    error = %format!("{error:#}"),
                    "the visibility timeout could not be extended: the message is redelivered after the queue's own"
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::memory::ManualClock;

    #[test]
    fn only_sqs_records_are_messages() {
        let event = |json: &str| messages(serde_json::from_str(json).unwrap());
        let batch = event(r#"{"Records": [{"messageId": "m", "eventSource": "aws:sqs"}]}"#).unwrap();
        assert_eq!((batch.len(), batch[0].id.as_str(), batch[0].attempt), (1, "m", 1));
        assert!(event(r#"{"Records": []}"#).unwrap().is_empty());
        let s3 = r#"{"Records": [{"eventSource": "aws:sqs"}, {"eventSource": "aws:s3", "s3": {}}]}"#;
        assert!(event(s3).unwrap_err().to_string().contains("SQS"));
        assert!(event(r#"{"Records": [{"body": "{}"}]}"#).is_err());
    }

    #[test]
    fn handlers_stop_before_the_deadline_and_ignore_one_that_has_passed() {
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
        let mut context = Context::default();
        context.deadline = 60_000;
        let at = |millisecond| ManualClock::new(jiff::Timestamp::from_millisecond(millisecond).unwrap());
        assert_eq!(time_left(&context, &at(60_000)), DEFAULT_TIMEOUT - DEADLINE_MARGIN, "it has passed");
        assert_eq!(time_left(&context, &at(58_000)), Duration::from_millis(500));
    }

    #[test]
    fn the_response_names_the_failed_messages() {
        let response = batch_response(vec!["a".to_owned(), "b".to_owned()]);
        let failures = serde_json::json!([{ "itemIdentifier": "a" }, { "itemIdentifier": "b" }]);
        assert_eq!(
            serde_json::to_value(response).unwrap(),
            serde_json::json!({ "batchItemFailures": failures })
        );
    }
}
