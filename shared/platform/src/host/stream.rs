//! The host for functions that a DynamoDB stream calls.
//!
//! A stream keeps the order of what happened to one item, so records are handled one after the other, and the
//! first that fails is reported: it and all behind it come again
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>). A record that never
//! will work is put away and passed over, or it would hold up all behind it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lambda_events::event::dynamodb::{Event as DynamoDbEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use super::queue::time_left;
use super::payload::Payload;
use super::record::{DeadLetter, DeadLetters, RecordOutcome, Labels, run_isolated, panic_error, parse_event};
use crate::aws::Aws;
use crate::clock::{Clock, SystemClock};
use crate::handler::{EventHandler, Failure};

/// What happened to one item of a table, as its stream tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Names it in the answer.
    pub sequence_number: String,
    /// The item's key.
    pub keys: Value,
    /// The item as it was after that; `None` when it was deleted.
    pub new_image: Option<Value>,
}

/// Handles one change of a table.
#[async_trait]
pub trait ChangeHandler: Send + Sync {
    /// What the log says of a change, whether it is understood or not.
    fn labels(&self, change: &Change) -> Labels;

    /// What is put away of a change that cannot be handled: all that is needed to see to it later.
    fn dead_letter_body(&self, change: &Change) -> String;

    /// Takes one change, and gives back the types of the events that it has published. It has to be safe to handle the
    /// same change any number of times.
    async fn handle_change(&self, change: &Change) -> Result<Vec<&'static str>, Failure>;
}

/// What handles events handles the rows of an outbox: each has an attribute `event`, which is one as JSON text. The
/// handler publishes and removes the row itself, so what it gives back is not looked at.
#[async_trait]
impl<H: EventHandler> ChangeHandler for H {
    fn labels(&self, change: &Change) -> Labels {
        Labels::from_event(&serde_json::from_str(outbox_event(change)).unwrap_or_default())
    }

    fn dead_letter_body(&self, change: &Change) -> String {
        outbox_event(change).to_owned()
    }

    async fn handle_change(&self, change: &Change) -> Result<Vec<&'static str>, Failure> {
        let event = serde_json::from_str(outbox_event(change))
            .map_err(|error| Failure::poison(format!("the row holds no event: {error}")))?;
        let event = parse_event(event)?;
        self.handle(&event).await?;
        Ok(vec![event.fact.name()])
    }
}

fn outbox_event(change: &Change) -> &str {
    let event = change.new_image.as_ref().and_then(|image| image.get("event"));
    event.and_then(Value::as_str).unwrap_or_default()
}

/// Runs `H` on the changes of a table.
pub struct StreamHost<H> {
    /// The name of the function.
    pub function: &'static str,
    /// What is run.
    pub handler: H,
    /// Where those changes go that cannot be handled.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Serves the stream until Lambda ends the process.
///
/// # Errors
/// When the environment is incomplete, or the Lambda runtime fails.
pub async fn run<H: ChangeHandler>(
    function: &'static str,
    aws: &Aws,
    handler: H,
) -> Result<(), super::Error> {
    let dead_letters = Arc::new(aws.dead_letter_queue()?);
    let host = StreamHost { function, handler, dead_letters, clock: Arc::new(SystemClock) };
    let host = &host;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload<DynamoDbEvent>>| async move {
        let time = time_left(&event.context, host.clock.as_ref());
        let changes = event.payload.0.records.into_iter().map(Change::from).collect();
        let failed = host.handle_batch(changes, time, &event.context.request_id).await;
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
    /// Handles changes in their order in at most `time`, and gives back the first that is to come again, if any.
    pub async fn handle_batch(&self, changes: Vec<Change>, time: Duration, request_id: &str) -> Option<String> {
        let start = self.clock.elapsed();
        for change in changes {
            let left = time.saturating_sub(self.clock.elapsed().saturating_sub(start));
            let one = async {
                let labels = self.handler.labels(&change);
                let span = labels.span(1, request_id);
                self.change(&change, &labels, left).instrument(span).await
            };
            // A handler's panic ends in `run_isolated`; this is for one beside the handler.
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

    /// Handles one change. True when it is done, false when it is to come again.
    async fn change(&self, change: &Change, labels: &Labels, time: Duration) -> bool {
        let start = self.clock.elapsed();
        let handled = run_isolated(self.clock.as_ref(), time, self.handler.handle_change(change)).await;
        let is_dead_letter = match &handled {
            Err(failure @ (Failure::Reject(_) | Failure::Poison(_))) => {
                self.bury(change, labels, failure).await
            }
            _ => false,
        };
        let done = handled.is_ok() || is_dead_letter;
        let (published, failure) = match &handled {
            Ok(names) => (names.clone(), None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let duration = self.clock.elapsed().saturating_sub(start);
        RecordOutcome { published, failure, retry_in: None, is_dead_letter, duration }.log();
        done
    }

    async fn bury(&self, change: &Change, labels: &Labels, failure: &Failure) -> bool {
        let letter = DeadLetter {
            body: self.handler.dead_letter_body(change),
            error: failure.to_string(),
            kind: failure.kind(),
            function: self.function,
            attempt: 1,
            correlation_id: labels.correlation_id.clone(),
            failed_at: self.clock.now(),
        };
        match self.dead_letters.send_to_dlq(&letter).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "the dead letter could not be put away");
                false
            }
        }
    }
}
