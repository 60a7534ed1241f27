//! Events: facts in a CloudEvents 1.0 envelope (<https://github.com/cloudevents/spec>).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::{EventPayload, Fact};
use crate::id::{CorrelationId, EventId};

/// The prefix of `dataschema`, followed by the event type and the major version of its schema.
const SCHEMA_PREFIX: &str = "urn:serverless-orders:event:";

/// An event on the bus. Its JSON is the `detail` of an EventBridge entry. By default, an event is about an
/// order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Envelope<F>", into = "Envelope<F>", bound = "")]
pub struct Event<F: EventPayload = Fact> {
    /// The id of the event. The same fact always has the same id: see [`EventId`].
    pub id: EventId,
    /// The service that published the event.
    pub source: String,
    /// The id of the order or the product that the event is about.
    pub subject: F::Subject,
    /// The time at which the fact became true.
    pub time: Timestamp,
    /// The cause of the event.
    pub cause: Cause,
    /// The fact that the event reports.
    pub fact: F,
}

/// The cause of an event. It is propagated from event to event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// The correlation id of the request that started the chain of events.
    pub correlation_id: CorrelationId,
    /// The id of the event that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// The `traceparent` of W3C Trace Context: the span in which the event was created or published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

fn schema(fact: &impl EventPayload) -> String {
    format!("{SCHEMA_PREFIX}{}:{}", fact.name(), fact.schema_version())
}

impl<F: EventPayload> Event<F> {
    /// Creates the event that reports that `fact` became true of `subject` at `time`.
    pub fn new(subject: F::Subject, fact: F, time: Timestamp, cause: Cause) -> Self {
        Self {
            id: EventId::derive(&subject, &fact.identity()),
            source: fact.source().to_owned(),
            subject,
            time,
            cause,
            fact,
        }
    }

    /// Returns this event as the cause of the events that follow from it.
    pub fn to_cause(&self) -> Cause {
        Cause { causation_id: Some(self.id), ..self.cause.clone() }
    }
}

/// The JSON form of an event, with the attribute names of CloudEvents.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
struct Envelope<F: EventPayload> {
    specversion: String,
    id: EventId,
    source: String,
    subject: F::Subject,
    time: Timestamp,
    #[serde(default = "json_content_type")]
    datacontenttype: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dataschema: Option<String>,
    #[serde(rename = "correlationid")]
    correlation_id: CorrelationId,
    #[serde(rename = "causationid", default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<EventId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(flatten)]
    fact: F,
}

fn json_content_type() -> String {
    "application/json".to_owned()
}

impl<F: EventPayload> From<Event<F>> for Envelope<F> {
    fn from(event: Event<F>) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: event.id,
            source: event.source,
            subject: event.subject,
            time: event.time,
            datacontenttype: json_content_type(),
            dataschema: Some(schema(&event.fact)),
            correlation_id: event.cause.correlation_id,
            causation_id: event.cause.causation_id,
            traceparent: event.cause.traceparent,
            fact: event.fact,
        }
    }
}

impl<F: EventPayload> TryFrom<Envelope<F>> for Event<F> {
    type Error = String;

    fn try_from(envelope: Envelope<F>) -> Result<Self, Self::Error> {
        if envelope.specversion != "1.0" {
            return Err(format!("CloudEvents {} is not supported, only 1.0 is", envelope.specversion));
        }
        let expected = schema(&envelope.fact);
        match envelope.dataschema {
            Some(schema) if schema != expected => {
                return Err(format!("the schema {schema} is not supported, only {expected} is"));
            }
            _ => {}
        }
        Ok(Self {
            id: envelope.id,
            source: envelope.source,
            subject: envelope.subject,
            time: envelope.time,
            cause: Cause {
                correlation_id: envelope.correlation_id,
                causation_id: envelope.causation_id,
                traceparent: envelope.traceparent,
            },
            fact: envelope.fact,
        })
    }
}
