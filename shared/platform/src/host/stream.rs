//! The host for functions that a DynamoDB stream calls.
//!
//! A stream keeps the order of what happened to one item, so records are handled one after the other, and the
//! first that fails is reported: it and all behind it come again
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>). A record that never
//! will work is put away and passed over, or it would hold up all behind it.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::{Event as DynamoDbEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::Instrument;

use super::queue::time_left;
use super::record::{DeadLetter, DeadLetters, Handled, Labels, isolated, read_event};
use crate::aws::Aws;
use crate::clock::{Clock, SystemClock};
use crate::handler::{EventHandler, Failure};

/// One new row of an outbox table, as its stream tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Names it in the answer.
    pub sequence_number: String,
    /// Its attribute `event`: the event as JSON text.
    pub event: String,
}

/// Runs `H` on the rows of an outbox.
pub struct StreamHost<H> {
    /// The name of the function.
    pub function: &'static str,
    /// What is run. It publishes and removes the row itself, so what it gives back is not looked at.
    pub handler: H,
    /// Where those rows go that cannot be handled.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Serves the stream until Lambda ends the process.
///
/// # Errors
/// When the environment is incomplete, or the Lambda runtime fails.
pub async fn run<H: EventHandler>(function: &'static str, aws: &Aws, handler: H) -> Result<(), super::Error> {
    let dead_letters = Arc::new(aws.dead_letters()?);
    let host = StreamHost { function, handler, dead_letters, clock: Arc::new(SystemClock) };
    let host = &host;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<DynamoDbEvent>| async move {
        let time = time_left(&event.context, host.clock.as_ref());
        let rows = event.payload.records.into_iter().map(Row::from).collect();
        let failed = host.batch(rows, time, &event.context.request_id).await;
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

impl From<EventRecord> for Row {
    fn from(record: EventRecord) -> Self {
        let image: Value = serde_dynamo::from_item(record.change.new_image).unwrap_or_default();
        Self {
            sequence_number: record.change.sequence_number.unwrap_or_default(),
            event: image.get("event").and_then(Value::as_str).unwrap_or_default().to_owned(),
        }
    }
}

impl<H: EventHandler> StreamHost<H> {
    /// Handles rows in their order in at most `time`, and gives back the first that is to come again, if any.
    pub async fn batch(&self, rows: Vec<Row>, time: Duration, request_id: &str) -> Option<String> {
        let start = self.clock.elapsed();
        for row in rows {
            let event = serde_json::from_str::<Value>(&row.event);
            let labels = Labels::of(event.as_ref().unwrap_or(&Value::Null));
            let span = labels.span(1, request_id);
            let left = time.saturating_sub(self.clock.elapsed().saturating_sub(start));
            if !self.row(&row, event, &labels, left).instrument(span).await {
                return Some(row.sequence_number);
            }
        }
        None
    }

    /// Handles one row. True when it is done, false when it is to come again.
    async fn row(
        &self,
        row: &Row,
        event: Result<Value, serde_json::Error>,
        labels: &Labels,
        time: Duration,
    ) -> bool {
        let start = self.clock.elapsed();
        let handled = isolated(self.clock.as_ref(), time, async {
            let event = event.map_err(|error| Failure::poison(format!("the row holds no event: {error}")))?;
            let event = read_event(event)?;
            self.handler.handle(&event).await?;
            Ok(event.fact.name())
        })
        .await;
        let buried = match &handled {
            Err(failure @ (Failure::Reject(_) | Failure::Poison(_))) => self.bury(row, labels, failure).await,
            _ => false,
        };
        let done = handled.is_ok() || buried;
        let (published, failure) = match &handled {
            Ok(name) => (vec![*name], None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let took = self.clock.elapsed().saturating_sub(start);
        Handled { published, failure, again_in: None, buried, took }.log();
        done
    }

    async fn bury(&self, row: &Row, labels: &Labels, failure: &Failure) -> bool {
        let letter = DeadLetter {
            body: row.event.clone(),
            error: failure.to_string(),
            kind: failure.kind(),
            function: self.function,
            attempt: 1,
            correlation_id: labels.correlation_id.clone(),
            failed_at: self.clock.now(),
        };
        match self.dead_letters.bury(&letter).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "the dead letter could not be put away");
                false
            }
        }
    }
}
