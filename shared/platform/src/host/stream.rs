//! The host for functions that consume a DynamoDB stream.
//!
//! A stream preserves the order of the changes of an item, so records are handled sequentially. The first
//! record that fails is reported, and Lambda retries from there
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>). A record that
//! can never succeed is sent to the DLQ and skipped, because it would block all records behind it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lambda_events::event::dynamodb::{Event as DynamoDbEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use domain::Event;
use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use super::disposition::Disposition;
use super::invocation;
use super::payload::Payload;
use super::queue::time_left;
use super::record::{Delivery, RecordOutcome, panic_error, run_isolated};
use crate::clock::{Clock, SystemClock};
use crate::failure::Failure;
use crate::handler::{Labels, caused_here, parse_event};
use crate::queue::DeadLetters;
use crate::trace::{self, SpanKind};

/// A change of one item of a table, read from the stream of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Identifies the record in the response.
    pub sequence_number: String,
    /// The primary key of the item.
    pub keys: Value,
    /// The item after the change; `None` if it was deleted.
    pub new_image: Option<Value>,
}

/// Handles one change of a table.
#[async_trait]
pub trait ChangeHandler: Send + Sync {
    /// The log fields of a change, which may be one that cannot be parsed.
    fn labels(&self, change: &Change) -> Labels;

    /// The body of the dead-letter message for a change that cannot be handled. It contains all that is
    /// needed to handle the change later.
    fn dead_letter_body(&self, change: &Change) -> String;

    /// Handles one change and returns the types of the events that it has published. Handling the same change
    /// any number of times must be safe.
    async fn handle_change(&self, change: &Change) -> Result<Vec<&'static str>, Failure>;
}

/// Relays the event of an outbox row. This is no [`EventHandler`](crate::EventHandler), because a stream
/// publishes no events that a handler returns.
#[async_trait]
pub trait OutboxHandler: Send + Sync {
    /// Publishes the event and removes its row. Relaying the same event any number of times must be safe.
    async fn relay(&self, event: &Event) -> Result<(), Failure>;
}

/// An [`OutboxHandler`] handles the rows of an outbox, whose attribute `event` contains an event as JSON text.
#[async_trait]
impl<H: OutboxHandler> ChangeHandler for H {
    fn labels(&self, change: &Change) -> Labels {
        Labels::from_event(&serde_json::from_str(outbox_event(change)).unwrap_or_default())
    }

    fn dead_letter_body(&self, change: &Change) -> String {
        outbox_event(change).to_owned()
    }

    async fn handle_change(&self, change: &Change) -> Result<Vec<&'static str>, Failure> {
        let event = serde_json::from_str(outbox_event(change))
            .map_err(|error| Failure::poison(format!("the row contains no event: {error}")))?;
        let event = caused_here(parse_event(event)?);
        self.relay(&event).await?;
        Ok(vec![event.fact.name()])
    }
}

fn outbox_event(change: &Change) -> &str {
    let event = change.new_image.as_ref().and_then(|image| image.get("event"));
    event.and_then(Value::as_str).unwrap_or_default()
}

/// Runs the handler `H` on the changes of a table.
pub struct StreamHost<H> {
    /// The name of the function.
    pub function: &'static str,
    /// The handler of the changes.
    pub handler: H,
    /// The DLQ for changes that cannot be handled.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

/// Consumes the stream until Lambda ends the process. Changes that cannot be handled go to `dead_letters`.
///
/// # Errors
/// When an environment variable is missing or the Lambda runtime fails.
pub async fn run<H: ChangeHandler>(
    function: &'static str,
    dead_letters: impl DeadLetters + 'static,
    handler: H,
) -> Result<(), super::Error> {
    let dead_letters = Arc::new(dead_letters);
    let host = StreamHost { function, handler, dead_letters, clock: Arc::new(SystemClock) };
    let host = &host;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload<DynamoDbEvent>>| async move {
        let time = time_left(&event.context, host.clock.as_ref());
        let changes = event.payload.0.records.into_iter().map(Change::from).collect();
        let batch = host.handle_batch(changes, time, &event.context.request_id);
        let failed = invocation::run(invocation::start("datasource", &event.context), batch).await;
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures = failed
            .into_iter()
            .map(|sequence_number| {
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = Some(sequence_number);
                failure
            })
            .collect();
        Ok::<_, super::Error>(response)
    }))
    .await
}

impl From<EventRecord> for Change {
    fn from(record: EventRecord) -> Self {
        let change = record.change;
        let deleted = record.event_name == "REMOVE";
        Self {
            sequence_number: change.sequence_number.unwrap_or_default(),
            keys: serde_dynamo::from_item(change.keys).unwrap_or_default(),
            new_image: (!deleted).then(|| serde_dynamo::from_item(change.new_image).unwrap_or_default()),
        }
    }
}

impl<H: ChangeHandler> StreamHost<H> {
    /// Handles changes sequentially in at most `time`, and returns the sequence number of the first that has
    /// to be retried.
    pub async fn handle_batch(
        &self,
        changes: Vec<Change>,
        time: Duration,
        request_id: &str,
    ) -> Option<String> {
        let start = self.clock.elapsed();
        for change in changes {
            let left = time.saturating_sub(self.clock.elapsed().saturating_sub(start));
            let one = async {
                let labels = self.handler.labels(&change);
                let log = labels.span(1, request_id);
                let span = trace::span(SpanKind::Consumer, "process")
                    .with("messaging.system", "aws.dynamodb_streams")
                    .with("messaging.operation.type", "process")
                    .with("messaging.destination.name", self.function);
                let span = labels.trace(span, 1, false, self.clock.now()).start();
                span.record_ids(&log);
                span.around(self.handle_record(&change, labels, left, &span).instrument(log)).await
            };
            // `run_isolated` catches the panics of the handler; this catches those outside of it.
            let done = AssertUnwindSafe(one).catch_unwind().await.unwrap_or_else(|panic| {
                tracing::error!(error = %panic_error(panic.as_ref()), "a change failed");
                false
            });
            if !done {
                return Some(change.sequence_number);
            }
        }
        None
    }

    /// Handles one change. Returns `false` if it has to be retried.
    async fn handle_record(
        &self,
        change: &Change,
        labels: Labels,
        time: Duration,
        span: &trace::Span,
    ) -> bool {
        let start = self.clock.elapsed();
        let handled = run_isolated(self.clock.as_ref(), time, self.handler.handle_change(change)).await;
        let (published, failure) = match handled {
            Ok(published) => (published, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        // Lambda retries a change until the stream has deleted it.
        let max_attempts = u32::MAX;
        let age = labels.age(self.clock.now());
        let correlation_id = labels.correlation_id;
        let delivery = Delivery { function: self.function, attempt: 1, max_attempts, correlation_id };
        let body = || self.handler.dead_letter_body(change);
        let (disposition, is_dead_letter) =
            delivery.dispose(failure.as_ref(), self.dead_letters.as_ref(), self.clock.as_ref(), body).await;
        let duration = self.clock.elapsed().saturating_sub(start);
        RecordOutcome { published, failure: failure.as_ref(), retry_in: None, is_dead_letter, duration, age }
            .write(span);
        matches!(disposition, Disposition::Acknowledge)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_of_the_stream_is_a_change_of_an_item() {
        let mut event: Value =
            serde_json::from_str(include_str!("../../../../events/relay-outbox.json")).unwrap();
        let change = |event: &Value| {
            Change::from(serde_json::from_value::<EventRecord>(event["Records"][0].clone()).unwrap())
        };
        let inserted = change(&event);
        assert_eq!(inserted.sequence_number, "4421584500000000017450439091");
        assert_eq!(inserted.keys, json!({ "event_id": "ac7f7ed7-2fc0-540d-9ad2-bd1675767dbd" }));
        let image = inserted.new_image.as_ref().unwrap();
        assert_eq!(image["created_at"], "2026-11-23T10:15:30Z");
        assert_eq!(outbox_event(&inserted), image["event"].as_str().unwrap());
        event["Records"][0]["eventName"] = json!("REMOVE");
        assert_eq!(change(&event), Change { new_image: None, ..inserted });
    }
}
