//! The events: past facts, in a CloudEvents 1.0 envelope (<https://github.com/cloudevents/spec>).

use std::fmt::{Debug, Display};
use std::hash::Hash;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::{CorrelationId, EventId, OrderId, PaymentIntentId, ProviderEventId, RefundId};
use crate::money::Money;
use crate::order::OrderDetails;
use crate::payment::{DeclineReason, VoidReason};
use crate::reservation::Shortage;

/// What `dataschema` starts with; the event's type and major version follow.
const SCHEMA_PREFIX: &str = "urn:serverless-orders:event:";

/// EventPayload about things of one kind: orders, or products ([`crate::product::ProductFact`]).
pub trait EventPayload: Debug + Clone + Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What names the thing that a fact is about.
    type Subject: Debug + Display + Clone + Eq + Hash + Serialize + DeserializeOwned + Send + Sync;

    /// The event's type, as it stands on the bus.
    fn name(&self) -> &'static str;

    /// The service that knows it first-hand.
    fn source(&self) -> &'static str;

    /// Major version of its schema. One that breaks a consumer is a new one.
    fn schema_version(&self) -> u32;

    /// What tells this fact from every other about the same thing.
    fn identity(&self) -> String;
}

/// An event on the bus. Its JSON is the `detail` of an EventBridge entry. About an order, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Envelope<F>", into = "Envelope<F>", bound = "")]
pub struct Event<F: EventPayload = Fact> {
    /// Same fact, same id: see [`EventId`].
    pub id: EventId,
    /// The service that knows it first-hand.
    pub source: String,
    /// The order, or the product, that it is about.
    pub subject: F::Subject,
    /// When it became so.
    pub time: Timestamp,
    /// What set it off.
    pub cause: Cause,
    /// What happened.
    pub fact: F,
}

/// What led to an event, carried from event to event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// The request that started it all.
    pub correlation_id: CorrelationId,
    /// The event that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// Where tracing goes on: the `traceparent` of W3C Trace Context, carried as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What can happen to an order. The names on the bus are those of the article
/// "Integrating serverless functions with microservices".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum Fact {
    /// An order was placed. Whoever runs an order service may publish it: all that others need is in it.
    #[serde(rename = "order.created")]
    OrderCreated(OrderCreated),
    /// Somebody wants the order not to be charged any more. Payments decides whether that is still possible.
    #[serde(rename = "order.cancellation_requested")]
    CancellationRequested(CancellationRequested),
    /// The stock is held for the order.
    #[serde(rename = "reservation.confirmed")]
    ReservationConfirmed(ReservationConfirmed),
    /// The order cannot be had as it was placed, and nothing is held.
    #[serde(rename = "reservation.rejected")]
    ReservationRejected(ReservationRejected),
    /// The held stock is sold.
    #[serde(rename = "reservation.committed")]
    ReservationCommitted(ReservationSettled),
    /// The held stock is free again, or will never be held.
    #[serde(rename = "reservation.released")]
    ReservationReleased(ReservationSettled),
    /// The customer was charged.
    #[serde(rename = "payment.succeeded")]
    PaymentSucceeded(PaymentSucceeded),
    /// The charge was declined. The customer was not charged, and will not be.
    #[serde(rename = "payment.failed")]
    PaymentFailed(PaymentFailed),
    /// The customer was not charged for this order, and never will be.
    #[serde(rename = "payment.voided")]
    PaymentVoided(PaymentVoided),
    /// The payment provider told us, unasked, that something became of the order's PaymentIntent. A reason to ask it,
    /// and no outcome: `payment.succeeded`, `payment.failed` and `payment.voided` are.
    #[serde(rename = "payment.reported")]
    PaymentReported(PaymentReported),
    /// Some or all of what the customer was charged went back to them. It happens any number of times to an order.
    #[serde(rename = "payment.refunded")]
    PaymentRefunded(PaymentRefunded),
}

/// `order.created`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct OrderCreated {
    /// All about the order.
    pub order: OrderDetails,
}

/// `order.cancellation_requested`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CancellationRequested {
    /// All about the order.
    pub order: OrderDetails,
    /// Who wants that.
    pub reason: VoidReason,
}

/// `reservation.confirmed`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ReservationConfirmed {
    /// All about the order.
    pub order: OrderDetails,
}

/// `reservation.rejected`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ReservationRejected {
    /// All about the order.
    pub order: OrderDetails,
    /// Each line that stood in the way, and why. At least one.
    pub shortages: Vec<Shortage>,
}

/// `reservation.committed` and `reservation.released`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ReservationSettled {}

/// `payment.succeeded`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentSucceeded {
    /// All about the order.
    pub order: OrderDetails,
    /// Where the provider has it.
    pub payment_intent: PaymentIntentId,
    /// What was charged.
    pub amount: Money,
}

/// `payment.failed`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentFailed {
    /// All about the order.
    pub order: OrderDetails,
    /// Why.
    pub reason: DeclineReason,
}

/// `payment.voided`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentVoided {
    /// All about the order.
    pub order: OrderDetails,
    /// Who wanted that.
    pub reason: VoidReason,
}

/// `payment.reported`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentReported {
    /// Which PaymentIntent.
    pub payment_intent: PaymentIntentId,
    /// What the provider calls this report. It sends the same one again until it is taken.
    pub report: ProviderEventId,
    /// What it says. For people: nobody decides by it, since reports come late and in any order.
    pub status: ReportedStatus,
}

/// `payment.refunded`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentRefunded {
    /// All about the order.
    pub order: OrderDetails,
    /// Which refund: the same one is told of again under the same id.
    pub refund: RefundId,
    /// What went back: in the order's currency, and with all other refunds of the order at most what was charged.
    pub amount: Money,
}

/// What the provider says became of a PaymentIntent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedStatus {
    /// It is at it.
    Processing,
    /// The customer was charged.
    Succeeded,
    /// An attempt to charge was declined.
    Failed,
    /// It can no longer be charged.
    Cancelled,
}

impl Fact {
    /// The event's type, as it stands on the bus.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OrderCreated(_) => "order.created",
            Self::CancellationRequested(_) => "order.cancellation_requested",
            Self::ReservationConfirmed(_) => "reservation.confirmed",
            Self::ReservationRejected(_) => "reservation.rejected",
            Self::ReservationCommitted(_) => "reservation.committed",
            Self::ReservationReleased(_) => "reservation.released",
            Self::PaymentSucceeded(_) => "payment.succeeded",
            Self::PaymentFailed(_) => "payment.failed",
            Self::PaymentVoided(_) => "payment.voided",
            Self::PaymentReported(_) => "payment.reported",
            Self::PaymentRefunded(_) => "payment.refunded",
        }
    }
}

impl EventPayload for Fact {
    type Subject = OrderId;

    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn source(&self) -> &'static str {
        match self {
            Self::OrderCreated(_) | Self::CancellationRequested(_) => "orders",
            Self::ReservationConfirmed(_)
            | Self::ReservationRejected(_)
            | Self::ReservationCommitted(_)
            | Self::ReservationReleased(_) => "inventory",
            Self::PaymentSucceeded(_)
            | Self::PaymentFailed(_)
            | Self::PaymentVoided(_)
            | Self::PaymentReported(_)
            | Self::PaymentRefunded(_) => "payments",
        }
    }

    fn schema_version(&self) -> u32 {
        1
    }

    /// Each happens once to an order, but for the
    /// wish to cancel it, which the customer and the clock may both have, the provider's reports, and refunds.
    fn identity(&self) -> String {
        match self {
            Self::CancellationRequested(wish) => format!("{}/{}", self.name(), wish.reason.name()),
            Self::PaymentReported(reported) => format!("{}/{}", self.name(), reported.report),
            Self::PaymentRefunded(refunded) => format!("{}/{}", self.name(), refunded.refund),
            _ => self.name().to_owned(),
        }
    }
}

/// The service that publishes events of the type `name`, such as `order.created`: what a type begins with says what it is
/// about, and each such thing has one service that knows it first-hand. `None` for what is no type of event.
pub fn source_of(name: &str) -> Option<&'static str> {
    match name.split_once('.')?.0 {
        "order" => Some("orders"),
        "reservation" => Some("inventory"),
        "payment" => Some("payments"),
        "product" => Some("media"),
        _ => None,
    }
}

fn schema(fact: &impl EventPayload) -> String {
    format!("{SCHEMA_PREFIX}{}:{}", fact.name(), fact.schema_version())
}

impl<F: EventPayload> Event<F> {
    /// The event that `fact` became true of `subject` at `time`.
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

    /// The cause of what this event leads to.
    pub fn to_cause(&self) -> Cause {
        Cause { causation_id: Some(self.id), ..self.cause.clone() }
    }
}

/// The event as CloudEvents spells it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
struct Envelope<F: EventPayload> {
    specversion: String,
    id: EventId,
    source: String,
    subject: F::Subject,
    time: Timestamp,
    #[serde(default = "json")]
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

fn json() -> String {
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
            datacontenttype: json(),
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
            return Err(format!("CloudEvents {} is not understood, only 1.0 is", envelope.specversion));
        }
        let expected = schema(&envelope.fact);
        match envelope.dataschema {
            Some(schema) if schema != expected => {
                return Err(format!("the schema {schema} is not understood, only {expected} is"));
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
